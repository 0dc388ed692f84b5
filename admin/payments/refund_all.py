"""Everybody who bought in a campaign is paid back, when it was terminated with `{"refund_all": true}`.

The campaign's row says so until nothing is left to do, so a crash in between loses nothing: groups that are open
fail, unpaid orders are cancelled, paid ones refunded, deposits too, and whoever has won and is still on the way to
the ledger is waited for. A cart is no order of one campaign: what it got there stays as it was sold.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy import ColumnElement, and_, exists, or_, select, update

from admin.audit import service as audit
from admin.campaigns.tables import campaign_items, campaigns
from admin.errors import Conflict
from admin.groups import closing
from admin.orders import cancelling, views
from admin.orders.releasing import back_on_sale
from admin.payments import refund_requests, refunding
from admin.payments.refund_requests import RefundDecision
from admin.payments.tables import refunds
from admin.resources import Resources
from admin.rounds import EXPECTED, Rounds
from gateway.orders.database import reading, writing
from gateway.orders.tables import offers, orders

PIECE = 200
"""Orders looked up at once."""

_log = logging.getLogger(__name__)


class RefundAll(Rounds):
    """Makes rounds over campaigns whose buyers are to be paid back. Any number may run at once."""

    name = "refund of whole campaigns"
    interval_s = 2.0

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._puzzling: set[str] = set()

    def round(self) -> None:
        """Take every order of every such campaign a step further."""
        with reading(self._resources.engine) as connection:
            asked = select(campaigns.c.code, campaigns.c.refund_all_by).where(
                campaigns.c.refund_all_by.is_not(None)
            )
            marked = connection.execute(asked.order_by(campaigns.c.code)).all()
        for code, by in marked:
            for group in self._groups(code):
                if self.stopping:
                    return
                self._take(group, partial(closing.fail, self._resources, group))
            for order_no in self._open(code):
                if self.stopping:
                    return
                self._take(order_no, partial(undo, self._resources, order_no, by))
                self.progress()
            self._finish(code)

    def _groups(self, code: str) -> list[str]:
        with reading(self._resources.engine) as connection:
            return closing.open_groups(connection, code)

    def _open(self, code: str) -> Iterator[str]:
        last = ""
        while True:
            with reading(self._resources.engine) as connection:
                found = connection.execute(
                    select(orders.c.order_no)
                    .where(_of(code), _undone(), orders.c.order_no > last)
                    .order_by(orders.c.order_no)
                    .limit(PIECE)
                )
                piece = list(found.scalars())
            yield from piece
            if len(piece) < PIECE:
                return
            last = piece[-1]

    def _take(self, name: str, step: Callable[[], None]) -> None:
        """One order or group that nobody understands does not keep the others back; it is told of once."""
        try:
            step()
        except EXPECTED:
            raise
        except Exception:
            if name not in self._puzzling:
                _log.exception("%s cannot be paid back and waits for somebody to look at it", name)
            self._puzzling.add(name)

    def _finish(self, code: str) -> None:
        """Settled items have no winner who is still on the way here."""
        open_orders = exists().where(_of(code), _undone())
        unsettled = exists().where(
            offers.c.campaign == code,
            campaign_items.c.campaign == code,
            campaign_items.c.sku == offers.c.sku,
            campaign_items.c.settled.is_(False),
        )
        with writing(self._resources.engine) as connection:
            if closing.open_groups(connection, code):
                return
            connection.execute(
                update(campaigns)
                .where(campaigns.c.code == code, ~open_orders, ~unsettled)
                .values(refund_all_by=None)
            )


def undo(resources: Resources, order_no: str, by: str) -> None:
    """Cancel one order or pay it back; nothing, when it is over or its money is on its way already.

    Raises:
        Conflict: the ledger has no payment of it.
        SQLAlchemyError: the database is away.
    """
    actor = views.by_operator(by)
    refund = None
    with writing(resources.engine) as connection:
        before = views.find(connection, order_no, lock=True)
        if before.status == "pending":
            cancelling.cancel(connection, before, actor=actor)
        elif before.status == "refunding":
            try:
                everything = RefundDecision.model_validate({})
                refund = refund_requests.start(connection, before, everything, by=by, actor=actor)
            except Conflict as error:
                if error.code == "wrong_state":
                    return
                raise
        else:
            refund = refund_requests.pay_back(connection, before, reason="terminated", actor=actor, by=by)
            if refund is None:
                return
        after = views.find(connection, order_no)
        audit.record(
            connection,
            by,
            "cancel" if refund is None else "refund",
            "order",
            order_no,
            before={"status": before.status},
            after={"status": after.status, "refund_all": before.campaign},
        )
    if refund is None:
        back_on_sale(resources, order_no)
    else:
        refunding.send(resources, refund)


def _of(code: str) -> ColumnElement[bool]:
    return orders.c.campaign == code


def _undone() -> ColumnElement[bool]:
    requested = exists().where(refunds.c.order_no == orders.c.order_no, refunds.c.state == "requested")
    return or_(
        orders.c.status.in_(("pending", *refund_requests.FROM)), and_(orders.c.status == "refunding", requested)
    )
