"""What the ledger's offers should be: new rows with reserved stock, changed ones with a new version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, insert, select, update

from admin.campaigns.stored import Readable, Stored
from admin.catalog import service as catalog
from admin.errors import FieldError, Invalid
from admin.inputs import examine
from admin.reminders import moving
from gateway import keys
from gateway.orders.tables import offers

DEMO_GOODS = "demo-"
"""Offers of the demo's products take the demo's shoppers, whoever makes the campaign. Elsewhere there are none."""


def offer_id(code: str, sku: str) -> str:
    """The offer that a campaign's item becomes."""
    return f"{code}-{sku}"


def price_of(content: Readable, item: Any) -> int | None:
    """What a unit of an item costs; None while that is not settled."""
    price: int | None = item.price if item.price is not None else content.rule.price
    return price


def with_stock(stored: Stored, items: Sequence[Any]) -> list[Any]:
    """Wanted items; one that is published and comes without a stock keeps the one it has."""
    return [
        item.model_copy(update={"stock": stored.offers[item.sku].stock})
        if item.sku in stored.offers and item.stock is None
        else item
        for item in items
    ]


def taken_ids(connection: Connection, code: str, items: Sequence[tuple[int, Any]]) -> list[FieldError]:
    """Problems of items whose offer id belongs to another offer: `a-b` + `c` is also `a` + `b-c`."""
    wanted = {offer_id(code, item.sku): (index, item) for index, item in items}
    errors = []
    ids = sorted(wanted)
    for start in range(0, len(ids), 500):
        piece = ids[start : start + 500]
        for row in connection.execute(select(offers).where(offers.c.id.in_(piece))):
            index, item = wanted[row.id]
            if (row.campaign, row.sku) != (code, item.sku):
                text = f"the offer id {row.id} belongs to {row.sku} of campaign {row.campaign}"
                errors.append(FieldError(f"items.{index}.sku", "offer_id_taken", text))
    return errors


def open_offers(
    connection: Connection, stored: Stored, items: Sequence[tuple[int, Any]], *, currency: str, buckets: int
) -> None:
    """Reserve the stock of new items, given with their positions, and write their offers, with so many buckets.

    Raises:
        Invalid: a product has too little free stock.
    """
    if not items:
        return
    campaign, content = stored.row, stored.readable()
    position_of = {item.sku: position for position, item in items}
    short = catalog.reserve(connection, {item.sku: item.stock for _, item in items})
    products = catalog.find(connection, position_of)
    if short:
        raise Invalid(
            [
                FieldError(
                    f"items.{position_of[sku]}.stock",
                    "not_enough_stock",
                    f"the product has {products[sku].stock - products[sku].reserved} free units"
                    if sku in products
                    else "the product is gone",
                )
                for sku in short
            ]
        )
    connection.execute(
        insert(offers),
        [
            {
                "id": offer_id(campaign.code, item.sku),
                "campaign": campaign.code,
                "sku": item.sku,
                # Larger than any version an earlier offer of this id had, so Redis never takes old for new.
                "version": stored.now_ms,
                "published_version": 0,
                "seeded": False,
                "stock": item.stock,
                "unit_cap": item.stock,
                "epoch": keys.FIRST_EPOCH,
                "buckets": buckets,
                **_terms(campaign, content, item, removed=False),
                "card": _card(campaign, content, products[item.sku], item.sku, currency),
            }
            for _, item in items
        ],
    )


def refresh(connection: Connection, stored: Stored, *, currency: str) -> None:
    """Bring every offer of a campaign to what the campaign now says; changed ones get the next version.

    When that cannot be read, they keep their terms and follow only its flags.
    """
    products = catalog.find(connection, stored.offers)
    for row in stored.items:
        offer = stored.offers.get(row.sku)
        if offer is None:
            continue
        wanted: dict[str, Any] = {"state": _state(stored.row, removed=row.removed)}
        item = _priced_item(stored, row)
        if isinstance(stored.content, Readable) and item is not None:
            wanted = _terms(stored.row, stored.content, item, removed=row.removed)
            if row.sku in products:
                wanted["card"] = _card(stored.row, stored.content, products[row.sku], row.sku, currency)
        changed = {name: value for name, value in wanted.items() if getattr(offer, name) != value}
        if changed:
            connection.execute(
                update(offers).where(offers.c.id == offer.id).values(version=offers.c.version + 1, **changed)
            )
        if "starts_at_ms" in changed:
            moving.follow(connection, offer.id, changed["starts_at_ms"])


def _priced_item(stored: Stored, row: Row[Any]) -> Any:
    """An item as its type reads it; None when it cannot be read, or has no price."""
    if isinstance(stored.content, str):
        return None
    item, problems = examine(stored.content.promotion.item, stored.item_body(row))
    return None if problems or price_of(stored.content, item) is None else item


def _state(campaign: Row[Any], *, removed: bool) -> str:
    if removed or campaign.removing or campaign.terminated_at_ms is not None:
        return "terminated"
    return "paused" if campaign.paused else "open"


def _terms(campaign: Row[Any], content: Readable, item: Any, *, removed: bool) -> dict[str, Any]:
    return {
        "state": _state(campaign, removed=removed),
        "starts_at_ms": campaign.starts_at_ms,
        "ends_at_ms": campaign.ends_at_ms,
        "price": price_of(content, item),
        "limit_per_shopper": content.rule.limit_per_shopper,
        "pay_within_ms": content.rule.pay_within_s * 1000,
    }


def _card(campaign: Row[Any], content: Readable, product: Row[Any], sku: str, currency: str) -> str:
    card: Mapping[str, Any] = {
        "sku": sku,
        "name": product.name,
        "image": product.image,
        "original_price": product.price,
        "slogan": content.fields.slogan,
        "category": product.category,
        "session": None if content.rule.session is None else content.rule.session.id,
        "campaign": campaign.code,
        "currency": currency,
        "audience": content.fields.audience.as_json(),
        "demo": campaign.demo or sku.startswith(DEMO_GOODS),
    }
    return orjson.dumps(card).decode()
