"""What the ledger's offers should be: new rows with reserved stock, changed ones with a new version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, insert, select, update

from admin.campaigns.stored import Stored
from admin.catalog import service as catalog
from admin.errors import FieldError, Invalid
from admin.promotions.model import CampaignFields
from admin.reminders import moving
from gateway import keys
from gateway.orders.tables import offers


def offer_id(code: str, sku: str) -> str:
    """The offer that a campaign's item becomes."""
    return f"{code}-{sku}"


def price_of(fields: Any, item: Any) -> int:
    """What a unit of an item costs."""
    return int(item.price if item.price is not None else fields.rule.price)


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
    connection: Connection,
    campaign: Row[Any],
    fields: Any,
    items: Sequence[tuple[int, Any]],
    *,
    now_ms: int,
    currency: str,
) -> None:
    """Reserve the stock of new items, given with their positions, and write their offers.

    Raises:
        Invalid: a product has too little free stock.
    """
    if not items:
        return
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
                "version": now_ms,
                "published_version": 0,
                "seeded": False,
                "stock": item.stock,
                "unit_cap": item.stock,
                "epoch": keys.FIRST_EPOCH,
                "buckets": 1,
                **_terms(campaign, fields, item, removed=False),
                "card": _card(campaign, fields, products[item.sku], item.sku, currency),
            }
            for _, item in items
        ],
    )


def refresh(connection: Connection, stored: Stored, *, currency: str) -> None:
    """Bring every offer of a campaign to what the campaign now says; changed ones get the next version."""
    fields: Any = stored.fields()
    items = {item.sku: item for item in fields.items}
    products = catalog.find(connection, stored.offers)
    item_model: Any = stored.promotion.fields.model_fields["items"].annotation
    read_item = item_model.__args__[0].model_validate
    for row in stored.items:
        offer = stored.offers.get(row.sku)
        if offer is None:
            continue
        item = items.get(row.sku) or read_item(stored.item_body(row))
        wanted = _terms(stored.row, fields, item, removed=row.removed)
        product = products.get(row.sku)
        if product is not None:
            wanted["card"] = _card(stored.row, fields, product, row.sku, currency)
        changed = {name: value for name, value in wanted.items() if getattr(offer, name) != value}
        if changed:
            connection.execute(
                update(offers).where(offers.c.id == offer.id).values(version=offers.c.version + 1, **changed)
            )
        if "starts_at_ms" in changed:
            moving.follow(connection, offer.id, changed["starts_at_ms"])


def _terms(campaign: Row[Any], fields: Any, item: Any, *, removed: bool) -> dict[str, Any]:
    state = "paused" if campaign.paused else "open"
    if removed or campaign.removing or campaign.terminated_at_ms is not None:
        state = "terminated"
    return {
        "state": state,
        "starts_at_ms": campaign.starts_at_ms,
        "ends_at_ms": campaign.ends_at_ms,
        "price": price_of(fields, item),
        "limit_per_shopper": fields.rule.limit_per_shopper,
        "pay_within_ms": fields.rule.pay_within_s * 1000,
    }


def _card(campaign: Row[Any], fields: CampaignFields, product: Row[Any], sku: str, currency: str) -> str:
    card: Mapping[str, Any] = {
        "sku": sku,
        "name": product.name,
        "image": product.image,
        "original_price": product.price,
        "slogan": fields.slogan,
        "category": product.category,
        "session": None,
        "campaign": campaign.code,
        "currency": currency,
        "audience": fields.audience.as_json(),
        "demo": campaign.demo,
    }
    return orjson.dumps(card).decode()
