"""Group buys over HTTP."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool

from admin.campaigns.views import preferred
from admin.errors import Unavailable
from admin.groups import joining, leaving, opening, views
from admin.groups.models import GroupFilter, GroupInFull, GroupPage, GroupWithOrder, NewGroup, Seat
from admin.groups.progress import Stream, Watching
from admin.inputs import Nothing
from admin.routing import Body, Call, Endpoint
from gateway.streams import MEDIA_TYPE


def _open(call: Call) -> GroupWithOrder:
    assert call.signed_in is not None
    order_no = opening.open_group(call.resources, call.read(NewGroup), call.signed_in, preferred(call.languages))
    return views.with_order(call.resources, order_no)


def _join(call: Call) -> GroupWithOrder:
    assert call.signed_in is not None
    order_no = joining.join(
        call.resources, call.path["group"], call.read(Seat), call.signed_in, preferred(call.languages)
    )
    return views.with_order(call.resources, order_no)


def _leave(call: Call) -> GroupWithOrder:
    call.read(Nothing)
    return views.with_order(call.resources, leaving.leave(call.resources, call.path["group"], call.shopper))


def _read(call: Call) -> GroupInFull:
    return views.read(call.resources, call.path["group"], None if call.signed_in is None else call.shopper)


def _list(call: Call) -> GroupPage:
    return views.page(call.resources, call.query(GroupFilter))


async def _watch(call: Call) -> Stream:
    (watching,) = (each for each in call.rounds if isinstance(each, Watching))
    if watching.full:
        raise Unavailable("too many pages watch a group: ask for the group itself", code="too_many_streams")
    group = await run_in_threadpool(views.read, call.resources, call.path["group"], None)
    return Stream(watching, group.id)


_ADDRESS = {"name": "Ann Example", "phone": "+886 2 1234 5678", "line1": "1 Long Street", "city": "Taipei"}
_HOME = {**_ADDRESS, "country": "TW"}

ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/groups",
        "open_group",
        "Open a group of a group buy; its first order is to be paid",
        _open,
        GroupWithOrder,
        status=201,
        body=Body((NewGroup,), {"open": {"campaign": "kettle-group", "sku": "kettle", "address": _HOME}}),
        problems=(404, 409, 503),
        caller="shopper",
    ),
    Endpoint(
        "GET",
        "/api/groups",
        "list_groups",
        "Groups that may be joined, the nearest deadline first",
        _list,
        GroupPage,
        query=GroupFilter,
        caller="guest",
    ),
    Endpoint(
        "GET",
        "/api/groups/{group}",
        "read_group",
        "A group with its seats",
        _read,
        GroupInFull,
        problems=(404,),
        caller="guest",
    ),
    Endpoint(
        "GET",
        "/api/groups/{group}/events",
        "watch_group",
        "How a group fills, until it is over: an event stream of `Progress`",
        _watch,
        None,
        problems=(404, 503),
        caller="guest",
        other_types=(MEDIA_TYPE,),
    ),
    Endpoint(
        "POST",
        "/api/groups/{group}/join",
        "join_group",
        "Take a seat on the terms that the group was opened with; the order is to be paid",
        _join,
        GroupWithOrder,
        status=201,
        body=Body((Seat,), {"one": {}, "home": {"quantity": 1, "address": _HOME}}, optional=True),
        problems=(404, 409),
        caller="shopper",
    ),
    Endpoint(
        "POST",
        "/api/groups/{group}/leave",
        "leave_group",
        "Give the seat up before the group is full; what was paid goes back",
        _leave,
        GroupWithOrder,
        body=Body((Nothing,), {"leave": {}}, optional=True),
        problems=(404, 409),
        caller="shopper",
    ),
)
