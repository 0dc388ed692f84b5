"""Coupons over HTTP, for shoppers."""

from __future__ import annotations

from starlette.responses import Response

from admin.campaigns.views import preferred
from admin.coupons import claiming, mine
from admin.coupons.best import best
from admin.coupons.models import BestCoupons, MyCoupon, MyCouponPage
from admin.inputs import Nothing
from admin.paging import Page
from admin.promotions.cart import Cart
from admin.quotes.asking import asked_by, read_cart
from admin.routing import Body, Call, Endpoint


def _list(call: Call) -> MyCouponPage:
    return mine.page(call.resources, call.signed_in, call.query(Page), preferred(call.languages))


def _claim(call: Call) -> MyCoupon | Response:
    call.read(Nothing)
    assert call.signed_in is not None
    held, new = claiming.claim(call.resources, call.signed_in, call.path["code"], preferred(call.languages))
    return held if new else Response(held.model_dump_json(), 200, media_type="application/json")


def _best(call: Call) -> BestCoupons:
    return best(call.resources, asked_by(call, read_cart(Cart, call.body), call.body))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/coupons",
        "list_my_coupons",
        "Coupons that the shopper holds or may claim; guests see what may be claimed",
        _list,
        MyCouponPage,
        query=Page,
        caller="guest",
    ),
    Endpoint(
        "POST",
        "/api/coupons/best",
        "best_coupon",
        "What each of the shopper's coupons would take off a cart, the cheapest first",
        _best,
        BestCoupons,
        body=Body((Cart,), {"cart": {"lines": [{"sku": "kettle", "quantity": 2}]}}),
        caller="shopper",
    ),
    Endpoint(
        "POST",
        "/api/coupons/{code}/claim",
        "claim_coupon",
        "Claim a coupon by its code or by one of its codes that work once; 200 who holds it already",
        _claim,
        MyCoupon,
        status=201,
        also=(200,),
        body=Body((Nothing,), {"nothing": {}}, optional=True),
        problems=(404, 409),
        caller="shopper",
    ),
)
