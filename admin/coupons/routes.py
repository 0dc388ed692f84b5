"""Coupons over HTTP."""

from __future__ import annotations

from starlette.responses import Response, StreamingResponse

from admin.coupons import batches, service
from admin.coupons.models import Batch, BatchPage, CodesWish, Coupon, CouponFilter, CouponPage
from admin.crud import Models, Summaries, operations
from admin.inputs import Nothing
from admin.paging import Page
from admin.promotions.coupon import CouponChange, NewCoupon
from admin.routing import Body, Call, Endpoint
from admin.sheets.sending import CSV, pieces

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


def _order_codes(call: Call) -> Batch:
    return batches.order(call.resources, call.path["code"], call.body, actor=call.actor)


def _list_batches(call: Call) -> BatchPage:
    return batches.page(call.resources, call.path["code"], call.query(Page))


def _read_batch(call: Call) -> Batch:
    return batches.read(call.resources, call.path["code"], call.path["batch"])


def _export_batch(call: Call) -> Response:
    batch = call.path["batch"]
    file = batches.export(call.resources.engine, call.path["code"], batch)
    headers = {
        "Content-Length": str(file.tell()),
        "Content-Disposition": f'attachment; filename="codes-{batch}.csv"',
    }
    return StreamingResponse(pieces(file), headers=headers, media_type=CSV)


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
    Endpoint(
        "POST",
        "/admin/api/coupons/{code}/codes",
        "make_coupon_codes",
        "Have codes made of which each works once as the coupon",
        _order_codes,
        Batch,
        status=202,
        body=Body((CodesWish,), {"thousand": {"count": 1000, "prefix": "VIP-"}}),
        problems=(404, 409),
    ),
    Endpoint(
        "GET",
        "/admin/api/coupons/{code}/codes",
        "list_coupon_codes",
        "A coupon's batches of codes, newest first",
        _list_batches,
        BatchPage,
        query=Page,
        problems=(404,),
    ),
    # Before the path that would take the ending for a part of the id.
    Endpoint(
        "GET",
        "/admin/api/coupons/{code}/codes/{batch}.csv",
        "export_coupon_codes",
        "The codes of a finished batch as CSV, with what became of each",
        _export_batch,
        None,
        other_types=(CSV,),
        problems=(404, 409),
    ),
    Endpoint(
        "GET",
        "/admin/api/coupons/{code}/codes/{batch}",
        "read_coupon_codes",
        "How far a batch is",
        _read_batch,
        Batch,
        problems=(404,),
    ),
)
