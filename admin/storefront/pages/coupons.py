"""Coupons: those to claim, one's own, and a code that is typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from admin import problems
from admin.coupons.models import MyCoupon
from admin.errors import AdminError, Conflict, Invalid, NotFound
from admin.pages import locales
from admin.pages.locales import gettext as _
from admin.promotions.money import show_zhe
from admin.storefront.pages.refusals import plain, why
from admin.storefront.pages.replies import answered
from admin.storefront.pages.visit import Visit, page

SHOWN = "200"
NAMED_MAX = 3
"""Products or categories of a coupon that are named; the others are counted."""
MINE: Mapping[str, tuple[str, ...]] = {
    "usable": ("usable",),
    "later": ("not_started",),
    "gone": ("used", "exhausted", "ended", "not_eligible"),
}
"""The parts of one's own list, and the states of the coupons in each."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A coupon as a page shows it: what it takes off, the goods it is for, and why it cannot be used."""

    coupon: MyCoupon
    off: str
    goods: list[tuple[str, str]]
    """Name and address of products or categories."""
    more: int
    """How many others there are."""
    reason: str | None


async def show(visit: Visit) -> Response:
    """`GET /coupons`."""
    return await _coupons(visit)


async def claim(visit: Visit) -> Response:
    """`POST /coupons`: claim the one whose button was pressed (`coupon`), or a code that was typed (`code`)."""
    code = visit.value("coupon") or visit.value("code")
    if not code:
        return await _coupons(visit, Invalid.one("code", "missing", _("Type the code of a coupon.")))
    try:
        await visit.ask("claim_coupon", path={"code": code}, body={})
    except (Conflict, Invalid, NotFound) as error:
        return await _coupons(visit, error)
    return visit.go("/coupons", _("The coupon is yours. Use it in your cart."))


async def _coupons(visit: Visit, error: AdminError | None = None) -> Response:
    if error is not None:
        visit.status = problems.describe(error).status_code
    found = await visit.ask("list_my_coupons", query={"limit": SHOWN})
    tickets = [await _ticket(visit, each) for each in found.items]
    held = [each for each in tickets if each.coupon.claimed_at is not None]
    return visit.show(
        "coupons.html",
        to_claim=[each for each in tickets if each.coupon.claimed_at is None],
        mine={part: [each for each in held if each.coupon.state in states] for part, states in MINE.items()},
        best=await _best(visit, held),
        problem=None if error is None else _told(error),
        pressed=visit.value("coupon"),
        typed=visit.value("code"),
    )


def _told(error: AdminError) -> str:
    if isinstance(error, NotFound):
        return _("There is no coupon with this code. Look at upper and lower case.")
    return why(error)


async def _ticket(visit: Visit, coupon: MyCoupon) -> Ticket:
    of = coupon.items if coupon.scope == "items" else coupon.categories if coupon.scope == "category" else []
    goods = [await _named(visit, coupon.scope, each) for each in of[:NAMED_MAX]]
    reason = None if coupon.reason is None else plain(coupon.reason)
    return Ticket(coupon, _off(visit, coupon), goods, len(of) - len(goods), reason)


async def _named(visit: Visit, scope: str, each: str) -> tuple[str, str]:
    """The name and the address of a product or a category; of what is not for sale now, its id."""
    if scope == "category":
        known = {row.id: row.name for row in (await visit.ask("list_shop_categories")).items}
        return known.get(each, each), f"/products?category={each}"
    try:
        name: str = (await visit.ask("read_shop_product", path={"sku": each})).name
    except NotFound:
        name = each
    return name, f"/products/{each}"


def _off(visit: Visit, coupon: MyCoupon) -> str:
    if coupon.amount_off is not None:
        return _("%(amount)s off") % {"amount": locales.money(coupon.amount_off, visit.resources.currency)}
    basis_points = round((coupon.percent_off or 0) * 100)
    # Chinese says what is left to pay: 15 % off are 8.5 折.
    share = show_zhe(basis_points) if locales.current() == "zh_Hant" else locales.percent(basis_points)
    return _("%(share)s off") % {"share": share}


async def _best(visit: Visit, held: list[Ticket]) -> Any:
    """The coupon that takes most off the cart as it is, if one does."""
    if visit.shopper is None or not any(each.coupon.state == "usable" for each in held):
        return None
    cart = answered(await visit.ask("read_cart"))["cart"]
    if not cart["lines"]:
        return None
    priced = (await visit.ask("best_coupon", body=cart)).items
    return priced[0] if priced and priced[0].saves > 0 else None


ROUTES = [page("GET", "/coupons", show), page("POST", "/coupons", claim)]
