"""Group buys over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from admin.campaigns.views import preferred
from admin.checkout import keys
from admin.checkout.keys import Key
from admin.errors import Conflict, Unavailable
from admin.groups import joining, leaving, opening, views
from admin.groups.models import GroupFilter, GroupInFull, GroupPage, GroupWithOrder, NewGroup, Seat
from admin.groups.progress import Watching
from admin.inputs import Nothing
from admin.routing import Body, Call, Endpoint
from admin.streaming import Stream
from gateway.event_streams import MEDIA_TYPE
from gateway.orders.database import reading
from gateway.tokens import Shopper


def _open(call: Call) -> GroupWithOrder | Response:
    given, language = call.read(NewGroup), preferred(call.languages)
    return _once(call, lambda who, key: opening.open_group(call.resources, given, who, key, language))


def _join(call: Call) -> GroupWithOrder | Response:
    group, given, language = call.path["group"], call.read(Seat), preferred(call.languages)
    return _once(call, lambda who, key: joining.join(call.resources, group, given, who, key, language))


def _once(call: Call, make: Callable[[Shopper, Key], str]) -> GroupWithOrder | Response:
    """The group with the order that is made, or with 200 that was made before under the same key."""
    assert call.signed_in is not None
    key = keys.read(call, {"path": dict(call.path), "body": call.body})
    known = _known(call, key)
    if known is None:
        try:
            return views.with_order(call.resources, make(call.signed_in, key))
        except (IntegrityError, Conflict):
            # The same may have been sent twice at once, and the other one was first.
            known = _known(call, key)
            if known is None:
                raise
    shown = views.with_order(call.resources, known)
    return Response(shown.model_dump_json(), 200, media_type="application/json")


def _known(call: Call, key: Key) -> str | None:
    with reading(call.resources.engine) as connection:
        return keys.order_of(connection, call.shopper, key)


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
        also=(200,),
        body=Body((NewGroup,), {"open": {"campaign": "kettle-group", "sku": "kettle", "address": _HOME}}),
        problems=(404, 409, 503),
        caller="shopper",
        headers=keys.KEY_HEADER,
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
        also=(200,),
        body=Body((Seat,), {"one": {}, "home": {"quantity": 1, "address": _HOME}}, optional=True),
        problems=(404, 409),
        caller="shopper",
        headers=keys.KEY_HEADER,
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
