"""A shop to price carts in, filled as operators fill one: a file of products, then campaigns one by one."""

from __future__ import annotations

import random
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from loadtest.deployment import Deployment, answers
from loadtest.errors import ApiError, StartError
from loadtest.machine import redis_binary
from loadtest.operators_api import now_ms
from loadtest.processes import free_port, seckill_command

LINES = 10
PER_LINE = 20
"""Campaigns whose scope holds a line of the cart."""
IN_SCOPE = LINES * PER_LINE
ITEMS_EACH = 20
"""Products of a campaign that the cart has nothing to do with."""
LASTING_MS = 6 * 3600 * 1000
OPERATORS = 4
IMPORT_WITHIN_S = 600.0
_CATEGORIES = 300
_PRICES = tuple(range(2_000, 92_000, 700))


@dataclass(frozen=True, slots=True)
class Size:
    """How large a shop is. Campaigns beyond those that the cart is in the scope of."""

    products: int
    campaigns: int


def sku(number: int) -> str:
    """The name of a product; the first ten are those of the cart."""
    return f"p{number}"


def cart() -> dict[str, Any]:
    """Ten lines, one to three pieces each."""
    return {"lines": [{"sku": sku(number), "quantity": 1 + number % 3} for number in range(LINES)]}


def sheet(products: int) -> str:
    """All products as CSV."""
    rows = ["sku,name,price,stock,tags,image"]
    for number in range(products):
        price = _PRICES[number % len(_PRICES)]
        rows.append(f"{sku(number)},Product number {number},{price},1000000,new,/images/{number}.jpg")
    return "\n".join(rows) + "\n"


def campaigns_in_scope(products: int) -> Iterable[dict[str, Any]]:
    """Twenty for each line of the cart, of every type that a cart may join by default."""
    for number in range(IN_SCOPE):
        yield _campaign(f"in{number}", number, [sku(number % LINES)], products)


def campaigns_beyond(count: int, products: int) -> Iterable[dict[str, Any]]:
    """Campaigns over products that are not in the cart."""
    dice = random.Random(f"{count} campaigns")
    for number in range(count):
        listed = [sku(each) for each in dice.sample(range(LINES, _first_given_away(products)), ITEMS_EACH)]
        yield _campaign(f"out{number}", number, listed, products)


def _first_given_away(products: int) -> int:
    # The last tenth is given away or added, and in no campaign itself: nothing may be a gift of itself.
    return products - products // 10


def _campaign(code: str, number: int, listed: list[str], products: int) -> dict[str, Any]:
    first = _first_given_away(products)
    other, cheap = sku(first + number % (products - first)), 100
    rules: list[tuple[str, dict[str, Any]]] = [
        ("item_discount", {"percent_off": 5 + number % 20}),
        (
            "threshold_reduction",
            {"mode": "tiers", "tiers": [{"spend": 10_000, "off": 500}, {"spend": 50_000, "off": 5_000}]},
        ),
        (
            "threshold_discount",
            {"by": "count", "tiers": [{"at": 2, "percent_off": 5}, {"at": 5, "percent_off": 10}]},
        ),
        ("item_gift", {"gifts": [{"sku": other, "quantity": 1}], "per": 2}),
        (
            "threshold_gift",
            {
                "by": "amount",
                "mode": "best",
                "tiers": [{"at": 20_000, "gifts": [{"sku": other, "quantity": 1}]}],
            },
        ),
        ("add_on", {"tiers": [{"spend": 10_000, "options": [{"sku": other, "price": cheap, "limit": 1}]}]}),
    ]
    kind, rule = rules[number % len(rules)]
    begin_ms = now_ms() - 1000
    return {
        "type": kind,
        "code": code,
        "name": f"Campaign {number}",
        "priority": number % 100,
        "starts_at": begin_ms,
        "ends_at": begin_ms + LASTING_MS,
        "rule": rule,
        "items": [{"sku": each} for each in listed],
    }


class Sidecar(Deployment):
    """A running sidecar with a Redis and a database of its own; a context manager.

    The database is what `database_url` says, or else SQLite; that begins as a copy of the one of a sidecar that has
    stopped, `like`, if one is given.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        core: int | None,
        others: int | None,
        like: Sidecar | None = None,
        database_url: str | None = None,
    ) -> None:
        super().__init__(name, folder)
        for path in like.folder.glob("shop.db*") if like else ():
            shutil.copy(path, self.folder / path.name)
        self._core, self._others = core, others
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.key = secrets.token_hex(32)
        self.token_secret = secrets.token_hex(32)
        self._environ = {
            "SECKILL_REDIS_URL": f"unix://{self.folder / 'redis.sock'}",
            "SECKILL_DATABASE_URL": database_url or f"sqlite:///{self.folder / 'shop.db'}",
            "SECKILL_TOKEN_SECRET": self.token_secret,
            "SECKILL_ADMIN_KEY": self.key,
            "SECKILL_LOG_LEVEL": "warning",
            "SECKILL_CSV_MAX_BYTES": str(256 * 2**20),
        }

    def _start(self) -> None:
        options = {"port": "0", "unixsocket": str(self.folder / "redis.sock"), "dir": str(self.folder), "save": ""}
        command = [redis_binary(), *(part for name, value in options.items() for part in (f"--{name}", value))]
        redis = self._serve("redis", command, self._others)
        redis.wait_ready((self.folder / "redis.sock").exists)
        self._run("migrate")
        self.server = self._serve("admin", [seckill_command(), "admin", "--port", str(self._port)], self._core)
        self.server.wait_ready(lambda: answers(f"{self.url}/admin/api/healthz"))

    def client(self) -> httpx.Client:
        """A client with the operator's key."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=300.0, trust_env=False)

    def import_products(self, count: int) -> None:
        """Fill the catalogue from one file.

        Raises:
            ApiError: the import was refused or found errors.
            StartError: it took too long.
        """
        with self.client() as client:
            headers = {"Content-Type": "text/csv"}
            reply = client.post("/admin/api/products.csv", content=sheet(count).encode(), headers=headers)
            end = time.monotonic() + IMPORT_WITHIN_S
            while reply.status_code in {200, 202} and reply.json()["state"] == "running":
                if time.monotonic() > end:
                    raise StartError(f"the import of {count} products took longer than {IMPORT_WITHIN_S} s")
                time.sleep(0.2)
                reply = client.get(f"/admin/api/imports/{reply.json()['id']}")
            if reply.status_code != 200 or reply.json()["state"] != "done":
                raise ApiError("the import of products", reply.status_code, reply.json())

    def publish(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Publish campaigns, several operators at once.

        Raises:
            ApiError: one was refused.
        """
        with self.client() as client, ThreadPoolExecutor(OPERATORS) as pool:

            def publish(body: Mapping[str, Any]) -> None:
                reply = client.post("/admin/api/campaigns", json=body)
                if reply.status_code != 201:
                    raise ApiError(f"publishing {body['code']}", reply.status_code, reply.json())

            for _ in pool.map(publish, bodies):
                pass
