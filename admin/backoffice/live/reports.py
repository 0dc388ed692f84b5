"""Reports to read and to print: of a campaign, of a coupon, of the whole shop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from admin.backoffice.live import outcomes
from admin.backoffice.sales.words import CAMPAIGN_STATES, FLOWS, type_titles
from admin.backoffice.showing import show
from admin.errors import Invalid
from admin.pages import charts
from admin.pages.asking import ask
from admin.pages.charts import Series
from admin.pages.locales import gettext, money, when
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import by_field
from admin.reports.models import Course, Report, ShopReport

Value = TypeVar("Value", int, str)

DAYS = 30
"""Days of the shop's report when none are asked for."""

TITLES: Mapping[str, tuple[Any, Any]] = {
    "minute": (_("Orders by minute"), _("Money by minute")),
    "hour": (_("Orders by hour"), _("Money by hour")),
    "day": (_("Orders by day"), _("Money by day")),
}
COLUMNS_MIN = 24
"""A chart has room for so many columns: fewer do not grow wider."""


class Reports(CustomView):
    """What was sold, and what it cost the shop."""

    menu_label = _("Reports")
    icon = "fa-solid fa-chart-column"
    path = "/reports"

    @route("")
    async def index(self, request: Request) -> Response:
        """The whole shop, day by day."""
        today = datetime.now(request.state.resources.zone).date()
        asked = {
            "from": request.query_params.get("from") or str(today - timedelta(days=DAYS - 1)),
            "to": request.query_params.get("to") or str(today),
        }
        made: ShopReport | None = None
        errors: dict[str, list[str]] = {}
        try:
            made = await ask(request, "read_shop_report", query=asked)
        except Invalid as error:
            errors = by_field(error.errors)
        return show(
            self,
            request,
            "live/shop.html",
            status=422 if errors else 200,
            title=_("The shop's report"),
            asked=asked,
            errors=errors,
            report=made,
            flows=FLOWS,
            **(_shop_charts(made) if made else {}),
        )

    @route("/{code}")
    async def campaign(self, request: Request) -> Response:
        """One campaign of any type."""
        code = request.path_params["code"]
        report: Report = await ask(request, "read_report", path={"code": code})
        course: Course = await ask(request, "read_course", path={"code": code})
        clicks = getattr(report.total, "clicks", {})
        return show(
            self,
            request,
            "live/report.html",
            title=report.name or report.code,
            report=report,
            course=course,
            types=type_titles(),
            states=CAMPAIGN_STATES,
            clicks=[each for each in outcomes.table(clicks) if each[2]],
            clicks_max=max(clicks.values(), default=0),
            bar=charts.bar,
            **_course_charts(request, course),
        )

    @route("/coupons/{code}")
    async def coupon(self, request: Request) -> Response:
        """One coupon."""
        report = await ask(request, "read_coupon_report", path={"code": request.path_params["code"]})
        return show(
            self, request, "live/coupon.html", title=report.name or report.code, report=report, bar=charts.bar
        )


def _course_charts(request: Request, course: Course) -> dict[str, Any]:
    zone = request.state.resources.zone
    form = "date" if course.by == "day" else "time"
    labels = [when(point.begins, zone, form) for point in course.points]
    orders, earned = TITLES[course.by]
    return {
        "labels": labels,
        "orders_chart": _columns("orders", str(orders), [point.orders for point in course.points], labels),
        "money_chart": _money(
            "money", str(earned), [point.money for point in course.points], labels, course.currency
        ),
    }


def _shop_charts(report: ShopReport) -> dict[str, Any]:
    labels = [when(f"{day.day}T12:00:00+00:00", ZoneInfo("UTC"), "date") for day in report.days]
    return {
        "labels": labels,
        "orders_chart": charts.columns(
            "orders",
            gettext("Orders by day"),
            [
                Series(str(name), [day.flows[flow].orders if flow in day.flows else 0 for day in report.days])
                for flow, name in FLOWS.items()
            ],
            labels,
        ),
        "money_chart": _money(
            "money", gettext("Money by day"), [day.gmv for day in report.days], labels, report.currency
        ),
        "sums": {
            name: sum(getattr(day, name) for day in report.days)
            for name in (
                "orders",
                "orders_paid",
                "orders_unpaid",
                "units",
                "gmv",
                "discounts",
                "coupons",
                "refunded",
            )
        },
    }


def _columns(name: str, title: str, values: Sequence[int], labels: Sequence[str]) -> Any:
    return charts.columns(name, title, [Series(title, _wide(values, 0))], _wide(labels, ""))


def _money(name: str, title: str, values: Sequence[int], labels: Sequence[str], currency: str) -> Any:
    # A day may end below zero: then more went back than came in.
    shown = _wide([max(value, 0) for value in values], 0)
    wide = _wide(labels, "")
    return charts.columns(name, title, [Series(title, shown)], wide, lambda value: money(int(value), currency))


def _wide(some: Sequence[Value], empty: Value) -> list[Value]:
    return list(some) + [empty] * (COLUMNS_MIN - len(some))
