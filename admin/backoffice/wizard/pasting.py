"""Products pasted as lines of a sheet: a SKU, then the terms that the type has for each product."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from admin.backoffice.wizard import columns
from admin.backoffice.wizard.catalogue import products_of
from admin.backoffice.wizard.columns import Column
from admin.backoffice.wizard.typed import Unreadable
from admin.pages.locales import gettext
from admin.promotions.model import ITEMS_MAX


@dataclass(slots=True)
class Pasted:
    """The rows that can be used, by SKU, and what is wrong with the others."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


async def read(request: Request, type_name: str, text: str) -> Pasted:
    """Read pasted lines. The first line may name the columns; else they come in the order of the page."""
    known = {column.name: column for column in columns.of(type_name)}
    lines = [(number, cells) for number, cells in enumerate(_split(text), 1) if any(cells)]
    order = list(known.values())
    pasted = Pasted()
    if lines and lines[0][1][0].lower() == "sku":
        names = [name.lower() for name in lines[0][1][1:]]
        unknown = [name for name in names if name and name not in known]
        if unknown:
            pasted.errors.append(
                gettext("There is no column %(name)s here. These are: %(names)s.")
                % {"name": unknown[0], "names": ", ".join(["sku", *known])}
            )
            return pasted
        order = [known[name] for name in names if name]
        lines = lines[1:]
    if len(lines) > ITEMS_MAX:
        pasted.errors.append(gettext("A campaign lists at most %(count)s products.") % {"count": ITEMS_MAX})
        return pasted
    products = await products_of(request, (cells[0] for _, cells in lines))
    for number, cells in lines:
        problem = _row(request, pasted, order, cells, cells[0] in products)
        if problem is not None:
            pasted.errors.append(gettext("Line %(number)s: %(problem)s") % {"number": number, "problem": problem})
    return pasted


def _row(request: Request, pasted: Pasted, order: list[Column], cells: list[str], exists: bool) -> str | None:
    """Take one row, or tell what is wrong with it."""
    sku, *given = cells
    if not exists:
        return gettext("there is no product %(sku)s") % {"sku": sku}
    if sku in pasted.rows:
        return gettext("%(sku)s stands here twice") % {"sku": sku}
    if len([each for each in given if each]) > len(order):
        return gettext("more columns than there are")
    terms: dict[str, Any] = {}
    for column, text in zip(order, given, strict=False):
        try:
            value = columns.read(request, column, text)
        except Unreadable as error:
            return f"{column.title}: {error}"
        if value is not None:
            terms[column.name] = value
    pasted.rows[sku] = terms
    return None


def _split(text: str) -> list[list[str]]:
    """Cells of lines; sheets copy tabs, files have commas."""
    found = []
    for line in text.splitlines():
        cells = next(csv.reader([line], delimiter="\t" if "\t" in line else ","), [])
        found.append([cell.strip() for cell in cells] or [""])
    return found
