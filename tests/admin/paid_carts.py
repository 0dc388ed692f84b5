"""Helpers of the tests about refunds of carts: a shop with gifts, add-ons, a budget and a coupon; its orders."""

from __future__ import annotations

from typing import Any

from buying import ANN, Shopper
from sidecar import Api, Shop
from sqlalchemy import select

from admin.catalog.tables import products
from admin.payments.tables import refund_transfers
from admin.reservations.tables import reservations, tallies
from gateway.orders.database import reading
from gateway.orders.tables import events


class Stall:
    """Kettles (100.00) with a mug (19.00) for each 200.00; lamps (50.00), 10 % off; towels, 9.00 with a pan."""

    def __init__(self, shop: Shop, api: Api, shopper: str = ANN) -> None:
        self.shop, self.api = shop, api
        self.ann = Shopper(api, shopper)
        self.kettle = shop.product(price=10000, stock=50)
        self.lamp = shop.product(price=5000, stock=50)
        self.pan = shop.product(price=3000, stock=50)
        self.mug = shop.product(price=1900, stock=50)
        self.towel = shop.product(price=2900, stock=50)
        mug = [{"sku": self.mug, "quantity": 1}]
        rule = {"by": "amount", "mode": "every", "tiers": [{"at": 20000, "gifts": mug}]}
        self.gift = self._campaign("threshold_gift", rule, [self.kettle])
        self.sale = self._campaign(
            "item_discount",
            {"percent_off": 10},
            [self.lamp],
            limits={"budget": 10**6, "total": 100, "per_shopper": 50},
        )
        towel = {"sku": self.towel, "price": 900, "limit": 2}
        rule = {"tiers": [{"spend": 3000, "options": [towel]}]}
        self.plus = self._campaign("add_on", rule, [self.pan], limits={"budget": 10**6})
        self.coupon = api.post(
            "/coupons",
            {
                "code": shop.unique("SAVE").upper(),
                "name": "Save",
                "kind": "amount",
                "amount_off": 1000,
                "starts_at": shop.now_ms() - 1000,
                "ends_at": shop.now_ms() + 3_600_000,
                "total": 10,
                "per_shopper": 1,
            },
            201,
        )["code"]

    def _campaign(self, kind: str, rule: Any, skus: list[str], **about: Any) -> str:
        items = [{"sku": sku} for sku in skus]
        return str(self.shop.campaign(type=kind, rule=rule, items=items, **about).code)

    def order(self, *lines: tuple[str, int], **about: Any) -> Any:
        """A pending order of a cart."""
        cart = {"lines": [{"sku": sku, "quantity": count} for sku, count in lines], **about}
        quote = self.api.post("/api/quote", cart, key=self.ann.token)
        return self.api.post("/api/orders", {"token": quote["token"]}, 201, key=self.ann.token)

    def paid(self, *lines: tuple[str, int], **about: Any) -> Any:
        """A paid one."""
        order = self.order(*lines, **about)
        return self.ann.post(f"/{order['order_no']}/pay")


def used(shop: Shop, kind: str, subject: str) -> int:
    """How much of something all orders hold."""
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(select(tallies).where(tallies.c.kind == kind, tallies.c.subject == subject))
        return sum(row.reserved + row.committed for row in rows)


def holds(shop: Shop, order_no: str) -> dict[tuple[str, str], tuple[int, str]]:
    """What an order holds or has held: amount and state."""
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(select(reservations).where(reservations.c.order_no == order_no))
        return {(row.kind, row.subject): (row.amount, row.state) for row in rows}


def stock(shop: Shop, sku: str) -> tuple[int, int]:
    """A product's stock, and how much of it is promised."""
    with reading(shop.resources.engine) as connection:
        row = connection.execute(select(products).where(products.c.sku == sku)).one()
        return row.stock, row.reserved


def transfers(shop: Shop, refund: str) -> list[tuple[str, int, str]]:
    """(payment, amount, state) of each part of a refund, the largest first."""
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(select(refund_transfers).where(refund_transfers.c.refund == refund))
        return sorted(((row.payment, row.amount, row.state) for row in rows), key=lambda each: -each[1])


def happened(shop: Shop, order_no: str) -> list[str]:
    """Kinds of what other systems are told of an order, in order."""
    with reading(shop.resources.engine) as connection:
        return list(
            connection.execute(
                select(events.c.kind).where(events.c.subject == order_no).order_by(events.c.id)
            ).scalars()
        )
