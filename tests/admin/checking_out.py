"""Helpers of the tests about checkouts: a shop with prices, shoppers who order, and what is held for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from buying import Shopper
from quoted import RecordedShop
from sidecar import Api
from sqlalchemy import insert, select, update

from admin import changes
from admin.carts.tables import carts
from admin.catalog.tables import products
from admin.checkout.desk import CheckoutDesk
from admin.checkout.models import Checkout, Ordered, Wish
from admin.checkout.refusing import fresh_quotes
from admin.orders.tables import order_lines
from admin.promotions.cart import Cart
from admin.quotes.quoting import Asked
from admin.reservations.tables import reservations, tallies
from admin.resources import Resources
from gateway import tokens
from gateway.orders.database import reading, writing
from gateway.orders.tables import orders

GIFT_TIER = {"by": "amount", "mode": "best", "tiers": [{"at": 2000, "gifts": [{"sku": "mug", "quantity": 1}]}]}
LISTED = {"kettle": 1000, "lamp": 700, "towel": 500, "mug": 300}


class Market(RecordedShop):
    """A shop with a few goods."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self.products([{"sku": sku, "price": price, "stock": 50} for sku, price in LISTED.items()])

    def change(self, sku: str, **values: Any) -> None:
        with writing(self.resources.engine) as connection:
            values["changed"] = changes.take_number(connection)
            connection.execute(update(products).where(products.c.sku == sku).values(values))

    def stock(self, sku: str) -> tuple[int, int]:
        """Stock, and how much of it is promised."""
        with reading(self.resources.engine) as connection:
            row = connection.execute(select(products).where(products.c.sku == sku)).one()
            return row.stock, row.reserved

    def held(self) -> dict[tuple[str, str, str], tuple[int, int]]:
        """What is reserved and committed of every counter that is not at zero."""
        with reading(self.resources.engine) as connection:
            return {
                (row.kind, row.subject, row.owner): (row.reserved, row.committed)
                for row in connection.execute(select(tallies))
                if row.reserved or row.committed
            }

    def ordered(self) -> list[Any]:
        """Every order."""
        with reading(self.resources.engine) as connection:
            return list(connection.execute(select(orders).order_by(orders.c.order_no)))

    def put_in_cart(self, shopper: str, body: dict[str, Any]) -> None:
        with writing(self.resources.engine) as connection:
            row = {"shopper": shopper, "body": body, "merged": [], "revision": 1, "updated_at_ms": 1}
            connection.execute(insert(carts).values(row))

    def cart(self, shopper: str) -> Any:
        with reading(self.resources.engine) as connection:
            return connection.execute(select(carts.c.body).where(carts.c.shopper == shopper)).scalar_one()

    def check(self) -> None:
        """The books add up: every counter is the sum of what orders hold, and lines of what their units cost."""
        with reading(self.resources.engine) as connection:
            sums: dict[tuple[str, str, str], list[int]] = {}
            for row in connection.execute(select(reservations).where(reservations.c.state != "released")):
                both = sums.setdefault((row.kind, row.subject, row.owner), [0, 0])
                both[row.state == "committed"] += row.amount
            for row in connection.execute(select(tallies)):
                both = sums.pop((row.kind, row.subject, row.owner), [0, 0])
                assert [row.reserved, row.committed] == both
            for row in connection.execute(select(products)):
                reserved, _committed = sums.pop(("stock", row.sku, ""), [0, 0])
                assert row.reserved == reserved
                assert row.stock >= row.reserved
            assert not sums
            totals: dict[str, int] = {}
            for line in connection.execute(select(order_lines)):
                assert sum(line.unit_payables) == line.payable
                totals[line.order_no] = totals.get(line.order_no, 0) + line.payable
            assert totals == {row.order_no: row.total for row in connection.execute(select(orders))}


class Buyer(Shopper):
    """Somebody who asks for a price and orders."""

    def __init__(self, api: Api, name: str) -> None:
        super().__init__(api, name)
        self.name = name
        self.api = api

    def quote(self, lines: dict[str, int], **choices: Any) -> Any:
        body = {"lines": [{"sku": sku, "quantity": count} for sku, count in lines.items()], **choices}
        return self.api.post("/api/quote", body, key=self.token)

    def checkout(self, token: str, status: int = 201, *, key: str | None = None, **about: Any) -> Any:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.post("", {"token": token, **about}, status, headers=headers)

    def buy(self, lines: dict[str, int], **choices: Any) -> Any:
        return self.checkout(self.quote(lines, **choices)["token"])


def signed_in(shopper: str) -> tokens.Shopper:
    """Somebody whose token was found good."""
    return tokens.Shopper(shopper.encode(), 10**12)


def wish(shopper: str, token: str, *, key: str = "", request: str = "", **about: Any) -> Wish:
    """A checkout as the desk gets it."""
    return Wish(Checkout(token=token, **about), signed_in(shopper), "en", key, request or token)


def all_at_once(desks: Sequence[CheckoutDesk], wishes: Sequence[Wish]) -> list[Ordered | BaseException]:
    """What comes of checkouts that are asked for at the same moment, at some desks in turn."""

    async def ask() -> list[Ordered | BaseException]:
        asked = (desks[place % len(desks)].ask(each) for place, each in enumerate(wishes))
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(ask())


def tokens_of(resources: Resources, carts_of: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """Tokens of quotes, each of a shopper and the body of a cart."""
    asked = [
        Asked(Cart.model_validate(body), body, "en", signed_in(shopper), owner=shopper)
        for shopper, body in carts_of
    ]
    return [orjson.loads(reply)["token"] for reply in fresh_quotes(resources, asked)]
