"""Quotes over HTTP, for shoppers and guests, and for operators as somebody at some time."""

from __future__ import annotations

from starlette.responses import Response

from admin.promotions.cart import Cart
from admin.quotes.asking import asked_as, asked_by, read_cart
from admin.quotes.models import CartAs, Quote
from admin.quotes.quoting import Asked
from admin.routing import Body, Call, Endpoint


async def _quote(call: Call) -> Response:
    return await _reply(call, asked_by(call, read_cart(Cart, call.body), call.body))


async def _quote_as(call: Call) -> Response:
    return await _reply(call, asked_as(call))


async def _reply(call: Call, asked: Asked) -> Response:
    return Response(await call.desk.quote(asked), media_type="application/json")


_CART = {
    "lines": [{"sku": "kettle", "quantity": 2}, {"sku": "lamp", "quantity": 1, "campaign": None}],
    "coupon": "SAVE5",
    "suggest": True,
    "explain": True,
}

ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/quote",
        "quote",
        "The price of a cart, explained; of a shopper or, without a token, of a guest",
        _quote,
        Quote,
        body=Body((Cart,), {"cart": _CART}),
        caller="guest",
    ),
    Endpoint(
        "POST",
        "/admin/api/quote",
        "quote_as",
        "The same as somebody, at some time; the result cannot be ordered",
        _quote_as,
        Quote,
        body=Body(
            (CartAs,),
            {
                "member": {
                    **_CART,
                    "at": "2026-11-21T12:00:00+08:00",
                    "shopper": {"level": 2, "since": "2024-05-01T00:00:00+08:00", "birthday": "11-21"},
                },
                "by_id": {"lines": [{"sku": "kettle", "quantity": 1}], "shopper": {"sub": "u1"}},
            },
        ),
        role="viewer",
    ),
)
