"""The sidecar as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import TypedDict

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response

from admin import openapi, problems, readiness
from admin.audit import routes as audit
from admin.campaigns import routes as campaigns
from admin.campaigns.publisher import Publisher
from admin.carts import routes as carts
from admin.catalog import category_routes as categories
from admin.catalog import routes as catalog
from admin.checkout import routes as checkout
from admin.checkout.desk import CheckoutDesk
from admin.coupons import routes as coupons
from admin.coupons import shopping as coupon_shopping
from admin.coupons.making import CodeMaking
from admin.events import routes as events
from admin.events.delivering import Delivering
from admin.fence import Fence
from admin.gate import routes as gate
from admin.groups import routes as groups
from admin.groups.closing import Closing
from admin.groups.progress import Watching
from admin.members import routes as members
from admin.memberships import routes as memberships
from admin.notices import routes as notices
from admin.orders import routes as orders
from admin.orders import shopping
from admin.orders.expiring import Expiring
from admin.payments import routes as payments
from admin.payments.follow_up import FollowUp
from admin.payments.refund_all import RefundAll
from admin.presales import routes as presales
from admin.presales.balances import Balances
from admin.quotes import routes as quotes
from admin.quotes.desk import Desk
from admin.quotes.forgetting import Forgetting
from admin.receipts import routes as receipts
from admin.reminders import routes as reminders
from admin.reminders.reminding import Reminding
from admin.reports import routes as reports
from admin.resources import Resources
from admin.rounds import Rounds
from admin.routing import Call, Endpoint, routes
from admin.security import BearerKeys, NoStore
from admin.sessions import routes as sessions
from admin.sheets import routes as sheets
from admin.sheets.jobs import Importing
from admin.storefront import routes as storefront
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


class OpenApi(BaseModel):
    """The OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")

    openapi: str


@cache
def _document() -> bytes:
    return orjson.dumps(openapi.document(ENDPOINTS))


def _openapi(_call: Call) -> Response:
    return Response(_document(), media_type="application/json")


ENDPOINTS: tuple[Endpoint, ...] = (
    # Routes are tried in this order: what is asked most comes first.
    *quotes.ENDPOINTS,
    *checkout.ENDPOINTS,
    *carts.ENDPOINTS,
    *catalog.ENDPOINTS,
    *categories.ENDPOINTS,
    *members.ENDPOINTS,
    *memberships.ENDPOINTS,
    *sessions.ENDPOINTS,
    *sheets.ENDPOINTS,
    *campaigns.ENDPOINTS,
    *reports.ENDPOINTS,
    *gate.ENDPOINTS,
    *coupons.ENDPOINTS,
    *coupon_shopping.ENDPOINTS,
    *orders.ENDPOINTS,
    *shopping.ENDPOINTS,
    *payments.ENDPOINTS,
    *presales.ENDPOINTS,
    *groups.ENDPOINTS,
    *receipts.ENDPOINTS,
    *reminders.ENDPOINTS,
    *notices.ENDPOINTS,
    *storefront.ENDPOINTS,
    *audit.ENDPOINTS,
    *events.ENDPOINTS,
    *readiness.ENDPOINTS,
    Endpoint(
        "GET", "/admin/api/openapi.json", "read_openapi", "This document", _openapi, OpenApi, caller="anybody"
    ),
)


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
            Reminding(resources),
            Delivering(resources),
            Forgetting(resources),
            Importing(resources),
            CodeMaking(resources),
        )
        for each in rounds:
            each.start()
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
        routes=routes(ENDPOINTS, settings.admin_body_max_bytes),
        middleware=[
            Middleware(NoStore),
            Middleware(
                BearerKeys,
                keys=settings.admin_key,
                public=frozenset(each.path for each in ENDPOINTS if each.caller == "anybody"),
            ),
        ],
        exception_handlers={HTTPException: problems.handle},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def create() -> Starlette:
    """The app of a granian worker, with settings from the environment."""
    die_with_parent()
    settings = Settings.from_env()
    set_up_logging(settings, "admin")
    return create_app(settings)
