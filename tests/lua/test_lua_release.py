"""Given orders that are over, their units are sold again under the same numbers, and each comes back once."""

from __future__ import annotations

import threading

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from gateway import keys
from tests.conftest import RedisServer, wait_until
from tests.lua.calling import Sale, redis_now_ms

LEASE_MS = 150


@pytest.fixture
def sale(redis: Redis, offer_id: str) -> Sale:
    """Three units, all sold: amy holds 1, bob 2, cleo 3."""
    sale = Sale.open(redis, offer_id, stock=3)
    assert sale.admit("amy", "bob", "cleo", order_numbers=["A", "B", "C"]).units == [1, 2, 3]
    return sale


@pytest.fixture
def several(redis: Redis, offer_id: str) -> Sale:
    """Twenty units, up to four each: amy holds 1.2 (order A, key k1) and 3.4 (order B, key k2)."""
    sale = Sale.open(redis, offer_id, stock=20, limit=4)
    sale.admit("amy", quantities=[2], click_keys=["k1"], order_numbers=["A"])
    sale.admit("amy", quantities=[2], click_keys=["k2"], order_numbers=["B"])
    return sale


def test_released_a_unit_is_sold_again_under_its_number(sale: Sale) -> None:
    sequence = sale.number("sequence")
    assert sale.release("bob", "B", 2) == ["RELEASED", 0, 1, 1]
    assert (sale.number("left"), sale.number("freed"), sale.zset("freed")) == (1, 1, [2])
    assert sale.number("sequence") == sequence + 1
    assert sale.record("bob") == []
    assert not redis_holds(sale, "bob")
    reply = sale.admit("dan", "eve")
    assert (reply.letters, reply.units) == ("WS", [2])


def redis_holds(sale: Sale, shopper: str) -> bool:
    return bool(sale.client.hexists(sale.named()["buyers"], shopper))


def test_nothing_a_second_time(sale: Sale) -> None:
    sale.release("bob", "B", 2)
    before = sale.everything()
    assert sale.release("bob", "B", 2, lease_ms=LEASE_MS) == ["NOTHING"]
    assert sale.everything() == before


def test_nothing_from_a_unit_that_was_sold_to_somebody_else_since(sale: Sale) -> None:
    sale.release("bob", "B", 2)
    sale.admit("dan", order_numbers=["D"])
    before = sale.everything()
    assert sale.release("bob", "B", 2) == ["NOTHING"]
    assert sale.everything() == before


def test_nothing_from_the_next_order_of_the_same_shopper(sale: Sale) -> None:
    # Given bob clicked again after his order was over, and won the very same unit.
    sale.release("bob", "B", 2)
    assert sale.admit("bob", order_numbers=["B2"]).units == [2]
    before = sale.everything()
    assert sale.release("bob", "B", 2) == ["NOTHING"]
    assert sale.everything() == before


@pytest.mark.parametrize(("shopper", "order_no", "unit"), [("bob", "X", 2), ("zoe", "B", 2), ("bob", "B", 3)])
def test_nothing_from_an_unknown_order_shopper_or_unit(sale: Sale, shopper: str, order_no: str, unit: int) -> None:
    before = sale.everything()
    assert sale.release(shopper, order_no, unit, lease_ms=LEASE_MS) == ["NOTHING"]
    assert sale.everything() == before


def test_stale_another_epoch_changes_nothing(sale: Sale) -> None:
    before = sale.everything()
    assert sale.release("bob", "B", 2, epoch=2) == ["STALE", 1]
    assert sale.everything() == before


def test_missing_an_offer_that_is_not_there(redis: Redis, offer_id: str) -> None:
    sale = Sale(redis, offer_id)
    assert sale.release("bob", "B", 2) == ["MISSING"]
    assert not redis.exists(keys.offer(offer_id), keys.freed(offer_id, 1), keys.buyers(offer_id, 1))


# Orders of several units.


def test_one_of_two_orders_goes_and_the_other_stays_as_it_is(several: Sale) -> None:
    kept = several.record("amy")[1]
    assert several.release("amy", "A", 1, 2) == ["RELEASED", 0, 18, 2]
    assert several.record("amy") == [kept]


def test_part_of_an_order_goes_with_its_slots(several: Sale) -> None:
    assert several.release("amy", "B", 3) == ["RELEASED", 0, 17, 1]
    first, second = several.record("amy")
    assert (first.units, first.slots) == ((1, 2), (1, 2))
    assert (second.order_no, second.units, second.slots, second.key) == ("B", (4,), (4,), "k2")
    # Then the slot may be used again, and only one more.
    assert several.admit("amy", quantities=[2], click_keys=["k3"]).letters == "L"
    again = several.admit("amy", quantities=[1], click_keys=["k4"]).ticket()
    assert (again.units, again.slots) == ((3,), (3,))


def test_units_that_were_given_back_before_are_passed_over(several: Sale) -> None:
    several.release("amy", "B", 3)
    assert several.release("amy", "B", 3, 4) == ["RELEASED", 0, 18, 1]
    assert several.zset("freed") == [3, 4]
    assert [ticket.order_no for ticket in several.record("amy")] == ["A"]


def test_numbers_that_begin_alike_are_not_mixed_up(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=20, limit=20)
    sale.admit("amy", quantities=[12], order_numbers=["A"])
    assert sale.release("amy", "A", 1) == ["RELEASED", 0, 9, 1]
    assert sale.record("amy")[0].units == (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)


def test_a_shopper_whose_order_is_over_wins_anew_with_the_same_key(several: Sale) -> None:
    assert several.admit("amy", quantities=[2], click_keys=["k1"]).letters == "A"
    several.release("amy", "A", 1, 2)
    reply = several.admit("amy", quantities=[2], click_keys=["k1"], order_numbers=["A2"])
    assert reply.letters == "W"
    assert (reply.ticket().order_no, reply.ticket().units) == ("A2", (1, 2))


def test_shoppers_may_have_any_name(redis: Redis, offer_id: str) -> None:
    names = ["a|b", "c,d", "e.f", "王"]
    sale = Sale.open(redis, offer_id, stock=4)
    sale.admit(*names, order_numbers=["1", "2", "3", "4"])
    for number, name in enumerate(names, start=1):
        assert sale.release(name, str(number), number)[0] == "RELEASED"
    assert sale.zset("freed") == [1, 2, 3, 4]


# The sold-out lease.


def test_sold_out_is_held_until_every_lease_on_it_has_run_out(sale: Sale) -> None:
    # Given a gateway that heard `sold_out` just now and may repeat it.
    asked_ms = redis_now_ms(sale.client)
    assert sale.admit("zoe", lease_ms=LEASE_MS).letters == "S"
    assert sale.release("bob", "B", 2, lease_ms=LEASE_MS) == ["RELEASED", LEASE_MS, 1, 1]
    # When somebody else clicks meanwhile, then nobody wins and no longer lease is given.
    reply = sale.admit("dan", lease_ms=LEASE_MS)
    assert (reply.letters, reply.details) == ("S", [0])
    assert 0 < reply.lease_ms <= LEASE_MS
    # Then the unit is sold as soon as the lease is over, and not before.
    wait_until(lambda: sale.admit("dan", lease_ms=LEASE_MS).letters == "W", within_s=1, what="the end of the hold")
    assert redis_now_ms(sale.client) >= asked_ms + LEASE_MS


def test_a_second_release_within_the_hold_does_not_prolong_it(sale: Sale) -> None:
    sale.release("bob", "B", 2, lease_ms=LEASE_MS)
    until = sale.number("hold_until_ms")
    wait_until(lambda: redis_now_ms(sale.client) > until - LEASE_MS // 2)
    assert sale.release("amy", "A", 1, lease_ms=LEASE_MS) == ["RELEASED", 0, 2, 1]
    assert sale.number("hold_until_ms") == until


def test_units_come_back_at_once_while_others_are_left(several: Sale) -> None:
    assert several.release("amy", "A", 1, 2, lease_ms=LEASE_MS)[1] == 0
    assert several.admit("bob").letters == "W"


# In every state of the offer.


@pytest.mark.parametrize(
    ("state", "over", "letter"), [("paused", False, "P"), ("terminated", False, "E"), ("open", True, "E")]
)
def test_units_come_back_while_nobody_can_win(sale: Sale, state: str, over: bool, letter: str) -> None:
    now = redis_now_ms(sale.client)
    ends_at_ms = now - 1000 if over else now + 1_000_000
    sale.set_terms(version=2, state=state, ends_at_ms=ends_at_ms)
    assert sale.release("bob", "B", 2) == ["RELEASED", 0, 1, 1]
    assert sale.admit("bob").letters == letter
    assert sale.zset("freed") == [2]


def test_units_of_a_paused_offer_are_sold_after_it_goes_on(sale: Sale) -> None:
    sale.set_terms(version=2, state="paused")
    sale.release("bob", "B", 2)
    sale.set_terms(version=3)
    assert sale.admit("dan").units == [2]


def test_a_released_unit_may_be_cut_and_raised_again(sale: Sale) -> None:
    sale.release("bob", "B", 2)
    assert sale.adjust(-1) == ["APPLIED", 0, 2, 0, 3]
    assert (sale.zset("freed"), sale.zset("retired")) == ([], [2])
    assert sale.adjust(1)[2:] == [3, 1, 3]
    assert sale.admit("dan").units == [2]


# Faults.


def test_twenty_at_once_free_a_unit_once(redis_server: RedisServer, sale: Sale) -> None:
    words: list[str] = []
    start = threading.Barrier(20)

    def release() -> None:
        client = redis_server.client()
        mine = Sale(client, sale.id)
        start.wait()
        words.append(mine.release("bob", "B", 2)[0])
        client.close()

    threads = [threading.Thread(target=release) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(words) == ["NOTHING"] * 19 + ["RELEASED"]
    assert (sale.number("left"), sale.zset("freed")) == (1, [2])


def test_out_of_memory_it_is_refused_before_it_begins(own_redis: RedisServer, offer_id: str) -> None:
    client = own_redis.client()
    sale = Sale.open(client, offer_id, stock=2)
    sale.admit("amy", order_numbers=["A"])
    before = sale.everything()
    client.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError):
        sale.release("amy", "A", 1)
    client.config_set("maxmemory", 0)
    assert sale.everything() == before
    assert sale.release("amy", "A", 1)[0] == "RELEASED"
    client.close()
