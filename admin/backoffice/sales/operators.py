"""Operators: owners add them, give them roles and new passwords; everybody changes their own password."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from admin.backoffice.sales import area
from admin.backoffice.sales.area import Area, typed
from admin.backoffice.showing import go, show
from admin.errors import AdminError, Conflict, Forbidden, Invalid, NotFound
from admin.operators import passwords
from admin.operators.roles import ROLES
from admin.pages import asking
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import by_field, told

SHOWN_MAX = 1000


class Operators(Area):
    """Owners see everybody; others see how to change their own password."""

    menu_label = _("Operators")
    icon = "fa-solid fa-user-shield"
    path = "/operators"

    @route("")
    async def index(self, request: Request) -> Response:
        """Everybody, and the forms."""
        return await self._show(request)

    @route("", methods=["POST"])
    async def add(self, request: Request) -> Response:
        """Make an operator; the password is made here and shown once."""
        form = await request.form()
        password = passwords.make()
        body = {"name": typed(form, "name"), "role": typed(form, "role"), "password": password}
        try:
            made = await asking.ask(request, "create_operator", body=body)
        except Invalid as error:
            return await self._show(request, fields=by_field(error.errors), given=form, status=422)
        except Conflict as error:
            return await self._show(request, fields={"name": [told(error)]}, given=form, status=409)
        return await self._show(request, secret=(made.name, password))

    @route("/me", methods=["POST"])
    async def own_password(self, request: Request) -> Response:
        """Give oneself another password, which ends the session."""
        form = await request.form()
        body = {"now": str(form.get("now", "")), "new": str(form.get("new", ""))}
        fields: dict[str, list[str]] = {}
        if body["new"] != str(form.get("again", "")):
            fields = {"again": [gettext("This is not the same password.")]}
        else:
            try:
                await asking.ask(request, "change_own_password", body=body)
            except Invalid as error:
                fields = by_field(error.errors)
        if fields:
            return await self._show(request, fields=fields, status=422)
        return go(request, "/login")

    @route("/{name}/{action}", methods=["POST"])
    async def change(self, request: Request) -> Response:
        """Give somebody another role or password, or delete them."""
        name, action = request.path_params["name"], request.path_params["action"]
        form = await request.form()
        if action not in {"role", "password", "delete"}:
            raise NotFound("there is no such page")
        me = asking.operator_of(request)
        if action == "password" and me is not None and me.name == name:
            # They would be signed out before they could read it.
            return await self._show(request, error=gettext("Change your own password below."), status=409)
        secret = passwords.make() if action == "password" else None
        try:
            await self._change(request, name, action, form, secret)
        except (NotFound, Forbidden):
            raise
        except AdminError as error:
            return await self._show(request, wanted=f"{action}-{name}", error=told(error), status=409)
        if secret is not None:
            return await self._show(request, secret=(name, secret))
        done = {"role": _("%(name)s has another role now."), "delete": _("%(name)s is deleted.")}
        return go(request, "/operators", str(done[action]) % {"name": name})

    async def _change(self, request: Request, name: str, action: str, form: FormData, secret: str | None) -> None:
        about: dict[str, Any] = {"path": {"name": name}, "if_match": area.revision(form)}
        if action == "delete":
            await asking.ask(request, "delete_operator", **about)
            return
        body = {"role": typed(form, "role")} if secret is None else {"password": secret}
        await asking.ask(request, "change_operator", body=body, **about)

    async def _show(self, request: Request, *, status: int = 200, **context: Any) -> Response:
        owner = area.is_owner(request)
        everybody = await asking.ask_all(request, "list_operators", most=SHOWN_MAX) if owner else []
        missing: dict[str, Any] = {"fields": {}, "given": {}, "wanted": None, "error": None, "secret": None}
        return show(
            self,
            request,
            "sales/operators.html",
            status=status,
            title=_("Operators"),
            operators=everybody,
            owner=owner,
            roles=ROLES,
            password_min=passwords.PASSWORD_MIN,
            **missing | context,
            **area.shared(),
        )
