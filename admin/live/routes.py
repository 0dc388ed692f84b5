"""Sales that are watched, and the calendar, over HTTP."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import cookie_parser

from admin.errors import Unavailable
from admin.live import calendar, ledger
from admin.live.models import Calendar, CalendarDays, Live
from admin.live.watching import ALL, LiveWatching
from admin.operators import signing_in
from admin.routing import Call, Endpoint
from admin.streaming import StillAllowed, Stream
from gateway.event_streams import MEDIA_TYPE


def _watching(call: Call) -> LiveWatching:
    (found,) = (each for each in call.rounds if isinstance(each, LiveWatching))
    return found


async def _look(call: Call, code: str) -> Live:
    watching = _watching(call)
    if code != ALL:
        await run_in_threadpool(ledger.sale, call.resources, code)
    topic = watching.topic(code)
    if topic.latest is None:
        await run_in_threadpool(watching.sample, topic)
    found = topic.in_full()
    assert found is not None
    return found


async def _watch(call: Call, code: str) -> Stream:
    watching = _watching(call)
    if watching.full:
        raise Unavailable("too many pages watch sales: close some", code="too_many_streams")
    if code != ALL:
        await run_in_threadpool(ledger.sale, call.resources, code)
    watching.topic(code)
    return Stream(watching, code, _still(call))


def _still(call: Call) -> StillAllowed | None:
    """Asks whether the session of a person goes on; the key of a program does not end."""
    token = cookie_parser(call.headers.get("cookie", "")).get(signing_in.COOKIE)
    if call.headers.get("authorization") or token is None:
        return None

    async def ask() -> bool:
        return await run_in_threadpool(signing_in.find, call.resources, token) is not None

    return ask


async def _one(call: Call) -> Live:
    return await _look(call, call.path["code"])


async def _all(call: Call) -> Live:
    return await _look(call, ALL)


async def _watch_one(call: Call) -> Stream:
    return await _watch(call, call.path["code"])


async def _watch_all(call: Call) -> Stream:
    return await _watch(call, ALL)


def _calendar(call: Call) -> Calendar:
    return calendar.make(call.resources, call.query(CalendarDays))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/admin/api/calendar",
        "read_calendar",
        "The campaigns of some days, with those that hold the same goods at the same time",
        _calendar,
        Calendar,
        query=CalendarDays,
    ),
    Endpoint(
        "GET", "/admin/api/live", "read_all_live", "The seckills that are on or begin within a day, now", _all, Live
    ),
    Endpoint(
        "GET",
        "/admin/api/live/events",
        "watch_all_live",
        "The same once a second: an event stream of `Live`",
        _watch_all,
        None,
        problems=(503,),
        other_types=(MEDIA_TYPE,),
    ),
    Endpoint(
        "GET",
        "/admin/api/campaigns/{code}/live",
        "read_live",
        "How a seckill sells now, with the last two minutes",
        _one,
        Live,
        problems=(404, 503),
    ),
    Endpoint(
        "GET",
        "/admin/api/campaigns/{code}/live/events",
        "watch_live",
        "The same once a second: an event stream of `Live`, the history in its first event",
        _watch_one,
        None,
        problems=(404, 503),
        other_types=(MEDIA_TYPE,),
    ),
)
