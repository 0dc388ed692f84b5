"""What follows from money that is back: what the order gives up, and who is told."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, Row, update

from admin.campaigns.tables import campaign_items
from admin.catalog import service as catalog
from admin.memberships import granting
from admin.notices import telling
from admin.payments import amounts, contents
from admin.payments.contents import Contents
from admin.reservations import ledger
from admin.resources import Resources
from gateway.orders import releases
from gateway.orders.tables import SECKILL, order_units


def give_up(
    resources: Resources, connection: Connection, order: Row[Any], refund: Row[Any], before: str, now: int
) -> bool:
    """The order no longer holds what was paid back; whether that leaves it with nothing.

    `before` is the state that the refund was started in.
    """
    # A refund that has just settled counts as gone already where lines are stored.
    after = contents.read(connection, order).without(refund.units)
    held = Contents(after.parts, after.gone - set(refund.units))
    if after.empty:
        ledger.release(connection, order.order_no)
    else:
        # All that it has given back by now, less what it had given back before.
        given, earlier = amounts.reductions(after), amounts.reductions(held)
        for campaign in sorted(given):
            ledger.give_back(connection, order.order_no, "budget", campaign, given[campaign] - earlier[campaign])
    if order.flow == SECKILL:
        _give_up_won(connection, order, refund, now)
    elif refund.restock and before in {"paid", "shipped", "completed"}:
        # Earlier the stock was only reserved, and is free again with the release.
        ledger.restock(connection, _pieces(after, refund.units))
    for line, units in sorted(after.by_line(refund.units).items()):
        granting.revoke(resources, connection, order, line, units)
    return after.empty


def tell(connection: Connection, order: Row[Any], refund: Row[Any], now: int) -> None:
    """Let the shopper know."""
    data = {
        "order_no": order.order_no,
        "refund": refund.id,
        "amount": refund.amount,
        "currency": order.currency,
        "reason": refund.reason,
    }
    telling.notify(connection, order.shopper, "refund", data, f"refund:{refund.id}", now)


def _give_up_won(connection: Connection, order: Row[Any], refund: Row[Any], now: int) -> None:
    """Units of an offer: sold again under their numbers with `restock`, else never again."""
    if refund.restock:
        # Units that nobody buys must go back to the product again after the end.
        connection.execute(
            update(campaign_items)
            .where(campaign_items.c.campaign == order.campaign, campaign_items.c.sku == order.sku)
            .values(settled=False)
        )
        catalog.take_in(connection, order.sku, len(refund.units))
        releases.request(connection, order.order_no, order.offer, order.shopper, refund.units, at_ms=now)
        return
    these = order_units.c.order_no == order.order_no, order_units.c.unit.in_(refund.units), order_units.c.active
    count = connection.execute(update(order_units).where(*these).values(active=False)).rowcount
    assert count == len(refund.units), f"refund {refund.id} names units that {order.order_no} does not hold"


def _pieces(contents: Contents, units: list[int]) -> Counter[str]:
    pieces: Counter[str] = Counter()
    skus = {part.line: part.sku for part in contents.parts}
    for line, count in contents.by_line(units).items():
        pieces[skus[line]] += count
    return pieces
