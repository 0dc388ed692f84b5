"""Checkout over HTTP."""

from __future__ import annotations

from starlette.responses import Response

from admin.campaigns.views import preferred
from admin.checkout import keys
from admin.checkout.models import Checkout, Wish
from admin.orders.models import OrderInFull
from admin.routing import Body, Call, Endpoint


async def _order(call: Call) -> Response:
    given = call.read(Checkout)
    key = keys.read(call, given.model_dump())
    assert call.signed_in is not None
    wish = Wish(given, call.signed_in, preferred(call.languages), key.key, key.request)
    ordered = await call.checkouts.ask(wish)
    return Response(ordered.order, 201 if ordered.new else 200, media_type="application/json")


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/orders",
        "checkout",
        "Order a quote at its price; 200 when it was ordered before, 409 with the fresh quote when that differs",
        _order,
        OrderInFull,
        status=201,
        also=(200,),
        body=Body((Checkout,), {"plain": {"token": "0123456789abcdef0123456789abcdef"}}),
        problems=(404, 409),
        caller="shopper",
        headers=keys.KEY_HEADER,
    ),
)
