"""Given an offer that Redis lost, `restore_offer` puts a rebuilt one in its place; `seat` brings winners back."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from redis import Redis

from gateway import keys, offers, scripts
from gateway.orders.message import Entry, Ticket
from tests.conftest import RedisServer, wait_until
from tests.lua.calling import Sale, call, redis_now_ms

PARTS = ("buyers", "freed", "retired", "operations")


def restore(
    sale: Sale, *, epoch: int = 2, lease_ms: int = 0, sizes: tuple[int, ...] = (1, 1, 1, 1), **fields: Any
) -> Any:
    """What recovery does when it has built everything: one buyer, one freed, one retired, one operation."""
    named = {
        "offer": keys.offer(sale.id),
        "offers": keys.offers(keys.shard_of(sale.id)),
        "buyers": keys.buyers(sale.id, epoch),
        "freed": keys.freed(sale.id, epoch),
        "retired": keys.retired(sale.id, epoch),
        "operations": keys.operations(sale.id, epoch),
    } | {f"built_{part}": keys.built(sale.id, part, "try") for part in PARTS}
    terms = sale.terms()
    usual = {
        "id": sale.id,
        "bucket": 0,
        "version": 1,
        "state": "open",
        "starts_at_ms": terms.starts_at_ms,
        "ends_at_ms": terms.ends_at_ms,
        "price": 9900,
        "limit": 1,
        "pay_within_ms": 1000,
        "card": "{}",
        "stock": 10,
        "left": 8,
        "next_unit": 4,
        "unit_top": 10,
        "unit_cap": 11,
        "freed": 1,
    } | fields
    flat = [str(part) for item in usual.items() for part in item]
    args = {
        "id": sale.id,
        "epoch": epoch,
        "lease_ms": lease_ms,
        "sizes": msgpack.packb(sizes),
        "fields": msgpack.packb(flat),
        "bucket": 0,
    }
    return call(sale.client, "restore_offer", named, args)


def build(client: Redis, offer_id: str) -> None:
    client.hset(keys.built(offer_id, "buyers", "try"), "amy", "A1,1,1,9900,2,1,")
    client.zadd(keys.built(offer_id, "freed", "try"), {"2": 2})
    client.zadd(keys.built(offer_id, "retired", "try"), {"3": 3})
    client.hset(keys.built(offer_id, "operations", "try"), "op", 10)
    for part in PARTS:
        client.expire(keys.built(offer_id, part, "try"), 60)


def test_restored_an_offer_that_is_gone(redis: Redis, offer_id: str) -> None:
    sale = Sale(redis, offer_id)
    build(redis, offer_id)
    assert restore(sale) == ["RESTORED"]
    offer = offers.read(redis, offer_id)
    assert offer is not None
    assert (offer.epoch, offer.run_id, offer.stock, offer.left, offer.unit_cap) == (2, "", 10, 8, 11)
    assert redis.sismember(keys.offers(keys.shard_of(sale.id)), offer_id)
    names = [name(offer_id, 2) for name in (keys.buyers, keys.freed, keys.retired, keys.operations)]
    assert [redis.ttl(name) for name in names] == [-1] * 4, "no time limit stays on what is live"
    assert redis.hgetall(names[0]) == {b"amy": b"A1,1,1,9900,2,1,"}
    assert redis.exists(*(keys.built(offer_id, part, "try") for part in PARTS)) == 0


def test_restored_over_an_older_epoch(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=5)
    sale.admit("bob")
    build(redis, offer_id)
    assert restore(sale) == ["RESTORED"]
    assert sale.admit("bob").word == "FENCED"
    sale.epoch, sale.run_id = 2, ""
    assert sale.admit("amy").details == [b"A1,1,1,9900,2,1,"]
    assert sale.admit("bob").units == [2]
    assert sale.admit("cleo").units == [4]


def test_restored_moves_the_sequence_beyond_every_earlier_one(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=5)
    sale.admit("bob")
    before = sale.number("sequence")
    build(redis, offer_id)
    restore(sale)
    after = sale.number("sequence")
    assert after > before + 10**12
    build(redis, offer_id)
    restore(sale, epoch=3)
    assert sale.number("sequence") >= after
    assert sale.number("sequence") < 2**53


@pytest.mark.parametrize("epoch", [1, 2])
def test_newer_what_redis_has_is_not_replaced_by_an_older_epoch(redis: Redis, offer_id: str, epoch: int) -> None:
    sale = Sale(redis, offer_id)
    build(redis, offer_id)
    restore(sale)
    build(redis, offer_id)
    before = redis.hgetall(keys.offer(offer_id))
    assert restore(sale, epoch=epoch) == ["NEWER", 2]
    assert redis.hgetall(keys.offer(offer_id)) == before


@pytest.mark.parametrize("part", range(4))
def test_incomplete_a_part_that_was_lost_on_the_way(redis: Redis, offer_id: str, part: int) -> None:
    sale = Sale(redis, offer_id)
    build(redis, offer_id)
    redis.delete(keys.built(offer_id, PARTS[part], "try"))
    assert restore(sale) == ["INCOMPLETE"]
    assert not redis.exists(keys.offer(offer_id))
    sizes = [1, 1, 1, 1]
    sizes[part] = 0
    assert restore(sale, sizes=tuple(sizes)) == ["RESTORED"]


def test_early_until_every_lease_from_before_has_run_out(redis: Redis, offer_id: str) -> None:
    sale = Sale(redis, offer_id)
    build(redis, offer_id)
    began = redis_now_ms(redis)
    restore(sale, lease_ms=150)
    args = {"epoch": 2, "run_id": "another"}
    word, wait_ms = call(redis, "approve_run", {"offer": keys.offer(offer_id)}, args)
    assert word == "EARLY"
    assert 0 < wait_ms <= 150
    wait_until(
        lambda: call(redis, "approve_run", {"offer": keys.offer(offer_id)}, args) == ["APPROVED"],
        what="the end of the leases",
    )
    assert redis_now_ms(redis) >= began + 150


def test_an_offer_is_closed_at_any_time(redis: Redis, offer_id: str) -> None:
    sale = Sale(redis, offer_id)
    build(redis, offer_id)
    restore(sale, lease_ms=60_000)
    redis.hset(keys.offer(offer_id), "run_id", "another")
    args = {"epoch": 2, "run_id": ""}
    assert call(redis, "approve_run", {"offer": keys.offer(offer_id)}, args) == ["APPROVED"]
    assert redis.hget(keys.offer(offer_id), "run_id") == b""


# Seats.


def seat(sale: Sale, shopper: str, order_no: str, *units: int, quantity: int = 0, **changed: Any) -> list[Any]:
    named = sale.named()
    args = {
        "run_id": sale.run_id,
        "epoch": sale.epoch,
        "shopper": shopper,
        "order_no": order_no,
        "units": ".".join(map(str, units)),
        "quantity": quantity or len(units),
        "terms": "9900,2000,1000,key",
    } | changed
    return call(sale.client, "seat", {key: named[key] for key in scripts.load("seat").keys}, args)


def numbers(sale: Sale) -> dict[str, int]:
    names = ("stock", "left", "next_unit", "unit_top", "freed")
    return {name: sale.number(name) for name in names}


@pytest.fixture
def sale(own_redis: RedisServer, offer_id: str) -> Any:
    """Ten units; bob holds the first, the second came back."""
    client = own_redis.client()
    sale = Sale.open(client, offer_id, stock=10, limit=3)
    sale.admit("bob", click_keys=["k"])
    gone = sale.admit("gone", click_keys=["k"]).ticket()
    assert sale.release("gone", gone.order_no, *gone.units)[0] == "RELEASED"
    yield sale
    client.close()


def test_seated_on_a_freed_unit(sale: Sale) -> None:
    assert seat(sale, "amy", "LOST", 2) == ["SEATED", b"LOST,2,1,9900,2000,1000,key"]
    assert numbers(sale) == {"stock": 10, "left": 8, "next_unit": 3, "unit_top": 10, "freed": 0}
    assert sale.client.zcard(sale.named()["freed"]) == 0
    assert sale.client.hget(sale.named()["buyers"], "amy") == b"LOST,2,1,9900,2000,1000,key"


def test_seated_on_a_unit_that_was_never_issued_and_those_below_are_sold_first(sale: Sale) -> None:
    assert seat(sale, "amy", "LOST", 2, 5, 7)[0] == "SEATED"
    assert numbers(sale) == {"stock": 10, "left": 6, "next_unit": 8, "unit_top": 10, "freed": 3}
    rest = [sale.admit(f"s{number}", click_keys=["k"]).units[0] for number in range(6)]
    assert rest == [3, 4, 6, 8, 9, 10]
    assert sale.admit("late", click_keys=["k"]).letters == "S"


def test_seated_on_any_units_the_freed_ones_first(sale: Sale) -> None:
    assert seat(sale, "amy", "LOST", quantity=2) == ["SEATED", b"LOST,2.3,1.2,9900,2000,1000,key"]
    assert numbers(sale) == {"stock": 10, "left": 7, "next_unit": 4, "unit_top": 10, "freed": 0}


def test_seated_beside_what_the_shopper_holds(sale: Sale) -> None:
    assert seat(sale, "bob", "LOST", 9)[1].split(b",")[2] == b"2"
    record = sale.client.hget(sale.named()["buyers"], "bob")
    assert [Ticket.parse(each).units for each in record.split(b"|")] == [(1,), (9,)]


def test_a_seat_is_written_like_a_win(sale: Sale) -> None:
    sequence, issued = sale.number("sequence"), int(sale.client.hget(sale.named()["counters"], "issued"))
    _, ticket = seat(sale, "amy", "LOST", 2)
    [(entry_id, fields)] = sale.client.xrevrange(sale.named()["stream"], count=1)
    entry = Entry.parse(entry_id, fields)
    assert (entry.offer, entry.epoch, entry.bucket) == (sale.id, 1, 0)
    assert entry.winners == ((b"amy", ticket),)
    assert sale.number("sequence") == sequence + 1
    assert int(sale.client.hget(sale.named()["counters"], "issued")) == issued + 1
    assert sale.admit("amy", click_keys=["key"]).details == [ticket]


def test_repeated_an_order_has_one_seat(sale: Sale) -> None:
    seated = seat(sale, "amy", "LOST", 2)
    before = sale.everything()
    assert seat(sale, "amy", "LOST", 2) == ["REPEATED", seated[1]]
    assert seat(sale, "amy", "LOST", 7) == ["REPEATED", seated[1]]
    assert sale.everything() == before


@pytest.mark.parametrize("units", [(1,), (11,), (2, 11), (1, 5)])
def test_taken_a_unit_that_is_held_or_does_not_exist(sale: Sale, units: tuple[int, ...]) -> None:
    before = sale.everything()
    reply = seat(sale, "amy", "LOST", *units)
    assert reply[0] == "TAKEN"
    assert reply[1] in units
    assert sale.everything() == before


def test_too_few_when_nothing_is_free(sale: Sale) -> None:
    sale.admit(*(f"s{number}" for number in range(8)), click_keys=["k"] * 8)
    before = sale.everything()
    assert seat(sale, "amy", "LOST", quantity=2) == ["TOO_FEW", 1]
    assert sale.everything() == before
    assert seat(sale, "amy", "LOST", quantity=1)[0] == "SEATED"


def test_over_limit_a_seat_counts_like_a_win(sale: Sale) -> None:
    assert seat(sale, "bob", "LOST", quantity=3) == ["OVER_LIMIT", 1]
    assert seat(sale, "bob", "LOST", quantity=2)[0] == "SEATED"


def test_fenced_stale_and_missing_nobody_is_seated_on_an_offer_that_is_closed(sale: Sale) -> None:
    before = sale.everything()
    assert seat(sale, "amy", "LOST", 2, run_id="another") == ["FENCED"]
    assert seat(sale, "amy", "LOST", 2, epoch=2) == ["STALE", 1]
    assert sale.everything() == before
    assert seat(Sale(sale.client, f"{sale.id}-gone"), "amy", "LOST", 2) == ["MISSING"]
