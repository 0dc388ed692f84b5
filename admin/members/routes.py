"""Members over HTTP. A shopper's id in a path is percent-encoded, slashes too."""

from __future__ import annotations

from admin.catalog.models import Deleted
from admin.members import service
from admin.members.models import Member, MemberChange, MemberFilter, MemberInput, MemberPage
from admin.routing import Body, Call, Endpoint

_LIST = "/admin/api/members"
_ONE = "/admin/api/members/{shopper:path}"

_EXAMPLE = {
    "shopper": "amy",
    "level": 1,
    "since": "2024-03-01T00:00:00+08:00",
    "birthday": "02-29",
    "first_paid_at": None,
    "paid": {"level": 2, "until": "2027-03-01T00:00:00+08:00"},
    "note": "Prefers parcels on Saturdays.",
}


def _create(call: Call) -> Member:
    return service.create(call.resources, call.body, actor=call.actor)


def _list(call: Call) -> MemberPage:
    return service.page(call.resources, call.query(MemberFilter))


def _read(call: Call) -> Member:
    return service.read(call.resources, call.path["shopper"])


def _change(call: Call) -> Member:
    shopper = call.path["shopper"]
    return service.change(call.resources, shopper, call.body, actor=call.actor, if_match=call.if_match)


def _delete(call: Call) -> Deleted:
    service.remove(call.resources, call.path["shopper"], actor=call.actor, if_match=call.if_match)
    return Deleted(deleted=call.path["shopper"])


ENDPOINTS = (
    Endpoint(
        "POST",
        _LIST,
        "create_member",
        "Make a member; the record outranks the claims of their token",
        _create,
        Member,
        status=201,
        body=Body((MemberInput,), {"amy": _EXAMPLE}),
        problems=(409,),
    ),
    Endpoint("GET", _LIST, "list_members", "Members by shopper id", _list, MemberPage, query=MemberFilter),
    Endpoint("GET", _ONE, "read_member", "One member", _read, Member, problems=(404,)),
    Endpoint(
        "PATCH",
        _ONE,
        "change_member",
        "Change some fields of a member",
        _change,
        Member,
        body=Body((MemberChange,), {"level": {"level": 2, "paid": None}}),
        problems=(404, 412),
    ),
    Endpoint(
        "DELETE",
        _ONE,
        "delete_member",
        "Delete a member's record; only their token's claims count from then on",
        _delete,
        Deleted,
        problems=(404, 412),
    ),
)
