"""Notices over HTTP."""

from __future__ import annotations

from admin.notices import service
from admin.notices.models import NoticePage, NoticesRead, Unread
from admin.paging import Page
from admin.routing import Body, Call, Endpoint


def _list(call: Call) -> NoticePage:
    return service.page(call.resources, call.shopper, call.query(Page))


def _read(call: Call) -> Unread:
    return Unread(unread=service.read(call.resources, call.shopper, call.read(NoticesRead)))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/notices",
        "list_notices",
        "Your notices, newest first",
        _list,
        NoticePage,
        query=Page,
        caller="shopper",
    ),
    Endpoint(
        "POST",
        "/api/notices/read",
        "read_notices",
        "You have read your notices up to this one",
        _read,
        Unread,
        body=Body((NoticesRead,), {"up_to": {"up_to": 12}}),
        caller="shopper",
    ),
)
