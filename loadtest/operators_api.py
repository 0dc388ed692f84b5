"""The operators' API as the load tools use it, over any HTTP client that can send a request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from loadtest.errors import ApiError

Send = Callable[[str, str, dict[str, Any] | None], tuple[int, Any]]
"""(method, path, JSON body or None) → (status, JSON reply)."""

PAGE_ROWS_MAX = 500


def now_ms() -> int:
    """Epoch milliseconds of this machine."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """One SKU to put on sale. Prices are minor units."""

    sku: str
    stock: int
    price: int


def http_send(url: str, key: str, *, timeout_s: float = 30.0) -> tuple[httpx.Client, Send]:
    """A client of the operators' API at `url`, and its send function."""
    client = httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=timeout_s, trust_env=False
    )

    def send(method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        reply = client.request(method, path, json=body)
        return reply.status_code, reply.json() if reply.content else None

    return client, send


class OperatorsApi:
    """Operators' requests that the load tools need. Each raises ApiError on any status but success."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._client: httpx.Client | None = None

    @classmethod
    def at(cls, url: str, key: str) -> Self:
        """The API at a URL, with its bearer key."""
        client, send = http_send(url, key)
        api = cls(send)
        api._client = client
        return api

    def close(self) -> None:
        """Close the connections of an API made by `at`."""
        if self._client is not None:
            self._client.close()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        status, reply = self._send(method, path, body)
        if not 200 <= status < 300:
            raise ApiError(f"{method} {path}", status, reply)
        return reply

    def create_product(self, sku: str, *, price: int, stock: int) -> None:
        """Put a product into the catalogue."""
        self._ask("POST", "/admin/api/products", {"sku": sku, "name": sku, "price": price, "stock": stock})

    def create_campaign(
        self, code: str, items: list[Item], *, starts_at_ms: int, ends_at_ms: int, limit: int = 1
    ) -> list[str]:
        """Publish a seckill campaign; the ids of its offers."""
        body = {
            "type": "seckill",
            "name": code,
            "code": code,
            "starts_at": _iso(starts_at_ms),
            "ends_at": _iso(ends_at_ms),
            "rule": {"price": items[0].price, "limit_per_shopper": limit, "pay_within_s": 900},
            "items": [{"sku": each.sku, "stock": each.stock, "price": each.price} for each in items],
        }
        self._ask("POST", "/admin/api/campaigns", body)
        return [f"{code}-{each.sku}" for each in items]

    def change_stock(self, code: str, sku: str, delta: int, operation_id: str) -> Any:
        """Top up or cut a running offer, once per operation id."""
        path = f"/admin/api/campaigns/{code}/items/{sku}/stock"
        return self._ask("POST", path, {"delta": delta, "operation_id": operation_id})

    def act(self, code: str, action: str) -> None:
        """Publish, pause, resume or terminate a campaign."""
        self._ask("POST", f"/admin/api/campaigns/{code}/{action}")

    def campaign(self, code: str) -> dict[str, Any]:
        """A campaign as set up."""
        found: dict[str, Any] = self._ask("GET", f"/admin/api/campaigns/{code}")
        return found

    def campaigns(self) -> Iterator[dict[str, Any]]:
        """Every campaign."""
        return self._pages("/admin/api/campaigns?")

    def report(self, code: str) -> dict[str, Any]:
        """A campaign's figures."""
        found: dict[str, Any] = self._ask("GET", f"/admin/api/campaigns/{code}/report")
        return found

    def orders(self, offer: str) -> Iterator[dict[str, Any]]:
        """Every order of an offer."""
        return self._pages(f"/admin/api/orders?offer={offer}&")

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        cursor: str | None = ""
        while cursor is not None:
            page = self._ask("GET", f"{path}limit={PAGE_ROWS_MAX}{f'&cursor={cursor}' if cursor else ''}")
            yield from page["items"]
            cursor = page["next"]


def _iso(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).isoformat(timespec="milliseconds")


def instant_ms(value: str | int) -> int:
    """Epoch milliseconds of an instant as the API writes it."""
    if isinstance(value, int):
        return value
    return round(datetime.fromisoformat(value).timestamp() * 1000)
