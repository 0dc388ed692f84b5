"""Pre-sales: what a product costs in two parts and when, the deposit, and how far one's orders are."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.responses import Response

from admin import problems
from admin.errors import AdminError, Conflict, Invalid
from admin.pages.locales import gettext as _
from admin.storefront.pages.refusals import plain, why
from admin.storefront.pages.replies import answered, key_of, units
from admin.storefront.pages.visit import Visit, page

OWN_LOOKED_AT = "50"
"""Orders among which a shopper's own in a pre-sale are looked for."""
OVER = frozenset({"cancelled", "expired", "refunded"})
"""States in which an order of a pre-sale has nothing more to tell here."""


async def show_presale(visit: Visit) -> Response:
    """`GET /presales/{campaign}/{sku}`."""
    return await _presale(visit)


async def _presale(visit: Visit, error: AdminError | None = None) -> Response:
    about = await visit.ask("read_presale", path=dict(visit.path))
    if error is not None:
        visit.status = problems.describe(error).status_code
    return visit.show(
        "presale.html",
        about=about,
        reason=None if about.reason is None else plain(about.reason),
        orders=await _own_orders(visit),
        problem=None if error is None else why(error),
        quantity=visit.value("quantity", "1"),
        key=secrets.token_urlsafe(16),
    )


async def _own_orders(visit: Visit) -> list[Any]:
    if visit.shopper is None:
        return []
    found = await visit.ask("list_my_orders", query={"flow": "presale", "limit": OWN_LOOKED_AT})
    here = visit.path["campaign"], visit.path["sku"]
    return [each for each in found.items if (each.campaign, each.sku) == here and each.status not in OVER]


async def deposit(visit: Visit) -> Response:
    """`POST /presales/{campaign}/{sku}`: order so many units, the deposit to be paid next."""
    body = {"quantity": units(visit.value("quantity", "1"))}
    try:
        reply = await visit.ask("pay_deposit", path=dict(visit.path), body=body, headers=key_of(visit.value("key")))
    except (Conflict, Invalid) as error:
        return await _presale(visit, error)
    return visit.go(f"/orders/{answered(reply)['order_no']}", _("This is set aside for you. Pay the deposit now."))


ROUTES = [
    page("GET", "/presales/{campaign}/{sku}", show_presale),
    page("POST", "/presales/{campaign}/{sku}", deposit),
]
