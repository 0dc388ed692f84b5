"""Given a batch of clicks, `admit` decides each in order of arrival."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from tests.conftest import RedisServer, wait_until
from tests.lua.calling import HOUR_MS, Reply, Sale, redis_now_ms

DAY_MS = 24 * HOUR_MS


@pytest.fixture
def sale(redis: Redis, offer_id: str) -> Sale:
    """Three units, one to a shopper."""
    return Sale.open(redis, offer_id, stock=3)


@pytest.fixture
def many(redis: Redis, offer_id: str) -> Sale:
    """Ten units, three to a shopper."""
    return Sale.open(redis, offer_id, stock=10, limit=3)


# The letters.


def test_w_the_winner_gets_a_ticket_that_buyer_and_stream_hold_too(sale: Sale) -> None:
    before = int(sale.client.hget(sale.named()["counters"], "issued") or 0)  # type: ignore[arg-type]
    reply = sale.admit("amy", order_numbers=["abc"])
    assert (reply.word, reply.letters, reply.left, reply.sequence) == ("DECIDED", "W", 2, 1)
    ticket = reply.ticket()
    assert (ticket.order_no, ticket.units, ticket.slots, ticket.price) == ("abc", (1,), (1,), 9900)
    assert (ticket.won_at_ms, ticket.pay_by_ms) == (reply.now_ms, reply.now_ms + 900_000)
    assert sale.record("amy") == [ticket]
    assert sale.streamed() == [(b"amy", reply.details[0])]
    assert int(sale.client.hget(sale.named()["counters"], "issued")) == before + 1  # type: ignore[arg-type]
    assert sale.number("sold_at_ms") == reply.now_ms


def test_a_a_winner_gets_the_same_ticket_again(sale: Sale) -> None:
    won = sale.admit("amy")
    before = sale.everything()
    again = sale.admit("amy")
    assert (again.letters, again.details) == ("A", won.details)
    assert sale.everything() == before


def test_s_nothing_left(sale: Sale) -> None:
    assert sale.admit("amy", "bob", "cleo").letters == "WWW"
    before = sale.everything()
    reply = sale.admit("dan")
    assert (reply.letters, reply.details, reply.left, reply.lease_ms) == ("S", [0], 0, 200)
    assert sale.everything() == before


def test_s_too_few_left_for_the_quantity_sells_none_and_says_how_many(many: Sale) -> None:
    reply = many.admit(
        "amy", "bob", "cleo", "dan", "eve", quantities=[3, 3, 3, 2, 1], click_keys=["a", "b", "c", "d", "e"]
    )
    assert reply.letters == "WWWSW"
    assert reply.details[3] == 1
    assert reply.units == list(range(1, 11))


def test_l_more_than_the_limit_still_allows(many: Sale) -> None:
    assert many.admit("amy", quantities=[2], click_keys=["a"]).letters == "W"
    reply = many.admit("amy", quantities=[2], click_keys=["b"])
    assert (reply.letters, reply.details) == ("L", [2])
    assert many.admit("amy", quantities=[1], click_keys=["c"]).letters == "W"
    assert many.admit("amy", quantities=[1], click_keys=["d"]).details == [3]


def test_l_a_quantity_above_a_limit_of_one(sale: Sale) -> None:
    reply = sale.admit("amy", quantities=[2])
    assert (reply.letters, reply.details, reply.left) == ("L", [0], 3)


def test_r_too_many_clicks_of_one_shopper(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=0)
    sale.wait_for_window(1000, within_ms=500)
    reply = sale.admit("amy", "amy", "bob", "amy", rate_limit=2)
    assert reply.letters == "SSSR"
    assert 1 <= reply.details[3] <= 2000


def test_n_not_started(redis: Redis, offer_id: str) -> None:
    now = redis_now_ms(redis)
    sale = Sale.open(redis, offer_id, stock=1, starts_at_ms=now + HOUR_MS, ends_at_ms=now + DAY_MS)
    reply = sale.admit("amy")
    assert (reply.letters, reply.details, reply.left) == ("N", [None], 1)


def test_e_ended_by_the_clock(redis: Redis, offer_id: str) -> None:
    now = redis_now_ms(redis)
    sale = Sale.open(redis, offer_id, stock=1, starts_at_ms=now - DAY_MS, ends_at_ms=now - 1)
    assert sale.admit("amy").letters == "E"


def test_e_ended_by_the_operator_and_when(sale: Sale) -> None:
    before = redis_now_ms(sale.client)
    sale.set_terms(version=2, state="terminated")
    assert sale.admit("amy").letters == "E"
    assert before <= sale.number("ended_at_ms") <= redis_now_ms(sale.client)


def test_p_paused(sale: Sale) -> None:
    sale.set_terms(version=2, state="paused")
    assert sale.admit("amy").letters == "P"


def test_i_the_audience_does_not_include_the_shopper(sale: Sale) -> None:
    reply = sale.admit("amy", "bob", "cleo", eligible="101")
    assert reply.letters == "WIW"
    assert sale.record("bob") == []


def test_k_a_key_with_another_quantity(many: Sale) -> None:
    won = many.admit("amy", quantities=[2], click_keys=["a"])
    assert many.admit("amy", quantities=[1], click_keys=["a"]).letters == "K"
    again = many.admit("amy", quantities=[2], click_keys=["a"])
    assert (again.letters, again.details) == ("A", won.details)


# What outranks what.


@pytest.mark.parametrize("closing", [{"state": "paused"}, {"state": "terminated"}, {"ends_at_ms": 2}])
def test_a_winner_is_told_so_whatever_happened_since(sale: Sale, closing: dict[str, Any]) -> None:
    won = sale.admit("amy")
    sale.set_terms(version=2, **({"starts_at_ms": 1} | closing))
    reply = sale.admit("amy", "bob", eligible="01")
    assert reply.letters[0] == "A"
    assert reply.details[0] == won.details[0]
    assert reply.letters[1] in "EP"


def test_a_winner_is_told_so_when_sold_out_and_over_the_rate(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=1)
    assert sale.admit("amy", rate_limit=1).letters == "W"
    assert sale.admit("amy", "amy", "bob", rate_limit=1).letters == "AAS"


def test_closed_outranks_the_audience_and_costs_no_allowance(sale: Sale) -> None:
    sale.set_terms(version=2, state="paused")
    assert sale.admit("amy", eligible="0", rate_limit=1).letters == "P"
    sale.set_terms(version=3, state="open")
    wait_until(lambda: redis_now_ms(sale.client) > sale.number("hold_until_ms"))
    assert sale.admit("amy", rate_limit=1).letters == "W"


# Batch words.


def test_late_a_batch_after_its_deadline_decides_nothing(sale: Sale) -> None:
    before = sale.everything()
    reply = sale.admit("amy", deadline_ms=redis_now_ms(sale.client) - 1)
    assert reply.word == "LATE"
    assert sale.everything() == before


def test_fenced_a_run_that_was_not_approved_sells_nothing(sale: Sale) -> None:
    before = sale.everything()
    assert sale.admit("amy", run_id="another").word == "FENCED"
    assert sale.everything() == before


@pytest.mark.parametrize("stale", [{"version": 2}, {"version": 0}, {"epoch": 2}])
def test_stale_terms_of_another_version_or_epoch_decide_nothing(sale: Sale, stale: dict[str, int]) -> None:
    before = sale.everything()
    assert sale.admit("amy", **stale).word == "STALE"
    assert sale.everything() == before


def test_stale_a_caller_that_knows_of_no_freed_units(sale: Sale, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a caller that names the offer for the freed units, then it sells nothing once there are some.
    real = sale.named
    for word, shopper in (("DECIDED", "amy"), ("STALE", "bob")):
        with monkeypatch.context() as patch:
            patch.setattr(sale, "named", lambda: real() | {"freed": real()["offer"]})
            assert sale.admit(shopper).word == word
        if word == "DECIDED":
            sale.free(1)
    assert (sale.number("left"), sale.number("freed"), sale.record("bob")) == (sale.number("stock"), 1, [])


def test_missing_an_offer_that_is_not_there(redis: Redis, offer_id: str) -> None:
    assert Sale(redis, offer_id).admit("amy").word == "MISSING"


# Units.


def test_units_are_numbered_from_one_in_order_of_arrival(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=5)
    assert sale.admit("a", "b").units == [1, 2]
    assert sale.admit("c", "d", "e", "f").units == [3, 4, 5]


def test_freed_units_are_sold_first_under_their_numbers(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=5)
    sale.admit("a", "b", "c")
    sale.free(1, 3)
    reply = sale.admit("d", "e", "f", "g", "h")
    assert (reply.letters, reply.units) == ("WWWWS", [1, 3, 4, 5])
    assert (sale.zset("freed"), sale.number("freed"), sale.number("left")) == ([], 0, 0)


def test_a_shopper_who_gave_a_unit_back_may_win_again_as_a_new_order(sale: Sale) -> None:
    first = sale.admit("amy").ticket()
    sale.free(1)
    again = sale.admit("amy")
    assert again.letters == "W"
    assert again.ticket().order_no != first.order_no


def test_thousands_of_freed_units_in_one_batch(redis: Redis, offer_id: str) -> None:
    # Given more freed units than Lua can unpack at once, one batch may take them all.
    sale = Sale.open(redis, offer_id, stock=12_000, limit=1000)
    for name, value in (("next_unit", 12_001), ("freed", 12_000)):
        redis.hset(sale.named()["offer"], name, value)
    redis.zadd(sale.named()["freed"], {str(unit): unit for unit in range(1, 12_001)})
    shoppers = [f"s{number}" for number in range(12)]
    reply = sale.admit(*shoppers, quantities=[1000] * 12, click_keys=["k"] * 12)
    assert reply.letters == "W" * 12
    assert reply.units == list(range(1, 12_001))
    assert (sale.zset("freed"), len(sale.streamed())) == ([], 12)


def test_quantity_takes_the_lowest_free_slots(many: Sale) -> None:
    assert many.admit("amy", quantities=[2], click_keys=["a"]).ticket().slots == (1, 2)
    assert many.admit("amy", quantities=[1], click_keys=["b"]).ticket().slots == (3,)
    # Given that the first purchase was given back, its slots are free again.
    record = many.client.hget(many.named()["buyers"], "amy")
    many.client.hset(many.named()["buyers"], "amy", record.split(b"|")[1])  # type: ignore[union-attr]
    assert many.admit("amy", quantities=[2], click_keys=["c"]).ticket().slots == (1, 2)
    assert [ticket.slots for ticket in many.record("amy")] == [(3,), (1, 2)]


# The same shopper more than once, and strange shoppers.


def test_a_shopper_twice_in_one_batch_wins_once(sale: Sale) -> None:
    reply = sale.admit("amy", "amy", "bob", "amy")
    assert reply.letters == "WAWA"
    assert reply.details[0] == reply.details[1] == reply.details[3]
    assert (reply.left, len(sale.streamed())) == (1, 2)


def test_a_shopper_twice_in_one_batch_with_other_keys_wins_up_to_the_limit(many: Sale) -> None:
    reply = many.admit(*["amy"] * 5, quantities=[1, 1, 2, 1, 1], click_keys=["a", "b", "c", "a", "d"])
    assert reply.letters == "WWLAW"
    assert reply.details[2] == 2
    assert [ticket.units for ticket in many.record("amy")] == [(1,), (2,), (3,)]
    assert [ticket.key for ticket in many.record("amy")] == ["a", "b", "d"]
    assert [ticket.slots for ticket in many.record("amy")] == [(1,), (2,), (3,)]


STRANGE = [
    *(
        "a b",
        "a",
        " a",
        "a ",
        '"a"',
        "'a'",
        "a,b",
        "a|b",
        "a.b",
        "a:b",
        "a;b",
        "a\\b",
        "{a}",
        "a]]b",
        "--a",
        "a/b?c=d&e",
    ),
    *(
        "*",
        "$1",
        "%",
        "0",
        "1",
        "-1",
        "W",
        "nil",
        "王小明",
        "王小",
        "😀",
        "👨\u200d👩\u200d👧",
        "\u00e9",
        "e\u0301",
        "ß",
        "ſ",
    ),
    *("a" * 64, "界" * 64),
]


def test_strange_shoppers_are_kept_apart(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=len(STRANGE))
    reply = sale.admit(*STRANGE)
    assert reply.letters == "W" * len(STRANGE)
    assert reply.units == list(range(1, len(STRANGE) + 1))
    assert sale.admit(*reversed(STRANGE)).details == list(reversed(reply.details))
    assert [shopper.decode() for shopper, _ in sale.streamed()] == STRANGE
    # The rate limit's own field name is empty, which no shopper's is.
    assert sale.admit(*STRANGE, rate_limit=1).letters == "A" * len(STRANGE)


def test_strange_shoppers_have_rate_allowances_of_their_own(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=0)
    sale.wait_for_window(60_000, within_ms=59_000)
    assert sale.admit(*STRANGE, rate_limit=1, window_ms=60_000).letters == "S" * len(STRANGE)
    assert sale.admit(*STRANGE, rate_limit=1, window_ms=60_000).letters == "R" * len(STRANGE)


# Many at once.


def test_400_callers_for_100_shoppers_and_50_units(redis_server: RedisServer, redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=50)
    replies: list[tuple[str, Reply]] = []
    start = threading.Barrier(40)

    def caller(number: int) -> None:
        mine = Sale(redis_server.client(), offer_id, run_id=sale.run_id)
        start.wait()
        for click in range(10):
            shopper = f"s{(number * 10 + click) % 100}"
            replies.append((shopper, mine.admit(shopper)))
        mine.client.close()

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 400
    letters = Counter(reply.letters for _, reply in replies)
    assert letters["W"] == 50
    units = [unit for _, reply in replies for unit in reply.units]
    assert sorted(units) == list(range(1, 51))
    winners = {shopper for shopper, reply in replies if reply.letters == "W"}
    assert len(winners) == 50
    # Every shopper clicked four times: a winner heard of one and the same ticket each time.
    for shopper in winners:
        heard = {reply.details[0] for who, reply in replies if who == shopper and reply.letters in "WA"}
        assert len(heard) == 1
    assert {who for who, reply in replies if reply.letters == "A"} <= winners
    assert {who for who, reply in replies if reply.letters == "S"} == {f"s{i}" for i in range(100)} - winners
    assert sorted(sale.streamed()) == sorted(
        (who.encode(), reply.details[0]) for who, reply in replies if reply.letters == "W"
    )
    assert (sale.number("left"), sale.number("sequence"), sale.number("next_unit")) == (0, 50, 51)


def test_two_offers_on_sale_at_once_do_not_disturb_each_other(redis: Redis, offer_id: str) -> None:
    first = Sale.open(redis, offer_id, stock=2)
    second = Sale.open(redis, f"{offer_id}2", stock=1)
    assert first.admit("amy", "bob").units == [1, 2]
    assert second.admit("bob", "amy").letters == "WS"
    assert first.admit("amy", "cleo").letters == "AS"
    assert [shopper for shopper, _ in second.streamed()] == [b"bob"]


@pytest.mark.parametrize("rate_limit", [0, 5])
def test_out_of_memory_a_batch_changes_nothing(own_redis: RedisServer, offer_id: str, rate_limit: int) -> None:
    client = own_redis.client()
    sale = Sale.open(client, offer_id, stock=5)
    assert sale.admit("amy", rate_limit=rate_limit, window_ms=60_000).letters == "W"
    before = sale.everything()
    issued = client.hgetall(sale.named()["counters"])
    client.config_set("maxmemory", 1)
    for shoppers in (["bob"], ["bob", "cleo"]):
        # Once within the same rate window and once in a new one, which begins by emptying the old.
        for window_ms in (60_000, 61_000):
            with pytest.raises(OutOfMemoryError):
                sale.admit(*shoppers, rate_limit=rate_limit, window_ms=window_ms)
    assert sale.admit("amy").letters == "A"
    client.config_set("maxmemory", 0)
    assert (sale.everything(), client.hgetall(sale.named()["counters"])) == (before, issued)
    assert sale.admit("bob", rate_limit=rate_limit, window_ms=60_000).units == [2]
    client.close()


def test_large_numbers_stay_exact(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=10**12, price=10**12, pay_within_ms=10**12)
    redis.hset(sale.named()["offer"], "next_unit", 10**15 - 1)
    reply = sale.admit("amy", "bob")
    assert reply.units == [10**15 - 1, 10**15]
    assert (reply.ticket().price, reply.ticket().pay_by_ms) == (10**12, reply.now_ms + 10**12)
    assert (sale.number("next_unit"), sale.number("left")) == (10**15 + 1, 10**12 - 2)
