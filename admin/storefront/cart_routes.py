"""What a page shows beside the quote of a cart, over HTTP, for shoppers and guests."""

from __future__ import annotations

from admin.promotions.cart import Cart
from admin.quotes.asking import read_cart
from admin.routing import Body, Call, Endpoint
from admin.storefront.cart_options import CartOptions, options
from admin.storefront.visit import enter


def _options(call: Call) -> CartOptions:
    cart = read_cart(Cart, call.body)
    return options(enter(call, cart.channel, cart.store), cart)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/quote/options",
        "list_quote_options",
        "What the campaigns of a cart let its shopper pick, with the names and pictures of its goods",
        _options,
        CartOptions,
        body=Body((Cart,), {"cart": {"lines": [{"sku": "kettle", "quantity": 2}]}}),
        caller="guest",
    ),
)
