"""The sidecar as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from admin import streaming
from admin.backoffice import site
from admin.campaigns.publisher import Publisher
from admin.checkout.desk import CheckoutDesk
from admin.coupons.making import CodeMaking
from admin.endpoints import ENDPOINTS
from admin.events.delivering import Delivering
from admin.fence import Fence
from admin.groups.closing import Closing
from admin.groups.progress import Watching
from admin.live.watching import LiveWatching
from admin.orders.expiring import Expiring
from admin.pages import languages
from admin.pages.middleware import Pages
from admin.payments.follow_up import FollowUp
from admin.payments.refund_all import RefundAll
from admin.presales.balances import Balances
from admin.quotes.desk import Desk
from admin.quotes.forgetting import Forgetting
from admin.reminders.reminding import Reminding
from admin.resources import Resources
from admin.rounds import Rounds
from admin.routing import routes
from admin.security import Callers, NoStore
from admin.sheets.jobs import Importing
from admin.storefront.pages import landing, missing
from admin.storefront.pages import routes as storefront_pages
from gateway.lifeline import die_with_parent
from gateway.settings import Settings
from gateway.telemetry import set_up_logging


class State(TypedDict):
    """What lives as long as the application, and every request can reach."""

    resources: Resources
    publisher: Publisher
    desk: Desk
    checkouts: CheckoutDesk
    rounds: tuple[Rounds, ...]


def create_app(settings: Settings) -> Starlette:
    """The application; stores are opened when it starts and closed when it stops.

    Raises:
        SettingsError: there is no admin key.
    """
    settings.require("admin_key")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        resources = Resources.open(settings)
        publisher = Publisher(resources)
        desk, checkouts = Desk(resources), CheckoutDesk(resources)
        rounds = (
            publisher,
            Fence(resources),
            FollowUp(resources),
            Expiring(resources),
            RefundAll(resources),
            Balances(resources),
            Closing(resources),
            Watching(resources),
            LiveWatching(resources),
            Reminding(resources),
            Delivering(resources),
            Forgetting(resources),
            Importing(resources),
            CodeMaking(resources),
        )
        for each in rounds:
            each.start()
        streaming.listen(rounds)
        try:
            yield {
                "resources": resources,
                "publisher": publisher,
                "desk": desk,
                "checkouts": checkouts,
                "rounds": rounds,
            }
        finally:
            for each in rounds:
                await run_in_threadpool(each.stop)
            for thread in (desk, checkouts):
                await run_in_threadpool(thread.close)
            resources.close()

    app = Starlette(
        routes=[
            *landing.ROUTES,
            *routes(ENDPOINTS, settings.admin_body_max_bytes),
            *languages.ROUTES,
            *storefront_pages.ROUTES,
        ],
        middleware=[
            Middleware(Pages, settings=settings),
            Middleware(NoStore),
            Middleware(
                Callers,
                keys=settings.admin_key,
                public=frozenset(each.path for each in ENDPOINTS if each.caller == "anybody"),
            ),
        ],
        exception_handlers={HTTPException: missing.handle},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    site.mount(app, settings)
    return app


def create() -> Starlette:
    """The app of a granian worker, with settings from the environment."""
    die_with_parent()
    settings = Settings.from_env()
    set_up_logging(settings, "admin")
    # It tells of every page that it sets up.
    logging.getLogger("starlette_admin").setLevel(logging.WARNING)
    return create_app(settings)
