"""Money that came in against what orders had to pay, and money that went back against what came in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, or_, select, union

from admin.orders.tables import order_lines
from admin.payments.tables import SENT_BACK, payments, refund_transfers, refunds
from admin.presales.tables import presale_orders
from admin.reconcile.breaches import ShopBreach
from admin.reconcile.sums import ROWS_AT_ONCE
from gateway.orders.tables import SECKILL, orders

WENT = ("sending", "settled")
"""States of refunds that have to leave the shop, or have."""

_COMPARE = "compare with the provider's statement, then correct the ledger or settle with the shopper"


def check(connection: Connection) -> Iterator[ShopBreach]:
    """Money in, money out, and what refunds consist of."""
    yield from _came_in(connection)
    yield from _went_out(connection)
    yield from _refunds(connection)
    yield from _costs(connection)
    yield from _paid_back_twice(connection)


def _came_in(connection: Connection) -> Iterator[ShopBreach]:
    # By order, which has an index.
    sent_back = exists().where(
        refunds.c.order_no == payments.c.order_no,
        refunds.c.payment == payments.c.id,
        refunds.c.reason.in_(SENT_BACK),
    )
    came = (
        select(payments.c.order_no, func.sum(payments.c.amount).label("amount"))
        .where(payments.c.state == "settled", ~sent_back)
        .group_by(payments.c.order_no)
        .subquery("came")
    )
    amount, deposit = func.coalesce(came.c.amount, 0), func.coalesce(presale_orders.c.deposit, -1)
    status = orders.c.status
    rows = connection.execute(
        select(orders.c.order_no, status, orders.c.total, amount.label("amount"), deposit.label("deposit"))
        .select_from(
            orders.outerjoin(came, came.c.order_no == orders.c.order_no).outerjoin(
                presale_orders, presale_orders.c.order_no == orders.c.order_no
            )
        )
        .where(
            or_(
                and_(status.in_(("paid", "shipped", "completed", "awaiting_group")), amount != orders.c.total),
                and_(status.in_(("deposit_paid", "balance_due")), amount != deposit),
                and_(status.in_(("pending", "cancelled")), amount != 0),
                and_(status == "expired", amount != 0, amount != deposit),
                and_(status.in_(("refunding", "refunded")), amount != orders.c.total, amount != deposit),
            )
        )
        .order_by(orders.c.order_no)
    )
    for row in rows:
        says = f"the order is {row.status} at {row.total}, and {row.amount} came in for it"
        yield ShopBreach("money_in_differs", says, order_no=row.order_no, asks=_COMPARE)


def _went_out(connection: Connection) -> Iterator[ShopBreach]:
    def by_payment(source: Any, *these: Any) -> Any:
        return select(source.c.payment, func.sum(source.c.amount)).where(*these).group_by(source.c.payment)

    apart = exists().where(refund_transfers.c.refund == refunds.c.id)
    went: dict[str, int] = {}
    # The release before wrote no transfers: all of a refund went through one payment.
    for statement in (
        by_payment(refund_transfers),
        by_payment(refunds, refunds.c.state.in_(WENT), refunds.c.payment.is_not(None), ~apart),
    ):
        for payment, amount in connection.execute(statement):
            went[payment] = went.get(payment, 0) + int(amount)
    mentioned = payments.c.id.in_(union(select(refund_transfers.c.payment), select(refunds.c.payment)))
    came = case((payments.c.state == "settled", payments.c.amount), else_=0)
    rows = connection.execute(
        select(payments.c.id, payments.c.order_no, came.label("came")).where(mentioned).order_by(payments.c.id)
    )
    for row in rows:
        if went.get(row.id, 0) > row.came:
            says = f"{row.came} came in and {went[row.id]} went back"
            yield ShopBreach("money_out_differs", says, f"payment {row.id}", row.order_no, asks=_COMPARE)


def _refunds(connection: Connection) -> Iterator[ShopBreach]:
    parts = (
        select(
            refund_transfers.c.refund,
            func.sum(refund_transfers.c.amount).label("amount"),
            func.sum(case((refund_transfers.c.state == "sending", 1), else_=0)).label("under_way"),
        )
        .group_by(refund_transfers.c.refund)
        .subquery("parts")
    )
    went = refunds.c.state.in_(WENT)
    rows = connection.execute(
        select(refunds.c.id, refunds.c.order_no, refunds.c.state, refunds.c.amount, parts.c.amount.label("parts"))
        .select_from(refunds.join(parts, parts.c.refund == refunds.c.id))
        .where(
            or_(
                and_(went, parts.c.amount != refunds.c.amount),
                ~went,
                and_(refunds.c.state == "settled", parts.c.under_way > 0),
            )
        )
        .order_by(refunds.c.id)
    )
    for row in rows:
        says = f"the refund is {row.state} at {row.amount}, and its transfers come to {row.parts}"
        yield ShopBreach("refund_differs", says, f"refund {row.id}", row.order_no, asks=_COMPARE)


def _costs(connection: Connection) -> Iterator[ShopBreach]:
    """What is paid back of deposits and seats is what came in; everything else is what its units cost."""
    about = refunds.c.id, refunds.c.order_no, refunds.c.units, refunds.c.amount, refunds.c.held_back
    sent = refunds.c.state.in_(WENT), refunds.c.reason.not_in(SENT_BACK)
    won = connection.execute(
        select(*about, orders.c.price)
        .join(orders, orders.c.order_no == refunds.c.order_no)
        .where(orders.c.flow == SECKILL, *sent)
        .order_by(refunds.c.id)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    for row in won:
        yield from _cost(row, row.price * len(row.units))
    carts = connection.execute(
        select(*about, order_lines.c.first_unit, order_lines.c.unit_payables)
        .join(orders, orders.c.order_no == refunds.c.order_no)
        .join(order_lines, order_lines.c.order_no == refunds.c.order_no)
        .where(orders.c.flow == "cart", *sent)
        .order_by(refunds.c.id)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    for _, of_refund in groupby(carts, key=lambda row: row.id):
        lines = list(of_refund)
        costs = {line.first_unit + place: cost for line in lines for place, cost in enumerate(line.unit_payables)}
        yield from _cost(lines[0], sum(costs.get(unit, 0) for unit in lines[0].units))


def _cost(row: Any, cost: int) -> Iterator[ShopBreach]:
    if row.amount + row.held_back != cost:
        says = f"its units cost {cost}; {row.amount} go back and {row.held_back} are held back"
        yield ShopBreach("refund_differs", says, f"refund {row.id}", row.order_no, asks=_COMPARE)


def _paid_back_twice(connection: Connection) -> Iterator[ShopBreach]:
    rows = connection.execute(
        select(refunds.c.order_no, refunds.c.units)
        .where(refunds.c.state.in_(WENT), refunds.c.reason.not_in(SENT_BACK))
        .order_by(refunds.c.order_no)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    for order_no, of_order in groupby(rows, key=lambda row: row.order_no):
        seen: set[int] = set()
        twice: set[int] = set()
        for row in of_order:
            twice |= seen & set(row.units)
            seen |= set(row.units)
        if twice:
            says = f"units {', '.join(map(str, sorted(twice)))} were paid back more than once"
            yield ShopBreach("unit_paid_back_twice", says, order_no=order_no, asks=_COMPARE)
