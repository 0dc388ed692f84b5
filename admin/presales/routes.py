"""Pre-sales over HTTP: the deposit, and later the balance."""

from __future__ import annotations

from starlette.responses import Response

from admin.checkout.keys import KEY_HEADER
from admin.errors import Conflict
from admin.flows import presale
from admin.orders import views
from admin.orders.models import OrderInFull
from admin.orders.ownership import wrong_state
from admin.payments import paying
from admin.presales import redeeming
from admin.presales.depositing import deposit
from admin.presales.models import BalanceInput, DepositInput
from admin.routing import Body, Call, Endpoint
from gateway.orders.database import now_ms, reading, writing


def _deposit(call: Call) -> Response:
    order_no, new = deposit(call)
    with reading(call.resources.engine) as connection:
        row = views.find(connection, order_no)
        order = views.in_full(call.resources, connection, row, for_shopper=True)
    return Response(order.model_dump_json(), 201 if new else 200, media_type="application/json")


def _pay_balance(call: Call) -> OrderInFull | Response:
    given = call.read(BalanceInput)
    _require_open(call)
    if given.coupon is not None:
        redeeming.fix(call, given.coupon)
    order, decided = paying.pay_as(call, given.sandbox)
    return order if decided else Response(order.model_dump_json(), 202, media_type="application/json")


def _require_open(call: Call) -> None:
    """The order is a pre-sale, and its balance is paid or may be.

    Raises:
        NotFound: there is no such order of theirs.
        Conflict: it is no pre-sale, or its state or the time forbids it.
    """
    with writing(call.resources.engine) as connection:
        order = paying.current(call, connection)
        if order.flow != presale.FLOW.name:
            raise Conflict("only pre-sales have a balance", code="not_a_presale", state=order.status)
        if order.status == "pending":
            raise wrong_state(order, "first pay the deposit")
        if order.status in presale.DEPOSITED:
            presale.FLOW.due(call.resources, connection, order, now_ms(connection))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/presales/{campaign}/{sku}/deposit",
        "pay_deposit",
        "Order a product of a pre-sale, its deposit paid next; 200 when the key was used before",
        _deposit,
        OrderInFull,
        status=201,
        also=(200,),
        body=Body((DepositInput,), {"two": {"quantity": 2}, "one": {}}, optional=True),
        problems=(404, 409),
        caller="shopper",
        headers=KEY_HEADER,
    ),
    Endpoint(
        "POST",
        "/api/orders/{order_no}/balance",
        "pay_balance",
        "Pay the balance of a pre-sale, perhaps with a coupon; 202 while the provider has not decided",
        _pay_balance,
        OrderInFull,
        also=(202,),
        body=Body((BalanceInput,), {"coupon": {"coupon": "SAVE5"}, "at_once": {}}, optional=True),
        problems=(402, 404, 409),
        caller="shopper",
    ),
)
