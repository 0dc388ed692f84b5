"""Deposits and balances of a pre-sale."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, exists, func, select

from admin.payments.tables import SENT_BACK, payments, refunds
from admin.reports.models import PresaleFigures
from admin.reports.returned import that_paid_back
from gateway.orders.tables import orders


def figures(connection: Connection, code: str) -> PresaleFigures:
    """The figures of a pre-sale."""
    # By order, which has an index.
    sent_back = exists().where(
        refunds.c.order_no == payments.c.order_no,
        refunds.c.payment == payments.c.id,
        refunds.c.reason.in_(SENT_BACK),
    )
    paid = {
        row.purpose: row
        for row in connection.execute(
            select(payments.c.purpose, func.count().label("number"), func.sum(payments.c.amount).label("amount"))
            .join(orders, orders.c.order_no == payments.c.order_no)
            .where(orders.c.campaign == code, payments.c.state == "settled", ~sent_back)
            .group_by(payments.c.purpose)
        )
    }

    def of(purpose: str, name: str) -> int:
        return int(getattr(paid[purpose], name)) if purpose in paid else 0

    def having(*holds: Any) -> Any:
        return connection.execute(
            select(func.count(), func.coalesce(func.sum(payments.c.amount), 0))
            .join(orders, orders.c.order_no == payments.c.order_no)
            .where(
                orders.c.campaign == code,
                payments.c.purpose == "deposit",
                payments.c.state == "settled",
                ~sent_back,
                *holds,
            )
        ).one()

    paid_back = (
        select(func.coalesce(func.sum(refunds.c.amount), 0))
        .join(orders, orders.c.order_no == refunds.c.order_no)
        .where(orders.c.campaign == code, orders.c.status == "expired", *that_paid_back())
    )
    expired, kept = having(orders.c.status == "expired")
    # Where the rule says so, the deposit goes back.
    given_up = exists().where(refunds.c.order_no == orders.c.order_no, refunds.c.reason == "balance_missed")
    return PresaleFigures(
        deposits_paid=of("deposit", "number"),
        deposits_amount=of("deposit", "amount"),
        balances_paid=of("balance", "number"),
        balances_amount=of("balance", "amount"),
        balances_open=having(orders.c.status.in_(("deposit_paid", "balance_due")))[0],
        balances_missed=expired + having(orders.c.status != "expired", given_up)[0],
        forfeited=int(kept) - int(connection.execute(paid_back).scalar_one()),
    )
