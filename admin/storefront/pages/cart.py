"""The cart's page and its forms. Each changes the cart and leads back to it, or to where it was sent from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from admin.carts import contents, service
from admin.carts.models import LineChange, LineInput
from admin.errors import AdminError, Invalid
from admin.inputs import check
from admin.pages.addresses import local
from admin.pages.locales import gettext as _
from admin.pages.locales import money
from admin.pages.wording import by_field, field_told, told
from admin.promotions.cart import GIFTS_MAX, Cart, CartAddOn
from admin.storefront.pages import basket, cart_edits
from admin.storefront.pages.basket import Edit
from admin.storefront.pages.cart_view import CartView, sentence
from admin.storefront.pages.visit import Visit, page

CART = "/cart"

Typed = Mapping[str, tuple[str, tuple[str, ...]]]


async def show(visit: Visit) -> Response:
    """`GET /cart`."""
    return await _page(visit)


async def _page(visit: Visit, typed: Typed | None = None, **wrong: str) -> Response:
    """The cart; `typed` has quantities that could not be taken, `wrong` texts beside other fields."""
    found = await basket.read(visit)
    options = await visit.ask("list_quote_options", body=found.body)
    coupons = None
    if visit.shopper is not None and found.body["lines"]:
        coupons = await visit.ask("best_coupon", body=found.body)
    view = CartView(found, options, typed or {})
    reply = visit.show("cart.html", cart=view, coupons=coupons, sentence=sentence, wrong=wrong)
    return basket.keep(visit, reply)


async def _changed(visit: Visit, edit: Edit, note: str) -> Response:
    """Change the cart and go back; what cannot be done is told there."""
    following = local(visit.value("next", CART))
    try:
        await basket.change(visit, edit)
    except Invalid as error:
        return visit.go(following, trouble=" ".join(map(field_told, error.errors)))
    except AdminError as error:
        return visit.go(following, trouble=told(error))
    return basket.keep(visit, visit.go(following, note))


async def add_line(visit: Visit) -> Response:
    """`POST /cart/lines`: units of a product, perhaps with a campaign chosen."""
    given: dict[str, Any] = {"sku": visit.value("sku"), "quantity": _count(visit.value("quantity", "1"))}
    if visit.value("campaign"):
        given["campaign"] = visit.value("campaign")
    try:
        line = check(LineInput, given | {"selected": True}).model_dump(mode="json", exclude_unset=True)
    except Invalid as error:
        return visit.go(local(visit.value("next", CART)), trouble=told(error))
    return await _changed(visit, lambda body: contents.add(body, line), _("It is in your cart."))


async def add_bundle(visit: Visit) -> Response:
    """`POST /cart/bundles/{code}`: whole sets of a bundle."""
    wanted = {"sets": _count(visit.value("sets", "1"))}
    try:
        lines = await run_in_threadpool(service.bundle_lines, visit.resources, visit.path["code"], wanted)
    except AdminError as error:
        return visit.go(local(visit.value("next", CART)), trouble=told(error))
    return await _changed(visit, lambda body: cart_edits.add_lines(body, lines), _("The set is in your cart."))


async def change_line(visit: Visit) -> Response:
    """`POST /cart/lines/{sku}`: its quantity, its tick, or the promotion that it joins."""
    sku = visit.path["sku"]
    given: dict[str, Any] = {}
    typed = visit.value("quantity")
    if typed:
        given["quantity"] = _count(typed)
    if visit.value("selected"):
        given["selected"] = visit.value("selected") == "yes"
    choice = visit.value("promotion")
    if choice.startswith("code:"):
        given["campaign"] = choice.removeprefix("code:")
    elif choice == "none":
        given["campaign"] = None
    try:
        values = check(LineChange, given).model_dump(mode="json", include=set(given))
    except Invalid as error:
        visit.status = 422
        return await _page(visit, {sku: (typed, tuple(by_field(error.errors).get("quantity", ())))})
    unpin = choice == "default"
    return await _changed(
        visit, lambda body: contents.change(body, sku, values, unpin=unpin), _("Your cart is up to date.")
    )


async def remove_line(visit: Visit) -> Response:
    """`POST /cart/lines/{sku}/remove`."""
    sku = visit.path["sku"]
    return await _changed(visit, lambda body: contents.drop(body, sku), _("It is out of your cart."))


async def select_all(visit: Visit) -> Response:
    """`POST /cart/selection`: tick every line, or none."""
    selected = visit.value("selected") == "yes"
    return await _changed(
        visit, lambda body: cart_edits.select_all(body, selected=selected), _("Your cart is up to date.")
    )


async def use_coupon(visit: Visit) -> Response:
    """`POST /cart/coupon`: the code of a coupon; without one, none."""
    code = visit.value("code")
    try:
        check(Cart, {"lines": [], "coupon": code or None})
    except Invalid as error:
        visit.status = 422
        return await _page(visit, coupon=told(error), code=code)
    return await _changed(
        visit, lambda body: cart_edits.use_coupon(body, code or None), _("Your cart is up to date.")
    )


async def choose_gifts(visit: Visit) -> Response:
    """`POST /cart/gifts/{campaign}`: picks (`pick…`, `count:SKU`), or none; `default`: the shop's without picks."""
    campaign, how = visit.path["campaign"], visit.value("how")
    picks = [value for name, value in visit.form if name.startswith("pick:") and value]
    for name, value in visit.form:
        if name.startswith("count:"):
            picks += [name.removeprefix("count:")] * min(GIFTS_MAX, _count(value) or 0)
    chosen = None if how == "default" and not picks else [] if how == "decline" else picks[:GIFTS_MAX]
    return await _changed(
        visit, lambda body: cart_edits.choose_gifts(body, campaign, chosen), _("Your gifts are chosen.")
    )


async def choose_add_on(visit: Visit) -> Response:
    """`POST /cart/add-ons/{campaign}/{sku}`: so many units of it; 0 takes it out."""
    campaign, sku = visit.path["campaign"], visit.path["sku"]
    quantity = _count(visit.value("quantity"))
    if quantity != 0:
        try:
            check(CartAddOn, {"campaign": campaign, "sku": sku, "quantity": quantity})
        except Invalid as error:
            return visit.go(CART, trouble=told(error))
    return await _changed(
        visit,
        lambda body: cart_edits.choose_add_on(body, campaign, sku, quantity or 0),
        _("Your cart is up to date."),
    )


async def take_better(visit: Visit) -> Response:
    """`POST /cart/better`: what the quote says now would cost less."""
    found = await basket.read(visit)
    better = found.quote["better"]
    if better is None:
        return visit.go(CART, _("Nothing is cheaper than what you have chosen."))
    skus = {each["line"]: each["sku"] for each in found.quote["lines"]}
    changes = {skus[each["line"]]: each["campaign"] for each in better["changes"]}
    saved = money(better["saves"], found.quote["currency"])
    return await _changed(
        visit, lambda body: cart_edits.join(body, changes), _("You save %(amount)s.") % {"amount": saved}
    )


def _count(typed: str) -> int | None:
    """A whole number as people type it; None, which no rule allows, if it is none."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else None


ROUTES = [
    page("GET", CART, show),
    page("POST", "/cart/lines", add_line),
    page("POST", "/cart/lines/{sku}", change_line),
    page("POST", "/cart/lines/{sku}/remove", remove_line),
    page("POST", "/cart/bundles/{code}", add_bundle),
    page("POST", "/cart/selection", select_all),
    page("POST", "/cart/coupon", use_coupon),
    page("POST", "/cart/gifts/{campaign}", choose_gifts),
    page("POST", "/cart/add-ons/{campaign}/{sku}", choose_add_on),
    page("POST", "/cart/better", take_better),
]
