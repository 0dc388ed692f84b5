"""Carts over HTTP. Whatever is done to a cart, the answer is the cart with its price."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from admin.carts import service
from admin.carts.models import BundleInput, CartView, LineChange, LineInput, MergeInput, written_out
from admin.carts.service import Kept
from admin.promotions.cart import Cart
from admin.quotes.asking import asked_by
from admin.routing import Body, Call, Endpoint


async def _shown(call: Call, step: partial[Kept]) -> Response:
    """Take a step, which waits for the database, then have the desk price what is there."""
    body, revision = await run_in_threadpool(step)
    quote = await call.desk.quote(asked_by(call, Cart.model_validate(body), body))
    content = b'{"cart":%b,"revision":%d,"quote":%b}' % (orjson.dumps(written_out(body)), revision, quote)
    return Response(content, headers={"ETag": f'"{revision}"'}, media_type="application/json")


async def _read(call: Call) -> Response:
    return await _shown(call, partial(service.read, call.resources, call.shopper))


async def _replace(call: Call) -> Response:
    return await _shown(call, partial(service.replace, call.resources, call.shopper, call.body, call.if_match))


async def _add_line(call: Call) -> Response:
    return await _shown(call, partial(service.add_line, call.resources, call.shopper, call.body, call.if_match))


async def _change_line(call: Call) -> Response:
    sku = call.path["sku"]
    step = partial(service.change_line, call.resources, call.shopper, sku, call.body, call.if_match)
    return await _shown(call, step)


async def _drop_line(call: Call) -> Response:
    step = partial(service.drop_line, call.resources, call.shopper, call.path["sku"], call.if_match)
    return await _shown(call, step)


async def _add_bundle(call: Call) -> Response:
    code = call.path["campaign"]
    step = partial(service.add_bundle, call.resources, call.shopper, code, call.body, call.if_match)
    return await _shown(call, step)


async def _merge(call: Call) -> Response:
    return await _shown(call, partial(service.merge, call.resources, call.shopper, call.body))


def _endpoint(method: str, path: str, name: str, summary: str, run: Any, **about: Any) -> Endpoint:
    return Endpoint(method, f"/api/cart{path}", name, summary, run, CartView, caller="shopper", **about)


ENDPOINTS = (
    _endpoint("GET", "", "read_cart", "Your cart with its price", _read),
    _endpoint(
        "PUT",
        "",
        "replace_cart",
        "Replace your cart: the body of a quote, which is kept",
        _replace,
        body=Body((Cart,), {"cart": {"lines": [{"sku": "kettle", "quantity": 2}], "coupon": "SAVE5"}}),
        problems=(409, 412),
    ),
    _endpoint(
        "POST",
        "/lines",
        "add_cart_line",
        "Add units of a product, to those that are there",
        _add_line,
        body=Body((LineInput,), {"line": {"sku": "kettle", "quantity": 1}}),
        problems=(409, 412),
    ),
    _endpoint(
        "PATCH",
        "/lines/{sku}",
        "change_cart_line",
        "Change the quantity, the chosen campaign or the tick of a line",
        _change_line,
        body=Body((LineChange,)),
        problems=(404, 409, 412),
    ),
    _endpoint(
        "DELETE", "/lines/{sku}", "drop_cart_line", "Take a line out of your cart", _drop_line, problems=(404, 412)
    ),
    _endpoint(
        "POST",
        "/bundles/{campaign}",
        "add_cart_bundle",
        "Add whole sets of a bundle, with the bundle chosen for each product",
        _add_bundle,
        body=Body((BundleInput,), optional=True),
        problems=(404, 409, 412),
    ),
    _endpoint(
        "POST",
        "/merge",
        "merge_cart",
        "Add the cart of the guest you were, once per merge id",
        _merge,
        body=Body(
            (MergeInput,), {"login": {"merge_id": "m1", "cart": {"lines": [{"sku": "kettle", "quantity": 1}]}}}
        ),
        problems=(409,),
    ),
)
