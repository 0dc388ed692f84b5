"""The sale of one run: products, campaigns, and operators who meddle with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from tests.faults.client import ask
from tests.faults.history import Act, History, now_ms
from tests.faults.stack import Stack

PRICE = 9900
ONE_SKU, MANY_SKU, MEDDLED_SKU = "kettle", "lamp", "pan"
RETRIES = 400
SPARE = 1000
"""Units of a product that are free at first, for raising an offer's stock."""


@dataclass
class Offer:
    """One offer as the operator set it up."""

    id: str
    campaign: str
    sku: str
    stock: int
    limit: int
    pay_within_s: int
    price: int = PRICE
    starts_ms: float = 0.0
    ends_ms: float = 0.0


@dataclass
class Sale:
    """Offers on sale, and what operators did to them; `history` remembers it."""

    stack: Stack
    history: History
    offers: dict[str, Offer] = field(default_factory=dict)

    def publish(self, code: str, sku: str, *, stock: int, limit: int, pay_within_s: int, lasts_s: float) -> Offer:
        """Put a new offer on sale at once."""
        self._product(sku, stock + SPARE)
        # Long ago, so that a clock that is stepped back is still inside the window.
        starts_ms = int(now_ms()) - 3_700_000
        offer = Offer(f"{code}-{sku}", code, sku, stock, limit, pay_within_s)
        offer.starts_ms, offer.ends_ms = starts_ms, int(now_ms()) + int(lasts_s * 1000)
        campaign = {
            "type": "seckill",
            "name": f"Sale {code}",
            "code": code,
            "starts_at": int(offer.starts_ms),
            "ends_at": int(offer.ends_ms),
            "audience": {"kind": "everyone"},
            "rule": {"price": offer.price, "limit_per_shopper": limit, "pay_within_s": pay_within_s},
            "items": [{"sku": sku, "stock": stock}],
        }
        status, said = self.operator("POST", "/campaigns", campaign)
        assert status in {200, 201}, (status, said)
        self.offers[offer.id] = offer
        return offer

    def _product(self, sku: str, stock: int) -> None:
        status, said = self.operator(
            "POST", "/products", {"sku": sku, "name": sku.title(), "price": PRICE * 2, "stock": stock}
        )
        assert status == 201 or (status == 409 and said), (status, said)

    def operator(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One call of the operators' API; status 0 when nobody answered."""
        return ask(f"{self.stack.admin_url}/admin/api{path}", method=method, token=self.stack.admin_key, body=body)

    def act(self, verb: str, offer: Offer) -> Act:
        """Pause, resume or terminate the campaign of an offer, again and again until somebody says how it went."""
        return self._until_known(Act(verb, offer.id, now_ms()), f"/campaigns/{offer.campaign}/{verb}", {})

    def change_stock(self, offer: Offer, delta: int) -> Act:
        """Top up or cut, once, however often it must be asked."""
        operation = f"op-{offer.campaign}-{self.history.number()}"
        path = f"/campaigns/{offer.campaign}/items/{offer.sku}/stock"
        body = {"delta": delta, "operation_id": operation}
        return self._until_known(Act("stock", offer.id, now_ms(), delta=delta), path, body)

    def _until_known(self, act: Act, path: str, body: Any) -> Act:
        self.history.acts.append(act)
        for _ in range(RETRIES):
            act.status, said = self.operator("POST", path, body)
            already = isinstance(said, dict) and act.status == 409 and act.verb != "stock"
            if 200 <= act.status < 300 or already:
                act.ok = True
                break
            if 400 <= act.status < 500:
                act.ok = False
                break
            time.sleep(0.1)
        act.replied_ms = now_ms()
        return act
