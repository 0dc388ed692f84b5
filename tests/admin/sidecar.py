"""Helpers of the sidecar's tests: a shop to fill, and a client of the real application."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import msgpack
from anyio.from_thread import BlockingPortal
from redis import Redis
from sqlalchemy import insert, select

from admin.app import create_app
from admin.campaigns import service as campaigns
from admin.catalog import service as catalog
from admin.resources import Resources
from gateway import keys, scripts
from gateway import offers as published
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import offers, order_units, orders
from gateway.settings import Settings

KEY = "k" * 32
OTHER_KEY = "o" * 40
ACTOR = "tester"
_numbers = itertools.count(1)


def settings_for(database_url: str, redis_url: str) -> Settings:
    return Settings.from_env(
        {
            "SECKILL_DATABASE_URL": database_url,
            "SECKILL_REDIS_URL": redis_url,
            "SECKILL_ADMIN_KEY": f"{KEY},{OTHER_KEY}",
            "SECKILL_TIMEZONE": "Asia/Taipei",
            "SECKILL_LEASE_MS": "1",
            "SECKILL_TOKEN_SECRET": "t" * 32,
            "SECKILL_PAYMENT_PROVIDER": "sandbox",
        }
    )


class Shop:
    """A shop with helpers to fill it; every name is this test's own."""

    def __init__(self, resources: Resources, unique: Callable[[str], str]) -> None:
        self.resources = resources
        self.unique = unique

    def now_ms(self) -> int:
        with reading(self.resources.engine) as connection:
            return now_ms(connection)

    def product(self, **about: Any) -> str:
        body = {"sku": self.unique("kettle"), "name": "Kettle", "price": 12900, "stock": 500, **about}
        return catalog.create(self.resources, body, actor=ACTOR).sku

    def body(self, **about: Any) -> dict[str, Any]:
        """A campaign that runs now, as JSON."""
        now = self.now_ms()
        body = {
            "type": "seckill",
            "code": self.unique("sale"),
            "name": "Noon sale",
            "starts_at": now - 1000,
            "ends_at": now + 3_600_000,
            "rule": {"price": 9900},
            **about,
        }
        if "items" not in body:
            body["items"] = [{"sku": self.product(), "stock": 100}]
        return body

    def campaign(self, **about: Any) -> Any:
        """A published campaign."""
        return campaigns.create(self.resources, self.body(**about), actor=ACTOR)

    def later(self, **about: Any) -> Any:
        """A published campaign that begins in an hour."""
        now = self.now_ms()
        return self.campaign(starts_at=now + 3_600_000, ends_at=now + 7_200_000, **about)

    def offer(self, offer_id: str) -> published.Offer:
        """The offer as Redis has it."""
        found = published.read(self.resources.redis, offer_id)
        assert found is not None, f"{offer_id} is not in Redis"
        return found

    def row(self, offer_id: str) -> Any:
        """The offer as the ledger has it."""
        with reading(self.resources.engine) as connection:
            return connection.execute(select(offers).where(offers.c.id == offer_id)).one()

    def free(self, sku: str) -> int:
        return catalog.read(self.resources, sku).free

    def sell(self, offer_id: str, shoppers: int) -> None:
        """Let shoppers win, as the gateway does."""
        click(self.resources.redis, offer_id, [f"s{next(_numbers)}" for _ in range(shoppers)])

    def order(self, offer_id: str, units: Sequence[int] = (), **about: Any) -> str:
        """An order as the writer stores it; without `units`, of numbers that no other has."""
        number = next(_numbers)
        now = self.now_ms()
        with writing(self.resources.engine) as connection:
            row = connection.execute(select(offers).where(offers.c.id == offer_id)).one()
            order = {
                "order_no": f"no{number}",
                "offer": offer_id,
                "campaign": row.campaign,
                "sku": row.sku,
                "shopper": f"shopper {number}",
                "quantity": 1,
                "price": row.price,
                "currency": "CNY",
                "status": "pending",
                "epoch": 1,
                "shard": 0,
                "bucket": 0,
                "entry": f"{number}-0",
                "won_at_ms": now,
                "pay_by_ms": now + 900_000,
                "created_at_ms": now,
                "expire_at_ms": now + 900_000,
                **about,
            }
            order["total"] = order["price"] * order["quantity"]
            connection.execute(insert(orders).values(order))
            held = order["status"] not in {"expired", "cancelled", "refunded"}
            for position in range(order["quantity"]):
                connection.execute(
                    insert(order_units).values(
                        order_no=order["order_no"],
                        unit=units[position] if units else number * 1000 + position,
                        offer=offer_id,
                        shopper=order["shopper"],
                        slot=position + 1,
                        active=held,
                        released=not held,
                    )
                )
        return str(order["order_no"])


def click(client: Redis, offer_id: str, shoppers: list[str]) -> list[str]:
    """Decide a batch of clicks as the gateway does; the letters are returned."""
    found = published.read(client, offer_id)
    assert found is not None
    script = scripts.load("admit")
    numbers = [f"n{next(_numbers)}" for _ in shoppers]
    values: dict[str, Any] = {
        "run_id": found.run_id,
        "version": found.version,
        "epoch": found.epoch,
        "deadline_ms": 10**13,
        "rate_limit": 0,
        "window_ms": 1000,
        "lease_ms": 1,
        "clicks": msgpack.packb([shoppers, numbers, 0, 0, 0]),
    }
    shard = keys.shard_of(offer_id)
    names = {
        "offer": keys.offer(offer_id),
        "buyers": keys.buyers(offer_id, found.epoch),
        "freed": keys.freed(offer_id, found.epoch),
        "even": keys.rate(offer_id, 0),
        "odd": keys.rate(offer_id, 1),
        "stream": keys.stream(shard),
        "counters": keys.counters(shard),
    }
    reply = script.call(client, names, {name: values[name] for name in script.args})
    assert reply[0] == "DECIDED", reply
    return list(reply[1 + script.words["DECIDED"].index("letters")].decode())


class Api:
    """A client of the real application, started as a server starts it."""

    def __init__(self, settings: Settings, portal: BlockingPortal) -> None:
        self._portal = portal
        self._app = create_app(settings)
        self._lifespan = self._portal.wrap_async_context_manager(self._app.router.lifespan_context(self._app))
        self._state: dict[str, Any] = {}

    def __enter__(self) -> Api:
        self._state = dict(self._lifespan.__enter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._lifespan.__exit__(None, None, None)

    @property
    def publisher(self) -> Any:
        return self._state["publisher"]

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """The application as a server calls it."""
        scope["state"] = dict(self._state)
        await self._app(scope, receive, send)

    def send(self, method: str, path: str, *, key: str | None = KEY, **about: Any) -> httpx.Response:
        """One request: to the operators' API, or to the shoppers' when the path says so."""
        url = path if path.startswith(("/api/", "/c/")) else f"/admin/api{path}"
        headers = dict(about.pop("headers", {}))
        if key is not None:
            headers.setdefault("Authorization", f"Bearer {key}")

        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.serve)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return await client.request(method, url, headers=headers, **about)

        reply: httpx.Response = self._portal.call(request)
        assert reply.headers["cache-control"] == "no-store"
        assert int(reply.headers["content-length"]) == len(reply.content) or method == "HEAD"
        return reply

    def get(self, path: str, status: int = 200, **about: Any) -> Any:
        return self._json("GET", path, status, **about)

    def post(self, path: str, body: Any = None, status: int = 200, **about: Any) -> Any:
        return self._json("POST", path, status, json=body, **about)

    def put(self, path: str, body: Any, status: int = 200, **about: Any) -> Any:
        return self._json("PUT", path, status, json=body, **about)

    def patch(self, path: str, body: Any, status: int = 200, **about: Any) -> Any:
        return self._json("PATCH", path, status, json=body, **about)

    def delete(self, path: str, status: int = 200, **about: Any) -> Any:
        return self._json("DELETE", path, status, **about)

    def _json(self, method: str, path: str, status: int, **about: Any) -> Any:
        if about.get("json") is None:
            about.pop("json", None)
        reply = self.send(method, path, **about)
        assert reply.status_code == status, reply.text
        if status >= 400 and not path.startswith("/readyz"):
            assert reply.headers["content-type"] == "application/problem+json"
            problem = reply.json()
            assert problem["status"] == status
            assert {"type", "title", "detail"} <= set(problem)
        return reply.json()


def fields_of(problem: dict[str, Any]) -> dict[str, str]:
    """Field → code of a validation problem."""
    return {each["field"]: each["code"] for each in problem["errors"]}
