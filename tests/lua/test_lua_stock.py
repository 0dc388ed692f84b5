"""Given a running offer, its stock is raised and cut exactly, once per operation, and never below what is held."""

from __future__ import annotations

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from gateway import keys, offers, scripts, stock
from tests.conftest import RedisServer
from tests.lua.calling import Sale, call


@pytest.fixture
def sale(redis: Redis, offer_id: str) -> Sale:
    """Five units, two of them sold."""
    sale = Sale.open(redis, offer_id, stock=5)
    sale.admit("amy", "bob")
    return sale


def test_applied_a_raise(sale: Sale) -> None:
    assert sale.adjust(3) == ["APPLIED", 0, 8, 6, 8]
    assert sale.admit(*[f"s{number}" for number in range(7)]).units == [3, 4, 5, 6, 7, 8]


def test_applied_a_cut_takes_numbers_that_were_never_issued(sale: Sale) -> None:
    assert sale.adjust(-2) == ["APPLIED", 0, 3, 1, 5]
    reply = sale.admit("cleo", "dan")
    assert (reply.letters, reply.units) == ("WS", [3])


def test_applied_a_cut_to_nothing_left_and_a_raise_that_reuses_the_numbers(sale: Sale) -> None:
    assert sale.adjust(-3) == ["APPLIED", 0, 2, 0, 5]
    assert sale.admit("cleo").letters == "S"
    assert sale.adjust(2)[2:] == [4, 2, 5]
    assert sale.admit("cleo", "dan", "eve").units == [3, 4]


def test_too_low_a_cut_below_what_is_held_changes_nothing(sale: Sale) -> None:
    before = sale.everything()
    assert sale.adjust(-4) == ["TOO_LOW", 2]
    assert sale.everything() == before


def test_repeated_an_operation_applies_once(sale: Sale) -> None:
    assert sale.adjust(3, "op") == ["APPLIED", 0, 8, 6, 8]
    before = sale.everything()
    assert sale.adjust(3, "op") == ["REPEATED", 0, 8, 6, 8]
    assert sale.adjust(-8, "op") == ["REPEATED", 0, 8, 6, 8]
    assert sale.everything() == before


def test_an_operation_that_was_refused_may_be_tried_again(sale: Sale) -> None:
    assert sale.adjust(-4, "op")[0] == "TOO_LOW"
    sale.free(1)
    assert sale.adjust(-4, "op")[0] == "APPLIED"


def test_stale_another_epoch_changes_nothing(sale: Sale) -> None:
    before = sale.everything()
    assert sale.adjust(3, epoch=2) == ["STALE", 1]
    assert sale.everything() == before
    with pytest.raises(offers.OfferError, match="epoch 1"):
        stock.adjust_stock(sale.client, sale.id, 2, "op", 1, lease_ms=1)


def test_missing_an_offer_that_is_not_there(redis: Redis, offer_id: str) -> None:
    assert Sale(redis, offer_id).adjust(3) == ["MISSING"]
    assert not redis.exists(keys.offer(offer_id), keys.operations(offer_id, 1))


def test_a_cut_retires_never_issued_numbers_first_then_the_highest_freed(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=6)
    sale.admit("a", "b", "c", "d")
    sale.free(1, 2, 4)
    # Never issued are 5 and 6, freed 1, 2 and 4; the cut takes 5, 6 and then 4 and 2.
    assert sale.adjust(-4) == ["APPLIED", 0, 2, 1, 6]
    assert (sale.zset("freed"), sale.zset("retired")) == ([1], [2, 4])
    reply = sale.admit("e", "f")
    assert (reply.letters, reply.units) == ("WS", [1])


def test_a_raise_takes_retired_numbers_back_first(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=6)
    sale.admit("a", "b", "c", "d")
    sale.free(1, 2, 4)
    sale.adjust(-5)
    assert sale.zset("retired") == [1, 2, 4]
    assert sale.adjust(2)[2:] == [3, 2, 6]
    assert (sale.zset("freed"), sale.zset("retired")) == ([1, 2], [4])
    assert sale.adjust(3)[2:] == [6, 5, 6]
    assert sale.admit("e", "f", "g", "h", "i", "j").units == [1, 2, 4, 5, 6]


def test_the_unit_cap_grows_only_past_what_was_ever_authorised(sale: Sale) -> None:
    caps = [sale.adjust(delta)[4] for delta in (2, -5, 5, 1, -1, 1)]
    assert caps == [7, 7, 7, 8, 8, 8]


def test_a_change_of_nothing_is_remembered_and_changes_no_count(sale: Sale) -> None:
    assert sale.adjust(0, "op") == ["APPLIED", 0, 5, 3, 5]
    assert sale.adjust(0, "op")[0] == "REPEATED"
    assert sale.zset("freed") == []


def test_a_change_moves_the_sequence(sale: Sale) -> None:
    before = sale.number("sequence")
    sale.adjust(1)
    assert sale.number("sequence") == before + 1


def test_out_of_memory_a_change_is_refused_before_it_begins(own_redis: RedisServer, offer_id: str) -> None:
    client = own_redis.client()
    sale = Sale.open(client, offer_id, stock=5)
    sale.admit("amy", "bob")
    sale.free(1)
    before = sale.everything()
    client.config_set("maxmemory", 1)
    for delta in (3, -4):
        with pytest.raises(OutOfMemoryError):
            sale.adjust(delta)
    with pytest.raises(OutOfMemoryError):
        sale.set_terms(version=2, price=1)
    client.config_set("maxmemory", 0)
    assert sale.everything() == before
    client.close()


# Removing an offer.


def remove(sale: Sale) -> list[object]:
    named = sale.named()
    script = scripts.load("remove_offer")
    return call(sale.client, "remove_offer", {key: named[key] for key in script.keys}, {"id": sale.id})


def test_removed_an_offer_that_never_sold(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=5)
    sale.adjust(1)
    redis.hset(keys.clicks(offer_id), "not_started", 3)
    assert remove(sale) == ["REMOVED"]
    named = sale.named()
    assert not redis.exists(*(named[name] for name in ("offer", "buyers", "operations", "clicks")))
    assert not redis.sismember(keys.offers(keys.shard_of(offer_id)), offer_id)
    assert remove(sale) == ["MISSING"]
    assert offers.remove(redis, offer_id, 1) is True


@pytest.mark.parametrize("given_back", [False, True])
def test_sold_an_offer_that_has_sold_stays_even_when_all_came_back(
    redis: Redis, offer_id: str, given_back: bool
) -> None:
    sale = Sale.open(redis, offer_id, stock=5)
    sale.admit("amy")
    if given_back:
        sale.free(1)
    before = sale.everything()
    assert remove(sale) == ["SOLD", 0 if given_back else 1]
    assert offers.remove(redis, offer_id, 1) is False
    assert sale.everything() == before
    assert redis.sismember(keys.offers(keys.shard_of(offer_id)), offer_id)
