"""Helpers of the tests about CSV files: bring one into a shop, and see what came of it."""

from __future__ import annotations

import io
from typing import Any

from sidecar import ACTOR, Api, Shop
from sqlalchemy import select

from admin.sheets import exporting, files, importing
from admin.sheets.importing import Order
from admin.sheets.record import Progress
from admin.sheets.registry import SHEETS
from gateway.orders.database import reading


def order_of(sheet: str, text: str | bytes, **about: Any) -> Order:
    data = text.encode() if isinstance(text, str) else text
    file = io.BytesIO(data)
    return Order(SHEETS[sheet], file, files.survey(SHEETS[sheet], file), ACTOR, **about)


def bring(shop: Shop, sheet: str, text: str | bytes, **about: Any) -> Progress:
    """Import a file."""
    order = order_of(sheet, text, **about)
    progress = importing.begin(shop.resources.engine, order)
    importing.run(shop.resources.engine, order, progress)
    return progress


def counts(progress: Progress) -> tuple[str, int, int, int, int]:
    return progress.state, progress.made, progress.changed, progress.unchanged, progress.error_count


def errors(progress: Progress) -> list[tuple[int, str, str]]:
    return [(each.row, each.field, each.code) for each in progress.errors]


def exported(shop: Shop, sheet: str, *, mark: bool = False) -> bytes:
    with exporting.export(shop.resources, SHEETS[sheet], mark=mark) as file:
        file.seek(0)
        return file.read()


def everything(shop: Shop, sheet: str) -> list[dict[str, Any]]:
    gone = {"revision", "created_at_ms", "updated_at_ms", "changed"}
    with reading(shop.resources.engine) as connection:
        table = SHEETS[sheet].table
        rows = connection.execute(select(table).order_by(*table.primary_key.columns)).all()
    return [{name: value for name, value in row._mapping.items() if name not in gone} for row in rows]


def sent(api: Api, sheet: str, text: str, query: str = "", status: int = 200) -> Any:
    reply = api.send("POST", f"/{sheet}.csv{query}", content=text)
    assert reply.status_code == status, reply.text
    return reply.json()
