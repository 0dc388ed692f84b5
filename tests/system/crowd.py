"""A crowd that clicks through crashes and remembers every reply; it shares no code with the product."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.faults.client import ask
from tests.system.running import Up

FINAL = {"won", "already_won", "sold_out"}
PAUSE_S = 0.02


def mint(secret: str, shopper: str) -> str:
    """A token made from the contract alone."""

    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"sub": shopper, "exp": int(time.time()) + 3600}
    signed = encode(b'{"alg":"HS256","typ":"JWT"}') + "." + encode(json.dumps(claims).encode())
    return f"{signed}.{encode(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


@dataclass
class Crowd:
    """Shoppers that click until they know: whatever is not final is asked again."""

    up: Up
    offer: str
    shoppers: int
    threads: int = 8
    tickets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    sold_out: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = [f"shopper {number}" for number in range(self.shoppers)]
        secrets = self.up.secrets()
        self._secret, self._key = secrets["SECKILL_TOKEN_SECRET"], secrets["SECKILL_ADMIN_KEY"]
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(self.threads)]

    def start(self) -> Crowd:
        for worker in self._workers:
            worker.start()
        return self

    def answered(self) -> int:
        """Shoppers who know by now."""
        with self._lock:
            return len(self.tickets) + len(self.sold_out)

    def finish(self, within_s: float) -> None:
        """Wait until everybody knows."""
        end_s = time.monotonic() + within_s
        for worker in self._workers:
            worker.join(max(0.1, end_s - time.monotonic()))
        assert self.answered() == self.shoppers, f"{self.answered()} of {self.shoppers} know: {self.outcomes}"

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    return
                shopper = self._waiting.pop()
            while not self.click(shopper):
                time.sleep(PAUSE_S)

    def click(self, shopper: str) -> bool:
        """One click; whether its answer was final."""
        url = f"{self.up.ready['gateway']}/seckill/{self.offer}"
        status, reply = ask(url, method="POST", token=mint(self._secret, shopper))
        outcome = reply["outcome"] if status else "no answer"
        with self._lock:
            self.outcomes[outcome] += 1
            if outcome in {"won", "already_won"}:
                self.tickets.setdefault(shopper, []).append(reply)
            elif outcome == "sold_out":
                self.sold_out.add(shopper)
        return outcome in FINAL

    def orders(self) -> list[dict[str, Any]]:
        """Every order of the offer, from the operators' API."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            url = f"{self.up.ready['admin']}/admin/api/orders?offer={self.offer}&limit=500{cursor}"
            status, page = ask(url, token=self._key)
            if status != 200:
                return []
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def check(self, stock: int) -> None:
        """Exactly the stock was sold, and ledger and replies say the same of everybody."""
        orders = self.orders()
        units = sorted(unit for order in orders for unit in order["units"])
        assert units == list(range(1, stock + 1))
        by_shopper = {order["shopper"]: order for order in orders}
        assert len(by_shopper) == len(orders) == len(self.tickets)
        for shopper, tickets in self.tickets.items():
            order = by_shopper[shopper]
            for ticket in tickets:
                for name in ("order_no", "units", "price", "quantity"):
                    assert ticket[name] == order[name], (shopper, name)
            assert len({ticket["receipt"] for ticket in tickets}) == 1
        assert not self.sold_out & set(self.tickets)
