"""Given orders of every flow, in states half way, money goes back through the payments that it came by, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from buying import BOB, Shopper, an_order, begin, bring, goods, money, row
from grouping import Guest, group_buy, held, open_group, pay, seats
from grouping import row as group_row
from paid_carts import Stall, holds, transfers
from preselling import HOUR_MS, TERMS, Buyer, code_of, presale, tick, window
from sidecar import ACTOR, Api, Shop
from sqlalchemy import insert, select

from admin.campaigns import service as campaigns
from admin.campaigns.tables import campaigns as campaign_rows
from admin.flows.interface import Due
from admin.orders import views
from admin.payments import booking, follow_up, refund_requests, refunding
from admin.payments.follow_up import FollowUp
from admin.payments.providers import registry
from admin.payments.providers.interface import Payment, ProviderAway, Refund, Standing
from admin.payments.providers.sandbox import Sandbox
from admin.payments.refund_all import RefundAll
from admin.payments.tables import payments, refunds
from gateway.orders import states
from gateway.orders.database import now_ms, reading, writing

REFUNDED = {**TERMS, "on_unpaid": "refund"}


class Bank(Sandbox):
    """A provider that remembers what it was asked to send back, and is away when told so."""

    sent: dict[str, tuple[str, int]]
    away: set[str]

    def give_back(self, refund: Refund) -> bool:
        if refund.payment in self.away:
            raise ProviderAway("nobody answers")
        known = self.sent.setdefault(refund.id, (refund.payment, refund.amount))
        assert known == (refund.payment, refund.amount), "asked for something else under the same id"
        return True


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> type[Bank]:
    class Own(Bank):
        pass

    Own.sent, Own.away = {}, set()
    monkeypatch.setitem(registry._KINDS, "sandbox", Own)
    monkeypatch.setattr(follow_up, "ASK_AGAIN_MS", -1)
    monkeypatch.setattr(follow_up, "ASK_EVERY_S", 0.0)
    return Own


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sidecar's own threads find nothing to do: the test makes the rounds."""
    for kind in (RefundAll, FollowUp):
        monkeypatch.setattr(kind, "start", lambda self: None)
        monkeypatch.setattr(kind, "stop", lambda self: None)


def paid_presale(shop: Shop, api: Api, quantity: int = 1) -> tuple[str, list[str]]:
    """The number of a pre-sale order, and its payments: of the balance, then of the deposit."""
    sku = shop.product(price=10000, stock=50)
    number = Buyer(api).deposited(presale(shop, sku), sku, quantity)
    window(shop, number, -1000, HOUR_MS)
    Buyer(api).balance(number)
    with reading(shop.resources.engine) as connection:
        return number, [each.id for each in refunding.that_paid(connection, number)]


@pytest.mark.usefixtures("by_hand")
def test_money_of_a_pre_sale_goes_back_through_both_its_payments(api: Api, shop: Shop, bank: type[Bank]) -> None:
    # 100.00 each, of which a deposit of 10.00 counts for 25.00: 75.00 and 10.00.
    number, (balance, deposit) = paid_presale(shop, api, 2)
    assert money(shop, number) == (17000, 0)
    ann = Buyer(api)
    order = ann.post(f"/{number}/refund", {"units": [2]})
    assert (order["status"], order["refunds"][0]["amount"]) == ("paid", 8500)
    assert transfers(shop, order["refunds"][0]["id"]) == [(balance, 8500, "settled")]
    # The balance has 65.00 left. When the provider does nothing about the deposit,
    bank.away = {deposit}
    order = ann.post(f"/{number}/refund")
    second = order["refunds"][1]
    assert (order["status"], second["state"], second["amount"]) == ("refunding", "sending", 8500)
    assert transfers(shop, second["id"]) == [(balance, 6500, "settled"), (deposit, 2000, "sending")]
    FollowUp(shop.resources).round()
    assert row(shop, number).status == "refunding"
    # then the refund is finished when it does, and nothing is sent twice.
    bank.away = set()
    FollowUp(shop.resources).round()
    assert row(shop, number).status == "refunded"
    assert transfers(shop, second["id"]) == [(balance, 6500, "settled"), (deposit, 2000, "settled")]
    assert sorted(bank.sent.values()) == sorted([(balance, 8500), (balance, 6500), (deposit, 2000)])
    FollowUp(shop.resources).round()
    assert len(bank.sent) == 3
    assert money(shop, number) == (17000, 17000)


@pytest.mark.parametrize("rule", [TERMS, REFUNDED], ids=["forfeit", "refund"])
def test_a_deposit_is_paid_back_whole_and_if_forfeit_only_by_an_operator(api: Api, shop: Shop, rule: Any) -> None:
    sku = shop.product(price=10000, stock=50)
    ann = Buyer(api)
    number = ann.deposited(presale(shop, sku, rule=rule), sku, 3)
    assert goods(shop, sku) == (50, 3)
    for body in ({"units": [1]}, {"lines": [{"line": 1, "quantity": 2}]}):
        assert code_of(ann.post(f"/{number}/refund", body, 409)) == "whole_only"
        assert code_of(api.post(f"/orders/{number}/refund", body, 409)) == "whole_only"
    look = ann.post(f"/{number}/refund/preview")
    assert (look["amount"], look["units"], look["at_once"]) == (3000, [1, 2, 3], rule is REFUNDED)
    window(shop, number, -1000, HOUR_MS)
    tick(shop)
    assert row(shop, number).status == "balance_due"
    order = ann.post(f"/{number}/refund", {"units": [3, 1, 2]})
    if rule is TERMS:
        assert (order["status"], order["refunds"][0]["state"]) == ("refunding", "requested")
        # What waits for an operator is left alone by the clock, and is what it was when they decline.
        tick(shop)
        assert code_of(ann.balance(number, status=409)) == "wrong_state"
        assert api.post(f"/orders/{number}/refund/reject")["status"] == "balance_due"
        ann.post(f"/{number}/refund")
        order = api.post(f"/orders/{number}/refund", {"restock": True})
    assert (order["status"], money(shop, number)) == ("refunded", (3000, 3000))
    # Its units were only promised, so they are free again whatever the operator says of them.
    assert goods(shop, sku) == (50, 0)
    assert {state for _, state in holds(shop, number).values()} <= {"released"}


def test_money_that_comes_for_an_order_being_paid_back_goes_back_too(api: Api, shop: Shop) -> None:
    sku = shop.product(price=10000, stock=50)
    ann = Buyer(api)
    number = ann.deposited(presale(shop, sku), sku)
    window(shop, number, -1000, HOUR_MS)
    tick(shop)
    with writing(shop.resources.engine) as connection:
        order = views.find(connection, number, lock=True)
        due = Due(7500, "balance", order.expire_at_ms)
        payment = booking.begin(connection, order, due, registry.chosen(shop.resources), None)
    assert ann.post(f"/{number}/refund")["refunds"][0]["state"] == "requested"
    booking.book(shop.resources, payment, Standing("settled", "balance"))
    order = ann.get(f"/{number}")
    assert (order["status"], order["paid"]) == ("refunding", 1000)
    late = [each for each in order["refunds"] if each["reason"] != "asked"]
    assert [(each["reason"], each["amount"], each["state"]) for each in late] == [("late_payment", 7500, "settled")]
    # The deposit is still the shop's to decide about, and only that is left to go back.
    assert api.post(f"/orders/{number}/refund")["status"] == "refunded"
    assert money(shop, number) == (8500, 8500)


def test_a_seat_is_free_at_once_wherever_the_money_is(api: Api, shop: Shop, bank: type[Bank]) -> None:
    campaign = group_buy(shop)
    group, number = open_group(shop, campaign, "ann")
    pay(shop, number)
    ann = Guest(api, "ann")
    with reading(shop.resources.engine) as connection:
        bank.away = {each.id for each in refunding.that_paid(connection, number)}
    assert ann.post(f"/api/orders/{number}/refund")["status"] == "refunding"
    # The money is still on its way, the seat is not.
    assert seats(shop, group) == (0, 0)
    assert held(shop, number)["stock"] == "reserved"
    bank.away = set()
    with reading(shop.resources.engine) as connection:
        refund = connection.execute(select(refunds.c.id).where(refunds.c.order_no == number)).scalar_one()
    refunding.send(shop.resources, refund)
    assert (row(shop, number).status, set(held(shop, number).values())) == ("refunded", {"released"})
    assert goods(shop, campaign.items[0].sku) == (500, 0)


def test_whoever_is_paid_back_by_the_shop_is_paid_back_once(api: Api, shop: Shop) -> None:
    number, _ = paid_presale(shop, api)

    def attempt(_: int) -> str | None:
        with writing(shop.resources.engine) as connection:
            order = views.find(connection, number, lock=True)
            refund = refund_requests.pay_back(connection, order, reason="group_failed", actor="group")
        if refund is not None:
            refunding.send(shop.resources, refund)
        return refund

    with ThreadPoolExecutor(6) as pool:
        started = [refund for refund in pool.map(attempt, range(6)) if refund is not None]
    assert len(started) == 1
    assert money(shop, number) == (8500, 8500)
    order = api.get(f"/orders/{number}")
    assert [(each["reason"], each["state"]) for each in order["refunds"]] == [("group_failed", "settled")]
    assert [each["actor"] for each in order["history"]][-2:] == ["group", "refund"]


def test_two_refunds_at_once_never_pay_for_a_unit_twice(api: Api, shop: Shop) -> None:
    stall = Stall(shop, api)
    number = stall.paid((stall.kettle, 4), (stall.lamp, 2))["order_no"]
    bodies: list[Any] = [{"units": [1, 5]}, {"units": [1]}, {"lines": [{"line": 1, "quantity": 2}]}, {}] * 2

    def attempt(body: Any) -> int:
        return stall.ann.send("POST", f"/{number}/refund", body).status_code

    with ThreadPoolExecutor(8) as pool:
        replies = set(pool.map(attempt, bodies))
    assert replies <= {200, 409}
    order = stall.ann.get(f"/{number}")
    units = [unit for each in order["refunds"] for unit in each["units"]]
    assert len(units) == len(set(units))
    assert money(shop, number)[1] == sum(each["amount"] for each in order["refunds"]) <= order["total"]
    if order["status"] != "refunded":
        stall.ann.post(f"/{number}/refund")
    assert money(shop, number) == (order["total"], order["total"])


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("step", ["written", "sent"])
def test_a_crash_at_any_step_is_made_good(api: Api, shop: Shop, bank: type[Bank], step: str) -> None:
    number, (balance, deposit) = paid_presale(shop, api)
    with writing(shop.resources.engine) as connection:
        order = views.find(connection, number, lock=True)
        refund = refund_requests.pay_back(connection, order, reason="terminated", actor="tester")
    assert refund is not None
    if step == "sent":
        # The provider has done a part, and the process died before it could write that down.
        bank(shop.resources.settings.signing_secrets).give_back(Refund(refund, balance, None, 7500, "CNY"))
    FollowUp(shop.resources).round()
    assert row(shop, number).status == "refunded"
    assert sorted(bank.sent.values()) == sorted([(balance, 7500), (deposit, 1000)])


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("taken", [False, True], ids=["never asked for", "taken before the crash"])
def test_an_order_that_is_over_is_not_charged_any_more(
    api: Api, shop: Shop, bank: type[Bank], monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    number = an_order(shop)
    payment = begin(shop, number)
    Shopper(api).post(f"/{number}/cancel")

    def charge(self: Bank, asked: Payment) -> Standing:
        raise AssertionError(f"{asked.id} is charged for an order that is over")

    monkeypatch.setattr(bank, "charge", charge)
    monkeypatch.setattr(bank, "find", lambda self, asked: Standing("settled", "known") if taken else None)
    FollowUp(shop.resources).round()
    order = Shopper(api).get(f"/{number}")
    assert [each["state"] for each in order["payments"]] == ["settled" if taken else "refused"]
    assert [each["reason"] for each in order["refunds"]] == ["late_payment"] * taken
    assert list(bank.sent.values()) == [(payment.id, 9900)] * taken


@pytest.mark.usefixtures("by_hand")
def test_refunds_of_the_release_before_are_sent_and_counted(api: Api, shop: Shop, bank: type[Bank]) -> None:
    number = an_order(shop, quantity=3)
    bring(shop, api, number, "paid")
    units = Shopper(api).get(f"/{number}")["units"]
    with writing(shop.resources.engine) as connection:
        payment = connection.execute(select(payments.c.id).where(payments.c.order_no == number)).scalar_one()
        now = now_ms(connection)
        # As it writes them: no transfers.
        connection.execute(
            insert(refunds).values(
                id="ref_before" + number,
                order_no=number,
                payment=payment,
                units=units[:1],
                amount=9900,
                state="sending",
                reason="asked",
                restock=False,
                requested_by="shopper",
                requested_at_ms=now,
            )
        )
        states.move(connection, number, "paid", "refunding", actor="shopper", at_ms=now)
    FollowUp(shop.resources).round()
    assert bank.sent == {"ref_before" + number: (payment, 9900)}
    order = Shopper(api).post(f"/{number}/refund")
    assert (order["status"], money(shop, number)) == ("refunded", (3 * 9900, 3 * 9900))
    assert transfers(shop, order["refunds"][1]["id"]) == [(payment, 2 * 9900, "settled")]
    assert order["refunds"][1]["id"] in bank.sent, "a refund through one payment goes by its own id"


@pytest.mark.usefixtures("by_hand")
def test_a_campaign_of_any_flow_that_is_undone_pays_everybody_back(api: Api, shop: Shop) -> None:
    sku = shop.product(price=10000, stock=50)
    code = presale(shop, sku)
    first, second = Buyer(api).deposited(code, sku), Buyer(api, BOB).deposited(code, sku)
    pending = Buyer(api, "cid").deposit(code, sku)["order_no"]
    window(shop, second, -1000, HOUR_MS)
    Buyer(api, BOB).balance(second)
    together = group_buy(shop)
    group, seat = open_group(shop, together, "ann")
    pay(shop, seat)
    bystander = Stall(shop, api)
    cart = bystander.paid((bystander.kettle, 2))["order_no"]
    for each in (code, together.code, bystander.gift):
        campaigns.terminate(shop.resources, each, {"refund_all": True}, actor=ACTOR)
    RefundAll(shop.resources).round()
    RefundAll(shop.resources).round()
    assert [row(shop, each).status for each in (first, second, pending, seat, cart)] == [
        "refunded",
        "refunded",
        "cancelled",
        "refunded",
        "paid",
    ]
    assert [money(shop, each) for each in (first, second, seat)] == [(1000, 1000), (8500, 8500), (9900, 9900)]
    assert (group_row(shop, group).state, goods(shop, together.items[0].sku)) == ("failed", (500, 0))
    with reading(shop.resources.engine) as connection:
        marked = select(campaign_rows.c.refund_all_by).where(
            campaign_rows.c.code.in_((code, together.code, bystander.gift))
        )
        assert set(connection.execute(marked).scalars()) == {None}
