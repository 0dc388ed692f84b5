"""A restarted Redis sells again as it is when it has all that the ledger knows, and only then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, insert

from gateway import keys, offers, scripts, stock
from gateway.orders import releases, states, tables
from gateway.orders.database import now_ms
from gateway.orders.fence import FenceWatcher
from gateway.orders.message import Ticket
from tests.conftest import RedisServer, wait_until
from tests.gateway.orders.losing import copy_files, restore_files
from tests.gateway.orders.shop import Shop


@pytest.fixture
def shop(own_shop: Shop) -> Shop:
    return own_shop


@pytest.fixture
def watcher(shop: Shop) -> Iterator[FenceWatcher]:
    watcher = shop.watcher()
    yield watcher
    watcher.close()


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def write_all(shop: Shop) -> None:
    with shop.writer():
        wait_until(shop.settled, what="everything settled")


def test_a_clean_restart_is_approved_at_the_first_look(
    shop: Shop, own_redis: RedisServer, watcher: FenceWatcher, offer_id: str
) -> None:
    """Given winners written and winners still in the stream, when Redis restarts whole, then it may sell."""
    shop.publish(offer_id, stock=30, limit=2)
    shop.publish(f"{offer_id}-2", stock=30)
    shop.click(offer_id, ["a", "b"], quantity=2)
    write_all(shop)
    shop.click(offer_id, ["c", "d"])
    restart(own_redis)
    assert not shop.approved(offer_id)
    watcher.check()
    assert watcher.closed == {}
    assert shop.approved(offer_id)
    assert shop.approved(f"{offer_id}-2")
    assert len(shop.click(offer_id, ["e"])) == 1


def test_a_look_costs_no_database_while_nothing_changes(shop: Shop, watcher: FenceWatcher, offer_id: str) -> None:
    """Given an approved Redis, when looked at again, then the database is left alone."""
    shop.publish(offer_id, stock=1)
    watcher.check()
    statements: list[str] = []

    def record(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(shop.engine, "before_cursor_execute", record)
    for _ in range(20):
        watcher.check()
    assert statements == []


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"next_unit": 4}, "the ledger holds unit 4, and Redis would issue unit 4 next"),
        ({"left": 7}, "the ledger holds 4 units, Redis 3"),
        ({"epoch": 2}, "Redis has epoch 2, the ledger epoch 1"),
        ({"version": 0}, "Redis has version 0, the ledger version 1"),
        ({"version": 2}, "Redis has version 2, the ledger version 1"),
        ({"stock": 9, "left": 5}, "Redis has a stock of 9, the ledger of 10"),
        ({"unit_top": 11}, "Redis allows unit 11, the ledger 10"),
        ({"freed": 1}, "Redis contradicts itself about what is left"),
        ({"unit_top": 9}, "Redis contradicts itself about what is left"),
    ],
)
def test_numbers_that_differ_are_named(
    shop: Shop,
    own_redis: RedisServer,
    watcher: FenceWatcher,
    offer_id: str,
    damage: dict[str, int],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Given one number in Redis that contradicts the ledger, then the offer is not approved as it is."""
    shop.publish(offer_id, stock=10)
    shop.click(offer_id, list("abcd"))
    write_all(shop)
    shop.redis.hset(keys.offer(offer_id), mapping=damage)
    restart(own_redis)
    watcher.check()
    assert f"offer {offer_id} is closed on this Redis: {reason}\n" in caplog.text
    assert offers.read(shop.redis, offer_id).epoch == max(1, damage.get("epoch", 1)) + 1


def test_an_order_that_redis_does_not_know_is_named(
    shop: Shop, own_redis: RedisServer, watcher: FenceWatcher, offer_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Given equal numbers and a buyer whose record was lost, then the offer is not approved as it is."""
    shop.publish(offer_id, stock=10)
    won = shop.click(offer_id, list("abcd"))
    write_all(shop)
    shop.redis.hdel(keys.buyers(offer_id, 1), "c")
    restart(own_redis)
    watcher.check()
    assert f"Redis does not know order {won['c'].order_no} of the ledger" in caplog.text
    assert shop.redis.hget(keys.buyers(offer_id, 2), "c") == won["c"].text.encode()


def test_a_release_that_redis_lost_is_named(
    shop: Shop, own_redis: RedisServer, watcher: FenceWatcher, offer_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a sale and a release lost together, so that all numbers agree, then the release is missed."""
    shop.publish(offer_id, stock=10)
    won = shop.click(offer_id, list("ab"))
    write_all(shop)
    copy = copy_files(own_redis)
    watcher.check()
    give_back(shop, offer_id, "a", won["a"])
    shop.click(offer_id, ["c"])
    write_all(shop)
    restore_files(own_redis, copy)
    # The lost sale was of the freed unit, so neither the count nor the highest unit tells anything,
    # and the lost buyer's record is the first thing that is missing.
    shop.redis.hset(keys.buyers(offer_id, 1), "c", b"ORDER00000003,1,1,9900,2,1,")
    watcher.check()
    assert f"Redis does not know that order {won['a'].order_no} has given back its units" in caplog.text
    assert shop.approved(offer_id)
    assert shop.redis.hget(keys.buyers(offer_id, 2), "a") is None


def give_back(shop: Shop, offer: str, shopper: str, ticket: Ticket) -> None:
    """A cancelled order, its units released in the ledger and in Redis."""
    with shop.engine.begin() as connection:
        states.move(connection, ticket.order_no, "pending", "cancelled", actor=shopper, at_ms=now_ms(connection))
        releases.request(connection, ticket.order_no, offer, shopper, ticket.units, at_ms=now_ms(connection))
    assert releases.apply_waiting(shop.engine, shop.redis, lease_ms=0).done == 1


def test_what_is_on_its_way_is_no_difference(
    shop: Shop, own_redis: RedisServer, watcher: FenceWatcher, offer_id: str
) -> None:
    """Given winners not written, dead letters, releases and raises under way, then a restart is approved."""
    shop.publish(offer_id, stock=10, limit=2)
    won = shop.click(offer_id, list("abc"), quantity=2)
    write_all(shop)
    with shop.engine.begin() as connection:
        # One that Redis has not heard of, and one that Redis has heard of and the ledger does not know it.
        for shopper in "ab":
            ticket = won[shopper]
            states.move(connection, ticket.order_no, "pending", "cancelled", actor=shopper, at_ms=1)
            releases.request(connection, ticket.order_no, offer_id, shopper, ticket.units, at_ms=1)
    tell_release(shop, offer_id, "b", won["b"])
    shop.set_ledger(offer_id, unit_cap=12, stock=12)
    operation(shop, offer_id, "raise", 2)
    operation(shop, offer_id, "cut", -1)
    stock.adjust_stock(shop.redis, offer_id, 1, "cut", -1, lease_ms=0)
    shop.click(offer_id, ["d"])
    restart(own_redis)
    watcher.check()
    assert watcher.closed == {}
    assert shop.approved(offer_id)
    assert offers.read(shop.redis, offer_id).epoch == 1


def tell_release(shop: Shop, offer: str, shopper: str, ticket: Ticket) -> None:
    """Release units in Redis alone, as if the process died before the ledger heard of it."""
    scripts.load("release").call(
        shop.redis,
        {"offer": keys.offer(offer), "buyers": keys.buyers(offer, 1), "freed": keys.freed(offer, 1)},
        {
            "order_no": ticket.order_no,
            "shopper": shopper,
            "epoch": 1,
            "units": ".".join(map(str, ticket.units)),
            "lease_ms": 0,
        },
    )


def operation(shop: Shop, offer: str, name: str, delta: int) -> None:
    with shop.engine.begin() as connection:
        connection.execute(
            insert(tables.stock_operations).values(
                operation_id=name, offer=offer, epoch=1, delta=delta, state="pending", created_at_ms=1
            )
        )


def test_a_clean_restart_takes_well_under_a_second(
    shop: Shop, own_redis: RedisServer, watcher: FenceWatcher, offer_id: str
) -> None:
    """Given a large offer and many small ones, then all are approved in a moment."""
    shop.publish(offer_id, stock=20_000)
    for number in range(20):
        shop.publish(f"{offer_id}-{number}", stock=1)
    shop.sell(offer_id, 20_000, batch=500)
    write_all(shop)
    restart(own_redis)
    began = time.monotonic()
    watcher.check()
    took_s = time.monotonic() - began
    assert all(shop.approved(each) for each in (offer_id, f"{offer_id}-19"))
    assert offers.read(shop.redis, offer_id).epoch == 1
    assert took_s < 1


def test_two_watchers_agree(shop: Shop, own_redis: RedisServer, offer_id: str) -> None:
    """Given two watchers that look at the same moment, then both find the offer approved."""
    shop.publish(offer_id, stock=10)
    shop.click(offer_id, list("abcd"))
    write_all(shop)
    restart(own_redis)
    watchers = [shop.watcher() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda watcher: watcher.check(), watchers))
    assert [watcher.closed for watcher in watchers] == [{}] * 4
    assert shop.approved(offer_id)
    for watcher in watchers:
        watcher.close()
