"""Shoppers who quote, order, pay, cancel and ask for money back, whatever happens to the sidecar meanwhile."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.security.deployment import Deployment

PAUSE_S = 0.05
ASKED_AGAIN_MAX = 400
GOODS = ("good0", "good1", "good2", "good3")
OVER = {"cancelled", "expired", "refunded"}


@dataclass
class Crowd:
    """Some shoppers, all at once; what each was told of each of their orders is remembered."""

    shop: Deployment
    shoppers: int
    seed: int
    rounds: int = 2
    # Order number → who, and the last answer about it.
    told: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    groups: list[str] = field(default_factory=list)
    failure: BaseException | None = None

    def start(self) -> Crowd:
        self._tokens = [self.shop.token(f"shopper {number}") for number in range(self.shoppers)]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def finish(self, within_s: float) -> None:
        """Wait until everybody has done what they wanted."""
        self._thread.join(within_s)
        assert not self._thread.is_alive(), f"the crowd is not done: {self.answers}"
        if self.failure is not None:
            raise self.failure

    def answered(self) -> int:
        """Orders that somebody was told of by now."""
        return len(self.told)

    def _run(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as error:
            self.failure = error

    async def _all(self) -> None:
        limits = httpx.Limits(max_connections=self.shoppers)
        async with (
            httpx.AsyncClient(base_url=self.shop.admin_url, timeout=20, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            for number in range(self.shoppers):
                group.create_task(Shopper(self, client, number).shop())


class Shopper:
    """One of them."""

    def __init__(self, crowd: Crowd, client: httpx.AsyncClient, number: int) -> None:
        self.crowd = crowd
        self.client = client
        self.name = f"shopper {number}"
        self.random = random.Random(f"{crowd.seed} {number}")
        self.headers = {"Authorization": f"Bearer {crowd._tokens[number]}"}

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request, repeated until there is an answer."""
        for _ in range(ASKED_AGAIN_MAX):
            try:
                reply = await self.client.request(method, path, json=body, headers=self.headers)
            except httpx.TransportError:
                await asyncio.sleep(PAUSE_S)
                continue
            if reply.status_code not in {502, 503}:
                self.crowd.answers[f"{method} {path.split('/')[2]} {reply.status_code}"] += 1
                assert reply.status_code < 500, reply.text
                return reply.status_code, reply.json()
            await asyncio.sleep(PAUSE_S)
        raise AssertionError(f"no answer to {method} {path}")

    async def shop(self) -> None:
        """Some orders, each brought to some end."""
        for _ in range(self.crowd.rounds):
            what = self.random.random()
            if what < 0.7:
                order_no = await self.order()
            elif what < 0.9:
                order_no = await self.join()
            else:
                body = {"quantity": self.random.randint(1, 2)}
                order_no = await self.made("/api/presales/first/early/deposit", body)
            if order_no is not None:
                await self.go_on(order_no)

    async def order(self) -> str | None:
        """Order a cart, at the new price where the old one is gone."""
        status, quote = await self.ask("POST", "/api/quote", self.cart())
        assert status == 200, quote
        for _ in range(3):
            status, said = await self.ask("POST", "/api/orders", {"token": quote["token"]})
            if status in {200, 201}:
                return self.note(said)
            assert status == 409, said
            quote = said.get("quote")
            if quote is None or any(line["state"] != "ok" for line in quote["lines"]):
                return None
        return None

    def cart(self) -> dict[str, Any]:
        skus = self.random.sample(GOODS, self.random.randint(1, 3))
        cart: dict[str, Any] = {"lines": [{"sku": sku, "quantity": self.random.randint(1, 3)} for sku in skus]}
        if self.random.random() < 0.5:
            cart["coupon"] = "SAVE"
        if "good3" in skus and self.random.random() < 0.7:
            cart["add_ons"] = [{"campaign": "towels", "sku": "towel", "quantity": 1}]
        return cart

    async def join(self) -> str | None:
        """Join a group that somebody has opened, or open one."""
        if self.crowd.groups and self.random.random() < 0.8:
            return await self.made(f"/api/groups/{self.random.choice(self.crowd.groups)}/join", {})
        return await self.made("/api/groups", {"campaign": "together", "sku": "shared"})

    async def made(self, path: str, body: dict[str, Any]) -> str | None:
        """An order made in another way than by a cart."""
        status, said = await self.ask("POST", path, body)
        if status not in {200, 201}:
            assert status == 409, said
            return None
        if path == "/api/groups":
            self.crowd.groups.append(said["id"])
        return self.note(said.get("order", said))

    async def go_on(self, order_no: str) -> None:
        """Pay or not, and perhaps think again."""
        what = self.random.random()
        if what < 0.15:
            return
        if what < 0.3:
            await self.step(order_no, "cancel")
            return
        await self.step(order_no, "pay")
        if what < 0.5:
            await self.step(order_no, "refund", {"lines": [{"line": 1, "quantity": 1}]})
        if what < 0.6:
            await self.step(order_no, "refund")

    async def step(self, order_no: str, what: str, body: Any = None) -> None:
        """One change of an order; it may be refused."""
        status, said = await self.ask("POST", f"/api/orders/{order_no}/{what}", body or {})
        assert status in {200, 202, 409}, said
        status, order = await self.ask("GET", f"/api/orders/{order_no}")
        assert status == 200, order
        self.note(order)

    def note(self, order: dict[str, Any]) -> str:
        number = str(order["order_no"])
        self.crowd.told[number] = (self.name, order)
        return number
