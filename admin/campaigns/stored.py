"""A campaign as the database has it, put together from its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from admin.campaigns.states import State, state_of
from admin.campaigns.tables import campaign_items, campaigns
from admin.catalog import service as catalog
from admin.errors import NotFound, StaleRevision
from admin.promotions import registry
from admin.promotions.model import CampaignFields, ProductFacts, PromotionType
from gateway.orders.database import now_ms
from gateway.orders.tables import offers

_COLUMNS = ("starts_at", "ends_at", "priority", "items")
"""Fields with a column or a table of their own; the others are kept together as `terms`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One campaign at one instant. `offers` has the rows of published items by SKU."""

    row: Row[Any]
    promotion: PromotionType
    items: tuple[Row[Any], ...]
    offers: dict[str, Row[Any]]
    now_ms: int

    @property
    def code(self) -> str:
        """The campaign's code."""
        return str(self.row.code)

    @property
    def state(self) -> State:
        """The state at that instant."""
        return state_of(self.row, self.now_ms)

    @property
    def listed(self) -> list[Row[Any]]:
        """Items that are not removed, in the operator's order."""
        return [item for item in self.items if not item.removed]

    def body(self) -> dict[str, Any]:
        """The campaign as JSON that could be sent again; a published item has its present stock."""
        return {
            **self.row.terms,
            "starts_at": self.row.starts_at_ms,
            "ends_at": self.row.ends_at_ms,
            "priority": self.row.priority,
            "items": [self.item_body(item) for item in self.listed],
        }

    def item_body(self, item: Row[Any]) -> dict[str, Any]:
        """One item as JSON that could be sent again."""
        body = {"sku": item.sku, **item.terms}
        if item.sku in self.offers:
            body["stock"] = self.offers[item.sku].stock
        return body

    def fields(self) -> CampaignFields:
        """The campaign's fields as the type reads them."""
        return self.promotion.fields.model_validate(self.body())


def load(connection: Connection, code: str, *, lock: bool = False, removing: bool = False) -> Stored:
    """One campaign; with `lock`, nobody else changes it before this transaction ends.

    Raises:
        NotFound: there is none (one that is being deleted counts only with `removing`).
    """
    statement = select(campaigns).where(campaigns.c.code == code)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None or (row.removing and not removing):
        raise NotFound(f"there is no campaign {code}")
    items = connection.execute(
        select(campaign_items).where(campaign_items.c.campaign == code).order_by(campaign_items.c.position)
    ).all()
    rows = connection.execute(select(offers).where(offers.c.campaign == code).order_by(offers.c.id)).all()
    return Stored(
        row, registry.available()[row.type], tuple(items), {each.sku: each for each in rows}, now_ms(connection)
    )


def check_revision(row: Row[Any], if_match: int | None) -> None:
    """Refuse a change by somebody who has not seen the newest revision.

    Raises:
        StaleRevision: naming the newest.
    """
    if if_match is not None and if_match != row.revision:
        raise StaleRevision(f"{row.code} is at revision {row.revision}", revision=row.revision)


def to_columns(fields: CampaignFields) -> dict[str, Any]:
    """The fields of a campaign as column values."""
    dumped = fields.model_dump(mode="json")
    terms = {name: value for name, value in dumped.items() if name not in {*_COLUMNS, "code", "type", "draft"}}
    terms["audience"] = fields.audience.as_json()
    return {
        "starts_at_ms": fields.starts_at,
        "ends_at_ms": fields.ends_at,
        "priority": fields.priority,
        "terms": terms,
    }


def item_terms(item: Any) -> dict[str, Any]:
    """What is stored of an item besides its SKU."""
    terms: dict[str, Any] = item.model_dump(mode="json", exclude={"sku"})
    return terms


def product_facts(
    connection: Connection, skus: Iterable[str], already_reserved: dict[str, int]
) -> dict[str, ProductFacts]:
    """What guards need to know of some products; units this campaign holds already count as free."""
    return {
        sku: ProductFacts(
            price=row.price,
            free=row.stock - row.reserved + already_reserved.get(sku, 0),
            gift_only=row.gift_only,
            on_sale=row.on_sale,
        )
        for sku, row in catalog.find(connection, skus).items()
    }
