"""Given units that were given up, each is on sale again exactly once, whatever dies between ledger and Redis."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine, func, insert, select, update

from gateway import keys, offers
from gateway.orders import expiry, releases, tables
from gateway.orders.database import now_ms
from tests.conftest import RedisServer, wait_until
from tests.gateway.orders.shop import HOUR_MS, Shop
from tests.lua.calling import Sale

GIVE_BACK = """
from gateway import store
from gateway.orders import expiry, releases
from gateway.orders.database import open_engine
from gateway.settings import Settings
settings = Settings.from_env()
engine = open_engine(settings.database_url)
"""


def apply(shop: Shop, **how: object) -> releases.Applied:
    return releases.apply_waiting(shop.engine, shop.redis, lease_ms=1, **how)  # type: ignore[arg-type]


def left(shop: Shop, offer: str) -> int:
    found = offers.read(shop.redis, offer)
    assert found is not None
    return found.left


def freed(shop: Shop, offer: str, epoch: int = keys.FIRST_EPOCH) -> list[int]:
    return [int(number) for number in shop.redis.zrange(keys.freed(offer, epoch), 0, -1)]


def waiting(engine: Engine) -> int:
    rows = select(func.count()).where(tables.unit_releases.c.done_at_ms.is_(None))
    with engine.connect() as connection:
        return int(connection.execute(rows).scalar_one())


def sell_out(shop: Shop, offer: str, units: int = 5) -> None:
    """All units sold and written, none paid in time."""
    shop.publish(offer, stock=units, pay_within_ms=1)
    shop.sell(offer, units)
    shop.write()


@pytest.fixture
def expired(shop: Shop, offer_id: str) -> Shop:
    """Five units of expired orders wait to be given back."""
    sell_out(shop, offer_id)
    assert expiry.expire(shop.engine, [offer_id]) == 5
    assert waiting(shop.engine) == 5
    return shop


def test_units_are_on_sale_again_under_the_same_numbers(expired: Shop, offer_id: str) -> None:
    began_ms = now_of(expired)
    assert apply(expired) == releases.Applied(units=5, done=5)
    assert (left(expired, offer_id), freed(expired, offer_id)) == (5, [1, 2, 3, 4, 5])
    with expired.engine.connect() as connection:
        done = connection.execute(select(tables.unit_releases.c.done_at_ms)).scalars().all()
    assert all(began_ms <= each <= now_of(expired) for each in done)
    # When they are sold to others and written, then nothing stands against it.
    wait_until(lambda: expired.click(offer_id, ["first"]), what="the end of the hold")
    assert len(expired.click(offer_id, ["a", "b", "c", "shopper-0"])) == 4
    expired.write()
    assert expired.order_count() == 10


def now_of(shop: Shop) -> int:
    with shop.engine.connect() as connection:
        return now_ms(connection)


def test_a_second_time_there_is_nothing_to_do(expired: Shop, offer_id: str) -> None:
    apply(expired)
    assert apply(expired) == releases.Applied()
    with expired.engine.begin() as connection:
        connection.execute(update(tables.unit_releases).values(done_at_ms=None))
    assert apply(expired) == releases.Applied(units=0, done=5)
    assert left(expired, offer_id) == 5


def test_one_order_alone(expired: Shop, offer_id: str) -> None:
    order_no = next(number for number, (_, _, units) in expired.orders().items() if units == (3,))
    assert apply(expired, order_no=order_no) == releases.Applied(units=1, done=1)
    assert freed(expired, offer_id) == [3]
    assert waiting(expired.engine) == 4


def test_a_long_queue_is_taken_in_pieces_without_offers_that_are_left_out(
    expired: Shop, offer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "TOGETHER", 2)
    assert apply(expired, without=[offer_id]) == releases.Applied()
    seen, after = [], 0
    while after is not None:
        applied = apply(expired, after=after)
        seen.append(applied.done)
        after = applied.after
    assert seen == [2, 2, 1]


def test_the_current_epoch_of_an_offer_is_told_and_not_that_of_the_order(expired: Shop, offer_id: str) -> None:
    rebuild(expired, offer_id, epoch=2)
    expired.set_ledger(offer_id, epoch=2)
    assert apply(expired) == releases.Applied(units=5, done=5)
    assert freed(expired, offer_id, epoch=2) == [1, 2, 3, 4, 5]


def rebuild(shop: Shop, offer: str, *, epoch: int) -> None:
    """Bring the offer into another epoch with all its tickets."""
    shop.redis.hset(keys.offer(offer), "epoch", epoch)
    shop.redis.rename(keys.buyers(offer, epoch - 1), keys.buyers(offer, epoch))


def test_units_wait_while_redis_has_another_epoch_or_lacks_the_offer(expired: Shop, offer_id: str) -> None:
    sell_out(expired, f"other-{offer_id}")
    expiry.expire(expired.engine, [f"other-{offer_id}"])
    expired.set_ledger(offer_id, epoch=2)
    # Then others do not wait for them.
    assert apply(expired) == releases.Applied(units=5, done=5, closed=frozenset({offer_id}))
    rebuild(expired, offer_id, epoch=2)
    expired.redis.rename(keys.offer(offer_id), "aside")
    assert apply(expired) == releases.Applied(closed=frozenset({offer_id}))
    expired.redis.rename("aside", keys.offer(offer_id))
    assert apply(expired) == releases.Applied(units=5, done=5)


def test_an_offer_that_redis_refuses_to_change_does_not_hold_up_others(expired: Shop, offer_id: str) -> None:
    sell_out(expired, f"other-{offer_id}")
    expiry.expire(expired.engine, [f"other-{offer_id}"])
    expired.redis.rename(keys.buyers(offer_id, 1), "aside")
    expired.redis.set(keys.buyers(offer_id, 1), "not a hash")
    assert apply(expired) == releases.Applied(units=5, done=5, closed=frozenset({offer_id}))
    expired.redis.rename("aside", keys.buyers(offer_id, 1))
    assert apply(expired) == releases.Applied(units=5, done=5)


def test_several_processes_at_once_give_each_unit_back_once(shop: Shop, offer_id: str) -> None:
    sell_out(shop, offer_id, units=400)
    expiry.expire(shop.engine, [offer_id])
    start = threading.Barrier(4)
    units: list[int] = []

    def work() -> None:
        client = Redis.from_url(shop.settings.redis_url)
        start.wait()
        units.append(releases.apply_waiting(shop.engine, client, lease_ms=1).units)
        client.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(units) == 400
    assert (left(shop, offer_id), freed(shop, offer_id)) == (400, list(range(1, 401)))
    assert waiting(shop.engine) == 0


# Crashes and recoveries in between.


def test_killed_after_redis_and_before_the_ledger(expired: Shop, offer_id: str) -> None:
    with expired.holding_offers():
        process = expired.start_python(
            GIVE_BACK + "releases.apply_waiting(engine, store.connect(settings.redis_url), lease_ms=1)"
        )
        wait_until(lambda: left(expired, offer_id) == 5, what="the units in Redis")
        process.kill()
        process.communicate()
    assert waiting(expired.engine) == 5
    # Given a unit that was sold again meanwhile, when the next process tells Redis once more, then it stays sold.
    wait_until(lambda: expired.click(offer_id, ["zoe"]), what="the end of the hold")
    assert apply(expired) == releases.Applied(units=0, done=5)
    assert (left(expired, offer_id), freed(expired, offer_id)) == (4, [2, 3, 4, 5])


def test_killed_after_the_ledger_and_before_redis(shop: Shop, offer_id: str) -> None:
    sell_out(shop, offer_id)
    shop.redis.client_pause(60_000, all=False)  # scripts wait, reads go through
    try:
        process = shop.start_python(
            GIVE_BACK
            + f"expiry.expire(engine, [{offer_id!r}])\n"
            + "releases.apply_waiting(engine, store.connect(settings.redis_url, timeout_s=60), lease_ms=1)"
        )
        wait_until(lambda: waiting(shop.engine) == 5, what="the rows in the ledger")
        process.kill()
        process.communicate()
    finally:
        shop.redis.client_unpause()
    assert left(shop, offer_id) == 0
    assert apply(shop) == releases.Applied(units=5, done=5)
    assert left(shop, offer_id) == 5


def test_recovered_in_between_the_units_are_given_back_in_the_new_epoch(expired: Shop, offer_id: str) -> None:
    """Given Redis was told in the old epoch, when recovery raises it from what it read before, then once more."""
    before = expired.redis.hgetall(keys.buyers(offer_id, 1))
    with expired.holding_offers() as recovery:
        thread = threading.Thread(target=apply, args=(expired,))
        thread.start()
        wait_until(lambda: left(expired, offer_id) == 5, what="the units in Redis")
        # Recovery builds the offer with the tickets as they were.
        expired.redis.hset(keys.buyers(offer_id, 2), mapping=before)
        expired.redis.hset(keys.offer(offer_id), mapping={"epoch": 2, "left": 0, "freed": 0})
        recovery.execute(update(tables.offers).values(epoch=2))
    thread.join()
    assert waiting(expired.engine) == 5
    assert apply(expired) == releases.Applied(units=5, done=5)
    assert (left(expired, offer_id), freed(expired, offer_id, epoch=2)) == (5, [1, 2, 3, 4, 5])


@pytest.fixture
def restarting(tmp_path: Path, shop: Shop, offer_id: str) -> Iterator[tuple[Shop, RedisServer]]:
    """A shop with five expired orders on a Redis of its own."""
    server = RedisServer(tmp_path)
    server.start()
    own = Shop(replace(shop.settings, redis_url=server.url), shop.engine)
    sell_out(own, offer_id)
    expiry.expire(own.engine, [offer_id])
    yield own, server
    own.close()
    server.stop()


def test_told_to_a_redis_that_is_gone_since_a_row_goes_on_waiting(
    restarting: tuple[Shop, RedisServer], offer_id: str
) -> None:
    shop, server = restarting
    with shop.holding_offers():
        thread = threading.Thread(target=apply, args=(shop,))
        thread.start()
        wait_until(lambda: left(shop, offer_id) == 5, what="the units in Redis")
        server.kill()
        server.start()
    thread.join()
    assert waiting(shop.engine) == 5
    assert apply(shop) == releases.Applied(units=0, done=5)
    assert left(shop, offer_id) == 5


def test_out_of_memory_units_wait(restarting: tuple[Shop, RedisServer], offer_id: str) -> None:
    shop, _ = restarting
    shop.redis.config_set("maxmemory", 1)
    assert apply(shop) == releases.Applied(closed=frozenset({offer_id}))
    shop.redis.config_set("maxmemory", 0)
    assert apply(shop) == releases.Applied(units=5, done=5)


# Done rows.


def test_done_rows_are_kept_for_a_week(shop: Shop, offer_id: str) -> None:
    now = now_of(shop)
    done = {
        "old": now - releases.KEEP_DONE_MS - 1000,
        "waiting": None,
        "older": now - releases.KEEP_DONE_MS - HOUR_MS,
        "new": now - releases.KEEP_DONE_MS + HOUR_MS,
    }
    with shop.engine.begin() as connection:
        for order_no, done_at_ms in done.items():
            connection.execute(
                insert(tables.unit_releases).values(
                    order_no=order_no,
                    offer=offer_id,
                    shopper="amy",
                    units=[1],
                    requested_at_ms=1,
                    done_at_ms=done_at_ms,
                )
            )
    assert releases.prune(shop.engine) == 2
    with shop.engine.connect() as connection:
        kept = connection.execute(select(tables.unit_releases.c.order_no)).scalars().all()
    assert sorted(kept) == ["new", "waiting"]
    assert releases.prune(shop.engine) == 0


def test_a_shopper_whose_order_expired_may_win_again(expired: Shop, offer_id: str) -> None:
    apply(expired)
    wait_until(lambda: expired.click(offer_id, ["shopper-2"]), what="the end of the hold")
    sale = Sale(expired.redis, offer_id)
    expired.write()
    orders = [number for number, (_, shopper, _) in expired.orders().items() if shopper == "shopper-2"]
    assert len(orders) == 2
    assert [ticket.order_no for ticket in sale.record("shopper-2")] == [max(orders)]
