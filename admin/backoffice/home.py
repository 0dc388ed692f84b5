"""The first page after signing in: what goes on in the shop, what comes next, what waits for somebody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from admin.backoffice.sales import area, campaign_words
from admin.backoffice.showing import show
from admin.campaigns.models import CampaignSummary
from admin.errors import AdminError
from admin.pages import asking
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _
from admin.reports.models import Day, OfferFigures, Report

RUNNING_MAX = 8
NEXT_MAX = 5
COUNTED_MAX = 50
"""More refunds, dead letters and so on are told as this many and more."""


@dataclass(frozen=True, slots=True)
class Running:
    """A campaign that sells now: how much of it is gone, in percent; None where there is no end to it."""

    campaign: CampaignSummary
    name: str
    sold: int
    left: int | None

    @property
    def share(self) -> int | None:
        """Sold of what there was, in percent."""
        if self.left is None:
            return None
        return 100 * self.sold // max(1, self.sold + self.left)


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that somebody should look at. `details` are the system's own words."""

    text: str
    path: str | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first steps of a new shop."""

    title: Any
    text: Any
    path: str
    done: bool


class Home(CustomView):
    """What is going on in the shop now."""

    menu_label = _("Today")
    icon = "fa-solid fa-gauge"
    path = "/"

    @route("")
    async def index(self, request: Request) -> Response:
        """The page."""
        running, following, today, waiting, warnings, steps = await asyncio.gather(
            _running(request),
            _following(request),
            _today(request),
            _waiting(request),
            _warnings(request),
            _steps(request),
        )
        return show(
            self,
            request,
            "home.html",
            title=_("Today"),
            running=running,
            following=following,
            today=today,
            waiting=waiting,
            warnings=warnings,
            steps=[] if all(each.done for each in steps) else steps,
            called=campaign_words.called,
            counted_max=COUNTED_MAX,
            **area.shared(),
        )


async def _running(request: Request) -> list[Running]:
    query = {"state": "running", "sort": "start", "limit": str(RUNNING_MAX)}
    listed = await asking.ask(request, "list_campaigns", query=query)
    return list(await asyncio.gather(*(_sales_of(request, each) for each in listed.items)))


async def _sales_of(request: Request, campaign: CampaignSummary) -> Running:
    report: Report = await asking.ask(request, "read_report", path={"code": campaign.code})
    total = report.total
    name = campaign_words.called(campaign)
    if isinstance(total, OfferFigures):
        return Running(campaign, name, total.sold, total.left)
    return Running(campaign, name, total.units, (report.limits_left or {}).get("total"))


async def _following(request: Request) -> list[CampaignSummary]:
    """What starts next, the earliest first."""
    waiting = await asking.ask_all(request, "list_campaigns", query={"state": "not_started"}, most=500)
    return sorted(waiting, key=lambda each: str(each.starts_at))[:NEXT_MAX]


async def _today(request: Request) -> Day:
    day = datetime.now(request.state.resources.zone).date().isoformat()
    report = await asking.ask(request, "read_shop_report", query={"from": day, "to": day})
    found: Day = report.days[0]
    return found


async def _waiting(request: Request) -> int:
    query = {"state": "requested", "limit": str(COUNTED_MAX)}
    return len((await asking.ask(request, "list_refunds", query=query)).items)


async def _warnings(request: Request) -> list[Warned]:
    found = []
    ready = orjson.loads((await asking.ask(request, "is_ready")).body)
    if not ready["ready"]:
        found.append(Warned(gettext("A part of the shop does not do its work."), details=tuple(ready["reasons"])))
    try:
        letters = await asking.ask(request, "list_dead_letters", query={"limit": "5"})
    except (AdminError, RedisError):
        return found
    if letters.items:
        text = gettext("There are winners that could not be written into the ledger.")
        found.append(Warned(text, details=tuple(f"{each.offer}: {each.reason}" for each in letters.items)))
    hooks = await asking.ask(request, "list_webhooks", query={"limit": str(COUNTED_MAX)})
    failing = tuple(f"{each.url}: {each.last_error}" for each in hooks.items if each.attempts)
    if failing:
        found.append(Warned(gettext("There are webhooks that do not take their events."), details=failing))
    return found


async def _steps(request: Request) -> list[Step]:
    async def any_of(name: str, query: Mapping[str, str] | None = None) -> bool:
        return bool((await asking.ask(request, name, query={"limit": "1", **(query or {})})).items)

    products, published, orders = await asyncio.gather(
        any_of("list_products"), _published(request), any_of("list_orders")
    )
    return [
        Step(_("Make products"), _("What you sell: names, prices, stock."), "/admin/products/list", products),
        Step(_("Make a campaign"), _("Choose one of ten types and publish it."), "/admin/wizard", published),
        Step(_("Open the storefront"), _("Look at your shop and make a first order."), "/", orders),
    ]


async def _published(request: Request) -> bool:
    listed = await asking.ask(request, "list_campaigns", query={"limit": str(COUNTED_MAX)})
    return any(each.state != "draft" for each in listed.items)
