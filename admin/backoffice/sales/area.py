"""What the pages of sales have in common: their place in the menu, forms, lists that are turned page by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette_admin.views import CustomView

from admin.backoffice.sales import words
from admin.operators.roles import Role
from admin.pages import asking
from admin.pages.locales import lazy_gettext as _

PAGE = 50
NEEDED: Mapping[Role, Any] = {
    "viewer": _("Sign in first."),
    "editor": _("Viewers look and do not change anything: an editor or owner can do this."),
    "owner": _("Only owners can do this."),
}


class Area(CustomView):
    """Pages below one path; its entry in the menu is marked on all of them."""

    def is_active(self, request: Request) -> bool:
        """Whether the page that is shown belongs here."""
        return f"{request.url.path}/".startswith(f"/admin{self.path}/")


@dataclass(frozen=True, slots=True)
class Action:
    """A button. `reason` says why it cannot be pressed now; None when it can."""

    name: str
    title: str
    reason: str | None = None
    look: str = ""


def role_reason(request: Request, operation: str) -> str | None:
    """Why whoever is signed in may not do something, if so."""
    return None if asking.allowed(request, operation) else str(NEEDED[asking.needed(operation)])


def is_owner(request: Request) -> bool:
    """Whether whoever is signed in decides about operators and about paying everybody back."""
    operator = asking.operator_of(request)
    return operator is not None and operator.role == "owner"


def chosen(request: Request, names: Iterable[str]) -> dict[str, str]:
    """The filters of a list that are filled in; spaces around what was typed do not count."""
    given = ((name, request.query_params.get(name, "").strip()) for name in names)
    return {name: value for name, value in given if value}


def address(request: Request, **changed: str | None) -> str:
    """This page's address with other parameters; None takes one out."""
    kept = {**request.query_params, **changed}
    return f"{request.url.path}?{urlencode({name: value for name, value in kept.items() if value})}"


def turned(request: Request, following: str | None) -> dict[str, str | None]:
    """Links from a page of a list: to the first one where this is another, and to the next where there is one."""
    return {
        "first": address(request, cursor=None) if request.query_params.get("cursor") else None,
        "next": address(request, cursor=following) if following else None,
    }


def typed(form: FormData, name: str) -> str:
    """A field of a form, without spaces around it."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def revision(form: FormData) -> int | None:
    """Which revision the page was made of."""
    text = typed(form, "revision")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def shared() -> dict[str, Any]:
    """What every template of sales may use."""
    return {"words": words, "types": words.type_titles()}
