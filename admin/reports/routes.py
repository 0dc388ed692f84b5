"""Reports over HTTP."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response

from admin.reports import campaign, coupon, course, sheet, shop
from admin.reports.models import CouponReport, Course, Days, Report, ReportFormat, ShopReport
from admin.routing import Call, Endpoint


def _campaign(call: Call) -> BaseModel | Response:
    made = campaign.make(call.resources, call.path["code"])
    return _sent(sheet.of_campaign(made), made.code) if _wants_csv(call) else made


def _course(call: Call) -> Course:
    return course.make(call.resources, call.path["code"])


def _coupon(call: Call) -> BaseModel | Response:
    made = coupon.make(call.resources, call.path["code"])
    return _sent(sheet.of_coupon(made), made.code) if _wants_csv(call) else made


def _shop(call: Call) -> BaseModel | Response:
    days = call.query(Days)
    made = shop.make(call.resources, days)
    return _sent(sheet.of_shop(made), f"{days.first}_{days.last}") if days.format == "csv" else made


def _wants_csv(call: Call) -> bool:
    return call.query(ReportFormat).format == "csv"


def _sent(text: str, name: str) -> Response:
    return Response(text, 200, {"Content-Disposition": f'attachment; filename="{name}.csv"'}, "text/csv")


ENDPOINTS = (
    Endpoint(
        "GET",
        "/admin/api/campaigns/{code}/report",
        "read_report",
        "How a campaign sells",
        _campaign,
        Report,
        query=ReportFormat,
        problems=(404,),
        other_types=("text/csv",),
    ),
    Endpoint(
        "GET",
        "/admin/api/campaigns/{code}/report/course",
        "read_course",
        "How a campaign sold by the minute, hour or day, with its first and last order",
        _course,
        Course,
        problems=(404,),
    ),
    Endpoint(
        "GET",
        "/admin/api/coupons/{code}/report",
        "read_coupon_report",
        "What came of a coupon",
        _coupon,
        CouponReport,
        query=ReportFormat,
        problems=(404,),
        other_types=("text/csv",),
    ),
    Endpoint(
        "GET",
        "/admin/api/report",
        "read_shop_report",
        "How the shop sells, day by day",
        _shop,
        ShopReport,
        query=Days,
        other_types=("text/csv",),
    ),
)
