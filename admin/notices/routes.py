"""Notices over HTTP."""

from __future__ import annotations

from admin.notices import service
from admin.notices.models import NoticePage
from admin.paging import Page
from admin.routing import Call, Endpoint


def _list(call: Call) -> NoticePage:
    return service.page(call.resources, call.shopper, call.query(Page))


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
)
