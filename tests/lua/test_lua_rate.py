"""Given the shared rate limit, each shopper has an allowance per offer, in a window that slides."""

from __future__ import annotations

import itertools

import pytest
from redis import Redis

from tests.conftest import RedisServer, wait_until
from tests.lua.calling import Sale, redis_now_ms


def test_two_callers_share_one_shoppers_allowance(redis: Redis, redis_server: RedisServer, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=0)
    other = Sale(redis_server.client(), offer_id, run_id=sale.run_id)
    sale.wait_for_window(1000, within_ms=500)
    letters = "".join(caller.admit("amy", rate_limit=3).letters for caller in (sale, other, sale, other))
    other.client.close()
    assert letters == "SSSR"


def test_one_shopper_does_not_use_up_anothers_allowance(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=0)
    sale.wait_for_window(1000, within_ms=500)
    assert sale.admit(*["amy"] * 20, "bob", rate_limit=3).letters == "SSS" + "R" * 17 + "S"


def test_two_offers_have_allowances_of_their_own(redis: Redis, offer_id: str) -> None:
    first = Sale.open(redis, offer_id, stock=0)
    second = Sale.open(redis, f"{offer_id}2", stock=0)
    first.wait_for_window(1000, within_ms=500)
    assert first.admit("amy", "amy", rate_limit=1).letters == "SR"
    assert second.admit("amy", "amy", rate_limit=1).letters == "SR"


@pytest.mark.parametrize("parity", [0, 1])
def test_the_window_slides_the_wait_it_names_is_enough_and_not_too_long(
    redis: Redis, offer_id: str, parity: int
) -> None:
    sale = Sale.open(redis, offer_id, stock=0)
    window_ms = 400

    def one_more(shopper: str) -> str | None:
        """The answers to who has waited as long as was said; None when the machine let them wait longer."""
        sale.wait_for_window(window_ms, parity=parity, within_ms=100)
        reply = sale.admit(*[shopper] * 5, rate_limit=4, window_ms=window_ms)
        assert reply.letters == "SSSSR"
        due_ms = reply.now_ms + reply.details[4]
        # A quarter of the allowance is back when a quarter of the old window has slid out.
        assert window_ms < due_ms - reply.now_ms // window_ms * window_ms <= 1.25 * window_ms + 1
        wait_until(lambda: redis_now_ms(sale.client) >= due_ms)
        again = sale.admit(shopper, shopper, rate_limit=4, window_ms=window_ms)
        return again.letters if again.now_ms < due_ms + window_ms / 4 else None

    tried = itertools.count()
    assert (
        wait_until(lambda: one_more(f"amy{next(tried)}"), within_s=30, what="a machine that is quick enough")
        == "SR"
    )


def test_a_window_long_past_counts_nothing(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=0)
    window_ms = 50
    sale.wait_for_window(window_ms, within_ms=10)
    first = sale.admit("amy", "amy", rate_limit=1, window_ms=window_ms)
    wait_until(lambda: redis_now_ms(sale.client) // window_ms >= first.now_ms // window_ms + 2)
    assert sale.admit("amy", rate_limit=1, window_ms=window_ms).letters == "S"


def test_the_allowances_leave_by_themselves(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=0)
    sale.admit("amy", rate_limit=1, window_ms=50)
    wait_until(lambda: not redis.exists(sale.named()["even"], sale.named()["odd"]))


def test_a_win_is_counted_only_where_more_may_be_won(redis: Redis, offer_id: str) -> None:
    one = Sale.open(redis, offer_id, stock=9)
    several = Sale.open(redis, f"{offer_id}2", stock=9, limit=5)
    one.wait_for_window(1000, within_ms=500)
    assert one.admit(*["amy"] * 4, rate_limit=2).letters == "WAAA"
    assert not any(redis.exists(one.named()[hash_]) for hash_ in ("even", "odd"))
    assert several.admit(*["amy"] * 4, click_keys=[*"abcd"], rate_limit=2).letters == "WWRR"
