"""How pages of our own are shown inside the back office, and how they take forms."""

from __future__ import annotations

from typing import Any, cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.flash import flash
from starlette_admin.views import BaseView


def show(view: BaseView, request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """A page made of a template that extends `layout.html`."""
    office = cast(Any, view)._admin
    resources = request.state.resources
    given = {"currency": resources.currency, "zone": resources.zone, "view": view, **context}
    return cast(Response, office._template_response(request, template, given, status))


def go(request: Request, path: str, note: str | None = None, *, kind: str = "success") -> Response:
    """Send the browser to another page of the back office (`path` is below `/admin`), which says `note` once."""
    if note is not None:
        flash(request, note, cast(Any, kind))
    return RedirectResponse(f"/admin{path}", 303)
