"""What shoppers do with their own orders, over HTTP."""

from __future__ import annotations

from sqlalchemy import update
from starlette.responses import Response

from admin.inputs import Nothing
from admin.orders import cancelling, views
from admin.orders.models import Address, MyOrders, OrderInFull, OrderPage
from admin.orders.ownership import RECEIPT_HEADER, own, wrong_state
from admin.orders.releasing import back_on_sale
from admin.payments import paying, refund_requests, refunding
from admin.payments.choosing import RefundInput
from admin.payments.paying import PayInput
from admin.routing import Body, Call, Endpoint
from gateway.orders.database import reading, writing
from gateway.orders.tables import orders

MOVABLE = ("pending", "deposit_paid", "balance_due", "awaiting_group", "paid")
"""States in which the goods can still go elsewhere."""


def _list(call: Call) -> OrderPage:
    return views.page(call.resources, call.query(MyOrders), shopper=call.shopper)


def _read(call: Call) -> OrderInFull:
    with reading(call.resources.engine) as connection:
        return views.in_full(call.resources, connection, own(call, connection), for_shopper=True)


def _send_to(call: Call) -> OrderInFull:
    address = call.read(Address)
    with writing(call.resources.engine) as connection:
        order = own(call, connection, lock=True)
        if order.status not in MOVABLE:
            raise wrong_state(order, "its address can no longer change")
        connection.execute(
            update(orders)
            .where(orders.c.order_no == order.order_no)
            .values(address=address.model_dump(exclude_none=True))
        )
    return _read(call)


def _pay(call: Call) -> OrderInFull | Response:
    order, decided = paying.pay(call)
    return order if decided else Response(order.model_dump_json(), 202, media_type="application/json")


def _cancel(call: Call) -> OrderInFull:
    call.read(Nothing)
    with writing(call.resources.engine) as connection:
        order = own(call, connection, lock=True)
        cancelling.cancel(connection, order, actor="shopper")
    back_on_sale(call.resources, order.order_no)
    return _read(call)


def _refund(call: Call) -> OrderInFull:
    given = call.read(RefundInput)
    with writing(call.resources.engine) as connection:
        refund = refund_requests.ask(connection, own(call, connection, lock=True), given)
    if refund is not None:
        refunding.send(call.resources, refund)
    return _read(call)


_ADDRESS = {
    "name": "Ann Example",
    "phone": "+886 2 1234 5678",
    "line1": "1 Long Street",
    "city": "Taipei",
    "postal_code": "100",
    "country": "TW",
}

ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/orders",
        "list_my_orders",
        "One's own orders, newest first",
        _list,
        OrderPage,
        query=MyOrders,
        caller="shopper",
    ),
    Endpoint(
        "GET",
        "/api/orders/{order_no}",
        "read_my_order",
        "One of one's own orders",
        _read,
        OrderInFull,
        problems=(404, 409),
        caller="shopper",
        headers=RECEIPT_HEADER,
    ),
    Endpoint(
        "PUT",
        "/api/orders/{order_no}/address",
        "set_address",
        "Where the goods go, until they are shipped",
        _send_to,
        OrderInFull,
        body=Body((Address,), {"abroad": _ADDRESS}),
        problems=(404, 409),
        caller="shopper",
        headers=RECEIPT_HEADER,
    ),
    Endpoint(
        "POST",
        "/api/orders/{order_no}/pay",
        "pay_order",
        "Pay; 202 while the provider has not decided",
        _pay,
        OrderInFull,
        also=(202,),
        body=Body((PayInput,), {"at_once": {}, "twice": {"sandbox": "twice"}}, optional=True),
        problems=(402, 404, 409),
        caller="shopper",
        headers=RECEIPT_HEADER,
    ),
    Endpoint(
        "POST",
        "/api/orders/{order_no}/cancel",
        "cancel_my_order",
        "Give an unpaid order up",
        _cancel,
        OrderInFull,
        body=Body((Nothing,), {"give_up": {}}, optional=True),
        problems=(404, 409),
        caller="shopper",
        headers=RECEIPT_HEADER,
    ),
    Endpoint(
        "POST",
        "/api/orders/{order_no}/refund",
        "ask_refund",
        "Money back: at once while the order is only paid, else when an operator agrees",
        _refund,
        OrderInFull,
        body=Body(
            (RefundInput,),
            {"by_quantity": {"lines": [{"line": 1, "quantity": 1}]}, "everything": {}},
            optional=True,
        ),
        problems=(404, 409),
        caller="shopper",
        headers=RECEIPT_HEADER,
    ),
)
