"""Balances: when they may be paid, what happens to those that are not, and money that comes at a bad moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from buying import Shopper, goods, money, row
from preselling import (
    HOUR_MS,
    TERMS,
    Buyer,
    clock,
    code_of,
    history,
    presale,
    tally,
    tick,
    told,
    window,
)
from sidecar import Api, Shop
from sqlalchemy import select, update

from admin.campaigns import service as campaigns
from admin.payments import paying, refunding
from admin.payments.follow_up import FollowUp
from admin.payments.refund_all import RefundAll
from admin.payments.tables import payments, refunds
from admin.presales import balances
from admin.presales.balances import Balances
from gateway.orders.database import reading, writing

PRICE = 12900
DEPOSIT, TOTAL = 1000, 12900 - 2500 + 1000
MINUTE_MS = 60_000


@pytest.fixture(autouse=True)
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds happen when the test says so."""
    monkeypatch.setattr(Balances, "interval_s", 3600.0)


def back(shop: Shop, number: str) -> list[tuple[str, int, str]]:
    """Refunds of an order: reason, amount and state."""
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(
            select(refunds).where(refunds.c.order_no == number).order_by(refunds.c.requested_at_ms, refunds.c.id)
        )
        return [(each.reason, each.amount, each.state) for each in rows]


def paid(shop: Shop, number: str) -> list[tuple[str, int, str]]:
    """Payments of an order: purpose, amount and state."""
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(
            select(payments).where(payments.c.order_no == number).order_by(payments.c.created_at_ms, payments.c.id)
        )
        return [(each.purpose, each.amount, each.state) for each in rows]


def put_off(shop: Shop, number: str) -> Any:
    """The payment that the provider is to settle later, its callback due by now."""
    with writing(shop.resources.engine) as connection:
        late = connection.execute(
            select(payments).where(payments.c.order_no == number, payments.c.state == "started")
        ).one()
        connection.execute(
            update(payments).where(payments.c.id == late.id).values(plan={**late.plan, "callback_at_ms": 0})
        )
        return connection.execute(select(payments).where(payments.c.id == late.id)).one()


def callback_comes(shop: Shop, number: str) -> None:
    """What the provider has put off happens now."""
    late = put_off(shop, number)
    assert paying.deliver(shop.resources, late)
    assert paying.deliver(shop.resources, late), "a repeated one does no harm"


def test_a_balance_opens_is_called_to_mind_once_and_is_paid(shop: Shop, api: Api) -> None:
    sku = shop.product(stock=5)
    ann, code = Buyer(api), presale(shop, sku)
    pending = ann.deposit(code, sku)["order_no"]
    assert code_of(ann.balance(pending, status=409)) == "wrong_state"
    number = ann.deposited(code, sku, 2)
    early = ann.balance(number, status=409)
    assert (code_of(early), early["balance_starts_at"]) == (
        "balance_not_open",
        ann.get(f"/{number}")["presale"]["balance_starts_at"],
    )
    tick(shop)
    assert (row(shop, number).status, told(shop, number)) == ("deposit_paid", [])

    window(shop, number, -1, 50 * HOUR_MS)
    tick(shop)
    tick(shop)
    owed = 2 * (PRICE - 2500)
    assert (row(shop, number).status, told(shop, number)) == ("balance_due", [("balance_due", owed)])
    assert clock(shop, number).next_at_ms == clock(shop, number).balance_ends_at_ms - 24 * HOUR_MS
    window(shop, number, -27 * HOUR_MS, 23 * HOUR_MS)
    tick(shop)
    tick(shop)
    assert told(shop, number) == [("balance_due", owed), ("balance_ends", owed)]
    assert clock(shop, number).next_at_ms == clock(shop, number).balance_ends_at_ms

    assert code_of(ann.balance(number, {"sandbox": "refuse"}, 402)) == "payment_refused"
    assert ann.balance(number, {"sandbox": "twice"})["status"] == "paid"
    assert ann.balance(number)["paid"] == 2 * TOTAL, "paid once"
    assert ann.post(f"/{number}/pay")["status"] == "paid"
    assert paid(shop, number) == [
        ("deposit", 2 * DEPOSIT, "settled"),
        ("balance", owed, "refused"),
        ("balance", owed, "settled"),
    ]
    assert (money(shop, number), back(shop, number)) == ((2 * TOTAL, 0), [])
    assert [after for after, _ in history(shop, number)] == ["deposit_paid", "balance_due", "paid"]
    window(shop, number, -2, -1)
    tick(shop)
    assert (row(shop, number).status, goods(shop, sku)) == ("paid", (3, 1))
    # Somebody who buys in another way has no balance.
    assert Shopper(api, "eve").post(f"/{number}/balance", status=404)
    offer = shop.campaign().items[0].offer
    won = shop.order(offer, shopper=row(shop, number).shopper)
    assert code_of(ann.balance(won, status=409)) == "not_a_presale"


def test_a_balance_may_be_paid_before_the_round_has_noticed(shop: Shop, api: Api) -> None:
    sku = shop.product()
    ann, code = Buyer(api), presale(shop, sku)
    one, two = ann.deposited(code, sku), ann.deposited(code, sku)
    for number in (one, two):
        window(shop, number, -1, HOUR_MS)
    assert ann.balance(one)["status"] == "paid"
    assert ann.post(f"/{two}/pay")["status"] == "paid"
    for number in (one, two):
        tick(shop)
        assert told(shop, number) == [("balance_due", PRICE - 2500)]
        assert [after for after, _ in history(shop, number)] == ["deposit_paid", "balance_due", "paid"]
        assert money(shop, number) == (TOTAL, 0)


@pytest.mark.parametrize("noticed", [True, False], ids=["opened", "never opened"])
def test_a_deposit_is_forfeited_when_the_balance_is_never_paid(shop: Shop, api: Api, noticed: bool) -> None:
    sku = shop.product(stock=5)
    ann, code = Buyer(api), presale(shop, sku, limits={"total": 3})
    number = ann.deposited(code, sku, 3)
    if noticed:
        window(shop, number, -1, HOUR_MS)
        tick(shop)
        # The provider takes its time, and more.
        assert ann.send("POST", f"/{number}/balance", {"sandbox": "late"}).status_code == 202
        balances.end(shop.resources, number)
        assert row(shop, number).status == "balance_due", "it is not yet time"
    window(shop, number, -2 * MINUTE_MS, -MINUTE_MS)
    assert code_of(ann.balance(number, status=409)) == "order_expired"
    assert tally(shop, "campaign", code) == (0, 3)
    tick(shop)
    tick(shop)
    balances.end(shop.resources, number)
    missed = ("balance_missed", 3 * (PRICE - 2500))
    assert told(shop, number) == ([("balance_due", missed[1]), missed] if noticed else [missed])
    assert history(shop, number)[-1] == ("expired", {"forfeited": 3 * DEPOSIT})
    assert (goods(shop, sku), tally(shop, "campaign", code)) == ((5, 0), (0, 0))
    assert code_of(ann.balance(number, status=409)) == "order_expired"
    if noticed:
        callback_comes(shop, number)
        assert back(shop, number) == [("late_payment", 3 * (PRICE - 2500), "settled")]
    assert row(shop, number).status == "expired"
    came, went = money(shop, number)
    assert came - went == 3 * DEPOSIT


def test_a_deposit_goes_back_by_itself_where_the_terms_say_so(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    sku = shop.product(stock=5)
    ann, code = Buyer(api), presale(shop, sku, rule={**TERMS, "on_unpaid": "refund"}, limits={"total": 3})
    number = ann.deposited(code, sku, 2)
    window(shop, number, -1, HOUR_MS)
    tick(shop)
    assert ann.send("POST", f"/{number}/balance", {"sandbox": "late"}).status_code == 202
    window(shop, number, -2 * MINUTE_MS, -MINUTE_MS)
    # The sidecar dies between the commit and the provider.
    with monkeypatch.context() as dying:
        dying.setattr(refunding, "send", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            tick(shop)
    assert back(shop, number) == [("balance_missed", 2 * DEPOSIT, "sending")]
    tick(shop)
    # Late money finds the order on its way back.
    callback_comes(shop, number)
    with writing(shop.resources.engine) as connection:
        connection.execute(
            update(refunds)
            .where(refunds.c.order_no == number)
            .values(requested_at_ms=refunds.c.requested_at_ms - 60_000)
        )
    follow_up = FollowUp(shop.resources)
    follow_up.round()
    follow_up.round()
    assert sorted(back(shop, number)) == [
        ("balance_missed", 2 * DEPOSIT, "settled"),
        ("late_payment", 2 * (PRICE - 2500), "settled"),
    ]
    assert (row(shop, number).status, money(shop, number)) == ("refunded", (2 * TOTAL, 2 * TOTAL))
    assert (goods(shop, sku), tally(shop, "campaign", code)) == ((5, 0), (0, 0))
    assert [kind for kind, _ in told(shop, number)] == ["balance_due", "balance_missed"]
    tick(shop)
    assert len(back(shop, number)) == 2


def test_a_deposit_that_comes_late_is_kept_only_if_the_balance_can_follow(shop: Shop, api: Api) -> None:
    sku = shop.product(stock=5)
    ann, code = Buyer(api), presale(shop, sku)

    def late() -> str:
        number = str(ann.deposit(code, sku)["order_no"])
        assert code_of(ann.post(f"/{number}/pay", {"sandbox": "refuse"}, 402)) == "payment_refused"
        assert ann.send("POST", f"/{number}/pay", {"sandbox": "late"}).status_code == 202
        return number

    in_time, too_late, twice = late(), late(), late()
    window(shop, in_time, -1, HOUR_MS)
    callback_comes(shop, in_time)
    tick(shop)
    assert (row(shop, in_time).status, money(shop, in_time)) == ("balance_due", (DEPOSIT, 0))
    window(shop, too_late, -2, -1)
    callback_comes(shop, too_late)
    assert (row(shop, too_late).status, back(shop, too_late)) == (
        "pending",
        [("late_payment", DEPOSIT, "settled")],
    )
    assert ann.post(f"/{twice}/pay", {"sandbox": "twice"})["status"] == "deposit_paid"
    callback_comes(shop, twice)
    assert back(shop, twice) == [("double_payment", DEPOSIT, "settled")]
    assert money(shop, twice) == (2 * DEPOSIT, DEPOSIT)
    assert row(shop, twice).status == "deposit_paid"


def test_a_deposit_asked_back_waits_for_an_operator_unless_it_goes_back_anyway(shop: Shop, api: Api) -> None:
    ann, waiting = Buyer(api), []
    confirm = {"mode": "confirm", "deposit": DEPOSIT}
    for rule, status in (
        ({**TERMS, "on_unpaid": "refund"}, "refunded"),
        ({**TERMS, "on_unpaid": "forfeit"}, "refunding"),
        ({**confirm, "on_unpaid": "refund"}, "refunding"),
    ):
        sku = shop.product(stock=5)
        number = ann.deposited(presale(shop, sku, rule=rule), sku, 2)
        assert ann.post(f"/{number}/refund")["status"] == status
        if status == "refunding":
            waiting.append((number, sku))
        else:
            assert (money(shop, number), goods(shop, sku)) == ((2 * DEPOSIT, 2 * DEPOSIT), (5, 0))
    (declined, _), (agreed, sku) = waiting
    # The clock waits for the operator, and goes on where it stopped.
    window(shop, declined, -1, HOUR_MS)
    tick(shop)
    assert (row(shop, declined).status, told(shop, declined)) == ("refunding", [])
    api.post(f"/orders/{declined}/refund/reject")
    assert row(shop, declined).status == "deposit_paid"
    tick(shop)
    assert row(shop, declined).status == "deposit_paid"
    assert clock(shop, declined).next_at_ms > shop.now_ms(), "looked at again in a while"
    window(shop, declined, -1, HOUR_MS)
    tick(shop)
    assert [kind for kind, _ in told(shop, declined)] == ["balance_due"]
    assert ann.balance(declined)["status"] == "paid"
    api.post(f"/orders/{agreed}/refund")
    assert (row(shop, agreed).status, money(shop, agreed)) == ("refunded", (2 * DEPOSIT, 2 * DEPOSIT))
    assert goods(shop, sku) == (5, 0)
    window(shop, agreed, -2, -1)
    tick(shop)
    assert told(shop, agreed) == []


def test_money_that_meets_the_end_of_the_window_pays_or_goes_back(shop: Shop, api: Api) -> None:
    sku = shop.product(stock=50)
    ann = Buyer(api)
    codes = [presale(shop, sku, rule={**TERMS, "on_unpaid": each}) for each in ("forfeit", "refund")]
    numbers = [ann.deposited(code, sku) for code in codes * 4]
    late = []
    for number in numbers:
        window(shop, number, -1, HOUR_MS)
        assert ann.send("POST", f"/{number}/balance", {"sandbox": "late"}).status_code == 202
        window(shop, number, -2, -1)
        late.append(put_off(shop, number))
    with ThreadPoolExecutor(8) as pool:
        busy = [pool.submit(tick, shop) for _ in range(3)]
        busy += [pool.submit(paying.deliver, shop.resources, payment) for payment in late]
    for each in busy:
        each.result()
    tick(shop)
    kept = 0
    for number in numbers:
        came, went = money(shop, number)
        status = row(shop, number).status
        kept += status == "paid"
        assert (status, came - went) in {("paid", TOTAL), ("expired", DEPOSIT), ("refunded", 0)}
    assert goods(shop, sku) == (50 - kept, 0)


def test_a_campaign_that_is_called_off_pays_deposits_back(shop: Shop, api: Api) -> None:
    sku = shop.product(stock=9)
    ann, code = Buyer(api), presale(shop, sku)
    pending = ann.deposit(code, sku)["order_no"]
    early, due_now = ann.deposited(code, sku), ann.deposited(code, sku, 2)
    window(shop, due_now, -1, HOUR_MS)
    tick(shop)
    campaigns.terminate(shop.resources, code, {"refund_all": True}, actor="owner")
    RefundAll(shop.resources).round()
    assert [row(shop, each).status for each in (pending, early, due_now)] == ["cancelled", "refunded", "refunded"]
    assert [money(shop, each) for each in (early, due_now)] == [(DEPOSIT, DEPOSIT), (2 * DEPOSIT, 2 * DEPOSIT)]
    assert goods(shop, sku) == (9, 0)
    assert code_of(ann.balance(due_now, status=409)) == "wrong_state"
