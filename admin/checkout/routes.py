"""Checkout over HTTP."""

from __future__ import annotations

import hashlib

import orjson
from starlette.responses import Response

from admin.campaigns.views import preferred
from admin.checkout.models import KEY_MAX, Checkout, Wish
from admin.errors import Malformed
from admin.orders.models import OrderInFull
from admin.routing import Body, Call, Endpoint

KEY = "Idempotency-Key"


async def _order(call: Call) -> Response:
    given, key = call.read(Checkout), call.headers.get(KEY)
    if key is not None and not 1 <= len(key) <= KEY_MAX:
        raise Malformed(f"an {KEY} has 1 to {KEY_MAX} characters", code="bad_key")
    assert call.signed_in is not None
    wish = Wish(
        given,
        call.signed_in,
        preferred(call.languages),
        "" if key is None else _digest(key.encode()),
        _digest(orjson.dumps(given.model_dump(), option=orjson.OPT_SORT_KEYS)),
    )
    ordered = await call.checkouts.ask(wish)
    return Response(ordered.order, 201 if ordered.new else 200, media_type="application/json")


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


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
        headers={KEY: "1 to 64 characters: the same key with the same body is the same order"},
    ),
)
