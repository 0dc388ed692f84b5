"""The back office as one application: starlette-admin with our theme, our sessions and every view."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette_admin.base import BaseAdmin
from starlette_admin.theme import DefaultTheme, TablerSettings
from starlette_admin.views import CustomView

from admin import problems
from admin.backoffice.entering import Entrance
from admin.backoffice.form_proof import FormProof
from admin.backoffice.home import Home
from admin.backoffice.templating import Adapted
from admin.backoffice.views import VIEWS
from admin.errors import AdminError, Unauthenticated
from admin.operators import signing_in
from admin.pages import asking, csrf, locales, nonces
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import told
from gateway.crypto import derive_key
from gateway.settings import Settings

BASE = "/admin"
ROLE_NAMES = {"viewer": _("viewer"), "editor": _("editor"), "owner": _("owner")}


class Theme(DefaultTheme):
    """starlette-admin's own look, with the templates and files of this package before its own."""

    name = "seckill"
    package = "admin.backoffice"


class BackOffice(BaseAdmin):
    """starlette-admin, with what every template of ours needs."""

    def _init_csrf(self) -> None:
        assert self.secret_key is not None
        self.middlewares.append(Middleware(FormProof, secret_key=self.secret_key))

    def _setup_templates(self) -> None:
        super()._setup_templates()
        environment = self.templates.env
        assert environment.loader is not None
        environment.loader = Adapted(environment.loader)
        environment.add_extension("jinja2.ext.do")
        environment.filters |= {
            "money": locales.money,
            "number": locales.number,
            "percent": locales.percent,
            "when": locales.when,
        }
        names: dict[str, Any] = environment.globals
        names |= {
            "nonce": nonces.current,
            "language_tag": locales.tag,
            "locales": locales.NAMES,
            "operator": asking.operator_of,
            "allowed": asking.allowed,
            "proof": proof,
            "role_names": ROLE_NAMES,
        }

    def _register_extra_routes(self, custom_view: CustomView) -> None:
        # Else every first page would be called "index", and links to the home page would lead to any of them.
        custom_view.route_name = custom_view.route_name or custom_view.path.strip("/") or "index"
        super()._register_extra_routes(custom_view)


def proof(request: Request) -> str:
    """What a script of a page sends along with changes it asks the API for."""
    resources = request.state.resources
    return csrf.proof(resources.settings.signing_secrets, request.cookies.get(signing_in.COOKIE, ""))


async def _failed(request: Request, error: Exception) -> Response:
    """An error of ours as a page; who is no longer signed in goes to the door."""
    if isinstance(error, Unauthenticated):
        return RedirectResponse(f"{BASE}/login?next={quote(request.url.path)}", 303)
    described = problems.describe(error)
    office: BackOffice = request.app.state.office
    context = {"title": _("That did not work"), "message": told(error), "status": described.status_code}
    return office._template_response(request, "problem.html", context, described.status_code)


def mount(app: Starlette, settings: Settings) -> None:
    """Add the back office to the sidecar.

    Raises:
        SettingsError: there is neither a signing secret nor an admin key.
    """
    office = BackOffice(
        title="Seckill",
        base_url=BASE,
        templates_dir="",
        auth_provider=Entrance(),
        secret_key=derive_key(settings.signing_secrets[0], "back office").hex(),
        theme=Theme(TablerSettings(base="stone", primary="red", radius=1)),
        index_view=Home(),
        timezone_config=None,
    )
    for view in VIEWS:
        office.add_view(view)
    # What people type, and what `up` prints; a mount answers only what is below it.
    app.router.routes.append(Route(BASE, RedirectResponse(f"{BASE}/", 308)))
    office.mount_to(app)
    office.app.state.office = office
    office.app.add_exception_handler(AdminError, _failed)
