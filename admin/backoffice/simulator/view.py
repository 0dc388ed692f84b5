"""The page of the cart simulator: one form that asks for its own address, so it works without scripts."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from admin.backoffice.sales.words import CHANNELS, type_titles
from admin.backoffice.showing import show
from admin.backoffice.simulator import explaining
from admin.backoffice.simulator.typed import NONE, Typed
from admin.errors import Invalid
from admin.pages.asking import ask, operator_of
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import by_field

FOUND_MAX = 12
"""Products that a search shows."""
NAMED_MAX = 200
"""Products whose names are looked up."""


class Simulator(CustomView):
    """A cart as somebody, at some time."""

    menu_label = _("Try a cart")
    icon = "fa-solid fa-cart-shopping"
    path = "/simulator"

    @route("")
    async def index(self, request: Request) -> Response:
        """The form and, once there is a product in the cart, its quote explained."""
        if operator_of(request) is None:
            return RedirectResponse("/admin/login?next=/admin/simulator", 303)
        typed = Typed.of(request.query_params)
        if {"add", "remove"} & request.query_params.keys():
            return RedirectResponse(f"/admin/simulator?{typed.address()}", 303)
        find = request.query_params.get("find", "").strip()
        found = (
            (await ask(request, "list_products", query={"q": find, "limit": str(FOUND_MAX)})).items if find else []
        )
        quote, errors = await _quote(request, typed)
        context = await _explained(request, typed, quote) if quote else {"names": {}}
        return show(
            self,
            request,
            "simulator/page.html",
            title=_("Try a cart"),
            status=422 if errors else 200,
            typed=typed,
            find=find,
            found=found,
            errors=errors,
            quote=quote,
            channels=CHANNELS,
            nothing=NONE,
            **context,
        )


async def _quote(request: Request, typed: Typed) -> tuple[dict[str, Any] | None, dict[str, list[str]]]:
    """The quote, and what is wrong by field."""
    if not typed.lines:
        return None, {}
    try:
        reply = await ask(request, "quote_as", body=typed.body(request.state.resources.zone))
    except Invalid as error:
        return None, by_field(error.errors)
    return orjson.loads(reply.body), {}


async def _explained(request: Request, typed: Typed, quote: dict[str, Any]) -> dict[str, Any]:
    offered = await explaining.campaigns(request, quote)
    skus = {each["sku"] for kind in ("lines", "gifts", "add_ons", "left_off") for each in quote[kind]}
    for each in offered.values():
        skus |= {*each.gifts, *(sku for sku, _price in each.add_ons)}
    wanted = ",".join(sorted(skus)[:NAMED_MAX])
    page = await ask(request, "list_products", query={"sku": wanted, "limit": str(NAMED_MAX)})
    better = quote["better"]
    changes = {each["line"]: each["campaign"] for each in better["changes"]} if better else {}
    return {
        "names": {product.sku: product.name for product in page.items},
        "offered": offered,
        "labels": {choice["campaign"]: choice["label"] for line in quote["lines"] for choice in line["choices"]},
        "types": type_titles(),
        "choice_words": explaining.CHOICES,
        "line_words": explaining.LINES,
        "coupon_words": explaining.COUPONS,
        "sentence": explaining.sentence,
        "units": explaining.units,
        "better_address": typed.with_choice(changes).address() if better else "",
    }
