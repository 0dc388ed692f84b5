"""Products: make, read, change, delete; and the reservation of their stock by campaigns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, select, update

from admin.catalog.holding import campaign_with_product, in_live_order
from admin.catalog.models import Membership, Product, ProductChange, ProductFilter, ProductInput, ProductPage
from admin.catalog.tables import products
from admin.catalog.tree import family
from admin.changes import note, take_number
from admin.errors import Conflict, Invalid
from admin.inputs import check
from admin.records import Records, containing
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import offers

_PRODUCTS = Records("product", products, key="sku", order=("sku",))


def create(resources: Resources, body: object, *, actor: str) -> Product:
    """Make a product.

    Raises:
        Invalid: with every problem of the input.
        Conflict: the SKU is taken.
    """
    given = check(ProductInput, body)
    with writing(resources.engine) as connection:
        values = {**given.model_dump(), "reserved": 0, "changed": take_number(connection)}
        return _PRODUCTS.create(connection, values, partial(_view, resources), actor=actor)


def read(resources: Resources, sku: str) -> Product:
    """One product.

    Raises:
        NotFound: there is none with this SKU.
    """
    with reading(resources.engine) as connection:
        return _view(resources, _PRODUCTS.find(connection, sku))


def page(resources: Resources, wanted: ProductFilter) -> ProductPage:
    """A page of products.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    with reading(resources.engine) as connection:
        rows, following, total = _PRODUCTS.page(connection, wanted, *_conditions(connection, wanted))
    return ProductPage(items=[_view(resources, row) for row in rows], next=following, total=total)


def _conditions(connection: Connection, wanted: ProductFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.category is not None:
        yield products.c.category.in_(family(wanted.category))
    if wanted.tag is not None:
        spread = func.json_each if connection.dialect.name == "sqlite" else func.json_array_elements_text
        tags = spread(products.c.tags).table_valued("value")
        yield exists(select(tags.c.value).where(tags.c.value == wanted.tag))
    if wanted.on_sale is not None:
        yield products.c.on_sale == wanted.on_sale
    if wanted.gift_only is not None:
        yield products.c.gift_only == wanted.gift_only
    if wanted.sku is not None:
        yield products.c.sku.in_(wanted.sku)
    if wanted.q is not None:
        yield containing(wanted.q, products.c.sku, products.c.name)


def change(resources: Resources, sku: str, body: object, *, actor: str, if_match: int | None = None) -> Product:
    """Change some fields of a product.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Invalid: with every problem of the input.
        Conflict: the new stock is below what is reserved.
    """
    given = check(ProductChange, body)
    # Membership is stored as JSON, so it is dumped; only what was sent is changed.
    values = given.model_dump(include=given.model_fields_set)
    with writing(resources.engine) as connection:
        row = _PRODUCTS.lock(connection, sku, if_match)
        if values.get("stock", row.reserved) < row.reserved:
            raise Conflict(
                f"{row.reserved} units of {sku} are promised to campaigns and orders",
                code="below_reserved",
                field="stock",
                lowest=row.reserved,
            )
        if values.keys() - {"stock"}:
            values["changed"] = take_number(connection)
        return _PRODUCTS.change(connection, row, values, partial(_view, resources), actor=actor)


def remove(resources: Resources, sku: str, *, actor: str, if_match: int | None = None) -> None:
    """Delete a product that nothing needs any more.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: an offer, an order or a campaign still needs it.
    """
    with writing(resources.engine) as connection:
        row = _PRODUCTS.lock(connection, sku, if_match)
        now = now_ms(connection)
        offered = offers.c.sku == sku, offers.c.state != "terminated", offers.c.ends_at_ms > now
        if (
            row.reserved
            or connection.execute(select(exists().where(*offered))).scalar_one()
            or in_live_order(connection, sku)
        ):
            raise Conflict(f"{sku} is in a live offer or order", code="product_in_use")
        campaign = campaign_with_product(connection, sku, now)
        if campaign is not None:
            raise Conflict(
                f"the campaign {campaign} has {sku}; take it off there or end the campaign",
                code="product_in_use",
                campaign=campaign,
            )
        # Noted before it is gone: whoever makes it again waits for the number, or hears that it is there.
        note(connection, "product", sku, None)
        _PRODUCTS.remove(connection, row, partial(_view, resources), actor=actor)


def find(connection: Connection, skus: Iterable[str]) -> dict[str, Row[Any]]:
    """The products there are among some SKUs."""
    wanted = sorted(set(skus))
    found: dict[str, Row[Any]] = {}
    # In pieces, since databases limit the number of parameters of a statement.
    for start in range(0, len(wanted), 500):
        piece = wanted[start : start + 500]
        for row in connection.execute(select(products).where(products.c.sku.in_(piece))):
            found[row.sku] = row
    return found


def reserve(connection: Connection, units: Mapping[str, int]) -> list[str]:
    """Promise units of products' free stock; the SKUs that have too little are returned and left as they are.

    A caller that gets any must roll its transaction back.
    """
    short = []
    for sku in sorted(units):  # always in this order, so that two transactions cannot wait for each other
        changed = connection.execute(
            update(products)
            .where(products.c.sku == sku, products.c.stock - products.c.reserved >= units[sku])
            .values(reserved=products.c.reserved + units[sku])
        )
        if changed.rowcount != 1:
            short.append(sku)
    return short


def give_back(connection: Connection, units: Mapping[str, int]) -> None:
    """Take promised units back into the free stock."""
    for sku in sorted(units):
        if units[sku]:
            connection.execute(
                update(products).where(products.c.sku == sku).values(reserved=products.c.reserved - units[sku])
            )


def hand_over(connection: Connection, sku: str, units: int) -> None:
    """Let promised units leave for good: they are paid for. A product that was deleted since is no error."""
    connection.execute(
        update(products)
        .where(products.c.sku == sku, products.c.reserved >= units)
        .values(stock=products.c.stock - units, reserved=products.c.reserved - units)
    )


def take_in(connection: Connection, sku: str, units: int) -> None:
    """Take units back that had left, promised to the offer that sells them again."""
    connection.execute(
        update(products)
        .where(products.c.sku == sku)
        .values(stock=products.c.stock + units, reserved=products.c.reserved + units)
    )


def not_enough(field: str, free: int) -> Invalid:
    """The refusal of a reservation."""
    return Invalid.one(field, "not_enough_stock", f"the product has {free} free units")


def _view(resources: Resources, row: Row[Any]) -> Product:
    return Product(
        sku=row.sku,
        name=row.name,
        price=row.price,
        cost=row.cost,
        stock=row.stock,
        reserved=row.reserved,
        free=row.stock - row.reserved,
        category=row.category,
        tags=row.tags,
        image=row.image,
        description=row.description,
        gift_only=row.gift_only,
        on_sale=row.on_sale,
        membership=None if row.membership is None else Membership(**row.membership),
        revision=row.revision,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )
