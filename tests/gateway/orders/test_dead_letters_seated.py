"""A winner who could not be written is seated on a free unit when the operator asks for repairs."""

from __future__ import annotations

import pytest

from gateway import keys, offers
from gateway.orders.reconcile.looking import broken
from gateway.orders.reconcile.repairs import repair
from tests.gateway.orders.half_sold import OFFER, HalfSold, settle_all
from tests.gateway.orders.shop import ticket


def test_a_dead_letter_is_seated_on_its_own_unit_when_it_is_free(sale: HalfSold) -> None:
    sale.shop.forge(OFFER, [(b"late", ticket("LATE", "9").encode())], epoch=9)
    settle_all(sale.shop)
    [breach] = broken(sale.stores)
    assert (breach.code, breach.offer, breach.unit, breach.order_no) == ("dead_letter", OFFER, 9, "LATE")
    assert repair(sale.stores, [breach])[1] == []
    settle_all(sale.shop)
    assert sale.shop.orders()["LATE"] == (OFFER, "late", (9,))
    assert not sale.shop.dead()
    assert broken(sale.stores) == []


def test_a_dead_letter_is_seated_on_another_unit_when_its_own_is_taken(sale: HalfSold) -> None:
    sale.shop.forge(OFFER, [(b"late", ticket("LATE", "2").encode())], epoch=9)
    settle_all(sale.shop)
    assert repair(sale.stores, broken(sale.stores))[1] == []
    settle_all(sale.shop)
    assert sale.shop.orders()["LATE"] == (OFFER, "late", (5,))


def test_a_dead_letter_of_an_offer_that_is_closed_waits_for_its_repair(sale: HalfSold) -> None:
    sale.shop.forge(OFFER, [(b"late", ticket("LATE", "9").encode())], epoch=9)
    settle_all(sale.shop)
    letter = broken(sale.stores)
    # Given an offer that lost its approval after the look,
    sale.shop.redis.hset(keys.offer(OFFER), "run_id", "another")
    # when it is repaired, then in one go with the offer.
    assert repair(sale.stores, letter)[1] == []
    settle_all(sale.shop)
    assert sale.shop.orders()["LATE"] == (OFFER, "late", (9,))
    assert not sale.shop.dead()


@pytest.mark.parametrize(("stock", "shopper", "asks"), [(4, "late", "raise the stock"), (20, "full", "raise it")])
def test_a_dead_letter_that_has_no_seat_is_asked_about(sale: HalfSold, stock: int, shopper: str, asks: str) -> None:
    full = sale.shop.click(OFFER, ["full"], quantity=2)
    left = offers.read(sale.shop.redis, OFFER).left
    if stock == 4:
        sale.shop.click(OFFER, [f"more-{number}" for number in range(left)])
    sale.shop.forge(OFFER, [(shopper.encode(), ticket("LATE", "2").encode())], epoch=9)
    settle_all(sale.shop)
    _, [breach] = repair(sale.stores, broken(sale.stores))
    assert breach.code == "dead_letter_stuck"
    assert asks in breach.asks
    assert len(sale.shop.dead()) == 1
    assert full["full"].order_no in sale.shop.orders()


def test_a_dead_letter_whose_order_is_written_is_removed(sale: HalfSold) -> None:
    letter = {"shopper": "b", "ticket": sale.won["b"].text, "offer": OFFER, "epoch": 1, "reason": "unit_taken"}
    sale.shop.redis.xadd(keys.dead(0), letter)
    [breach] = broken(sale.stores)
    assert breach.code == "dead_letter_settled"
    assert repair(sale.stores, [breach])[1] == []
    assert not sale.shop.dead()
