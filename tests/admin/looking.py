"""Helpers of the storefront's tests: somebody who looks around, campaigns and products to look at."""

from __future__ import annotations

from typing import Any

from buying import TOKEN_SECRET
from sidecar import Api, Shop

from gateway.tokens import mint
from tests.conftest import wait_until

HOUR_MS = 3_600_000


class Window:
    """A shop window: one shopper's or a guest's view of the storefront."""

    def __init__(self, api: Api, *, level: int | None = None, languages: str = "en") -> None:
        self._api = api
        self._key = None
        if level is not None:
            self._key = mint(TOKEN_SECRET.encode(), f"member {level}", ttl_s=3600, level=level)
        self._languages = languages

    def get(self, path: str, status: int = 200) -> Any:
        return self._api.get(path, status, key=self._key, headers={"Accept-Language": self._languages})

    def quote(self, sku: str, quantity: int = 1, **about: Any) -> Any:
        """The line of a quote for one product."""
        cart = {"lines": [{"sku": sku, "quantity": quantity, **about}], "explain": True}
        return self._api.post("/api/quote", cart, key=self._key)["lines"][0]

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            asked = "&".join(f"{name}={value}" for name, value in query.items())
            page = self.get(f"/api/products?{asked}{cursor}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def skus(self, **query: Any) -> list[str]:
        return [each["sku"] for each in self.listed(**query)]


def campaign(api: Api, shop: Shop, kind: str, rule: dict[str, Any], *skus: str, **about: Any) -> str:
    """A campaign that runs now."""
    now = shop.now_ms()
    body = {
        "type": kind,
        "code": shop.unique("c"),
        "name": "Campaign",
        "starts_at": now - HOUR_MS,
        "ends_at": now + HOUR_MS,
        "rule": rule,
        **({"items": [{"sku": sku} for sku in skus]} if skus else {}),
        **about,
    }
    return str(api.post("/campaigns", body, 201)["code"])


def filled(api: Api, shop: Shop) -> list[str]:
    """Six products in two categories, one of them below the other."""
    for body in (
        {"id": "home", "name": "Home", "texts": {"zh-Hant": {"name": "家居"}}},
        {"id": "light", "name": "Light", "parent": "home"},
    ):
        api.post("/categories", body, 201)
    about: list[dict[str, Any]] = [
        {"sku": "b2", "name": "Ｂulb", "price": 300, "category": "light", "tags": ["warm"]},
        {"sku": "a1", "name": "cup", "price": 100, "category": "home"},
        {"sku": "c3", "name": "Apple", "price": 300},
        {"sku": "d4", "name": "cup", "price": 200},
        {"sku": "e5", "name": "Duck", "price": 50},
        {"sku": "f6", "name": "Egg", "price": 400, "on_sale": False},
    ]
    skus = []
    for each in about:
        skus.append(shop.product(**each))
        born_ms = shop.now_ms()
        # Lists go by age, so no two are made in one millisecond.
        wait_until(lambda born_ms=born_ms: shop.now_ms() > born_ms, what="the clock")
    return skus
