"""Helpers of the tests about an order's life: shoppers who ask the sidecar, and orders with their parts."""

from __future__ import annotations

from typing import Any

import httpx
from sidecar import Api, Shop, click
from sqlalchemy import select, update

from admin.catalog.tables import products
from admin.flows.interface import Due
from admin.payments import booking
from admin.payments.providers import registry
from admin.payments.tables import payments, refunds
from gateway import keys
from gateway.orders import expiry
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.message import Ticket
from gateway.orders.tables import order_units, orders
from gateway.tokens import mint

TOKEN_SECRET = "t" * 32
ANN, BOB = "ann 'o' \"x\" |,", "bob"


class Shopper:
    """Somebody with a token."""

    def __init__(self, api: Api, name: str = ANN) -> None:
        self._api = api
        self.token = mint(TOKEN_SECRET.encode(), name, ttl_s=3600)

    def send(self, method: str, path: str, body: Any = None, **about: Any) -> httpx.Response:
        if body is not None:
            about["json"] = body
        return self._api.send(method, f"/api/orders{path}", key=self.token, **about)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200, **about: Any) -> Any:
        reply = self.send(method, path, body, **about)
        assert reply.status_code == status, reply.text
        return reply.json()

    def get(self, path: str, status: int = 200, **about: Any) -> Any:
        return self.ask("GET", path, None, status, **about)

    def post(self, path: str, body: Any = None, status: int = 200, **about: Any) -> Any:
        return self.ask("POST", path, body, status, **about)


def an_order(shop: Shop, **about: Any) -> str:
    """An order of `ANN`'s (unless said otherwise) in a sale of 100 units, its product's units promised."""
    return shop.order(shop.campaign().items[0].offer, **{"shopper": ANN, **about})


def row(shop: Shop, order_no: str) -> Any:
    with reading(shop.resources.engine) as connection:
        return connection.execute(select(orders).where(orders.c.order_no == order_no)).one()


def units_of(shop: Shop, order_no: str) -> list[tuple[int, bool, bool]]:
    """(unit, active, released) of each."""
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(
            select(order_units).where(order_units.c.order_no == order_no).order_by(order_units.c.unit)
        )
        return [(each.unit, each.active, each.released) for each in rows]


def money(shop: Shop, order_no: str) -> tuple[int, int]:
    """What came in for an order and what went back."""
    with reading(shop.resources.engine) as connection:
        came = connection.execute(
            select(payments.c.amount).where(payments.c.order_no == order_no, payments.c.state == "settled")
        ).scalars()
        back = connection.execute(
            select(refunds.c.amount).where(refunds.c.order_no == order_no, refunds.c.state == "settled")
        ).scalars()
        return sum(came), sum(back)


def goods(shop: Shop, sku: str) -> tuple[int, int]:
    """A product's stock, and how much of it is promised."""
    with reading(shop.resources.engine) as connection:
        found = connection.execute(select(products).where(products.c.sku == sku)).one()
        return found.stock, found.reserved


def run_out(shop: Shop, order_no: str, *, ago_ms: int = 5000) -> None:
    """Let an order's time to pay have ended some time ago."""
    with writing(shop.resources.engine) as connection:
        connection.execute(
            update(orders).where(orders.c.order_no == order_no).values(expire_at_ms=now_ms(connection) - ago_ms)
        )


def expire(shop: Shop, order_no: str) -> None:
    """Let an order's time to pay end, and the writer notice."""
    run_out(shop, order_no)
    expiry.expire(shop.resources.engine, [row(shop, order_no).offer])


def bring(shop: Shop, api: Api, order_no: str, state: str) -> None:
    """Take a pending order to a state on the usual way."""
    ann = Shopper(api, row(shop, order_no).shopper)
    match state:
        case "cancelled":
            ann.post(f"/{order_no}/cancel")
        case "expired":
            expire(shop, order_no)
        case "paid" | "shipped" | "completed" | "refunding" | "refunded":
            ann.post(f"/{order_no}/pay")
    if state in {"shipped", "completed", "refunding"}:
        api.post(f"/orders/{order_no}/ship", {"carrier": "Fast & Far", "tracking_no": "FF-1"})
    match state:
        case "completed":
            api.post(f"/orders/{order_no}/complete")
        case "refunding" | "refunded":
            ann.post(f"/{order_no}/refund")
    assert row(shop, order_no).status == state


def begin(shop: Shop, order_no: str) -> Any:
    """A payment that the provider has not been asked about."""
    with writing(shop.resources.engine) as connection:
        order = row(shop, order_no)
        due = Due(order.total, "full", order.expire_at_ms)
        return booking.begin(connection, order, due, registry.chosen(shop.resources), None)


def win(shop: Shop, offer: str, shopper: str) -> str:
    """Win one unit as the gateway does, and have it written as the writer does; the order's number."""
    assert click(shop.resources.redis, offer, [shopper]) == ["W"]
    ticket = ticket_of(shop, offer, shopper)
    assert ticket is not None
    return shop.order(offer, shopper=shopper, order_no=ticket.order_no, units=ticket.units)


def ticket_of(shop: Shop, offer: str, shopper: str) -> Ticket | None:
    """The (only) ticket that Redis holds for a shopper."""
    record = shop.resources.redis.hget(keys.buyers(offer, 1), shopper)
    return Ticket.parse(record) if record else None
