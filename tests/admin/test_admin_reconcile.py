"""Whatever is broken by hand in the shop's books is named, and repaired where one answer is right."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from buying import ANN, Shopper, bring, row, win
from buying import goods as stock_of
from reporting import add_on, gift, goods, ordered, pay, pay_back
from sidecar import Api, Shop
from sqlalchemy import insert, select, text

from admin.coupons.tables import coupon_claims, coupons
from admin.groups.tables import groups
from admin.memberships.tables import membership_grants
from admin.payments.tables import payments
from admin.presales.tables import presale_orders
from admin.reconcile.breaches import REMEDIES, ShopBreach
from admin.reconcile.looking import broken
from admin.reconcile.repairs import repair
from admin.reservations import ledger
from admin.reservations.ledger import Claim
from gateway.orders import releases
from gateway.orders.database import reading, writing
from tests.conftest import wait_until

SOLD = ("cancelled", "expired", "paid", "completed", "refunding", "refunded")


def seckill_of_all_states(shop: Shop, api: Api) -> None:
    """Units are won, paid for, given back; one is paid back and sold again."""
    sku = shop.product()
    campaign = shop.campaign(items=[{"sku": sku, "stock": 20}])
    offer = campaign.items[0].offer
    for state in ("pending", *SOLD):
        order_no = win(shop, offer, f"winner {state}")
        if state != "pending":
            bring(shop, api, order_no, state)
    again = win(shop, offer, "winner again")
    Shopper(api, "winner again").post(f"/{again}/pay")
    api.post(f"/orders/{again}/refund", {"restock": True})
    releases.apply_waiting(shop.resources.engine, shop.resources.redis, lease_ms=1)
    # What is not sold goes back, but for the unit that is still to be paid for.
    api.post(f"/campaigns/{campaign.code}/terminate", {})
    wait_until(lambda: stock_of(shop, sku)[1] == 1, what="the units that nobody bought")


class Books:
    """A shop with orders of every flow in every state; nothing is broken."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.sku, self.other = shop.product(), shop.product()
        self.claims = [
            Claim("campaign", "sale", 1, 50),
            Claim("campaign_shopper", "sale", 1, 5, ANN),
            Claim("budget", "sale", 200, 5000),
            Claim("coupon", "SAVE", 1, 50),
        ]
        self.pending = self.cart("pending")
        self.paid = self.cart("paid")
        self.expired = self.cart("expired")
        self.refunded = self.cart("refunded")
        self.refund = pay_back(shop, self.refunded, self.payment(self.refunded), 2700, [1, 2, 3, 4])
        self.partly = self.cart("completed")
        paid_with = self.payment(self.partly)
        self.part = pay_back(shop, self.partly, paid_with, 700, [1], held_back=200, gifts_kept=[])
        self.group = self.opened("full")
        self.seated = self.seat("paid", self.group)
        self.seat("paid", self.group)
        self.waiting = self.seat("awaiting_group", self.opened("open"))
        for status in ("pending", "deposit_paid", "balance_due", "expired", "paid"):
            self.presale(status)
        self.granted_and_claimed()

    def cart(self, status: str) -> str:
        lines = [
            goods(self.sku, [900, 900], base=1000, campaign="sale"),
            add_on(self.other, 1, base=1200, price=900, campaign="sale"),
            gift(self.sku, 1, base=1000, campaign="sale"),
        ]
        return ordered(self.shop, lines, status, claims=self.claims, coupon="SAVE")

    def seat(self, status: str, group: str) -> str:
        claims = [Claim("seat", group, 1, 2)]
        line = goods(self.sku, [800], base=1000, campaign="together")
        return ordered(
            self.shop, [line], status, claims=claims, flow="group_buy", campaign="together", group_id=group
        )

    def opened(self, state: str) -> str:
        group = self.shop.unique("group")
        with writing(self.shop.resources.engine) as connection:
            connection.execute(
                insert(groups).values(
                    id=group,
                    campaign="together",
                    sku=self.sku,
                    name="Kettle",
                    base_price=1000,
                    price=800,
                    size=2,
                    limit_per_shopper=1,
                    virtual_fill=False,
                    state=state,
                    settled=state != "open",
                    leader=ANN,
                    virtual_seats=0,
                    opened_at_ms=1,
                    deadline_ms=2**42,
                )
            )
        return group

    def presale(self, status: str) -> None:
        line = goods(self.sku, [800], base=1000, campaign="early")
        order_no = ordered(self.shop, [line], status, flow="presale", campaign="early")
        with writing(self.shop.resources.engine) as connection:
            connection.execute(
                insert(presale_orders).values(
                    order_no=order_no,
                    mode="leverage",
                    price=900,
                    deposit=100,
                    credit=200,
                    balance_starts_at_ms=1,
                    balance_ends_at_ms=2,
                    on_unpaid="forfeit",
                    coupons_allowed=True,
                )
            )
        if status != "pending":
            pay(self.shop, order_no, 100, "deposit")
        if status == "paid":
            pay(self.shop, order_no, 700, "balance")

    def granted_and_claimed(self) -> None:
        times = {"starts_at_ms": 1, "ends_at_ms": 2, "granted_at_ms": 1}
        with writing(self.shop.resources.engine) as connection:
            for order_no, revoked in ((self.paid, False), (self.refunded, True)):
                about = {"order_no": order_no, "line": 1, "shopper": ANN, "level": 2, "days": 30, "units": 1}
                connection.execute(insert(membership_grants).values(**about, **times, revoked=revoked))
            terms = {"terms": {}, "starts_at_ms": 1, "ends_at_ms": 2, "revision": 1}
            dates = {"created_at_ms": 1, "updated_at_ms": 1}
            connection.execute(insert(coupons).values(code="SAVE", claimed=1, **terms, **dates))
            connection.execute(insert(coupon_claims).values(coupon="SAVE", shopper=ANN, claimed_at_ms=1))

    def payment(self, order_no: str) -> str:
        with reading(self.shop.resources.engine) as connection:
            of_order = select(payments.c.id).where(payments.c.order_no == order_no)
            return str(connection.execute(of_order).scalar_one())

    def run(self, statement: str) -> None:
        words = re.findall(r":(\w+)", statement)
        names = {name: getattr(self, name) for name in words}
        with writing(self.shop.resources.engine) as connection:
            assert connection.execute(text(statement), names).rowcount == 1, statement

    def broken(self) -> dict[str, list[str]]:
        return by_code(broken(self.shop.resources.engine))


def by_code(found: Sequence[ShopBreach]) -> dict[str, list[str]]:
    """Where each is."""
    places: dict[str, list[str]] = {}
    for each in found:
        places.setdefault(each.code, []).append(each.order_no or each.subject)
    return places


REPAIRED = [
    # By a count that is wrong, or not there at all.
    ("UPDATE tallies SET reserved = reserved + 1 WHERE kind = 'campaign'", {"tally_differs": ["campaign sale"]}),
    ("DELETE FROM tallies WHERE kind = 'coupon'", {"tally_differs": ["coupon SAVE"]}),
    ("UPDATE tallies SET committed = 9999 WHERE kind = 'budget'", {"tally_differs": ["budget sale"]}),
    ("UPDATE products SET reserved = reserved + 3 WHERE sku = :other", {"promised_differs": ["product {other}"]}),
    ("UPDATE products SET reserved = reserved - 1 WHERE sku = :sku", {"promised_differs": ["product {sku}"]}),
    ("UPDATE coupons SET claimed = 7", {"claims_differ": ["coupon SAVE"]}),
    # An order that is over was never told to give back; the counts were.
    (
        "UPDATE reservations SET state = 'reserved' WHERE order_no = :expired AND kind = 'coupon'",
        {"reservation_kept": ["{expired}"], "tally_differs": ["coupon SAVE"]},
    ),
    (
        "UPDATE reservations SET state = 'committed' WHERE order_no = :refunded AND kind = 'budget'",
        {"reservation_kept": ["{refunded}"], "tally_differs": ["budget sale"]},
    ),
    (
        "UPDATE reservations SET state = 'reserved' WHERE order_no = :expired AND kind = 'stock'"
        " AND subject = :other",
        {"reservation_kept": ["{expired}"], "promised_differs": ["product {other}"]},
    ),
]
ASKED = [
    # A statement, what undoes it, and what is named.
    (
        "UPDATE reservations SET state = 'committed' WHERE order_no = :pending AND kind = 'coupon'",
        "UPDATE reservations SET state = 'reserved' WHERE order_no = :pending AND kind = 'coupon'",
        {"reservation_differs": ["{pending}"], "tally_differs": ["coupon SAVE"]},
    ),
    (
        "UPDATE reservations SET state = 'reserved' WHERE order_no = :paid AND kind = 'budget'",
        "UPDATE reservations SET state = 'committed' WHERE order_no = :paid AND kind = 'budget'",
        {"reservation_differs": ["{paid}"], "tally_differs": ["budget sale"]},
    ),
    (
        "UPDATE reservations SET amount = 2 WHERE order_no = :paid AND kind = 'stock' AND subject = :sku",
        "UPDATE reservations SET amount = 3 WHERE order_no = :paid AND kind = 'stock' AND subject = :sku",
        {"stock_unheld": ["{paid}"]},
    ),
    (
        "UPDATE orders SET total = total + 1, discount = discount - 1 WHERE order_no = :pending",
        "UPDATE orders SET total = total - 1, discount = discount + 1 WHERE order_no = :pending",
        {"order_sums_differ": ["{pending}"]},
    ),
    (
        "UPDATE order_lines SET unit_payables = '[900,901]' WHERE order_no = :pending AND line = 1",
        "UPDATE order_lines SET unit_payables = '[900,900]' WHERE order_no = :pending AND line = 1",
        {"line_differs": ["{pending}"]},
    ),
    (
        "UPDATE order_lines SET first_unit = 4 WHERE order_no = :pending AND line = 2",
        "UPDATE order_lines SET first_unit = 3 WHERE order_no = :pending AND line = 2",
        {"line_differs": ["{pending}", "{pending}"]},
    ),
    (
        "UPDATE payments SET amount = amount - 1 WHERE order_no = :paid",
        "UPDATE payments SET amount = amount + 1 WHERE order_no = :paid",
        {"money_in_differs": ["{paid}"]},
    ),
    (
        "UPDATE payments SET state = 'refused' WHERE order_no = :refunded",
        "UPDATE payments SET state = 'settled' WHERE order_no = :refunded",
        {"money_in_differs": ["{refunded}"], "money_out_differs": ["{refunded}"]},
    ),
    (
        "UPDATE refund_transfers SET amount = amount - 1 WHERE refund = :refund",
        "UPDATE refund_transfers SET amount = amount + 1 WHERE refund = :refund",
        {"refund_differs": ["{refunded}"]},
    ),
    (
        "UPDATE refunds SET held_back = 5 WHERE id = :refund",
        "UPDATE refunds SET held_back = 0 WHERE id = :refund",
        {"refund_differs": ["{refunded}"]},
    ),
    (
        "UPDATE refund_transfers SET state = 'sending' WHERE refund = :part",
        "UPDATE refund_transfers SET state = 'settled' WHERE refund = :part",
        {"refund_differs": ["{partly}"]},
    ),
    (
        "UPDATE groups SET state = 'open', settled = false WHERE id = :group",
        "UPDATE groups SET state = 'full', settled = true WHERE id = :group",
        {"group_differs": ["group {group}"]},
    ),
    (
        "UPDATE groups SET virtual_seats = 1 WHERE id = :group",
        "UPDATE groups SET virtual_seats = 0 WHERE id = :group",
        {"group_differs": ["group {group}"]},
    ),
    (
        "UPDATE membership_grants SET revoked = false WHERE order_no = :refunded",
        "UPDATE membership_grants SET revoked = true WHERE order_no = :refunded",
        {"membership_kept": ["{refunded}"]},
    ),
]


def named(books: Books, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    names = {name: value for name, value in vars(books).items() if isinstance(value, str)}
    return {code: [each.format(**names) for each in places] for code, places in wanted.items()}


def everything(shop: Shop) -> list[Any]:
    """All counts and reservations."""
    with reading(shop.resources.engine) as connection:
        found: list[Any] = []
        for query in (
            "SELECT sku, stock, reserved FROM products ORDER BY 1",
            "SELECT * FROM tallies ORDER BY 1, 2, 3",
            "SELECT * FROM reservations ORDER BY 1, 2, 3, 4",
            "SELECT code, claimed FROM coupons",
        ):
            found += connection.execute(text(query)).all()
        return found


def test_what_is_broken_is_named_and_repaired(shop: Shop, api: Api) -> None:
    seckill_of_all_states(shop, api)
    books, engine = Books(shop), shop.resources.engine
    # Given books in which all agree,
    assert books.broken() == {}
    sound = everything(shop)
    for statement, wanted in REPAIRED:
        # when one thing is broken by hand, then exactly that is named,
        books.run(statement)
        found = broken(engine)
        assert by_code(found) == named(books, wanted), statement
        # and repaired to what it was.
        repaired, left = repair(engine, found)
        assert (left, {each.code for each in repaired}) == ([], set(wanted)), statement
        assert everything(shop) == sound, statement
    # What has no one right answer says what to do.
    for statement, _, _ in ASKED:
        books.run(statement)
    wanted = defaultdict(list)
    for *_, each in ASKED:
        for code, places in named(books, each).items():
            wanted[code] += places
    found = books.broken()
    assert {code: sorted(places) for code, places in found.items()} == {
        code: sorted(places) for code, places in wanted.items()
    }
    for each in broken(engine):
        assert bool(each.asks) == (each.repair == "") == (each.code != "tally_differs")
    for _, undo, _ in ASKED:
        books.run(undo)
    assert books.broken() == {}
    assert everything(shop) == sound
    covered = {code for _, wanted in REPAIRED for code in wanted} | {
        code for *_, wanted in ASKED for code in wanted
    }
    assert covered | {"unit_paid_back_twice"} == set(REMEDIES)
    pay_back(shop, books.refunded, pay(shop, books.refunded, 900), 900, [2])
    assert books.broken()["unit_paid_back_twice"] == [books.refunded]


def test_an_order_in_a_group_that_is_over_is_named(shop: Shop) -> None:
    books = Books(shop)
    group = row(shop, books.waiting).group_id
    with writing(shop.resources.engine) as connection:
        over = text("UPDATE groups SET state = 'failed', settled = true WHERE id = :id")
        connection.execute(over, {"id": group})
    [breach] = broken(shop.resources.engine)
    assert (breach.code, breach.subject) == ("group_differs", f"group {group}")
    assert breach.as_json() == {
        "code": "group_differs",
        "offer": None,
        "unit": None,
        "order_no": None,
        "entry": f"group {group}",
        "says": "it is over, and orders in it still wait for it",
        "repair": None,
        "asks": "pay these orders back, or cancel them",
    }


@contextmanager
def selling(shop: Shop, sku: str) -> Iterator[list[str]]:
    """Orders are placed, paid for and cancelled all the time."""
    over, made = threading.Event(), list[str]()

    def sell() -> None:
        while not over.is_set():
            claims = [Claim("campaign", "live", 1, 10**6), Claim("budget", "live", 10, 10**6)]
            order_no = ordered(shop, [goods(sku, [90], base=100)], claims=claims)
            with writing(shop.resources.engine) as connection:
                ledger.release(connection, order_no)
                done = text("UPDATE orders SET status = 'cancelled' WHERE order_no = :order_no")
                connection.execute(done, {"order_no": order_no})
            made.append(order_no)

    threads = [threading.Thread(target=sell) for _ in range(2)]
    for each in threads:
        each.start()
    try:
        yield made
    finally:
        over.set()
        for each in threads:
            each.join()


def test_a_shop_that_sells_is_sound(shop: Shop) -> None:
    sku = shop.product(stock=100_000)
    with selling(shop, sku) as made:
        for count in (3, 9):
            wait_until(lambda count=count: len(made) >= count, what="orders")
            assert broken(shop.resources.engine) == []
        # A count that is put right meanwhile is right.
        with writing(shop.resources.engine) as connection:
            connection.execute(text("UPDATE tallies SET reserved = reserved + 5 WHERE kind = 'campaign'"))
            connection.execute(text("UPDATE products SET reserved = reserved + 5 WHERE sku = :sku"), {"sku": sku})
        assert {each.code for each in broken(shop.resources.engine)} == {"tally_differs", "promised_differs"}
        assert repair(shop.resources.engine, broken(shop.resources.engine))[1] == []
        wait_until(lambda: len(made) >= 18, what="more orders")
    assert broken(shop.resources.engine) == []


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_every_code_is_documented(code: str) -> None:
    from tests.tidy.source import ROOT

    assert f"`{code}`" in (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
