"""Leaving a group before it is full."""

from __future__ import annotations

from admin.errors import Conflict
from admin.groups import views
from admin.orders import cancelling
from admin.orders import views as orders_views
from admin.payments import refund_requests, refunding
from admin.payments.choosing import RefundInput
from admin.resources import Resources
from gateway.orders.database import writing


def leave(resources: Resources, group: str, shopper: str) -> str:
    """Give a seat up: what was paid for it goes back whole, and somebody else may have it. The order's number.

    Raises:
        NotFound: there is no such group.
        Conflict: the shopper is not in it, or it is over.
    """
    refund = None
    with writing(resources.engine) as connection:
        row = views.lock(connection, group)
        order_no = views.order_in(connection, group, shopper)
        if order_no is None:
            raise Conflict("you are not in this group", code="not_in_group", state=row.state)
        if row.state != "open":
            raise Conflict(
                f"the group is {row.state}: ask for a refund of order {order_no} instead",
                code="group_over",
                state=row.state,
                order_no=order_no,
            )
        order = orders_views.find(connection, order_no, lock=True)
        if order.status == "pending":
            cancelling.cancel(connection, order, actor="shopper")
        else:
            refund = refund_requests.ask(connection, order, RefundInput.model_validate({}))
    if refund is not None:
        refunding.send(resources, refund)
    return order_no
