"""The crowd of a flash sale and the operator who runs it, for Locust.

Every shopper is somebody new each time: looks at the list, waits for the opening, clicks at the instant, retries
as told, clicks again after winning, and asks for the result. Every reply goes into a ledger that
``loadtest.verify`` holds against the back office. Environment: ``LOADTEST_GATEWAY`` and ``LOADTEST_ADMIN`` (URLs),
``LOADTEST_LEDGER`` (folder), ``LOADTEST_SHAPE`` (spike or ramp), ``LOADTEST_USERS``, ``LOADTEST_DURATION_S``,
``SECKILL_TOKEN_SECRET``, ``SECKILL_ADMIN_KEY``.
"""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path
from typing import Any
from uuid import uuid4

import gevent
from locust import FastHttpUser, between, constant, task

from loadtest.errors import ApiError
from loadtest.ledger import LOST, LedgerWriter, Operation, OperationName, Reply, tickets_of
from loadtest.operators_api import Item, OperatorsApi, instant_ms, now_ms
from loadtest.shapes import SHAPES
from loadtest.tokens import Mint

OPENING_WAIT_MAX_S = 15.0
RETRIES_MAX = 8
RETRY_OUTCOMES = frozenset({"rate_limited", "busy", "unavailable", "not_started", "paused", "unknown", LOST})
PRICE = 9900
BASE_PRICE = 19900
PRODUCT_STOCK = 1_000_000

LEDGER = LedgerWriter(Path(os.environ["LOADTEST_LEDGER"]) / f"clients-{os.getpid()}.jsonl")
MINT = Mint(os.environ["SECKILL_TOKEN_SECRET"].split(",")[0].encode())

Shape = SHAPES[os.environ.get("LOADTEST_SHAPE", "spike")]


class Shopper(FastHttpUser):
    """A new shopper in every turn."""

    host = os.environ["LOADTEST_GATEWAY"]
    wait_time = between(0.05, 0.5)
    connection_timeout = 5.0
    network_timeout = 10.0
    weight = 100
    _numbers = itertools.count(1)

    @task
    def shop(self) -> None:
        """One visit: look, wait, click until there is an answer, click again, ask."""
        self.shopper = f"shopper-{os.getpid()}-{next(self._numbers)}"
        self.headers = {"Authorization": f"Bearer {MINT.token(self.shopper).decode()}"}
        offer = self._choose()
        if offer is None or not self._wait_for_opening(offer):
            return
        key = uuid4().hex if offer["limit"] > 1 else ""
        outcome = self._click_until_answered(offer["id"], key)
        if outcome in {"won", "already_won"}:
            self._click(offer["id"], key)
        self._ask(offer["id"])

    def _choose(self) -> dict[str, Any] | None:
        listed = _json(self.client.get("/seckill?limit=50", name="GET /seckill")).get("items")
        if not listed:
            return None
        chosen = random.choice(listed)["id"]
        offer = _json(self.client.get(f"/seckill/{chosen}", name="GET /seckill/[offer]"))
        return offer if "starts_at" in offer else None

    def _wait_for_opening(self, offer: dict[str, Any]) -> bool:
        """Until the very instant by the server's clock; False when that is too far away."""
        wait_ms = instant_ms(offer["starts_at"]) - instant_ms(offer["server_time"])
        if wait_ms > OPENING_WAIT_MAX_S * 1000:
            return False
        gevent.sleep(max(0, wait_ms) / 1000)
        return True

    def _click_until_answered(self, offer: str, key: str) -> str:
        outcome = LOST
        for _ in range(RETRIES_MAX):
            outcome, pause_s = self._click(offer, key)
            if outcome not in RETRY_OUTCOMES:
                break
            gevent.sleep(pause_s)
        return outcome

    def _click(self, offer: str, key: str) -> tuple[str, float]:
        """One click, recorded whatever happens; the outcome, and how long to wait before another, s."""
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        sent_ms = now_ms()
        status, body = 0, {}
        try:
            with self.client.post(
                f"/seckill/{offer}", headers=headers, name="POST /seckill/[offer]", catch_response=True
            ) as reply:
                status, body = reply.status_code, _json(reply)
                if "outcome" in body:
                    reply.success()
        finally:
            # Also when Locust ends this user in the middle: the click may have won all the same.
            outcome = body.get("outcome", LOST if status == 0 else f"status_{status}")
            heard = tickets_of(body), body.get("left"), key
            LEDGER.record(Reply("click", offer, self.shopper, outcome, status, sent_ms, now_ms(), *heard))
        hint_ms = body.get("retry_after_ms") or 1000 * int((reply.headers or {}).get("Retry-After", 0))
        return outcome, min(hint_ms or 100, 2000) * random.uniform(1.0, 1.2) / 1000

    def _ask(self, offer: str) -> None:
        """Ask for the result until it is settled."""
        for _ in range(RETRIES_MAX):
            sent_ms = now_ms()
            reply = self.client.get(
                f"/seckill/{offer}/mine", headers=self.headers, name="GET /seckill/[offer]/mine"
            )
            body = _json(reply)
            if reply.status_code != 200:
                return
            heard = Reply("mine", offer, self.shopper, body["outcome"], 200, sent_ms, now_ms(), tickets_of(body))
            LEDGER.record(heard)
            if body["outcome"] != "pending":
                return
            gevent.sleep(0.3)


class Operator(FastHttpUser):
    """One person who runs sale after sale: creates, tops up, cuts, pauses, reads reports, stops some early."""

    host = os.environ["LOADTEST_ADMIN"]
    wait_time = constant(1.0)
    fixed_count = 1
    network_timeout = 30.0
    _sales = itertools.count(1)

    def on_start(self) -> None:
        """Put this run's goods into the catalogue."""
        self.api = OperatorsApi(self._send)
        self.run_code = f"load{now_ms() % 10**9}"
        for sku in ("kettle", "lamp"):
            self.api.create_product(f"{self.run_code}-{sku}", price=BASE_PRICE, stock=PRODUCT_STOCK)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {os.environ['SECKILL_ADMIN_KEY']}"}
        name = f"{method} {'/'.join(path.partition('?')[0].split('/')[:4])}"
        with self.client.request(method, path, json=body, headers=headers, name=name, catch_response=True) as reply:
            if reply.status_code == 409:
                reply.success()
            return reply.status_code, _json(reply)

    @task
    def run_a_sale(self) -> None:
        """One campaign of two offers, from its creation to well after its opening."""
        number = next(self._sales)
        code = f"{self.run_code}-{number}"
        limit = 3 if number % 2 == 0 else 1
        starts_ms = now_ms() + 3000
        # Every fourth sale is short, so that its end is met by clicks under way.
        ends_ms = starts_ms + (4000 if number % 4 == 3 else 1_800_000)
        stocks = {f"{self.run_code}-kettle": 30 * number, f"{self.run_code}-lamp": 2000}
        items = [Item(sku, stock, PRICE) for sku, stock in stocks.items()]
        self.api.create_campaign(code, items, starts_at_ms=starts_ms, ends_at_ms=ends_ms, limit=limit)
        for sku, stock in stocks.items():
            LEDGER.record(Operation(f"{code}-{sku}", "created", now_ms(), stock))
        gevent.sleep(3.5)
        self._change_stock(code, f"{self.run_code}-kettle", 50)
        self._change_stock(code, f"{self.run_code}-lamp", -100)
        self.api.report(code)
        if number % 3 == 2:
            self._act(code, list(stocks), "pause", "paused")
            gevent.sleep(0.5)
            self._act(code, list(stocks), "resume", "resumed")
        self._change_stock(code, f"{self.run_code}-kettle", 25)
        self.api.report(code)
        if number % 4 == 1:
            gevent.sleep(1.0)
            self._act(code, list(stocks), "terminate", "terminated")

    def _change_stock(self, code: str, sku: str, delta: int) -> None:
        """Send one change twice, as a nervous operator does; it must apply once."""
        operation_id = uuid4().hex
        for _ in range(2):
            try:
                reply = self.api.change_stock(code, sku, delta, operation_id)
            except ApiError as error:
                if error.status != 409:
                    raise
                return
            LEDGER.record(Operation(f"{code}-{sku}", "stock", now_ms(), reply["stock"]))

    def _act(self, code: str, skus: list[str], action: str, name: OperationName) -> None:
        try:
            self.api.act(code, action)
        except ApiError as error:
            if error.status != 409:  # the sale ended by itself meanwhile
                raise
            return
        for sku in skus:
            LEDGER.record(Operation(f"{code}-{sku}", name, now_ms()))


def _json(reply: Any) -> dict[str, Any]:
    try:
        body = reply.json()
    except (ValueError, TypeError):  # no JSON, or no answer at all
        return {}
    return body if isinstance(body, dict) else {}
