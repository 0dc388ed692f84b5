"""A shopper's own orders, and the moment between a win and its order in the ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from admin.errors import Conflict, NotFound, NotReady
from admin.orders import views
from admin.routing import Call
from gateway.errors import ReceiptError

RECEIPT = "X-Receipt"
RECEIPT_HEADER = {RECEIPT: "the receipt of the order: with it, an order not yet written is 409 `order_not_ready`"}


def own(call: Call, connection: Connection, *, lock: bool = False) -> Row[Any]:
    """The order that the path names, if it is the caller's.

    Raises:
        NotReady: it is theirs by a genuine receipt, and the writer has not got to it yet.
        NotFound: there is no such order, or it is someone else's; the two look the same.
    """
    order_no = call.path["order_no"]
    try:
        row = views.find(connection, order_no, lock=lock)
    except NotFound:
        if _won(call, order_no):
            raise NotReady(
                "the order is won and safe, and is still being written: ask again", code="order_not_ready"
            ) from None
        raise
    if row.shopper != call.shopper:
        raise NotFound(f"there is no order {order_no}")
    return row


def _won(call: Call, order_no: str) -> bool:
    try:
        said = call.resources.receipts.verify(call.headers.get(RECEIPT, ""))
    except ReceiptError:
        return False
    return said.get("order_no") == order_no and said.get("shopper") == call.shopper


def wrong_state(row: Row[Any], what: str) -> Conflict:
    """The refusal of a change that the order's state does not allow."""
    return Conflict(f"the order is {row.status}: {what}", code="wrong_state", state=row.status)
