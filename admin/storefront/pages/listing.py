"""The list of products: searched, filtered by promotion and category, sorted, in pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from admin.errors import Invalid
from admin.pages.locales import gettext as _
from admin.pages.wording import told
from admin.storefront.pages.visit import Visit, page

PAGE = 24
FILTERS = ("q", "type", "campaign", "category", "sort")
"""What a list can be asked for, in the order of its address."""


async def show(visit: Visit) -> Response:
    """`GET /products`."""
    given = visit.request.query_params
    wanted = {name: given[name].strip() for name in FILTERS if given.get(name, "").strip()}
    campaigns = (await visit.ask("list_shop_campaigns", query={"limit": "200"})).items
    categories = (await visit.ask("list_shop_categories")).items
    problem, found = None, None
    try:
        found = await _found(visit, wanted, given.get("cursor"))
    except Invalid as error:
        problem = told(error)
    types = {each.type: each.title for each in campaigns}
    return visit.show(
        "listing.html",
        wanted=wanted,
        found=found,
        problem=problem,
        begun=given.get("cursor") is None,
        types=types,
        campaigns=[each for each in campaigns if each.type == wanted.get("type")],
        categories=[each for each in categories if each.parent in (None, wanted.get("category"))],
        name=_name(wanted, campaigns, categories, types),
        sorts={
            "": _("By number"),
            "newest": _("Newest"),
            "promo_price": _("Lowest price"),
            "-promo_price": _("Highest price"),
            "name": _("Name"),
        },
        link=lambda **changes: _link(wanted, changes),
    )


async def _found(visit: Visit, wanted: Mapping[str, str], cursor: str | None) -> Any:
    query = {**wanted, "limit": str(PAGE)} | ({} if cursor is None else {"cursor": cursor})
    return await visit.ask("list_shop_products", query=query)


def _link(wanted: Mapping[str, str], changes: Mapping[str, str | None]) -> str:
    """The address of this list with other filters, from its beginning unless a cursor is given."""
    asked = {name: changes.get(name, wanted.get(name)) for name in (*FILTERS, "cursor")}
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"/products?{query}" if query else "/products"


def _name(wanted: Mapping[str, str], campaigns: list[Any], categories: list[Any], types: Mapping[str, str]) -> str:
    """What the list is called."""
    if "q" in wanted:
        return _("Results for “%(words)s”") % {"words": wanted["q"]}
    named = {each.code: each.name for each in campaigns}
    for key, names in (
        ("campaign", named),
        ("type", types),
        ("category", {each.id: each.name for each in categories}),
    ):
        if key in wanted:
            return names.get(wanted[key], wanted[key])
    return _("All products")


ROUTES = [page("GET", "/products", show)]
