"""Given paid carts with gifts, add-ons, discounts and a coupon, refunds pay back what units cost and no more."""

from __future__ import annotations

import pytest
from buying import ANN, Shopper, money, row
from grouping import notices_of
from paid_carts import Stall, happened, holds, stock, used
from sidecar import Api, Shop, fields_of
from sqlalchemy import delete, select

from admin import changes
from admin.memberships.tables import membership_grants
from admin.quotes.tables import quotes
from gateway.orders.database import reading, writing


@pytest.fixture
def stall(api: Api, shop: Shop) -> Stall:
    return Stall(shop, api)


def test_gifts_that_are_kept_and_no_longer_earned_are_held_back(stall: Stall, shop: Shop) -> None:
    # Given three kettles and the mug that they bring,
    order = stall.paid((stall.kettle, 3))
    number, refund = order["order_no"], f"/{order['order_no']}/refund"
    assert [(each["kind"], each["quantity"]) for each in order["lines"]] == [("goods", 3), ("gift", 1)]
    # when one goes back, two still earn it;
    order = stall.ann.post(refund, {"lines": [{"line": 1, "quantity": 1}]})
    assert (order["refunds"][0]["amount"], order["refunds"][0]["held_back"], order["units"]) == (
        10000,
        0,
        [2, 3, 4],
    )
    # of one more the mug is held back, as everybody was told before.
    look = stall.ann.post(f"{refund}/preview", {"units": [2]})
    mug = {"line": 2, "sku": stall.mug, "quantity": 1, "value": 1900}
    assert (look["amount"], look["held_back"], look["gifts_kept"], look["at_once"]) == (8100, 1900, [mug], True)
    assert look == stall.api.post(f"/orders/{number}/refund/preview", {"units": [2]})
    assert row(shop, number).status == "paid"
    order = stall.ann.post(refund, {"units": [2]})
    assert {
        name: order["refunds"][1][name] for name in ("amount", "held_back", "gifts_kept", "lines", "units")
    } == {
        "amount": 8100,
        "held_back": 1900,
        "gifts_kept": [mug],
        "lines": [{"line": 1, "quantity": 1}],
        "units": [2],
    }
    # When the mug comes back, so does what was held back for it;
    order = stall.ann.post(refund, {"lines": [{"line": 2, "quantity": 1}]})
    assert (order["status"], order["refunds"][2]["amount"], order["refunds"][2]["held_back"]) == (
        "paid",
        1900,
        -1900,
    )
    order = stall.ann.post(refund)
    assert (order["status"], order["units"], order["refunded"]) == ("refunded", [], 30000)
    assert money(shop, number) == (30000, 30000)
    once = ["refund.requested", "order.refunding", "refund.settled"]
    assert happened(shop, number)[2:] == [
        *once,
        "order.paid",
        *once,
        "order.paid",
        *once,
        "order.paid",
        *once,
        "order.refunded",
    ]
    assert notices_of(shop, ANN) == ["refund"] * 4


def test_a_gift_that_is_kept_does_not_keep_the_order_alive(stall: Stall, shop: Shop) -> None:
    order = stall.paid((stall.kettle, 2))
    order = stall.ann.post(f"/{order['order_no']}/refund", {"units": [1, 2]})
    assert (order["status"], order["refunded"], order["refunds"][0]["held_back"]) == ("refunded", 18100, 1900)
    # The mug stays with the shopper, and so does its price with the shop.
    assert (order["units"], order["units_refunded"]) == ([3], [1, 2])
    assert stall.ann.post(f"/{order['order_no']}/refund", {"units": [3]}, 409)["state"] == "refunded"


def test_the_rule_is_that_of_the_time_of_the_order(stall: Stall) -> None:
    order = stall.paid((stall.kettle, 2))
    # What the record of changes says later does not matter.
    with writing(stall.shop.resources.engine) as connection:
        newest = changes.newest_number(connection)
        body = dict(changes.as_of_some(connection, "campaign", [stall.gift], newest)[stall.gift])
        cheaper = {**body["rule"]["tiers"][0], "at": 10000}
        changes.note(connection, "campaign", stall.gift, {**body, "rule": {**body["rule"], "tiers": [cheaper]}})
    look = stall.ann.post(f"/{order['order_no']}/refund/preview", {"units": [1]})
    assert (look["amount"], look["held_back"]) == (8100, 1900)
    # Nobody knows the rule when the shopper was erased: gifts stay with what brought them.
    with writing(stall.shop.resources.engine) as connection:
        connection.execute(delete(quotes).where(quotes.c.order_no == order["order_no"]))
    for units, amount in (([1], 10000), ([1, 2], 18100)):
        assert stall.ann.post(f"/{order['order_no']}/refund/preview", {"units": units})["amount"] == amount
    # A lamp is no kettle: nothing of the gift's campaign has changed.
    other = stall.paid((stall.kettle, 1), (stall.lamp, 1))
    look = stall.ann.post(f"/{other['order_no']}/refund/preview", {"lines": [{"line": 2, "quantity": 1}]})
    assert (look["amount"], look["held_back"], look["gifts_kept"]) == (4500, 0, [])


def test_budget_comes_back_with_units_and_use_only_with_all_of_them(stall: Stall, shop: Shop) -> None:
    order = stall.paid((stall.lamp, 3), (stall.kettle, 1), coupon=stall.coupon)
    number = order["order_no"]
    assert order["total"] == 3 * 4500 + 10000 - 1000
    counters = ("budget", stall.sale), ("campaign", stall.sale), ("campaign_shopper", stall.sale)
    coupons = ("coupon", stall.coupon), ("coupon_shopper", stall.coupon)
    assert [used(shop, *each) for each in (*counters, *coupons)] == [1500, 3, 3, 1, 1]
    stall.ann.post(f"/{number}/refund", {"units": [2]})
    assert [used(shop, *each) for each in (*counters, *coupons)] == [1000, 3, 3, 1, 1]
    stall.ann.post(f"/{number}/refund", {"lines": [{"line": 1, "quantity": 2}]})
    assert [used(shop, *each) for each in (*counters, *coupons)] == [0, 3, 3, 1, 1]
    order = stall.ann.post(f"/{number}/refund")
    assert [used(shop, *each) for each in (*counters, *coupons)] == [0, 0, 0, 0, 0]
    assert {state for _, state in holds(shop, number).values()} == {"released"}
    assert (order["status"], money(shop, number)) == ("refunded", (order["total"], order["total"]))
    # The coupon may be used again.
    assert stall.order((stall.kettle, 1), coupon=stall.coupon)["coupon_discount"] == 1000


def test_an_add_on_comes_back_at_its_own_price(stall: Stall, shop: Shop) -> None:
    towels = [{"campaign": stall.plus, "sku": stall.towel, "quantity": 2}]
    order = stall.paid((stall.pan, 1), add_ons=towels)
    number = order["order_no"]
    assert (order["total"], used(shop, "budget", stall.plus)) == (3000 + 2 * 900, 2 * 2000)
    # The pan that allowed it goes back first, and nothing is asked for towels that are kept.
    order = stall.ann.post(f"/{number}/refund", {"units": [1]})
    assert (order["status"], order["refunds"][0]["amount"], used(shop, "budget", stall.plus)) == (
        "paid",
        3000,
        4000,
    )
    order = stall.ann.post(f"/{number}/refund", {"lines": [{"line": 2, "quantity": 1}]})
    assert (order["status"], order["refunds"][1]["amount"], used(shop, "budget", stall.plus)) == ("paid", 900, 2000)
    order = stall.ann.post(f"/{number}/refund", {"units": [3]})
    assert (order["status"], order["refunded"], used(shop, "budget", stall.plus)) == ("refunded", 4800, 0)


def test_a_membership_goes_with_the_units_that_granted_it(stall: Stall, shop: Shop) -> None:
    card = shop.product(price=5000, stock=10, membership={"level": 2, "days": 30})
    order = stall.paid((stall.kettle, 1), (card, 2))

    def granted() -> list[tuple[int, int, bool]]:
        with reading(shop.resources.engine) as connection:
            rows = connection.execute(select(membership_grants))
            return [(each.line, each.units, each.revoked) for each in rows if each.order_no == order["order_no"]]

    assert granted() == [(2, 2, False)]
    stall.ann.post(f"/{order['order_no']}/refund", {"units": [1, 3]})
    assert granted() == [(2, 1, False)]
    stall.ann.post(f"/{order['order_no']}/refund")
    assert granted() == [(2, 0, True)]


@pytest.mark.parametrize("restock", [False, True])
def test_stock_comes_back_only_when_the_operator_says_so(stall: Stall, shop: Shop, restock: bool) -> None:
    order = stall.paid((stall.kettle, 2), (stall.lamp, 1))
    number = order["order_no"]
    assert [stock(shop, sku) for sku in (stall.kettle, stall.lamp, stall.mug)] == [(48, 0), (49, 0), (49, 0)]
    stall.api.post(f"/orders/{number}/refund", {"units": [1, 2, 4], "restock": restock})
    back = [(50, 0), (49, 0), (50, 0)] if restock else [(48, 0), (49, 0), (49, 0)]
    assert [stock(shop, sku) for sku in (stall.kettle, stall.lamp, stall.mug)] == back
    stall.ann.post(f"/{number}/refund")
    assert [stock(shop, sku) for sku in (stall.kettle, stall.lamp, stall.mug)] == back
    assert row(shop, number).status == "refunded"


def test_what_is_wrong_with_lines_is_said(stall: Stall) -> None:
    order = stall.paid((stall.kettle, 2), (stall.lamp, 1))
    path = f"/{order['order_no']}/refund"
    wrong = {"lines": [{"line": 4, "quantity": 1}, {"line": 1, "quantity": 1}, {"line": 1, "quantity": 1}]}
    problem = stall.ann.post(path, wrong, 422)
    assert fields_of(problem) == {"lines.0.line": "no_such_line", "lines.2.line": "repeated"}
    assert fields_of(stall.ann.post(path, {"units": [5]}, 422)) == {"units.0": "no_such_unit"}
    problem = stall.ann.post(path, {"lines": [{"line": 2, "quantity": 2}]}, 409)
    assert (problem["type"].rpartition(":")[2], problem["line"], problem["left"]) == ("too_many", 2, 1)
    assert stall.ann.post(f"{path}/preview", {"lines": [{"line": 2, "quantity": 2}]}, 409)["left"] == 1
    Shopper(stall.api, "somebody else").post(f"{path}/preview", {}, 404)
    # Several lines at once, in any order.
    order = stall.ann.post(path, {"lines": [{"line": 2, "quantity": 1}, {"line": 1, "quantity": 1}]})
    assert (order["refunds"][0]["units"], order["refunds"][0]["amount"]) == ([1, 3], 10000 + 4500 - 1900)


def test_what_cost_nothing_is_paid_back_without_a_provider(stall: Stall, shop: Shop) -> None:
    order = stall.order((stall.kettle, 1), coupon=stall.coupon)
    free = stall.api.post(
        "/coupons",
        {
            "code": shop.unique("FREE").upper(),
            "name": "Free",
            "kind": "amount",
            "amount_off": 10**6,
            "starts_at": shop.now_ms() - 1000,
            "ends_at": shop.now_ms() + 3_600_000,
        },
        201,
    )["code"]
    order = stall.order((stall.kettle, 1), coupon=free)
    assert (order["total"], order["status"], order["payments"]) == (0, "paid", [])
    order = stall.ann.post(f"/{order['order_no']}/refund")
    assert (order["status"], order["refunds"][0]["state"], order["refunds"][0]["amount"]) == (
        "refunded",
        "settled",
        0,
    )
    assert used(shop, "coupon", free) == 0
