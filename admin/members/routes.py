"""Members over HTTP. A shopper's id in a path is percent-encoded, slashes too."""

from __future__ import annotations

from admin.crud import Models, Summaries, operations
from admin.members import service
from admin.members.models import Member, MemberChange, MemberFilter, MemberInput, MemberPage
from admin.routing import Body

_EXAMPLE = {
    "shopper": "amy",
    "level": 1,
    "since": "2024-03-01T00:00:00+08:00",
    "birthday": "02-29",
    "first_paid_at": None,
    "paid": {"level": 2, "until": "2027-03-01T00:00:00+08:00"},
    "note": "Prefers parcels on Saturdays.",
}

ENDPOINTS = operations(
    service,
    "/admin/api/members",
    "shopper:path",
    "member",
    Models(Member, MemberPage, MemberFilter),
    Summaries(
        create="Make a member; the record outranks the claims of their token",
        list="Members by shopper id",
        change="Change some fields of a member",
        delete="Delete a member's record; only their token's claims count from then on",
    ),
    create=Body((MemberInput,), {"amy": _EXAMPLE}),
    change=Body((MemberChange,), {"level": {"level": 2, "paid": None}}),
)
