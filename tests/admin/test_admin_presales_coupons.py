"""Coupons on balances: judged when the balance is paid, fixed once, given back when it never is."""

from __future__ import annotations

from typing import Any

import pytest
from buying import BOB, money, row
from preselling import HOUR_MS, TERMS, Buyer, code_of, coupon, due, line_of, presale, tally, tick, window
from sidecar import Api, Shop
from sqlalchemy import select

from admin.campaigns import service as campaigns
from admin.catalog import service as catalog
from admin.payments import booking
from admin.payments.providers.interface import Standing
from admin.payments.tables import payments
from admin.presales.balances import Balances
from gateway.orders.database import reading

PRICE, CREDIT, DEPOSIT = 12900, 2500, 1000
ACTOR = "tester"


@pytest.fixture(autouse=True)
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds happen when the test says so."""
    monkeypatch.setattr(Balances, "interval_s", 3600.0)


def whole(shop: Shop, number: str) -> tuple[Any, ...]:
    """Everything that a coupon changes."""
    order, line = row(shop, number), line_of(shop, number)
    assert line.payable == sum(line.unit_payables) == order.total
    assert line.coupon_discount == order.coupon_discount
    return order.coupon, order.coupon_discount, order.total, line.unit_payables


def test_a_coupon_comes_off_the_balance_to_the_unit(shop: Shop, api: Api) -> None:
    sku = shop.product()
    ann, code = Buyer(api), presale(shop, sku)
    cost = 3 * (PRICE - CREDIT + DEPOSIT)
    for about, off, units in (
        # The threshold looks at the price: 3 × 129.00 is exactly reached.
        ({"amount_off": 1000, "threshold": 3 * PRICE}, 1000, [11066, 11067, 11067]),
        ({"kind": "percent", "percent_off": 12.5}, cost - (cost * 875 + 500) // 1000, None),
        (
            {"kind": "percent", "percent_off": 50, "cap": 1, "items": [sku], "scope": "items"},
            1,
            [11399, 11400, 11400],
        ),
    ):
        number, save = due(shop, ann, code, sku, 3), coupon(shop, **about)
        # The campaign is over, and its price is another: no matter.
        quoted = api.post(
            "/api/quote",
            {"lines": [{"sku": sku, "quantity": 3, "campaign": code}], "coupon": save},
            key=ann.token,
        )
        assert (quoted["coupon"]["state"], quoted["coupon"]["discount"]) == ("applied", off), about
        ann.balance(number, {"coupon": save, "sandbox": "refuse"}, 402)
        assert whole(shop, number)[:3] == (save, off, cost - off), about
        assert units is None or whole(shop, number)[3] == units
        assert tally(shop, "coupon", save) == (1, 0)
        shown = ann.get(f"/{number}")
        assert (shown["coupon"], shown["presale"]["balance"]) == (save, cost - off - 3 * DEPOSIT)
        # Once fixed it stays, whichever way the balance is paid.
        other = ann.balance(number, {"coupon": coupon(shop)}, 409)
        assert (code_of(other), other["coupon"]) == ("coupon_fixed", save)
        ann.balance(number, {"coupon": save, "sandbox": "refuse"}, 402)
        assert ann.post(f"/{number}/pay")["paid"] == cost - off
        assert (money(shop, number), tally(shop, "coupon", save)) == ((cost - off, 0), (0, 1))
        assert ann.balance(number, {"coupon": save})["status"] == "paid"


def test_a_coupon_is_judged_by_what_holds_when_the_balance_is_paid(shop: Shop, api: Api) -> None:
    sku, now = shop.product(), shop.now_ms()
    ann, code = Buyer(api), presale(shop, sku)
    used = coupon(shop, total=1)
    bob = Buyer(api, BOB)
    assert bob.balance(due(shop, bob, code, sku), {"coupon": used})["coupon"] == used
    number = due(shop, ann, code, sku)
    campaigns.terminate(shop.resources, code, {}, actor=ACTOR)
    catalog.change(shop.resources, sku, {"on_sale": False, "price": 99}, actor=ACTOR)
    before = whole(shop, number)
    for save, state, reason in (
        ("NOBODY", "unknown", "unknown_coupon"),
        (coupon(shop, threshold=PRICE + 1), "threshold_not_met", "spend_more"),
        (coupon(shop, starts_at=now + HOUR_MS // 2), "not_running", "not_started"),
        (coupon(shop, audience={"kind": "members"}), "not_eligible", "members_only"),
        (coupon(shop, claim_required=True), "not_claimed", "not_claimed"),
        (coupon(shop, scope="items", items=[shop.product()]), "nothing_in_scope", "nothing_in_scope"),
        (used, "exhausted", "used_up"),
    ):
        problem = ann.balance(number, {"coupon": save}, 409)
        assert (code_of(problem), problem["state"]) == ("coupon_not_applied", state), save
        assert problem["reason"].startswith(f"{reason}: ")
        assert whole(shop, number) == before
    assert (row(shop, number).status, money(shop, number)) == ("balance_due", (DEPOSIT, 0))
    # Neither too early, nor in a campaign that let no coupon in.
    other = shop.product()
    closed = ann.deposited(presale(shop, other, coupons_allowed=False), other)
    assert code_of(ann.balance(closed, {"coupon": coupon(shop)}, 409)) == "balance_not_open"
    window(shop, closed, -1, HOUR_MS)
    assert ann.balance(closed, {"coupon": coupon(shop)}, 409)["state"] == "nothing_in_scope"
    assert ann.balance(number, {"coupon": coupon(shop, threshold=PRICE)})["coupon_discount"] == 500


def test_a_coupon_that_covers_the_balance_pays_it_without_a_provider(shop: Shop, api: Api) -> None:
    sku = shop.product()
    ann, code = Buyer(api), presale(shop, sku)
    number = due(shop, ann, code, sku, 2)
    # Worth more than the balance: no more than that, and the deposit stays what it is.
    order = ann.balance(number, {"coupon": coupon(shop, amount_off=99_999), "sandbox": "refuse"})
    assert (order["status"], order["total"], order["paid"]) == ("paid", 2 * DEPOSIT, 2 * DEPOSIT)
    assert order["coupon_discount"] == 2 * (PRICE - CREDIT)
    assert whole(shop, number)[3] == [DEPOSIT, DEPOSIT]
    assert money(shop, number) == (2 * DEPOSIT, 0)


def test_a_coupon_goes_back_with_an_order_that_is_never_paid(shop: Shop, api: Api) -> None:
    sku = shop.product()
    ann, save = Buyer(api), coupon(shop, per_shopper=1)
    code = presale(shop, sku, rule={**TERMS, "on_unpaid": "refund"})
    kept = presale(shop, sku)
    for each in (code, kept):
        number = due(shop, ann, each, sku)
        ann.balance(number, {"coupon": save, "sandbox": "refuse"}, 402)
        assert tally(shop, "coupon_shopper", save, row(shop, number).shopper) == (1, 0)
        other = due(shop, ann, each, sku)
        assert ann.balance(other, {"coupon": save}, 409)["state"] == "exhausted"
        window(shop, number, -2, -1)
        tick(shop)
        assert tally(shop, "coupon_shopper", save, row(shop, number).shopper) == (0, 0)
        assert tally(shop, "coupon", save) == (0, 0)
    assert row(shop, number).status == "expired"


def test_money_of_before_the_coupon_does_not_pay_the_balance(shop: Shop, api: Api) -> None:
    sku = shop.product()
    ann, code, save = Buyer(api), presale(shop, sku), coupon(shop)
    number = due(shop, ann, code, sku)
    assert ann.send("POST", f"/{number}/balance", {"sandbox": "late"}).status_code == 202
    assert code_of(ann.balance(number, {"coupon": save}, 409)) == "payment_under_way"
    assert (whole(shop, number)[0], tally(shop, "coupon", save)) == (None, (0, 0))
    with reading(shop.resources.engine) as connection:
        first = connection.execute(
            select(payments).where(payments.c.order_no == number, payments.c.purpose == "balance")
        ).one()
    booking.book(shop.resources, first, Standing("refused"))
    ann.balance(number, {"coupon": save, "sandbox": "refuse"}, 402)
    # The provider changes its mind about the payment that it refused.
    booking.book(shop.resources, first, Standing("settled"))
    assert row(shop, number).status == "balance_due"
    balance = PRICE - CREDIT
    assert money(shop, number) == (DEPOSIT + balance, balance)
    assert ann.balance(number)["paid"] == DEPOSIT + balance - 500
    assert money(shop, number) == (DEPOSIT + 2 * balance - 500, balance)
