"""Helpers of the tests about pre-sales: campaigns, deposits, and moving an order's balance window."""

from __future__ import annotations

from typing import Any

import httpx
from buying import ANN, Shopper
from sidecar import ACTOR, Api, Shop
from sqlalchemy import select, update

from admin.coupons import service as coupons
from admin.notices.tables import notices
from admin.orders.tables import order_lines
from admin.presales.balances import Balances
from admin.presales.tables import presale_orders
from admin.presales.terms import remind_at_ms, terms_of
from admin.reservations.tables import tallies
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import order_events

HOUR_MS = 3_600_000
TERMS = {"deposit": 1000, "multiplier": 2.5}


class Buyer(Shopper):
    """Somebody who buys in pre-sales."""

    def __init__(self, api: Api, name: str = ANN) -> None:
        super().__init__(api, name)
        self._sidecar = api

    def deposit(self, code: str, sku: str, body: Any = None, status: int = 201, **about: Any) -> Any:
        reply = self.send_deposit(code, sku, body, **about)
        assert reply.status_code == status, reply.text
        return reply.json()

    def send_deposit(self, code: str, sku: str, body: Any = None, **about: Any) -> httpx.Response:
        path = f"/api/presales/{code}/{sku}/deposit"
        return self._sidecar.send("POST", path, key=self.token, json=body or {}, **about)

    def deposited(self, code: str, sku: str, quantity: int = 1) -> str:
        """An order with its deposit paid."""
        number = str(self.deposit(code, sku, {"quantity": quantity})["order_no"])
        assert self.post(f"/{number}/pay")["status"] == "deposit_paid"
        return number

    def balance(self, number: str, body: Any = None, status: int = 200) -> Any:
        return self.post(f"/{number}/balance", body, status)


def code_of(problem: dict[str, Any]) -> str:
    """What a problem is called."""
    return str(problem["type"]).removeprefix("urn:seckill:problem:")


def presale(shop: Shop, *skus: str, rule: Any = None, **about: Any) -> str:
    """A pre-sale that runs now: 10.00 counts for 25.00, the balance is open for an hour from its end on."""
    ends_at = shop.now_ms() + HOUR_MS
    windows = {"balance_starts_at": ends_at, "balance_ends_at": ends_at + HOUR_MS}
    body = {"ends_at": ends_at, "items": [{"sku": sku} for sku in skus], **about}
    return str(shop.campaign(type="presale", rule={**windows, **(rule or TERMS)}, **body).code)


def window(shop: Shop, number: str, starts_in_ms: int, ends_in_ms: int) -> None:
    """Move the balance window of an order, as if time had passed."""
    with writing(shop.resources.engine) as connection:
        now = now_ms(connection)
        connection.execute(
            update(presale_orders)
            .where(presale_orders.c.order_no == number)
            .values(balance_starts_at_ms=now + starts_in_ms, balance_ends_at_ms=now + ends_in_ms)
        )
        terms = terms_of(connection, number)
        told = connection.execute(
            select(notices.c.kind).where(notices.c.cause.in_([f"balance_due:{number}", f"balance_ends:{number}"]))
        ).scalars()
        steps = {0: terms.balance_starts_at_ms, 1: remind_at_ms(terms), 2: terms.balance_ends_at_ms}
        connection.execute(
            update(presale_orders)
            .where(presale_orders.c.order_no == number)
            .values(next_at_ms=steps[len(list(told))])
        )


def coupon(shop: Shop, **about: Any) -> str:
    """A coupon that takes 5.00 off, unless said otherwise."""
    now = shop.now_ms()
    body = {
        "code": shop.unique("SAVE"),
        "name": "Save",
        "kind": "amount",
        "starts_at": now - 1000,
        "ends_at": now + HOUR_MS,
        **({} if about.get("kind") == "percent" else {"amount_off": 500}),
        **about,
    }
    return str(coupons.create(shop.resources, body, actor=ACTOR).code)


def due(shop: Shop, ann: Buyer, code: str, sku: str, quantity: int = 1) -> str:
    """An order whose balance may be paid."""
    number = ann.deposited(code, sku, quantity)
    window(shop, number, -1, HOUR_MS)
    return number


def clock(shop: Shop, number: str) -> Any:
    """The terms of an order, with the instant at which the clock is next due for it."""
    with reading(shop.resources.engine) as connection:
        return terms_of(connection, number)


def tick(shop: Shop) -> None:
    """One round of the clock."""
    Balances(shop.resources).round()


def told(shop: Shop, number: str) -> list[tuple[str, int]]:
    """The notices about an order: kind and amount."""
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(select(notices).where(notices.c.cause.like(f"%:{number}")).order_by(notices.c.id))
        return [(each.kind, each.data["amount"]) for each in rows if each.kind.startswith("balance")]


def history(shop: Shop, number: str) -> list[tuple[str, dict[str, Any]]]:
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(
            select(order_events).where(order_events.c.order_no == number).order_by(order_events.c.id)
        )
        return [(each.after, each.detail) for each in rows]


def line_of(shop: Shop, number: str) -> Any:
    with reading(shop.resources.engine) as connection:
        return connection.execute(select(order_lines).where(order_lines.c.order_no == number)).one()


def tally(shop: Shop, kind: str, subject: str, owner: str = "") -> tuple[int, int]:
    """Reserved and committed of something."""
    with reading(shop.resources.engine) as connection:
        row = connection.execute(
            select(tallies).where(tallies.c.kind == kind, tallies.c.subject == subject, tallies.c.owner == owner)
        ).one_or_none()
        return (0, 0) if row is None else (row.reserved, row.committed)
