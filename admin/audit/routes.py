"""The audit log over HTTP."""

from __future__ import annotations

from admin.audit import service
from admin.audit.service import AuditFilter, AuditPage
from admin.routing import Call, Endpoint


def _list(call: Call) -> AuditPage:
    return service.page(call.resources, call.query(AuditFilter))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/admin/api/audit",
        "list_changes",
        "Who changed what and when, newest first",
        _list,
        AuditPage,
        query=AuditFilter,
    ),
)
