"""The sheet of products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from admin import changes
from admin.catalog.models import ProductInput
from admin.catalog.tables import products
from admin.errors import FieldError
from admin.resources import Resources
from admin.sheets.cells import read_flag, read_list, read_text, read_whole, show_flag, show_list
from admin.sheets.model import Column, Plan, Sheet
from admin.sheets.storing import write_rows

_FIELDS = tuple(ProductInput.model_fields)


class Products(Sheet):
    """Products, by SKU. Money is in minor units."""

    name = "products"
    kind = "product"
    key = "sku"
    table = products
    model = ProductInput
    columns = (
        Column("sku", ("sku",), "sku", read_text),
        Column("name", ("name",), "name", read_text),
        Column("price", ("price",), "price", read_whole),
        Column("cost", ("cost",), "cost", read_whole, clears=True),
        Column("stock", ("stock",), "stock", read_whole),
        Column("category", ("category",), "category", read_text, clears=True),
        Column("tags", ("tags",), "tags", read_list, show_list, clears=True),
        Column("image", ("image",), "image", read_text, clears=True),
        Column("description", ("description",), "description", read_text, clears=True),
        Column("gift_only", ("gift_only",), "gift_only", read_flag, show_flag),
        Column("on_sale", ("on_sale",), "on_sale", read_flag, show_flag),
        Column("membership_level", ("membership", "level"), "membership", read_whole, clears=True),
        Column("membership_days", ("membership", "days"), "membership", read_whole, clears=True),
    )

    def shown(self, resources: Resources, row: Row[Any]) -> Mapping[str, Any]:
        """A product."""
        return self.present(row)

    def present(self, row: Row[Any]) -> dict[str, Any]:
        """A product."""
        return {name: getattr(row, name) for name in _FIELDS}

    def values(self, given: ProductInput) -> dict[str, Any]:
        """Every field has a column."""
        return given.model_dump()

    def obstacle(self, row: Row[Any] | None, values: Mapping[str, Any]) -> FieldError | None:
        """Promised units cannot be taken away."""
        if row is None or values.get("stock", row.stock) >= row.reserved:
            return None
        return FieldError("stock", "below_reserved", f"{row.reserved} units are promised to campaigns and orders")

    def take_number(self, connection: Connection) -> int:
        """Products carry the number of their newest change."""
        return changes.take_number(connection)

    def write(self, connection: Connection, plan: Plan, columns: Sequence[str], number: int | None) -> None:
        """All with one number; those whose stock alone changes keep theirs."""
        write_rows(
            connection,
            products,
            plan,
            columns,
            made={"reserved": 0, "changed": number},
            changed={"changed": number},
        )
