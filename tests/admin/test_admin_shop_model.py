"""Given any order of checkouts, payments, cancellations, deadlines and refunds, the shop and the model agree."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from typing import Any

import pytest
from buying import TOKEN_SECRET
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from shop_model import (
    BOOK,
    COUPON_OFF,
    CREDIT,
    CUP,
    CUPS_FOR_A_MUG,
    DEPOSIT,
    GROUP_LIMIT,
    GROUP_PRICE,
    GROUP_SIZE,
    MUG,
    PAN,
    POT,
    POT_OFF,
    PRICES,
    Bargain,
    Limits,
    ShopModel,
)
from sidecar import Api, Shop
from sqlalchemy import select, update

from admin.catalog.tables import products
from admin.groups.closing import Closing
from admin.groups.tables import groups
from admin.orders.expiring import Expiring
from admin.payments.tables import payments, refunds
from admin.presales.balances import Balances
from admin.presales.tables import presale_orders
from admin.reservations.tables import tallies
from gateway.orders.database import reading, writing
from gateway.orders.tables import orders
from gateway.tokens import mint
from tests.stateful import run_histories

STEPS = 40
AGO_MS = 5_000
DAY_MS = 24 * 3_600_000

SHOPPERS = ("amy", "bob", "王")
_numbers = itertools.count(1)

shoppers = st.sampled_from(SHOPPERS)
# Pots and cups.
carts = st.sampled_from([(1, 3), (0, 4), (2, 0), (4, 2), (1, 0), (0, 3), (0, 0), (3, 5)])
picks = st.integers(0, 9)


class ShopMachine(RuleBasedStateMachine):
    """One shop in the database beside the model."""

    api: Api
    shop: Shop

    @initialize(
        stock=st.fixed_dictionaries({sku: st.integers(3, 12) for sku in PRICES}),
        numbers=st.tuples(st.integers(2, 9), st.integers(1, 4), st.integers(1, 9), st.integers(1, 4)),
        coupons=st.integers(1, 3),
        forfeit=st.booleans(),
        virtual=st.booleans(),
    )
    def open(
        self, stock: dict[str, int], numbers: tuple[int, ...], coupons: int, forfeit: bool, virtual: bool
    ) -> None:
        pots, pots_each, budget, mugs = numbers
        self.model = ShopModel(
            Limits(stock, pots, pots_each, budget * POT_OFF, mugs, coupons, books=8),
            forfeit=forfeit,
            virtual=virtual,
        )
        tag = f"{os.getpid()}-{next(_numbers)}"
        # The model's names → the database's, which are this example's own.
        self.names = {name: f"{name}-{tag}" for name in (*PRICES, "half", "mugs", "together", "early", "SAVE")}
        self.people = {name: f"{name} {tag}" for name in SHOPPERS}
        for sku, price in PRICES.items():
            self.shop.product(sku=self.names[sku], price=price, stock=stock[sku], gift_only=sku == MUG)
        self.make_campaigns(self.model.limits)

    def make_campaigns(self, limits: Limits) -> None:
        now = self.shop.now_ms()
        window = {"starts_at": now - 1000, "ends_at": now + DAY_MS}
        later = {"balance_starts_at": now + 2 * DAY_MS, "balance_ends_at": now + 3 * DAY_MS}
        on_unpaid = "forfeit" if self.model.forfeit else "refund"

        def campaign(code: str, kind: str, sku: str, rule: dict[str, Any], **limited: int) -> None:
            body = {"code": self.names[code], "type": kind, "name": code, **window, "rule": rule}
            body["items"] = [{"sku": self.names[sku]}]
            if limited:
                body["limits"] = limited
            self.api.post("/campaigns", body, 201)

        campaign(
            "half",
            "item_discount",
            POT,
            {"amount_off": POT_OFF},
            total=limits.pots,
            per_shopper=limits.pots_each,
            budget=limits.budget,
        )
        gifts = [{"sku": self.names[MUG], "quantity": 1}]
        tiers = {"by": "count", "mode": "best", "tiers": [{"at": CUPS_FOR_A_MUG, "gifts": gifts}]}
        campaign("mugs", "threshold_gift", CUP, tiers, total=limits.mugs)
        group = {
            "price": GROUP_PRICE,
            "size": GROUP_SIZE,
            "hours": 24,
            "limit_per_shopper": GROUP_LIMIT,
            "virtual_fill": self.model.virtual,
        }
        campaign("together", "group_buy", PAN, group)
        early = {"deposit": DEPOSIT, "multiplier": CREDIT // DEPOSIT, "on_unpaid": on_unpaid, **later}
        campaign("early", "presale", BOOK, early, total=limits.books)
        coupon = {"code": self.names["SAVE"], "name": "Save", "kind": "amount", "amount_off": COUPON_OFF, **window}
        self.api.post("/coupons", {**coupon, "total": limits.coupons, "per_shopper": 1}, 201)

    # What shoppers do.

    @rule(shopper=shoppers, wanted=carts, coupon=st.booleans(), pays=st.booleans())
    def order(self, shopper: str, wanted: tuple[int, int], coupon: bool, pays: bool) -> None:
        pots, cups = wanted
        lines = [{"sku": self.names[sku], "quantity": n} for sku, n in ((POT, pots), (CUP, cups)) if n]
        cart: dict[str, Any] = {"lines": lines}
        if coupon:
            cart["coupon"] = self.names["SAVE"]
        quote = self.ask(shopper, "POST", "/api/quote", cart)
        expected = self.model.cart(shopper, pots, cups, coupon=coupon)
        if expected is not None:
            assert quote["total"] == expected.total
        said = self.ask(shopper, "POST", "/api/orders", {"token": quote["token"]}, fails=expected is None)
        self.note(said, expected, "cart", shopper)
        if expected is not None and pays:
            self.step(said["order_no"], "pay")
            self.model.pay(said["order_no"])

    @rule(shopper=shoppers, opens=st.booleans(), which=picks)
    def join(self, shopper: str, opens: bool, which: int) -> None:
        known = list(self.model.groups)
        group = None if opens or not known else known[-1 - which % min(len(known), 2)]
        expected = self.model.seat(shopper, group)
        body: dict[str, Any] = {"campaign": self.names["together"], "sku": self.names[PAN]} if group is None else {}
        path = "/api/groups" if group is None else f"/api/groups/{group}/join"
        said = self.ask(shopper, "POST", path, body, fails=expected is None)
        if expected is None:
            return
        if group is None:
            group = said["id"]
            self.model.groups[group] = "open"
            expected.held.update(self.model.seat_of(group, shopper))
        self.note(said["order"], expected, "group_buy", shopper, group)

    @rule(shopper=shoppers, books=st.integers(1, 2))
    def deposit(self, shopper: str, books: int) -> None:
        expected = self.model.book(books)
        path = f"/api/presales/{self.names['early']}/{self.names[BOOK]}/deposit"
        said = self.ask(shopper, "POST", path, {"quantity": books}, fails=expected is None)
        self.note(said, expected, "presale", shopper)

    @precondition(lambda self: self.has("pending", "balance_due"))
    @rule(which=picks)
    def pay(self, which: int) -> None:
        number = self.one(which, "pending", "balance_due")
        self.step(number, "pay")
        self.model.pay(number)

    @precondition(lambda self: self.has("pending", at_least=3))
    @rule(which=picks)
    def cancel(self, which: int) -> None:
        number = self.one(which, "pending")
        self.step(number, "cancel")
        self.model.end(number, "cancelled")

    @precondition(lambda self: self.has("awaiting_group"))
    @rule(which=picks)
    def leave(self, which: int) -> None:
        number = self.one(which, "awaiting_group")
        order = self.model.orders[number]
        self.ask(order.shopper, "POST", f"/api/groups/{order.group}/leave", {})
        self.model.pay_back(number, everything=True)

    @precondition(lambda self: self.has("balance_due"))
    @rule(which=picks)
    def pay_the_balance_with_a_coupon(self, which: int) -> None:
        number = self.one(which, "balance_due")
        usable = self.model.take_coupon(number)
        order = self.step(number, "balance", {"coupon": self.names["SAVE"]}, fails=not usable)
        if usable:
            self.model.pay(number)
            self.model.orders[number].prices = order["lines"][0]["unit_payables"]

    @precondition(lambda self: self.has("paid"))
    @rule(which=picks, count=st.integers(1, 3))
    def refund(self, which: int, count: int) -> None:
        """The first units that are left; with the last one nothing is."""
        number = self.one(which, "paid")
        order = self.model.orders[number]
        left = list(range(order.refunded + 1, len(order.prices) + 1))
        everything = count >= len(left)
        self.step(number, "refund", {} if everything else {"units": left[:count]})
        self.model.pay_back(number, count, everything=everything)

    # What time does.

    @precondition(lambda self: self.has("pending", at_least=3))
    @rule(which=picks)
    def expire(self, which: int) -> None:
        number = self.one(which, "pending")
        self.change(orders, orders.c.order_no == number, expire_at_ms=self.shop.now_ms() - AGO_MS)
        Expiring(self.shop.resources).round()
        self.model.end(number, "expired")

    @precondition(lambda self: "open" in self.model.groups.values())
    @rule(which=picks)
    def deadline(self, which: int) -> None:
        standing = [group for group, state in self.model.groups.items() if state == "open"]
        group = standing[which % len(standing)]
        self.change(groups, groups.c.id == group, deadline_ms=self.shop.now_ms() - AGO_MS)
        Closing(self.shop.resources).round()
        self.model.deadline(group)

    @precondition(lambda self: self.has("deposit_paid"))
    @rule(which=picks)
    def balance_opens(self, which: int) -> None:
        number = self.one(which, "deposit_paid")
        self.move_balance(number, balance_starts_at_ms=self.shop.now_ms() - AGO_MS)
        self.model.orders[number].status = "balance_due"

    @precondition(lambda self: self.has("balance_due"))
    @rule(which=picks)
    def balance_ends(self, which: int) -> None:
        number = self.one(which, "balance_due")
        self.move_balance(number, balance_ends_at_ms=self.shop.now_ms() - AGO_MS)
        self.model.miss(number)

    def move_balance(self, number: str, **instants: int) -> None:
        now = self.shop.now_ms()
        self.change(presale_orders, presale_orders.c.order_no == number, next_at_ms=now - AGO_MS, **instants)
        Balances(self.shop.resources).round()

    def change(self, table: Any, which: Any, **values: int) -> None:
        """Move an instant instead of waiting for it."""
        with writing(self.shop.resources.engine) as connection:
            connection.execute(update(table).where(which).values(**values))

    # How it is asked.

    def ask(self, shopper: str, method: str, path: str, body: Any, *, fails: bool = False) -> Any:
        token = mint(TOKEN_SECRET.encode(), self.people[shopper], ttl_s=3600)
        reply = self.api.send(method, path, key=token, json=body)
        assert (reply.status_code in {409, 422}) if fails else (reply.status_code in {200, 201}), reply.text
        return reply.json()

    def step(self, number: str, what: str, body: Any = None, *, fails: bool = False) -> Any:
        shopper = self.model.orders[number].shopper
        return self.ask(shopper, "POST", f"/api/orders/{number}/{what}", body or {}, fails=fails)

    def has(self, *statuses: str, at_least: int = 1) -> bool:
        return sum(order.status in statuses for order in self.model.orders.values()) >= at_least

    def one(self, which: int, *statuses: str) -> str:
        """An order in one of some states."""
        found = [number for number, order in self.model.orders.items() if order.status in statuses]
        return found[which % len(found)]

    def note(self, said: Any, expected: Bargain | None, flow: str, shopper: str, group: str = "") -> None:
        """An order that was made as the model said."""
        if expected is None:
            return
        prices = [price for line in said["lines"] if line["kind"] == "goods" for price in line["unit_payables"]]
        assert said["total"] == expected.total == sum(prices)
        self.model.make(said["order_no"], flow, shopper, expected, prices, group)
        if not expected.total:
            self.model.pay(said["order_no"])

    # What must be the same.

    @invariant()
    def orders_and_groups_are_where_the_model_has_them(self) -> None:
        if not hasattr(self, "model"):
            return
        with reading(self.shop.resources.engine) as connection:
            people = list(self.people.values())
            rows = connection.execute(select(orders).where(orders.c.shopper.in_(people))).all()
            states = connection.execute(select(groups).where(groups.c.id.in_(self.model.groups))).all()
        wanted = {number: (order.status, order.total) for number, order in self.model.orders.items()}
        assert {row.order_no: (row.status, row.total) for row in rows} == wanted
        assert {row.id: row.state for row in states} == self.model.groups

    @invariant()
    def what_is_held_is_what_the_model_holds(self) -> None:
        if not hasattr(self, "model"):
            return
        held = Counter(
            {
                (kind, self.names.get(subject, subject), self.people.get(owner, "")): count
                for (kind, subject, owner), count in self.model.held().items()
                if count
            }
        )
        subjects = [*self.names.values(), *self.model.groups]
        with reading(self.shop.resources.engine) as connection:
            rows = connection.execute(select(tallies).where(tallies.c.subject.in_(subjects))).all()
            stocks = connection.execute(select(products).where(products.c.sku.in_(subjects))).all()
        counted = {(row.kind, row.subject, row.owner): row.reserved + row.committed for row in rows}
        assert {thing: count for thing, count in counted.items() if count} == held
        for sku in PRICES:
            row = next(row for row in stocks if row.sku == self.names[sku])
            assert (row.stock, row.reserved) == (self.model.stock[sku], self.model.promised(sku)), sku

    @invariant()
    def money_is_where_the_model_has_it(self) -> None:
        if not hasattr(self, "model"):
            return
        numbers = list(self.model.orders)
        came: Counter[str] = Counter()
        back: Counter[str] = Counter()
        with reading(self.shop.resources.engine) as connection:
            settled = payments.c.state == "settled", payments.c.order_no.in_(numbers)
            for row in connection.execute(select(payments).where(*settled)):
                came[row.order_no] += row.amount
            for row in connection.execute(select(refunds).where(refunds.c.order_no.in_(numbers))):
                assert row.state == "settled"
                back[row.order_no] += row.amount
        for number, order in self.model.orders.items():
            assert (came[number], back[number]) == (order.paid, order.back), (number, order)


def agree(api: Api, shop: Shop, examples: int) -> None:
    machine = type("Machine", (ShopMachine,), {"api": api, "shop": shop})
    run_histories(machine, examples=examples, steps=STEPS)


# Hypothesis looks at reference counts, which threads of the sidecar change meanwhile.
quiet = pytest.mark.filterwarnings("ignore:It looks like `register_random`")


@quiet
@pytest.mark.timeout(360)  # a failing run is made smaller first
def test_the_shop_and_the_model_agree(api: Api, shop: Shop) -> None:
    agree(api, shop, 3)


@quiet
@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_shop_and_the_model_agree_for_long(api: Api, shop: Shop) -> None:
    agree(api, shop, 150)
