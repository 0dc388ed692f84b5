"""Coupons over HTTP."""

from __future__ import annotations

from admin.catalog.models import Deleted
from admin.coupons import service
from admin.coupons.models import Coupon, CouponFilter, CouponPage
from admin.inputs import Nothing
from admin.promotions.coupon import CouponChange, NewCoupon
from admin.routing import Body, Call, Endpoint

_LIST = "/admin/api/coupons"
_ONE = "/admin/api/coupons/{code}"

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


def _create(call: Call) -> Coupon:
    return service.create(call.resources, call.body, actor=call.actor)


def _list(call: Call) -> CouponPage:
    return service.page(call.resources, call.query(CouponFilter))


def _read(call: Call) -> Coupon:
    return service.read(call.resources, call.path["code"])


def _change(call: Call) -> Coupon:
    return service.change(call.resources, call.path["code"], call.body, actor=call.actor, if_match=call.if_match)


def _end(call: Call) -> Coupon:
    call.read(Nothing)
    return service.end(call.resources, call.path["code"], actor=call.actor, if_match=call.if_match)


def _delete(call: Call) -> Deleted:
    service.remove(call.resources, call.path["code"], actor=call.actor, if_match=call.if_match)
    return Deleted(deleted=call.path["code"])


ENDPOINTS = (
    Endpoint(
        "POST",
        _LIST,
        "create_coupon",
        "Make a coupon",
        _create,
        Coupon,
        status=201,
        body=Body((NewCoupon,), {"amount": _AMOUNT, "percent": _PERCENT}),
        problems=(409,),
    ),
    Endpoint("GET", _LIST, "list_coupons", "Coupons, newest first", _list, CouponPage, query=CouponFilter),
    Endpoint("GET", _ONE, "read_coupon", "One coupon", _read, Coupon, problems=(404,)),
    Endpoint(
        "PATCH",
        _ONE,
        "change_coupon",
        "Change what the state allows",
        _change,
        Coupon,
        body=Body((CouponChange,), {"more": {"name": "Five off, prolonged", "total": 2000}}),
        problems=(404, 409, 412),
    ),
    Endpoint(
        "DELETE",
        _ONE,
        "delete_coupon",
        "Delete a coupon that has not started",
        _delete,
        Deleted,
        problems=(404, 409, 412),
    ),
    Endpoint(
        "POST",
        f"{_ONE}/end",
        "end_coupon",
        "End a coupon before its window is over",
        _end,
        Coupon,
        body=Body((Nothing,), {"nothing": {}}, optional=True),
        problems=(404, 409, 412),
    ),
)
