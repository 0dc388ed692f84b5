"""Products by their SKUs, as the catalogue has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from starlette.requests import Request

from admin.catalog.models import SKUS_MAX, Product
from admin.pages.asking import ask


async def products_of(request: Request, skus: Iterable[str]) -> Mapping[str, Product]:
    """Those of some products that there are, by SKU. Texts that could be no SKU are passed over."""
    found: dict[str, Product] = {}
    ordered = sorted({sku for sku in skus if _is_sku(sku)})
    for start in range(0, len(ordered), SKUS_MAX):
        named = ",".join(ordered[start : start + SKUS_MAX])
        page = await ask(request, "list_products", query={"sku": named, "limit": str(SKUS_MAX)})
        found |= {product.sku: product for product in page.items}
    return found


def _is_sku(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text, re.ASCII) is not None
