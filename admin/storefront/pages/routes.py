"""Every page of the storefront."""

from __future__ import annotations

from starlette.routing import Route

from admin.storefront.pages import (
    cart,
    confirming,
    coupons,
    flash,
    groups,
    home,
    listing,
    notices,
    orders,
    paying,
    presales,
    product,
    refunding,
    reminders,
    signing_in,
)
from admin.storefront.pages.visit import STATIC_ROUTE

ROUTES: list[Route] = [
    *home.ROUTES,
    *flash.ROUTES,
    *listing.ROUTES,
    *product.ROUTES,
    *cart.ROUTES,
    *groups.ROUTES,
    *presales.ROUTES,
    *coupons.ROUTES,
    *reminders.ROUTES,
    *notices.ROUTES,
    *signing_in.ROUTES,
    *confirming.ROUTES,
    *orders.ROUTES,
    *paying.ROUTES,
    *refunding.ROUTES,
    STATIC_ROUTE,
]
