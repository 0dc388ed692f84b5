"""Given an order in any state, each change is made or refused with the state, and of two at once one wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from buying import ANN, BOB, Shopper, an_order, bring, expire, goods, money, row, ticket_of, units_of, win
from sidecar import Api, Shop

from gateway.orders import states, tables

SHIPMENT = {"carrier": "Fast & Far", "tracking_no": "FF-1"}
ADDRESS = {
    "name": "Ann",
    "phone": "+886 2 1234",
    "line1": "1 Long Street",
    "city": "Taipei",
    "country": "TW",
}
SHOPPERS: dict[str, tuple[str, str, Any]] = {
    "pay": ("POST", "/pay", {}),
    "cancel": ("POST", "/cancel", {}),
    "refund": ("POST", "/refund", {}),
    "address": ("PUT", "/address", ADDRESS),
}
OPERATORS: dict[str, tuple[str, str, Any]] = {
    "ship": ("POST", "/ship", SHIPMENT),
    "complete": ("POST", "/complete", {}),
    "operator cancels": ("POST", "/cancel", {}),
    "operator refunds": ("POST", "/refund", {}),
    "reject": ("POST", "/refund/reject", {}),
}
# State, change, and the state after it; everything else is refused.
ALLOWED = {
    ("pending", "pay"): "paid",
    ("pending", "cancel"): "cancelled",
    ("pending", "address"): "pending",
    ("pending", "operator cancels"): "cancelled",
    ("paid", "pay"): "paid",
    ("paid", "refund"): "refunded",
    ("paid", "address"): "paid",
    ("paid", "ship"): "shipped",
    ("paid", "operator refunds"): "refunded",
    ("shipped", "pay"): "shipped",
    ("shipped", "refund"): "refunding",
    ("shipped", "complete"): "completed",
    ("shipped", "operator refunds"): "refunded",
    ("completed", "pay"): "completed",
    ("completed", "refund"): "refunding",
    ("completed", "operator refunds"): "refunded",
    ("refunding", "operator refunds"): "refunded",
    ("refunding", "reject"): "shipped",
}


def change(api: Api, order_no: str, name: str) -> Any:
    if name in SHOPPERS:
        method, path, body = SHOPPERS[name]
        return Shopper(api).send(method, f"/{order_no}{path}", body)
    method, path, body = OPERATORS[name]
    return api.send(method, f"/orders/{order_no}{path}", json=body)


# States that only orders of other flows reach.
OTHERS = {"deposit_paid", "balance_due", "awaiting_group"}


@pytest.mark.parametrize("state", [state for state in tables.ORDER_STATES if state not in OTHERS])
def test_every_change_is_refused_with_the_state_unless_allowed(api: Api, shop: Shop, state: str) -> None:
    order_no = an_order(shop)
    bring(shop, api, order_no, state)
    before = row(shop, order_no)
    for name in (*SHOPPERS, *OPERATORS):
        if (state, name) not in ALLOWED:
            reply = change(api, order_no, name)
            problem = reply.json()
            assert (reply.status_code, problem.get("state")) == (409, state), (name, problem)
    # Nothing has happened by any of them.
    assert row(shop, order_no) == before
    assert len(api.get(f"/audit?subject={order_no}")["items"]) == {
        "shipped": 1,
        "refunding": 1,
        "completed": 2,
    }.get(state, 0)


@pytest.mark.parametrize("state", sorted({state for state, _ in ALLOWED}))
def test_every_other_change_is_made(api: Api, shop: Shop, state: str) -> None:
    for name in (name for before, name in ALLOWED if before == state):
        _make(api, shop, state, name)


def _make(api: Api, shop: Shop, state: str, name: str) -> None:
    order_no = an_order(shop)
    bring(shop, api, order_no, state)
    told = len(api.get(f"/orders/{order_no}")["history"])
    reply = change(api, order_no, name)
    assert reply.status_code == 200, reply.text
    after = ALLOWED[state, name]
    assert (reply.json()["status"], row(shop, order_no).status) == (after, after)
    # Each step is in the history, and each follows from the one before.
    history = api.get(f"/orders/{order_no}")["history"]
    assert (len(history) > told) == (after != state)
    assert all(one["after"] == two["before"] for one, two in pairwise(history))
    # An active order holds its unit, and no other does.
    assert [active for _, active, _ in units_of(shop, order_no)] == [after in tables.ACTIVE_STATES]


def test_the_ledger_allows_no_other_step() -> None:
    assert {before for before, after in states.NEXT.items() if not after} == {"cancelled", "expired", "refunded"}
    assert {after for steps in states.NEXT.values() for after in steps} == {*tables.ORDER_STATES} - {"pending"}


def race(*steps: Callable[[], Any]) -> list[Any]:
    """Take all steps at the same moment; what each returned."""
    barrier = threading.Barrier(len(steps))
    results: list[Any] = [None] * len(steps)

    def run(position: int, step: Callable[[], Any]) -> None:
        barrier.wait()
        results[position] = step()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_paying_cancelling_and_expiring_exactly_one_happens(api: Api, shop: Shop) -> None:
    sku = shop.product(stock=500)
    offer = shop.campaign(items=[{"sku": sku, "stock": 100}]).items[0].offer
    statuses = [_race_for_one(api, shop, offer, f"racer {number}") for number in range(8)]
    paid = statuses.count("paid")
    assert goods(shop, sku) == (500 - paid, 100 - paid)


def _race_for_one(api: Api, shop: Shop, offer: str, name: str) -> str:
    order_no = shop.order(offer, shopper=name)
    racer = Shopper(api, name)
    # When a shopper pays, cancels in another window, an operator cancels and the time runs out at once,
    replies = race(
        lambda: racer.send("POST", f"/{order_no}/pay", {}).status_code,
        lambda: racer.send("POST", f"/{order_no}/cancel").status_code,
        lambda: api.send("POST", f"/orders/{order_no}/cancel").status_code,
        lambda: expire(shop, order_no),
    )
    # then exactly one has happened, and only its asker was told so.
    status = str(row(shop, order_no).status)
    history = api.get(f"/orders/{order_no}")["history"]
    assert [each["after"] for each in history] == ["pending", status]
    assert sorted(replies[:3]) == ([200, 409, 409] if status in {"paid", "cancelled"} else [409, 409, 409])
    assert (replies[0] == 200) == (status == "paid")
    # The money of an order that is not paid went back, and the unit is held or released.
    came, back = money(shop, order_no)
    assert came - back == (9900 if status == "paid" else 0)
    assert [each[1:] for each in units_of(shop, order_no)] == [(status == "paid", status != "paid")]
    return status


def test_of_parallel_payments_one_counts(api: Api, shop: Shop) -> None:
    order_no = an_order(shop)
    replies = race(*[lambda: Shopper(api).send("POST", f"/{order_no}/pay", {}).status_code] * 8)
    assert replies == [200] * 8
    came, back = money(shop, order_no)
    assert came - back == 9900
    assert [each["after"] for each in api.get(f"/orders/{order_no}")["history"]] == ["pending", "paid"]


def test_every_operators_change_is_in_the_audit_log(api: Api, shop: Shop) -> None:
    order_no = an_order(shop, quantity=2)
    Shopper(api).post(f"/{order_no}/pay")
    api.post(f"/orders/{order_no}/ship", SHIPMENT)
    Shopper(api).post(f"/{order_no}/refund", {"lines": [{"line": 1, "quantity": 1}]})
    api.post(f"/orders/{order_no}/refund/reject")
    api.post(f"/orders/{order_no}/complete")
    api.post(f"/orders/{order_no}/refund")
    items = api.get(f"/audit?kind=order&subject={order_no}")["items"][::-1]
    steps = [(each["action"], each["before"]["status"], each["after"]["status"]) for each in items]
    assert steps == [
        ("ship", "paid", "shipped"),
        ("reject refund", "refunding", "shipped"),
        ("complete", "shipped", "completed"),
        ("refund", "completed", "refunding"),
    ]
    assert items[0]["after"]["tracking_no"] == "FF-1"
    assert items[3]["after"]["amount"] == 2 * 9900
    assert {each["actor"] for each in items} == {items[0]["actor"]}
    assert items[0]["actor"].startswith("key-")
    # Shoppers see that it was an operator, and not which.
    history = Shopper(api).get(f"/{order_no}")["history"]
    assert {each["actor"] for each in history} == {"writer", "shopper", "payment", "operator", "refund"}
    assert items[0]["actor"] not in str(history)
    assert items[0]["actor"] in str(api.get(f"/orders/{order_no}")["history"])
    other = an_order(shop)
    api.post(f"/orders/{other}/cancel")
    assert [each["action"] for each in api.get(f"/audit?subject={other}")["items"]] == ["cancel"]


def test_a_cancelled_unit_is_sold_again_under_its_number(api: Api, shop: Shop) -> None:
    offer = shop.campaign(items=[{"sku": shop.product(), "stock": 1}]).items[0].offer
    order_no = win(shop, offer, ANN)
    # Given the last unit is sold, when its order is cancelled, then the very next click wins it.
    Shopper(api).post(f"/{order_no}/cancel")
    assert ticket_of(shop, offer, ANN) is None
    again = win(shop, offer, BOB)
    assert [unit for unit, *_ in units_of(shop, again)] == [unit for unit, *_ in units_of(shop, order_no)]
