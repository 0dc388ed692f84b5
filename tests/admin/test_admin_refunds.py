"""Given paid orders, money goes back by the unit, each unit once, and to the last cent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from buying import ANN, BOB, Shopper, an_order, bring, goods, money, row, ticket_of, units_of, win
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sidecar import ACTOR, Api, Shop, fields_of
from sqlalchemy import select

from admin.campaigns import service as campaigns
from admin.campaigns import settling
from admin.campaigns.tables import campaign_items
from admin.payments import refunding
from admin.payments.providers import registry
from admin.payments.providers.interface import Refund
from admin.payments.providers.sandbox import Sandbox
from gateway.orders.database import reading


def paid_order(shop: Shop, api: Api, quantity: int) -> str:
    order_no = an_order(shop, quantity=quantity)
    bring(shop, api, order_no, "paid")
    return order_no


def numbers(shop: Shop, order_no: str) -> list[int]:
    return [unit for unit, *_ in units_of(shop, order_no)]


def test_units_go_back_by_number_or_in_ascending_order(api: Api, shop: Shop) -> None:
    order_no = paid_order(shop, api, 5)
    units, ann = numbers(shop, order_no), Shopper(api)
    # When units are named, these go back; when only a quantity is, the lowest that are left.
    order = ann.post(f"/{order_no}/refund", {"units": [units[3], units[1]]})
    assert (order["status"], order["units"]) == ("paid", [units[0], units[2], units[4]])
    assert order["units_refunded"] == [units[1], units[3]]
    order = ann.post(f"/{order_no}/refund", {"lines": [{"line": 1, "quantity": 2}]})
    assert order["units"] == [units[4]]
    # When nothing is said, everything that is left does, and the order is refunded.
    order = ann.post(f"/{order_no}/refund")
    assert (order["status"], order["units"], order["units_refunded"]) == ("refunded", [], units)
    assert [(each["units"], each["amount"]) for each in order["refunds"]] == [
        ([units[1], units[3]], 2 * 9900),
        ([units[0], units[2]], 2 * 9900),
        ([units[4]], 9900),
    ]
    assert {each["state"] for each in order["refunds"]} == {"settled"}
    # The numbers are not sold again.
    assert [each[1:] for each in units_of(shop, order_no)] == [(False, False)] * 5


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), quantity=st.integers(1, 7))
def test_any_partial_refunds_add_up_to_the_total(api: Api, shop: Shop, data: st.DataObject, quantity: int) -> None:
    order_no = paid_order(shop, api, quantity)
    left, ann, total = numbers(shop, order_no), Shopper(api), quantity * 9900
    while left:
        before = money(shop, order_no)[1]
        if data.draw(st.booleans(), label="by number"):
            chosen = data.draw(st.lists(st.sampled_from(left), min_size=1, unique=True), label="units")
            body: dict[str, Any] = {"units": chosen}
        else:
            count = data.draw(st.integers(1, len(left)), label="quantity")
            chosen, body = left[:count], {"lines": [{"line": 1, "quantity": count}]}
        order = ann.post(f"/{order_no}/refund", body)
        left = [unit for unit in left if unit not in chosen]
        assert order["units"] == left
        assert money(shop, order_no) == (total, before + len(chosen) * 9900)
        # What went back once does not go back again.
        ann.post(f"/{order_no}/refund", {"units": [chosen[0]]}, 409)
    assert order["status"] == "refunded"
    assert money(shop, order_no) == (total, total)


def test_two_refunds_of_the_same_unit_pay_once(api: Api, shop: Shop) -> None:
    order_no = paid_order(shop, api, 3)
    unit = numbers(shop, order_no)[1]

    def attempt(position: int) -> int:
        if position % 2:
            return api.send("POST", f"/orders/{order_no}/refund", json={"units": [unit]}).status_code
        return Shopper(api).send("POST", f"/{order_no}/refund", {"units": [unit]}).status_code

    with ThreadPoolExecutor(8) as pool:
        replies = sorted(pool.map(attempt, range(8)))
    assert replies == [200] + [409] * 7
    assert money(shop, order_no) == (3 * 9900, 9900)
    assert row(shop, order_no).status == "paid"


def test_parallel_refunds_never_exceed_the_total(api: Api, shop: Shop) -> None:
    order_no = paid_order(shop, api, 4)
    one = {"lines": [{"line": 1, "quantity": 1}]}
    with ThreadPoolExecutor(8) as pool:
        replies = list(
            pool.map(lambda _: Shopper(api).send("POST", f"/{order_no}/refund", one).status_code, range(8))
        )
    settled = replies.count(200)
    assert 1 <= settled <= 4
    assert money(shop, order_no) == (4 * 9900, settled * 9900)
    assert sum(active for _, active, _ in units_of(shop, order_no)) == 4 - settled


def test_a_refund_that_two_send_at_once_is_finished_once(
    api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no = paid_order(shop, api, 2)
    sent = []

    class Overtaken(Sandbox):
        """While one asks, another asks and finishes."""

        def give_back(self, refund: Refund) -> bool:
            sent.append(refund.id)
            if len(sent) == 1:
                refunding.send(shop.resources, refund.id)
            return True

    monkeypatch.setitem(registry._KINDS, "sandbox", Overtaken)
    order = Shopper(api).post(f"/{order_no}/refund", {"lines": [{"line": 1, "quantity": 1}]})
    assert len(sent) == 2
    assert len(set(sent)) == 1
    assert (order["status"], len(order["units"]), len(order["refunds"])) == ("paid", 1, 1)
    assert [each["after"] for each in order["history"]] == ["pending", "paid", "refunding", "paid"]
    assert money(shop, order_no) == (2 * 9900, 9900)


def test_what_is_wrong_with_a_refund_is_said(api: Api, shop: Shop) -> None:
    order_no = paid_order(shop, api, 2)
    first, second = numbers(shop, order_no)
    ann = Shopper(api)

    def refused(body: Any, status: int = 422) -> Any:
        problem = ann.post(f"/{order_no}/refund", body, status)
        return fields_of(problem) if status == 422 else problem

    assert refused({"units": [first, 7, first]}) == {"units.1": "no_such_unit", "units.2": "repeated"}
    assert refused({"lines": [{"line": 2, "quantity": 1}]}) == {"lines.0.line": "no_such_line"}
    assert refused({"units": [first], "lines": [{"line": 1, "quantity": 1}]}) == {"": "ambiguous"}
    assert refused({"units": []}) == {"units": "too_few"}
    assert refused({"lines": [{"line": 1, "quantity": True}]}) == {"lines.0.quantity": "not_an_integer"}
    assert refused({"restock": True}) == {"restock": "unknown_field"}
    assert refused({"lines": [{"line": 1, "quantity": 3}]}, 409)["left"] == 2
    ann.post(f"/{order_no}/refund", {"units": [second]})
    assert refused({"units": [first, second]}, 409)["units"] == [second]
    assert money(shop, order_no) == (2 * 9900, 9900)


def test_after_shipping_an_operator_decides(api: Api, shop: Shop) -> None:
    order_no = an_order(shop, quantity=3)
    bring(shop, api, order_no, "completed")
    units, ann = numbers(shop, order_no), Shopper(api)
    # When the shopper asks, nothing goes back yet, and nothing else can be asked.
    asked = ann.post(f"/{order_no}/refund", {"units": units[:2]})
    assert (asked["status"], asked["refunds"][0]["state"], asked["units"]) == ("refunding", "requested", units)
    assert money(shop, order_no)[1] == 0
    ann.post(f"/{order_no}/refund", {"units": units[2:]}, 409)
    # When an operator rejects it, the order is what it was;
    rejected = api.post(f"/orders/{order_no}/refund/reject")
    assert (rejected["status"], rejected["refunds"][0]["state"]) == ("completed", "rejected")
    assert money(shop, order_no)[1] == 0
    # when the shopper asks again and an operator agrees to just that, the money goes.
    ann.post(f"/{order_no}/refund", {"units": units[:2]})
    problem = api.post(f"/orders/{order_no}/refund", {"units": units[:1]}, 422)
    assert fields_of(problem) == {"units": "not_as_asked"}
    agreed = api.post(f"/orders/{order_no}/refund", {"units": units[1::-1]})
    assert (agreed["status"], agreed["units"]) == ("completed", [units[2]])
    assert money(shop, order_no) == (3 * 9900, 2 * 9900)
    assert api.post(f"/orders/{order_no}/refund")["status"] == "refunded"
    assert money(shop, order_no) == (3 * 9900, 3 * 9900)


@pytest.mark.parametrize("restock", [False, True])
def test_only_with_restock_is_the_unit_sold_again(api: Api, shop: Shop, restock: bool) -> None:
    sku = shop.product(stock=10)
    campaign = shop.campaign(items=[{"sku": sku, "stock": 2}])
    offer = campaign.items[0].offer
    order_no = win(shop, offer, ANN)
    (unit,) = numbers(shop, order_no)
    bring(shop, api, order_no, "shipped")
    assert goods(shop, sku) == (9, 1)
    refunded = api.post(f"/orders/{order_no}/refund", {"restock": restock})
    assert (refunded["status"], refunded["refunds"][0]["restock"]) == ("refunded", restock)
    # With it the product has the unit back, promised to the offer, which sells it under its number;
    assert goods(shop, sku) == ((10, 2) if restock else (9, 1))
    assert (refunded["units_released"], refunded["units_refunded"]) == (([unit], []) if restock else ([], [unit]))
    assert shop.offer(offer).left == (2 if restock else 1)
    # without, the shopper's ticket stays, and with it the chance is used.
    assert (ticket_of(shop, offer, ANN) is None) == restock
    assert numbers(shop, win(shop, offer, BOB)) == ([unit] if restock else [unit + 1])


def test_at_the_end_every_unit_is_accounted_for(api: Api, shop: Shop) -> None:
    sku = shop.product(stock=20)
    campaign = shop.campaign(items=[{"sku": sku, "stock": 10}])
    offer = campaign.items[0].offer
    # Given one paid, one refunded, one cancelled of ten,
    made = {name: win(shop, offer, name) for name in ("keeps", "refunds", "cancels", "returns")}
    for name in ("keeps", "refunds", "returns"):
        Shopper(api, name).post(f"/{made[name]}/pay")
    Shopper(api, "refunds").post(f"/{made['refunds']}/refund")
    Shopper(api, "cancels").post(f"/{made['cancels']}/cancel")
    # when the sale is over and what is left goes back,
    campaigns.terminate(shop.resources, campaign.code, {}, actor=ACTOR)
    due = settling.Due(offer, campaign.code, sku)
    settling.settle(shop.resources, due)
    # then three have left for good, nothing is promised any more, and that is final.
    assert goods(shop, sku) == (17, 0)
    assert _settled(shop, campaign.code)
    # When an operator takes one back after that, it goes to the free stock too.
    api.post(f"/orders/{made['returns']}/refund", {"restock": True})
    assert goods(shop, sku) == (18, 1)
    assert not _settled(shop, campaign.code)
    settling.settle(shop.resources, due)
    assert goods(shop, sku) == (18, 0)
    assert _settled(shop, campaign.code)


def _settled(shop: Shop, code: str) -> bool:
    with reading(shop.resources.engine) as connection:
        return bool(
            connection.execute(
                select(campaign_items.c.settled).where(campaign_items.c.campaign == code)
            ).scalar_one()
        )
