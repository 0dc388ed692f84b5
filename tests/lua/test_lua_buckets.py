"""Given an offer whose stock lies in several buckets, units move between them and each is sold once."""

from __future__ import annotations

import pytest
from redis import Redis

from gateway import keys, offers, stock
from gateway.buckets import Transfer
from gateway.errors import OfferError
from tests.conftest import wait_until
from tests.lua.calling import redis_now_ms
from tests.lua.divided import Divided

LEASE_MS = 150


@pytest.fixture
def divided(redis: Redis, offer_id: str) -> Divided:
    return Divided(redis, offer_id, stock=10, limit=3)


def test_the_stock_is_divided_when_the_offer_is_created(divided: Divided, redis: Redis) -> None:
    assert divided.left() == [4, 3, 3]
    assert [divided.numbers(number) for number in (0, 4, 8)] == [[1, 2, 3, 4], [5, 6, 7], [8, 9, 10]]
    found = offers.read(redis, divided.id)
    assert found is not None
    assert (found.buckets, found.stock, found.left, found.unit_cap) == (3, 10, 10, 10)
    assert found.run_ids == (divided.run_id,) * 3
    named = [shard for shard in keys.shards() if redis.sismember(keys.offers(shard), divided.id)]
    assert named == [keys.shard_of(divided.id)]
    divided.check()


def test_every_bucket_follows_new_terms(divided: Divided) -> None:
    assert divided.first.set_terms(version=2, price=5000, buckets=3) == "UPDATED"
    assert divided.first.set_terms(version=2, price=5000, buckets=3) == "UNCHANGED"
    for sale in divided.sales.values():
        sale.version = 2
        assert sale.admit("amy").ticket().price == 5000


def test_an_offer_that_was_half_created_is_created(redis: Redis, offer_id: str) -> None:
    whole = Divided(redis, offer_id, stock=10)
    # As if the first bucket, which comes last, had not been reached.
    redis.delete(keys.offer(offer_id))
    assert offers.read(redis, offer_id) is None
    assert whole.first.set_terms(seed=10, buckets=3) == "CREATED"
    whole.check()


def test_an_offer_that_never_sold_is_removed_from_every_shard(divided: Divided, redis: Redis) -> None:
    divided.move(0, 4, 2)
    assert offers.remove(redis, divided.id, 1)
    assert offers.read(redis, divided.id) is None
    left = list(redis.scan_iter(f"*{divided.id}*"))
    assert left == []
    assert not redis.sismember(keys.offers(keys.shard_of(divided.id)), divided.id)


@pytest.mark.parametrize("bucket", [0, 4, 8])
def test_an_offer_that_sold_in_any_bucket_stays(divided: Divided, redis: Redis, bucket: int) -> None:
    divided.admit(bucket, "amy")
    assert not offers.remove(redis, divided.id, 1)
    assert [bucket.number for bucket in divided.read()] == [0, 4, 8]


# Transfers.


def test_given_and_received_units_are_sold_where_they_are(divided: Divided) -> None:
    transfer = divided.move(0, 4, 2)
    assert (transfer.number, transfer.units, transfer.size) == (1, "3-4", 2)
    assert divided.left() == [2, 5, 3]
    won = divided.admit(4, "amy", "bob", quantities=[3, 2], click_keys=["k", "l"])
    assert (won.letters, won.units) == ("WW", [5, 6, 7, 3, 4])
    assert divided.admit(0, "cleo", "dan", quantities=[2, 1], click_keys=["k", "l"]).letters == "WM"
    divided.check()


def test_given_units_are_written_down_until_somebody_has_them(divided: Divided) -> None:
    transfer = divided.start(0, 4, 2)
    assert divided.left() == [2, 3, 3]
    assert divided.moving() == [3, 4]
    divided.check()
    found = offers.read(divided.client, divided.id)
    assert (found.stock, found.left) == (10, 10)  # type: ignore[union-attr]
    assert divided.receive(transfer)[:1] == ["RECEIVED"]
    assert divided.moving() == []
    divided.check()


def test_open_a_transfer_that_began_is_told_again_and_nothing_more_is_taken(divided: Divided) -> None:
    transfer = divided.start(0, 4, 1)
    assert divided.give(0, 4, 3) == ["OPEN", transfer.number, transfer.units.encode()]
    assert divided.left() == [3, 3, 3]
    # Another pair of buckets is not concerned.
    assert divided.give(0, 8, 1)[0] == "GIVEN"


def test_repeated_units_are_received_once(divided: Divided) -> None:
    transfer = divided.start(0, 4, 2)
    assert divided.receive(transfer)[0] == "RECEIVED"
    assert divided.receive(transfer) == ["REPEATED"]
    assert divided.close(transfer) == "CLOSED"
    assert divided.receive(transfer) == ["REPEATED"]
    divided.check()


def test_ahead_a_transfer_whose_predecessor_is_missing_is_refused(divided: Divided) -> None:
    assert divided.receive(Transfer(0, 4, 2, "3-4")) == ["AHEAD", 0]
    divided.check()


def test_closed_and_unchanged_a_transfer_is_struck_out_once(divided: Divided) -> None:
    transfer = divided.start(0, 4, 1)
    assert divided.receive(transfer)[0] == "RECEIVED"
    assert divided.close(transfer._replace(number=2)) == "UNCHANGED"
    assert divided.close(transfer) == "CLOSED"
    assert divided.close(transfer) == "UNCHANGED"
    assert divided.start(0, 4, 1).number == 2


def test_nothing_an_empty_bucket_has_nothing_to_give(divided: Divided) -> None:
    divided.move(4, 0, 3)
    assert divided.give(4, 8, 1) == ["NOTHING"]
    assert divided.left() == [7, 0, 3]


def test_units_that_came_back_are_given_when_there_are_no_others(divided: Divided) -> None:
    won = divided.admit(0, "amy", "bob", quantities=[3, 1], click_keys=["k", "l"])
    divided.first.free(2, 4)
    assert (won.letters, divided.numbers(0)) == ("WW", [2, 4])
    transfer = divided.move(0, 4, 2)
    assert transfer.units == "2,4"
    assert (divided.left(), divided.sales[4].zset("freed")) == ([0, 5, 3], [2, 4])
    assert divided.admit(4, "cleo").units == [2]
    divided.check()


def test_fenced_stale_missing_nothing_moves_in_a_closed_bucket(divided: Divided, redis: Redis) -> None:
    transfer = divided.start(0, 4, 1)
    assert divided.give(0, 8, 1, run_id="another") == ["FENCED"]
    assert divided.receive(transfer, run_id="another") == ["FENCED"]
    assert divided.give(0, 8, 1, epoch=2) == ["STALE", 1]
    assert divided.receive(transfer, epoch=2) == ["STALE", 1]
    assert divided.mark_dry(4, lasts_ms=1, epoch=2) == "STALE"
    divided.check()
    redis.delete(keys.offer(divided.id, 4))
    assert divided.receive(transfer) == ["MISSING"]
    assert divided.give(4, 0, 1) == ["MISSING"]
    assert divided.mark_dry(4, lasts_ms=1, sequence=0) == "MISSING"


# Too few here.


def test_a_click_for_which_there_are_too_few_here_counts_for_nothing(divided: Divided) -> None:
    divided.move(4, 0, 3)
    before = divided.sales[4].everything()
    for _ in range(5):
        assert divided.admit(4, "amy", rate_limit=1, click_keys=["k"]).letters == "M"
    assert divided.sales[4].everything() == before
    divided.move(0, 4, 2)
    reply = divided.admit(4, "amy", "amy", rate_limit=2, quantities=[1, 2], click_keys=["k", "l"])
    assert reply.letters == "WM"
    assert divided.admit(4, "amy", rate_limit=2, click_keys=["l"]).letters == "W"
    assert divided.admit(4, "amy", rate_limit=2, click_keys=["m"]).letters == "R"


def test_marked_nobody_is_sent_elsewhere_while_all_are_empty(divided: Divided) -> None:
    for number, units in ((0, 4), (4, 3), (8, 3)):
        numbers = [f"{number}-{unit}" for unit in range(units)]
        assert divided.admit(number, *numbers).letters == "W" * units
    assert divided.admit(0, "amy").letters == "M"
    assert divided.mark_dry(0, lasts_ms=LEASE_MS) == "MARKED"
    reply = divided.admit(0, "amy", "0-0", lease_ms=10 * LEASE_MS)
    assert (reply.letters, reply.details[0], reply.left) == ("SA", 0, 0)
    assert 0 < reply.lease_ms <= LEASE_MS
    # Only this bucket was marked, and only for a while.
    assert divided.admit(4, "amy").letters == "M"
    wait_until(lambda: divided.admit(0, "amy").letters == "M", what="the end of the mark")


def test_marked_with_some_left_smaller_wishes_are_sent_elsewhere(divided: Divided) -> None:
    divided.move(4, 0, 3)
    divided.move(8, 0, 3)
    assert divided.mark_dry(4, 2, lasts_ms=5000) == "MARKED"
    reply = divided.admit(4, "amy", "bob", quantities=[3, 2], click_keys=["k", "l"])
    # What is left in all keeps gateways from repeating this to whoever wants less.
    assert (reply.letters, reply.details, reply.left) == ("SM", [2, None], 2)


def test_moved_a_bucket_that_has_changed_is_not_marked(divided: Divided) -> None:
    sequence = divided.sales[4].number("sequence")
    divided.move(0, 4, 1)
    assert divided.mark_dry(4, lasts_ms=5000, sequence=sequence) == "MOVED"


def test_moved_a_mark_of_nothing_left_is_not_replaced_by_one_of_more(divided: Divided) -> None:
    assert divided.mark_dry(4, 0, lasts_ms=5000) == "MARKED"
    assert divided.mark_dry(4, 5, lasts_ms=1) == "MOVED"
    assert divided.mark_dry(4, 0, lasts_ms=5000) == "MARKED"


@pytest.mark.parametrize("way", ["receive", "release", "raise", "unfreeze"])
def test_what_comes_back_is_held_while_gateways_may_repeat_a_refusal(divided: Divided, way: str) -> None:
    win = divided.admit(4, "amy", "bob", click_keys=["k", "k"])
    divided.freeze(4, "cut", 1)
    transfer = divided.start(0, 4, 1)
    assert divided.mark_dry(4, lasts_ms=LEASE_MS) == "MARKED"
    until_ms = divided.sales[4].number("dry_until_ms")
    if way == "receive":
        hold_ms = divided.receive(transfer)[1]
    elif way == "release":
        ticket = win.ticket()
        hold_ms = divided.sales[4].release("amy", ticket.order_no, *ticket.units)[1]
    elif way == "raise":
        hold_ms = stock.adjust_stock(divided.client, divided.id, 1, "op", 3, lease_ms=0).hold_ms  # type: ignore[union-attr]
    else:
        hold_ms = divided.unfreeze(4, "cut")[1]
    assert 0 < hold_ms <= LEASE_MS
    reply = divided.admit(4, "cleo", click_keys=["k"])
    assert (reply.letters, redis_now_ms(divided.client) < until_ms) == ("S", True)
    wait_until(lambda: divided.admit(4, "cleo", click_keys=["k"]).letters == "W", what="the end of the hold")
    assert redis_now_ms(divided.client) >= until_ms


def test_nothing_is_held_when_nobody_repeats_a_refusal(divided: Divided) -> None:
    # Given a mark that only concerns those who want three, then one unit more is sold at once.
    divided.move(4, 0, 3)
    divided.move(8, 0, 3)
    assert divided.mark_dry(4, 2, lasts_ms=60_000) == "MARKED"
    transfer = divided.start(0, 4, 1)
    assert divided.receive(transfer) == ["RECEIVED", 0, 1]
    assert divided.admit(4, "amy", click_keys=["k"]).letters == "W"
    assert divided.admit(4, "bob", quantities=[3], click_keys=["k"]).letters == "M"


def test_an_older_hold_that_ends_later_stays(divided: Divided) -> None:
    divided.client.hset(
        keys.offer(divided.id, 4),
        mapping={"hold_until_ms": redis_now_ms(divided.client) + 60_000, "hold_letter": "P"},
    )
    transfer = divided.start(0, 4, 1)
    divided.mark_dry(4, lasts_ms=1000)
    assert divided.receive(transfer)[1] > 50_000
    assert divided.admit(4, "amy").letters == "P"


# Raises and cuts.


def test_a_raise_is_divided_and_each_bucket_gets_numbers_of_its_own(divided: Divided) -> None:
    change = stock.adjust_stock(divided.client, divided.id, 1, "op", 5, lease_ms=0)
    assert change == stock.StockChange(applied=True, stock=15, left=15, unit_cap=15)
    assert [divided.numbers(number)[-2:] for number in (0, 4, 8)] == [[11, 12], [13, 14], [10, 15]]
    divided.check()
    assert stock.adjust_stock(divided.client, divided.id, 1, "op", 5, lease_ms=0) == change
    divided.check()


def test_a_raise_that_stopped_half_way_goes_on_with_the_same_numbers(divided: Divided) -> None:
    reply = divided.call("adjust_stock", 0, operation_id="op", delta=2, epoch=1, lease_ms=0, allot=5, first=0)
    assert reply[-1] == 11
    # Another raise overtakes it.
    assert stock.adjust_stock(divided.client, divided.id, 1, "other", 1, lease_ms=0).unit_cap == 16  # type: ignore[union-attr]
    change = stock.adjust_stock(divided.client, divided.id, 1, "op", 5, lease_ms=0)
    assert change == stock.StockChange(applied=True, stock=16, left=16, unit_cap=16)
    divided.check()


def test_a_cut_is_taken_from_all_buckets(divided: Divided) -> None:
    change = stock.adjust_stock(divided.client, divided.id, 1, "op", -4, lease_ms=0)
    assert change == stock.StockChange(applied=True, stock=6, left=6, unit_cap=10)
    assert divided.left() == [2, 2, 2]
    divided.check()
    assert stock.adjust_stock(divided.client, divided.id, 1, "op", -4, lease_ms=0) == change
    divided.check()


def test_a_cut_takes_what_lies_in_one_bucket_and_on_its_way(divided: Divided) -> None:
    divided.move(4, 0, 3)
    divided.move(8, 0, 3)
    divided.start(0, 4, 2)
    change = stock.adjust_stock(divided.client, divided.id, 1, "op", -10, lease_ms=0)
    assert change == stock.StockChange(applied=True, stock=0, left=0, unit_cap=10)
    divided.check()


def test_a_cut_waits_for_units_that_cannot_arrive_yet(divided: Divided, redis: Redis) -> None:
    divided.start(0, 4, 2)
    redis.hset(keys.offer(divided.id, 4), "run_id", "")
    with pytest.raises(OfferError, match="on their way"):
        stock.adjust_stock(redis, divided.id, 1, "op", -10, lease_ms=0)
    redis.hset(keys.offer(divided.id, 4), "run_id", divided.run_id)
    change = stock.adjust_stock(redis, divided.id, 1, "op", -10, lease_ms=0)
    assert change == stock.StockChange(applied=True, stock=0, left=0, unit_cap=10)
    divided.check()


def test_too_low_a_cut_below_what_is_held_gives_everything_back(divided: Divided) -> None:
    assert divided.admit(0, "amy", "bob", click_keys=["k", "k"]).letters == "WW"
    change = stock.adjust_stock(divided.client, divided.id, 1, "op", -9, lease_ms=0)
    assert change == stock.StockChange(applied=False, lowest=2)
    assert divided.left() == [2, 3, 3]
    divided.check()
    # It stays refused, whatever comes back meanwhile.
    divided.first.free(1)
    assert stock.adjust_stock(divided.client, divided.id, 1, "op", -9, lease_ms=0).applied is False  # type: ignore[union-attr]
    divided.check()


def test_frozen_a_cut_that_stopped_half_way_goes_on(divided: Divided) -> None:
    assert divided.freeze(0, "op", 4) == ["FROZEN", 4]
    assert divided.freeze(0, "op", 4) == ["FROZEN", 4]
    change = stock.adjust_stock(divided.client, divided.id, 1, "op", -7, lease_ms=0)
    assert change == stock.StockChange(applied=True, stock=3, left=3, unit_cap=10)
    divided.check()


def test_undone_and_unfrozen_a_cut_that_was_being_given_up_is_given_up(divided: Divided) -> None:
    assert divided.freeze(0, "op", 4) == ["FROZEN", 4]
    assert divided.freeze(4, "op", 1) == ["FROZEN", 1]
    assert divided.unfreeze(0, "op") == ["UNFROZEN", 0]
    assert divided.unfreeze(0, "op") == ["UNCHANGED"]
    assert divided.freeze(0, "op", 4) == ["UNDONE"]
    change = stock.adjust_stock(divided.client, divided.id, 1, "op", -5, lease_ms=0)
    assert change == stock.StockChange(applied=False, lowest=0)
    assert divided.left() == [4, 3, 3]
    divided.check()


def test_stale_and_missing_stock_is_not_changed(divided: Divided) -> None:
    for delta in (2, -2):
        with pytest.raises(OfferError, match="epoch 1, not 2"):
            stock.adjust_stock(divided.client, divided.id, 2, "op", delta, lease_ms=0)
    divided.client.delete(keys.offer(divided.id, 8))
    assert stock.adjust_stock(divided.client, divided.id, 1, "op", 2, lease_ms=0) is None
    assert stock.adjust_stock(divided.client, divided.id, 1, "cut", -2, lease_ms=0) is None
    assert divided.call("unfreeze", 8, operation_id="cut", epoch=1) == ["MISSING"]
    assert divided.call("unfreeze", 0, operation_id="cut", epoch=2) == ["STALE", 1]


def test_a_seat_takes_a_number_out_of_the_middle(divided: Divided) -> None:
    divided.move(8, 0, 3)
    terms = {"run_id": divided.run_id, "epoch": 1, "shopper": "amy", "terms": "1,2,3,"}
    named = divided.call("seat", 0, order_no="A", units="2.9", quantity=2, **terms)
    assert (named[0], named[1].split(b",")[1]) == ("SEATED", b"2.9")
    assert divided.numbers(0) == [1, 3, 4, 8, 10]
    assert divided.call("seat", 0, order_no="B", units="5", quantity=1, **terms) == ["TAKEN", 5]
    any_unit = divided.call("seat", 0, order_no="C", units="", quantity=1, **terms)
    assert any_unit[1].split(b",")[1] == b"1"
    divided.check()
    assert divided.admit(0, "bob", quantities=[3], click_keys=["k"]).units == [3, 4, 8]
    divided.check()
