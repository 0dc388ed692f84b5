"""Coupons over HTTP."""

from __future__ import annotations

from admin.coupons import service
from admin.coupons.models import Coupon, CouponFilter, CouponPage
from admin.crud import Models, Summaries, operations
from admin.inputs import Nothing
from admin.promotions.coupon import CouponChange, NewCoupon
from admin.routing import Body, Call, Endpoint

_AMOUNT = {
    "code": "SAVE5",
    "name": "Five off everything",
    "kind": "amount",
    "amount_off": 500,
    "threshold": 5000,
    "starts_at": "2036-11-21T00:00:00+08:00",
    "ends_at": "2036-11-28T00:00:00+08:00",
    "per_shopper": 1,
    "total": 1000,
}
_PERCENT = {
    "code": "vip12",
    "name": "Members' week",
    "kind": "percent",
    "percent_off": 12.5,
    "cap": 10000,
    "starts_at": "2036-11-21T00:00:00+08:00",
    "ends_at": "2036-11-28T00:00:00+08:00",
    "audience": {"kind": "members", "levels": [1, 2]},
    "claim_required": True,
}


def _end(call: Call) -> Coupon:
    call.read(Nothing)
    return service.end(call.resources, call.path["code"], actor=call.actor, if_match=call.if_match)


ENDPOINTS = (
    *operations(
        service,
        "/admin/api/coupons",
        "code",
        "coupon",
        Models(Coupon, CouponPage, CouponFilter),
        Summaries(
            create="Make a coupon",
            list="Coupons, newest first",
            change="Change what the state allows",
            delete="Delete a coupon that has not started",
        ),
        create=Body((NewCoupon,), {"amount": _AMOUNT, "percent": _PERCENT}),
        change=Body((CouponChange,), {"more": {"name": "Five off, prolonged", "total": 2000}}),
        may_conflict=("change", "delete"),
    ),
    Endpoint(
        "POST",
        "/admin/api/coupons/{code}/end",
        "end_coupon",
        "End a coupon before its window is over",
        _end,
        Coupon,
        body=Body((Nothing,), {"nothing": {}}, optional=True),
        problems=(404, 409, 412),
    ),
)
