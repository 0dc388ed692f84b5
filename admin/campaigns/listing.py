"""How the list of a published campaign's products is to change, and whether its state allows that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from admin.campaigns import offering, removal
from admin.campaigns.states import OPEN, locked
from admin.campaigns.stored import Readable, Stored, item_terms
from admin.campaigns.tables import campaign_items, offer_removals
from admin.errors import Conflict


@dataclass(slots=True)
class Difference:
    """How the items are to change. New, returning and kept ones with their positions."""

    new: list[tuple[int, Any]]
    returning: list[tuple[int, Any]]
    kept: list[tuple[int, Any]]
    removed: list[Row[Any]]

    @property
    def known(self) -> list[tuple[int, Any]]:
        """Those that are on the list, or were on it before."""
        return [*self.kept, *self.returning]


def compare(stored: Stored, items: list[Any]) -> Difference:
    """What becomes of the list when these items are wanted."""
    listed = {item.sku for item in stored.listed}
    removed = {item.sku for item in stored.items if item.removed}
    wanted = {item.sku for item in items}
    difference = Difference([], [], [], [item for item in stored.listed if item.sku not in wanted])
    for position, item in enumerate(items):
        if item.sku in listed:
            difference.kept.append((position, item))
        elif item.sku in removed:
            difference.returning.append((position, item))
        else:
            difference.new.append((position, item))
    return difference


def unchanged(stored: Stored, before: Readable, after: Readable, difference: Difference) -> frozenset[str]:
    """The SKUs that are published and keep their terms."""
    if stored.offers:
        return frozenset(
            item.sku
            for _, item in difference.known
            if offering.price_of(after, item) == stored.offers[item.sku].price
        )
    if stored.state in OPEN and before.rule != after.rule:
        return frozenset()
    old = {item.sku: item for item in before.items}
    return frozenset(item.sku for _, item in difference.known if old.get(item.sku, item) == item)


def check(
    connection: Connection, stored: Stored, before: Readable, after: Readable, difference: Difference
) -> None:
    """Refuse changes of items that the state does not allow.

    Raises:
        Conflict: naming the state and the field.
    """
    ids = [stored.offers[item.sku].id for _, item in difference.returning if item.sku in stored.offers]
    waiting = connection.execute(
        select(offer_removals.c.offer).where(offer_removals.c.offer.in_(ids)).limit(1)
    ).scalar_one_or_none()
    if waiting is not None:
        raise Conflict(f"{waiting} is being removed; try again later", code="removal_under_way")
    if stored.state in OPEN:
        return
    old = {item.sku: item for item in before.items}
    for position, item in difference.kept:
        term = _changed_term(stored, after, old[item.sku], item)
        if term is not None:
            raise locked(stored.state, f"items.{position}.{term}")
    for position, item in difference.returning:
        _check_returning(stored, after, position, item)


def _changed_term(stored: Stored, after: Readable, old: Any, item: Any) -> str | None:
    offer = stored.offers.get(item.sku)
    if offer is not None:
        # Its stock may change, and it does not matter whose price it is as long as it is the same.
        return None if offering.price_of(after, item) == offer.price else "price"
    return next((name for name in type(item).model_fields if getattr(item, name) != getattr(old, name)), None)


def _check_returning(stored: Stored, after: Readable, position: int, item: Any) -> None:
    offer = stored.offers.get(item.sku)
    if offer is not None:
        same = (offering.price_of(after, item), item.stock) == (offer.price, offer.stock)
        old = {"price": offer.price, "stock": offer.stock}
    else:
        old = next(each.terms for each in stored.items if each.sku == item.sku)
        same = item_terms(item) == old
    if not same:
        told = ", ".join(f"{name} {value}" for name, value in old.items() if value is not None) or "none of its own"
        raise Conflict(
            f"{item.sku} was removed and returns only with its old values: {told}",
            code="old_values_only",
            state=stored.state,
            field=f"items.{position}",
            **old,
        )


def store(connection: Connection, stored: Stored, difference: Difference) -> list[str]:
    """Write the list down; the ids of offers to take out of Redis are returned."""
    rows = {item.sku: item for item in stored.items}
    for position, item in difference.known:
        row, terms = rows[item.sku], item_terms(item)
        if (row.position, row.removed, row.terms) != (position, False, terms):
            _update(connection, stored, item.sku, position=position, terms=terms, removed=False)
    add(connection, stored.code, difference.new)
    if stored.state != "not_started":
        for row in difference.removed:
            _update(connection, stored, row.sku, removed=True)
        return []
    # Before the start nothing has been sold, so nothing of it is kept.
    leaving = []
    for row in difference.removed:
        if row.sku in stored.offers:
            _update(connection, stored, row.sku, removed=True)
            leaving.append(stored.offers[row.sku])
        else:
            connection.execute(delete(campaign_items).where(*_is(stored, row.sku)))
    removal.request(connection, leaving)
    return [row.id for row in leaving]


def add(connection: Connection, code: str, items: list[tuple[int, Any]]) -> None:
    """Store items with their positions."""
    if items:
        connection.execute(
            insert(campaign_items),
            [
                {
                    "campaign": code,
                    "sku": item.sku,
                    "position": position,
                    "terms": item_terms(item),
                    "removed": False,
                    "returned": 0,
                    "settled": False,
                }
                for position, item in items
            ],
        )


def _update(connection: Connection, stored: Stored, sku: str, **values: Any) -> None:
    connection.execute(update(campaign_items).where(*_is(stored, sku)).values(**values))


def _is(stored: Stored, sku: str) -> tuple[Any, ...]:
    return campaign_items.c.campaign == stored.code, campaign_items.c.sku == sku
