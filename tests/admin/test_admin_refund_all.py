"""Given a campaign that ends with everybody paid back, each of its orders is cancelled or refunded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from buying import bring, money, row, ticket_of, win
from sidecar import ACTOR, Api, Shop, click
from sqlalchemy import select, update

from admin.campaigns import service, settling
from admin.campaigns.tables import campaigns
from admin.payments import refund_all, refunding
from admin.payments.refund_all import RefundAll
from admin.payments.tables import refunds
from gateway.orders import releases
from gateway.orders.database import reading, writing
from gateway.orders.tables import orders
from tests.conftest import wait_until

STATES = ("pending", "paid", "shipped", "completed", "refunding", "cancelled", "expired", "refunded")
AFTER = {"pending": "cancelled", "cancelled": "cancelled", "expired": "expired"}
"""What becomes of an order by its state; every other one is refunded."""


def marked(shop: Shop, code: str) -> str | None:
    with reading(shop.resources.engine) as connection:
        return connection.execute(select(campaigns.c.refund_all_by).where(campaigns.c.code == code)).scalar_one()


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sidecar's own thread finds nothing to do: the test makes the rounds."""
    monkeypatch.setattr(RefundAll, "start", lambda self: None)
    monkeypatch.setattr(RefundAll, "stop", lambda self: None)


@pytest.mark.usefixtures("by_hand")
def test_every_order_is_cancelled_or_paid_back(api: Api, shop: Shop) -> None:
    campaign, other = shop.campaign(), shop.campaign()
    offer = campaign.items[0].offer
    order_nos = {state: win(shop, offer, f"{state} shopper") for state in STATES}
    for state, order_no in order_nos.items():
        if state != "pending":
            bring(shop, api, order_no, state)
    bystander = win(shop, other.items[0].offer, "somebody else")
    # Has won, and is still on the way to the ledger.
    assert click(shop.resources.redis, offer, ["late"]) == ["W"]
    ticket = ticket_of(shop, offer, "late")
    assert ticket is not None
    api.post(f"/campaigns/{campaign.code}/terminate", {"refund_all": True})
    RefundAll(shop.resources).round()
    assert {state: row(shop, order_no).status for state, order_no in order_nos.items()} == {
        state: AFTER.get(state, "refunded") for state in STATES
    }
    for state in ("paid", "shipped", "completed", "refunding", "refunded"):
        assert money(shop, order_nos[state]) == (9900, 9900)
    assert row(shop, bystander).status == "pending"
    assert marked(shop, campaign.code)
    late = shop.order(offer, shopper="late", order_no=ticket.order_no, units=ticket.units)
    RefundAll(shop.resources).round()
    assert row(shop, late).status == "cancelled"
    # Nobody is waited for any more once the offer is settled.
    with writing(shop.resources.engine) as connection:
        ended = update(campaigns).where(campaigns.c.code == campaign.code)
        connection.execute(ended.values(terminated_at_ms=shop.now_ms() - 60_000))
    releases.apply_waiting(shop.resources.engine, shop.resources.redis, lease_ms=1)
    for due in settling.due(shop.resources, 10):
        settling.settle(shop.resources, due)
    RefundAll(shop.resources).round()
    assert marked(shop, campaign.code) is None
    told = api.get(f"/audit?kind=order&subject={order_nos['paid']}")["items"][0]
    assert (told["action"], told["after"]["refund_all"]) == ("refund", campaign.code)


@pytest.mark.usefixtures("by_hand")
def test_a_crash_in_the_middle_loses_nobody(api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = shop.campaign()
    order_nos = [win(shop, campaign.items[0].offer, f"shopper {number}") for number in range(4)]
    for order_no in order_nos:
        bring(shop, api, order_no, "paid")
    service.terminate(shop.resources, campaign.code, {"refund_all": True}, actor=ACTOR)

    class Crash(BaseException):
        """The process dies."""

    sent: list[str] = []

    def dies(resources: object, refund: str) -> None:
        # The second is written down, and nobody asks the provider for it.
        if len(sent) == 1:
            raise Crash
        sent.append(refund)
        refunding.send(shop.resources, refund)

    with monkeypatch.context() as patched:
        patched.setattr(refund_all, "refunding", SimpleNamespace(send=dies))
        with pytest.raises(Crash):
            RefundAll(shop.resources).round()
    assert sorted(row(shop, order_no).status for order_no in order_nos) == ["paid", "paid", "refunded", "refunding"]
    RefundAll(shop.resources).round()
    waiting = [order_no for order_no in order_nos if row(shop, order_no).status == "refunding"]
    # Written down and not sent: the follow-up of payments asks the provider for it.
    assert len(waiting) == 1
    with reading(shop.resources.engine) as connection:
        unsent = connection.execute(select(refunds.c.id).where(refunds.c.order_no == waiting[0])).scalar_one()
    refunding.send(shop.resources, unsent)
    assert {row(shop, order_no).status for order_no in order_nos} == {"refunded"}
    assert [money(shop, order_no) for order_no in order_nos] == [(9900, 9900)] * 4


@pytest.mark.usefixtures("by_hand")
def test_one_order_without_a_payment_keeps_nobody_back(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    first, second = (win(shop, campaign.items[0].offer, name) for name in ("a", "b"))
    with writing(shop.resources.engine) as connection:
        connection.execute(update(orders).where(orders.c.order_no == first).values(status="paid"))
    service.terminate(shop.resources, campaign.code, {"refund_all": True}, actor=ACTOR)
    RefundAll(shop.resources).round()
    assert (row(shop, first).status, row(shop, second).status) == ("paid", "cancelled")
    assert marked(shop, campaign.code) == ACTOR


def test_the_sidecar_makes_the_rounds(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    order_no = win(shop, campaign.items[0].offer, "ann")
    api.post(f"/campaigns/{campaign.code}/terminate", {"refund_all": True})
    wait_until(lambda: row(shop, order_no).status == "cancelled")
