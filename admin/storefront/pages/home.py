"""The home page: the channel of flash sales, promotions, and products to begin with."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from admin.storefront.pages import flash
from admin.storefront.pages.visit import Visit, page

PROMOTIONS = 8
SHELF = 4
"""Products on each shelf."""


async def show(visit: Visit) -> Response:
    """`GET /`; `?at=` picks a round of flash sales, `category=` one of its categories."""
    wanted = visit.request.query_params
    sales = await visit.ask("list_flash_sales", query={"limit": str(flash.SHOWN_MAX)})
    rounds = flash.rounds(sales.items, sales.server_time)
    chosen = next((each for each in rounds if each.key == wanted.get("at")), rounds[0] if rounds else None)
    found = await visit.ask("list_shop_campaigns", query={"limit": "50"})
    categories = (await visit.ask("list_shop_categories")).items
    return visit.show(
        "home.html",
        rounds=rounds,
        chosen=chosen,
        category=wanted.get("category"),
        names={each.id: each.name for each in categories},
        roots=[each for each in categories if each.parent is None],
        promotions=[each for each in found.items if each.type != "seckill"][:PROMOTIONS],
        newest=await _shelf(visit, "newest"),
        cheapest=await _shelf(visit, "promo_price"),
        gateway=flash.gateway_url(visit),
        now=sales.server_time,
    )


async def _shelf(visit: Visit, sort: str) -> list[Any]:
    shown = await visit.ask("list_shop_products", query={"sort": sort, "limit": str(SHELF)})
    return list(shown.items)


ROUTES = [page("GET", "/", show)]
