"""The sheet of categories. A file may name parents before or after their children."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, select

from admin.catalog import categories as service
from admin.catalog.category_models import CategoryInput
from admin.catalog.tables import categories
from admin.catalog.tree import DEPTH_MAX, wrong_parents
from admin.changes import note_all
from admin.errors import FieldError
from admin.resources import Resources
from admin.sheets.cells import read_text, read_whole
from admin.sheets.model import Column, Plan, Record, Sheet
from admin.sheets.storing import write_rows

_NAME_IN = "name."


class Categories(Sheet):
    """Categories, by id. `name.LANGUAGE` is the name in a language."""

    name = "categories"
    kind = "category"
    key = "id"
    table = categories
    model = CategoryInput
    whole = True
    rows_max = 10_000
    columns = (
        Column("id", ("id",), "id", read_text),
        Column("name", ("name",), "name", read_text),
        Column("parent", ("parent",), "parent", read_text, clears=True),
        Column("position", ("position",), "position", read_whole),
    )

    def column(self, name: str) -> Column | None:
        """One of the fixed columns, or the name in a language."""
        language = name.removeprefix(_NAME_IN)
        if language != name and re.fullmatch(r"[A-Za-z0-9-]{2,20}", language):
            return Column(name, ("texts", language, "name"), "texts", read_text, clears=True)
        return super().column(name)

    def exported(self, connection: Connection) -> Sequence[Column]:
        """With a column for every language that a category has a name in."""
        languages = {each for texts in connection.execute(select(categories.c.texts)).scalars() for each in texts}
        columns = [self.column(f"{_NAME_IN}{each}") for each in sorted(languages)]
        return [*self.columns, *(each for each in columns if each is not None)]

    def field_of(self, path: str) -> str:
        """The column of a path of the input."""
        parts = path.split(".")
        return f"{_NAME_IN}{parts[1]}" if parts[0] == "texts" and len(parts) > 1 else super().field_of(path)

    def shown(self, resources: Resources, row: Row[Any]) -> Mapping[str, Any]:
        """A category."""
        return self.present(row)

    def present(self, row: Row[Any]) -> dict[str, Any]:
        """A category."""
        return {name: getattr(row, name) for name in CategoryInput.model_fields}

    def values(self, given: CategoryInput) -> dict[str, Any]:
        """Every field has a column."""
        return given.model_dump()

    def misplaced(
        self, connection: Connection, records: Sequence[Record], *, lock: bool = False
    ) -> Mapping[str, FieldError]:
        """Parents that are unknown, make a cycle or lie too deep."""
        tree = service.parents(connection, lock=lock)
        moved = {each.key: each.values["parent"] for each in records}
        found: dict[str, FieldError] = {}
        while wrong := wrong_parents({**tree, **moved}):
            blamed = {_mover(name, {**tree, **moved}, moved): error for name, error in wrong.items()}
            for name, error in blamed.items():
                about = wrong.get(name) or replace(error, message=f"what is below it: {error.message}")
                found[name] = about
                del moved[name]
        return found

    def take_number(self, connection: Connection) -> None:
        """Every category's change is noted by itself."""

    def write(self, connection: Connection, plan: Plan, columns: Sequence[str], number: int | None) -> None:
        """Parents before their children, and all noted."""
        plan.made = _parents_first(plan.made)
        write_rows(connection, categories, plan, columns, made={}, changed={})
        noted = {
            each.key: {"name": each.values["name"], "parent": each.values["parent"]}
            for each in [*plan.made, *plan.changed]
        }
        note_all(connection, "category", noted)


def _mover(name: str, tree: Mapping[str, str | None], moved: Mapping[str, Any]) -> str:
    """The nearest category of the file, from a wrong one upwards: the tree was right before."""
    while name not in moved:
        parent = tree[name]
        assert parent is not None, "a root that the file does not move is not wrong"
        name = parent
    return name


def _parents_first(records: Sequence[Record]) -> list[Record]:
    waiting = {each.key: each for each in records}
    ordered: list[Record] = []
    for _ in range(DEPTH_MAX):
        ready = [each for each in waiting.values() if each.values["parent"] not in waiting]
        ordered += ready
        for each in ready:
            del waiting[each.key]
    return ordered
