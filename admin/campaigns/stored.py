"""A campaign as the database has it, put together from its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from admin.campaigns.states import State, state_of
from admin.campaigns.tables import campaign_items, campaigns
from admin.errors import Conflict, NotFound, StaleRevision
from admin.inputs import examine
from admin.promotions import registry
from admin.promotions.model import CampaignFields, PromotionType
from gateway.orders.database import now_ms
from gateway.orders.tables import offers

_COLUMNS = ("starts_at", "ends_at", "priority", "items")
"""Fields with a column or a table of their own; the others are kept together as `terms`."""


@dataclass(frozen=True, slots=True)
class Readable:
    """What a campaign says, as its type reads it."""

    promotion: PromotionType
    fields: CampaignFields

    @property
    def rule(self) -> Any:
        """What the campaign does."""
        return self.fields.rule  # type: ignore[attr-defined]

    @property
    def items(self) -> list[Any]:
        """The products on its list, with their terms."""
        return self.fields.items  # type: ignore[attr-defined, no-any-return]


@dataclass(frozen=True, slots=True)
class Stored:
    """One campaign at one instant. `offers` has the rows of published items by SKU.

    `content` is what it says or, when this version cannot read that, a text about why not.
    """

    row: Row[Any]
    items: tuple[Row[Any], ...]
    offers: dict[str, Row[Any]]
    now_ms: int
    content: Readable | str

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
        return body_of(self.row, [self.item_body(item) for item in self.listed])

    def item_body(self, item: Row[Any]) -> dict[str, Any]:
        """One item as JSON that could be sent again."""
        body = {**as_object(item.terms), "sku": item.sku}
        if item.sku in self.offers:
            body["stock"] = self.offers[item.sku].stock
        return body

    def readable(self) -> Readable:
        """What it says.

        Raises:
            Conflict: this version cannot read it.
        """
        if isinstance(self.content, Readable):
            return self.content
        raise self.unreadable()

    def unreadable(self) -> Conflict:
        """The refusal to change what cannot be read."""
        return Conflict(
            f"{self.content}; it can only be paused, terminated, deleted, or copied without that",
            code="unreadable",
            state=self.state,
        )


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
    stored = Stored(row, tuple(items), {each.sku: each for each in rows}, now_ms(connection), "")
    return Stored(stored.row, stored.items, stored.offers, stored.now_ms, understand(row.type, stored.body()))


def understand(type_name: str, body: Mapping[str, Any]) -> Readable | str:
    """What a stored campaign says, or why this version cannot read it."""
    promotion = registry.available().get(type_name)
    if promotion is None:
        return f"this version has no promotion type {type_name}"
    fields, problems = examine(promotion.fields, body)
    if fields is None or problems:
        told = "; ".join(f"{error.field}: {error.message}" for _, error in problems[:3])
        return f"this version cannot read what is stored ({told})"
    return Readable(promotion, fields)


def body_of(row: Row[Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    """A campaign's row with some items as JSON that could be sent again."""
    return {
        **as_object(row.terms),
        "starts_at": row.starts_at_ms,
        "ends_at": row.ends_at_ms,
        "priority": row.priority,
        "items": items,
    }


def as_object(terms: Any) -> dict[str, Any]:
    """Stored terms. What another version stored may be anything."""
    return terms if isinstance(terms, dict) else {}


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
