"""Every operation of the sidecar's API."""

from __future__ import annotations

from functools import cache

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from admin import openapi, readiness
from admin.audit import routes as audit
from admin.campaigns import routes as campaigns
from admin.carts import routes as carts
from admin.catalog import category_routes as categories
from admin.catalog import routes as catalog
from admin.checkout import routes as checkout
from admin.coupons import routes as coupons
from admin.coupons import shopping as coupon_shopping
from admin.events import routes as events
from admin.gate import routes as gate
from admin.groups import routes as groups
from admin.live import routes as live
from admin.members import routes as members
from admin.memberships import routes as memberships
from admin.notices import routes as notices
from admin.operators import routes as operators
from admin.orders import routes as orders
from admin.orders import shopping
from admin.payments import routes as payments
from admin.presales import routes as presales
from admin.quotes import routes as quotes
from admin.receipts import routes as receipts
from admin.reminders import routes as reminders
from admin.reports import routes as reports
from admin.routing import Call, Endpoint
from admin.sessions import routes as sessions
from admin.sheets import routes as sheets
from admin.storefront import cart_routes
from admin.storefront import routes as storefront
from admin.storefront import window_routes as shop_windows


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
    *live.ENDPOINTS,
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
    *shop_windows.ENDPOINTS,
    *cart_routes.ENDPOINTS,
    *operators.ENDPOINTS,
    *audit.ENDPOINTS,
    *events.ENDPOINTS,
    *readiness.ENDPOINTS,
    Endpoint(
        "GET", "/admin/api/openapi.json", "read_openapi", "This document", _openapi, OpenApi, caller="anybody"
    ),
)
