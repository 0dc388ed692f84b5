"""An offer that Redis lost, or lost something of, is rebuilt from the ledger and sells on, no unit twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from gateway import keys, offers, stock
from gateway.orders import recovery, releases, runs, states, tables
from gateway.orders.fence import approve
from gateway.orders.message import Entry
from tests.conftest import RedisServer
from tests.gateway.orders.half_sold import OFFER, cancel, settle_all
from tests.gateway.orders.losing import check, copy_files, held, lose_everything, restore_files, sell_out
from tests.gateway.orders.shop import Shop


@pytest.fixture
def shop(own_shop: Shop) -> Shop:
    return own_shop


def test_orders_in_every_state_are_what_they_were(shop: Shop, own_redis: RedisServer) -> None:
    """Given orders held, over and paid back, when Redis comes back empty, then nothing is sold that is held."""
    shop.publish(OFFER, stock=20, limit=2)
    won = shop.click(OFFER, ["pending", "paid", "expired", "kept", "restocked", "part"], quantity=2)
    won |= shop.click(OFFER, ["again"])
    settle_all(shop)
    with shop.engine.begin() as connection:
        for shopper in ("paid", "kept", "restocked", "part"):
            states.move(connection, won[shopper].order_no, "pending", "paid", actor="x", at_ms=1)
        states.move(connection, won["expired"].order_no, "pending", "expired", actor="x", at_ms=1)
        releases.request(connection, won["expired"].order_no, OFFER, "expired", won["expired"].units, at_ms=1)
        for shopper in ("kept", "restocked"):
            states.move(connection, won[shopper].order_no, "paid", "refunding", actor="x", at_ms=1)
            states.move(connection, won[shopper].order_no, "refunding", "refunded", actor="x", at_ms=1)
        releases.request(connection, won["restocked"].order_no, OFFER, "restocked", won["restocked"].units, at_ms=1)
        units = tables.order_units
        connection.execute(update(units).where(units.c.order_no == won["kept"].order_no).values(active=False))
        releases.request(connection, won["part"].order_no, OFFER, "part", won["part"].units[:1], at_ms=1)
    lose_everything(own_redis)
    assert check(shop) == {}
    assert shop.approved(OFFER)
    part = won["part"]
    assert held(shop, 2) == {
        "pending": [won["pending"]],
        "paid": [won["paid"]],
        "kept": [won["kept"]],
        "part": [part._replace(units=part.units[1:], slots=part.slots[1:])],
        "again": [won["again"]],
    }
    freed = [*won["expired"].units, *won["restocked"].units, part.units[0]]
    assert [int(unit) for unit in shop.redis.zrange(keys.freed(OFFER, 2), 0, -1)] == sorted(freed)
    # What waited to be released is done without taking anything from anybody.
    assert releases.apply_waiting(shop.engine, shop.redis, lease_ms=0).units == 0
    kept = [unit for tickets in held(shop, 2).values() for each in tickets for unit in each.units]
    assert sorted(kept + sell_out(shop, 2)) == list(range(1, 21))


def test_terms_stock_and_operations_are_what_the_ledger_says(shop: Shop, own_redis: RedisServer) -> None:
    """Given changed terms, a cut, and a raise that Redis had not confirmed, then all of it is there, once."""
    shop.publish(OFFER, stock=10)
    shop.sell(OFFER, 6)
    settle_all(shop)
    shop.set_ledger(OFFER, version=5, price=5000, limit_per_shopper=3, stock=9, unit_cap=12, state="paused")
    with shop.engine.begin() as connection:
        rows = [("done", -3, "applied"), ("raise", 2, "pending"), ("cut", -1, "pending"), ("no", -9, "refused")]
        connection.execute(
            insert(tables.stock_operations),
            [
                {
                    "operation_id": name,
                    "offer": OFFER,
                    "epoch": 1,
                    "delta": delta,
                    "state": state,
                    "created_at_ms": 1,
                }
                for name, delta, state in rows
            ],
        )
    lose_everything(own_redis)
    assert check(shop) == {}
    found = offers.read(shop.redis, OFFER)
    assert (found.version, found.price, found.limit, found.state) == (5, 5000, 3, "paused")
    assert (found.stock, found.left, found.unit_cap) == (9, 3, 12)
    assert set(shop.redis.hkeys(keys.operations(OFFER, 2))) == {b"done", b"raise"}
    with shop.engine.connect() as connection:
        operations = tables.stock_operations
        found_epochs = connection.execute(select(operations.c.operation_id, operations.c.epoch))
        epochs = {each.operation_id: each.epoch for each in found_epochs}
        row = connection.execute(select(tables.offers)).one()
    assert epochs == {"done": 1, "raise": 2, "cut": 2, "no": 1}
    assert (row.epoch, row.published_version) == (2, 5)
    repeated = stock.adjust_stock(shop.redis, OFFER, 2, "raise", 2, lease_ms=0)
    assert repeated == stock.StockChange(applied=True, stock=9, left=3, unit_cap=12)
    cut = stock.adjust_stock(shop.redis, OFFER, 2, "cut", -1, lease_ms=0)
    assert cut == stock.StockChange(applied=True, stock=8, left=2, unit_cap=12)


def test_more_numbers_came_back_than_may_be_sold(shop: Shop, own_redis: RedisServer) -> None:
    """Given a cut of what came back, then the lowest are on sale, the rest retired."""
    shop.publish(OFFER, stock=10)
    won = shop.sell(OFFER, 10)
    settle_all(shop)
    for shopper in ("shopper-1", "shopper-4", "shopper-7"):
        cancel(shop, shopper, won[shopper])
    shop.set_ledger(OFFER, stock=8)
    lose_everything(own_redis)
    assert check(shop) == {}
    assert shop.redis.zrange(keys.freed(OFFER, 2), 0, -1) == [b"2"]
    assert shop.redis.zrange(keys.retired(OFFER, 2), 0, -1) == [b"5", b"8"]
    assert sell_out(shop, 2) == [2]


def test_an_offer_that_never_sold_begins_at_its_first_unit(shop: Shop, own_redis: RedisServer) -> None:
    shop.publish(OFFER, stock=3)
    lose_everything(own_redis)
    assert check(shop) == {}
    assert sell_out(shop, 2) == [1, 2, 3]


def test_an_ended_offer_is_still_true_to_its_winners(shop: Shop, own_redis: RedisServer) -> None:
    shop.publish(OFFER, stock=10)
    won = shop.click(OFFER, ["a"])
    settle_all(shop)
    shop.set_ledger(OFFER, state="terminated", version=2)
    lose_everything(own_redis)
    assert check(shop) == {}
    assert shop.approved(OFFER)
    assert held(shop, 2) == {"a": [won["a"]]}
    found = offers.read(shop.redis, OFFER)
    assert (found.state, found.ended_at_ms <= found.ends_at_ms) == ("terminated", True)


def test_a_redis_restored_from_an_older_copy(shop: Shop, own_redis: RedisServer) -> None:
    """Given a copy that lacks later sales and still has what was given back, then the ledger's word counts."""
    shop.publish(OFFER, stock=10)
    shop.publish(f"{OFFER}-2", stock=10)
    first = shop.click(OFFER, ["a", "b"])
    settle_all(shop)
    copy = copy_files(own_redis)
    check(shop)
    later = shop.click(OFFER, ["c", "d"])
    settle_all(shop)
    cancel(shop, "a", first["a"])
    assert releases.apply_waiting(shop.engine, shop.redis, lease_ms=0).done == 1
    restore_files(own_redis, copy)
    assert check(shop) == {}
    assert held(shop, 2) == {"b": [first["b"]], "c": [later["c"]], "d": [later["d"]]}
    assert sorted(sell_out(shop, 2)) == [1, 5, 6, 7, 8, 9, 10]
    # What had lost nothing keeps its epoch.
    assert offers.read(shop.redis, f"{OFFER}-2").epoch == 1
    assert shop.approved(f"{OFFER}-2")


def test_winners_that_the_older_copy_has_and_nobody_wrote_are_written(shop: Shop, own_redis: RedisServer) -> None:
    """Given a copy with winners that no writer got to, when later ones are lost, they are not."""
    shop.publish(OFFER, stock=10)
    early = shop.click(OFFER, ["a", "b"])
    copy = copy_files(own_redis)
    check(shop)
    shop.click(OFFER, ["c"])
    [_, (entry_id, fields)] = shop.redis.xrange(keys.stream(0))
    shop.ledger().write(0, [Entry.parse(entry_id, fields)])
    restore_files(own_redis, copy)
    assert check(shop) == {}
    assert set(held(shop, 2)) == {"a", "b", "c"}
    settle_all(shop)
    assert {row[1] for row in shop.orders().values()} == {"a", "b", "c"}
    assert held(shop, 2)["a"] == [early["a"]]
    assert sorted(sell_out(shop, 2)) == list(range(4, 11))


def test_a_ledger_restored_from_an_older_copy(shop: Shop, own_redis: RedisServer) -> None:
    """Given a ledger that lacks orders which Redis has, when Redis restarts, then they are written again."""
    shop.publish(OFFER, stock=10)
    won = shop.click(OFFER, ["a", "b", "c"])
    settle_all(shop)
    shop.redis.xtrim(keys.stream(0), maxlen=0)
    with shop.engine.begin() as connection:
        for table in (tables.order_units, tables.orders):
            connection.execute(delete(table).where(table.c.order_no != won["a"].order_no))
    own_redis.kill()
    own_redis.start()
    assert check(shop) == {}
    assert shop.approved(OFFER)
    assert {row[1]: row[2] for row in shop.orders().values()} == {"a": (1,), "b": (2,), "c": (3,)}
    assert sorted(sell_out(shop, offers.read(shop.redis, OFFER).epoch)) == list(range(4, 11))


def test_a_ledger_that_forgot_a_recovery(shop: Shop, own_redis: RedisServer) -> None:
    """Given a ledger of an earlier epoch than Redis, then the next epoch is above both."""
    shop.publish(OFFER, stock=10)
    shop.click(OFFER, ["a"])
    settle_all(shop)
    for _ in range(3):
        lose_everything(own_redis)
        check(shop)
    assert offers.read(shop.redis, OFFER).epoch == 4
    shop.set_ledger(OFFER, epoch=2)
    own_redis.kill()
    own_redis.start()
    assert check(shop) == {}
    assert offers.read(shop.redis, OFFER).epoch == 5
    assert sorted(sell_out(shop, 5)) == list(range(2, 11))


def test_what_earlier_epochs_left_is_deleted(shop: Shop) -> None:
    shop.publish(OFFER, stock=10)
    won = shop.click(OFFER, ["a", "b"])
    settle_all(shop)
    cancel(shop, "a", won["a"])
    for _ in range(3):
        shop.redis.delete(keys.offer(OFFER))
        assert check(shop) == {}
    names = {name.decode() for name in shop.redis.scan_iter("*kettle-noon*")}
    assert names == {keys.offer(OFFER), keys.buyers(OFFER, 4), keys.freed(OFFER, 4)}
    assert shop.redis.ttl(keys.buyers(OFFER, 4)) == -1


def test_nobody_recovers_what_sells(shop: Shop) -> None:
    """Given an offer that somebody else has approved meanwhile, then no look rebuilds it, whatever it compares."""
    shop.publish(OFFER, stock=10)
    shop.click(OFFER, ["a"])
    shop.redis.hset(keys.offer(OFFER), "freed", 5)
    found = runs.now(shop.redis)
    assert approve(shop.redis, shop.engine, OFFER, found, []) is None
    recovery.recover(shop.redis, shop.engine, shop.ledger(), OFFER, found, lease_ms=0)
    assert offers.read(shop.redis, OFFER).epoch == 1


def test_a_ledger_that_holds_more_than_it_allows_keeps_the_offer_closed(shop: Shop) -> None:
    """Given an offer that cannot be whole, then it says what to do, and sells once that is done."""
    shop.publish(OFFER, stock=3)
    shop.sell(OFFER, 3)
    settle_all(shop)
    shop.set_ledger(OFFER, stock=1)
    shop.redis.delete(keys.offer(OFFER))
    assert check(shop) == {OFFER: "the ledger holds 3 units of kettle-noon and allows 1: raise its stock by 2"}
    shop.set_ledger(OFFER, stock=3)
    assert check(shop) == {}
    assert shop.approved(OFFER)


def test_many_recover_at_once(shop: Shop) -> None:
    """Given several watchers on a Redis that lost everything, then each offer is rebuilt once and sells."""
    names = [f"{OFFER}-{number}" for number in range(5)]
    for name in names:
        shop.publish(name, stock=3)
        shop.click(name, ["a"])
    settle_all(shop)
    shop.redis.flushall()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: check(shop), range(4))) == [{}] * 4
    for name in names:
        assert shop.approved(name)
        assert offers.read(shop.redis, name).epoch == 2
        assert shop.redis.hlen(keys.buyers(name, 2)) == 1


def test_a_large_offer_takes_seconds(shop: Shop) -> None:
    shop.publish(OFFER, stock=30_000)
    shop.sell(OFFER, 20_000, batch=500)
    settle_all(shop)
    shop.redis.flushall()
    began = time.monotonic()
    assert check(shop) == {}
    assert time.monotonic() - began < 10
    assert shop.redis.hlen(keys.buyers(OFFER, 2)) == 20_000
    assert len(sell_out(shop, 2)) == 10_000


def test_an_approval_during_a_recovery_ends_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an offer that somebody opens while it is recovered, then what is sold at once is not built over."""
    shop.publish(OFFER, stock=10)
    run_id = offers.run_id(shop.redis)
    shop.redis.hset(keys.offer(OFFER), mapping={"run_id": "another", "freed": 5})
    found, rescue = runs.now(shop.redis), recovery.rescue

    def rescued_and_opened(*known: Any) -> int:
        rescue(*known)
        shop.redis.hset(keys.offer(OFFER), "run_id", run_id)
        return len(shop.click(OFFER, ["a"]))

    monkeypatch.setattr(recovery, "rescue", rescued_and_opened)
    recovery.recover(shop.redis, shop.engine, shop.ledger(), OFFER, found, lease_ms=0, why="it is broken")
    assert offers.read(shop.redis, OFFER).epoch == 1
    assert set(held(shop, 1)) == {"a"}
