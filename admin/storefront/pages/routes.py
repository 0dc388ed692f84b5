"""Every page of the storefront."""

from __future__ import annotations

from starlette.routing import Route

from admin.storefront.pages import cart, flash, groups, home, signing_in
from admin.storefront.pages.visit import STATIC_ROUTE

ROUTES: list[Route] = [
    *home.ROUTES,
    *flash.ROUTES,
    *cart.ROUTES,
    *groups.ROUTES,
    *signing_in.ROUTES,
    STATIC_ROUTE,
]
