"""An offer whose stock lies in several buckets is written, given back, compared, rebuilt and reconciled as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from gateway import buckets, keys, offers, scripts, stock
from gateway.orders import fence, releases, runs, seating, tables
from gateway.orders.chores import Chores
from gateway.orders.database import now_ms
from gateway.orders.message import Ticket, tickets_of
from gateway.orders.reconcile import looking
from gateway.orders.reconcile.looking import Stores, broken
from gateway.orders.reconcile.repairs import repair
from tests.gateway.orders.half_sold import OFFER, cancel, settle_all
from tests.gateway.orders.losing import check
from tests.gateway.orders.shop import Shop

THREE = 3
STOCK = 60
BUCKETS = list(keys.bucket_numbers(THREE))
FAR = BUCKETS[2]


def names(bucket: int, count: int, *, prefix: str = "shopper") -> list[str]:
    """So many shoppers who buy in a bucket."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        if keys.home_bucket(f"{prefix}-{number}".encode(), THREE) == bucket:
            found.append(f"{prefix}-{number}")
        number += 1
    return found


class Sold:
    """Ten orders in each bucket, of twenty units; they are written."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.stores = Stores(replace(shop.settings, lease_ms=1), shop.redis, shop.engine, shop.ledger())
        shop.publish(OFFER, stock=STOCK, buckets=THREE, limit=2)
        self.won: dict[str, Ticket] = {}
        for bucket in BUCKETS:
            self.won |= shop.click(OFFER, names(bucket, 10), buckets=THREE)
        settle_all(shop)

    def read(self, epoch: int = 1) -> list[buckets.Bucket]:
        found = buckets.read_all(self.shop.redis, OFFER, epoch, THREE)
        return [each for each in found if each is not None]

    def give(self, source: int, dest: int, wanted: int, *, epoch: int = 1) -> Any:
        """Units leave a bucket, and whoever sent them is gone."""
        return scripts.load("give").call(
            self.shop.redis,
            {
                "offer": keys.offer(OFFER, source),
                "freed": keys.freed(OFFER, epoch, source),
                "transfers": keys.transfers(OFFER, epoch, source),
            },
            {"run_id": offers.run_id(self.shop.redis), "epoch": epoch, "dest": dest, "wanted": wanted},
        )

    def stop_selling(self) -> None:
        """What a restart of Redis does to every bucket."""
        for bucket in BUCKETS:
            self.shop.redis.hset(keys.offer(OFFER, bucket), "run_id", "an-earlier-run")

    def whole(self, *, epoch: int, gone: tuple[str, ...] = (), stock: int = STOCK) -> None:
        """Winners have their tickets; what is left is sold to the last unit, and each number once."""
        shop = self.shop
        assert shop.approved(OFFER)
        found = offers.read(shop.redis, OFFER)
        assert (found.epoch, found.stock) == (epoch, stock)
        units = []
        for shopper, ticket in self.won.items():
            bucket = keys.home_bucket(shopper.encode(), THREE)
            record = tickets_of(shop.redis.hget(keys.buyers(OFFER, epoch, bucket), shopper))
            assert record == ([] if shopper in gone else [ticket])
            units += [unit for each in record for unit in each.units]
        # Whoever comes last in one bucket gets what lies in the others.
        for number, shopper in enumerate(names(BUCKETS[0], found.left, prefix="last")):
            given = Ticket(f"LAST{epoch}X{number}", (1,), (), 9900, now_ms_of(shop) + 10**6, 1, "")
            seat = seating.seat(shop.redis, OFFER, THREE, epoch, shopper.encode(), given, any_unit=True)
            assert seat.ticket is not None, (seat, number, found.left)
            units += seat.ticket.units
        assert len(units) == len(set(units)) == stock
        assert offers.read(shop.redis, OFFER).left == 0
        last = seating.seat(shop.redis, OFFER, THREE, epoch, b"late", given._replace(order_no="L"), any_unit=True)
        assert last.outcome is seating.Seating.TOO_FEW
        settle_all(shop)
        assert not shop.dead()
        assert broken(self.stores) == []


def now_ms_of(shop: Shop) -> int:
    with shop.engine.connect() as connection:
        return now_ms(connection)


pytestmark = pytest.mark.parametrize(
    "ledger_url",
    ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.soak])],
    indirect=True,
)


@pytest.fixture
def sold(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Sold:
    monkeypatch.setattr(looking, "BETWEEN_LOOKS_S", 0.01)
    monkeypatch.setattr(looking, "LOOKS", 2)
    return Sold(shop)


def test_an_order_remembers_its_bucket(sold: Sold) -> None:
    with sold.shop.engine.connect() as connection:
        rows = connection.execute(select(tables.orders)).all()
    assert len(rows) == 30
    for row in rows:
        assert row.bucket == keys.home_bucket(row.shopper.encode(), THREE)
        assert row.shard == keys.shard_of(OFFER, row.bucket)
    assert broken(sold.stores) == []
    sold.whole(epoch=1)


def test_a_unit_goes_back_to_the_bucket_of_its_order_whatever_its_shopper_is_called_by_now(sold: Sold) -> None:
    shopper = names(FAR, 1)[0]
    pseudonym = next(name for name in map(str, range(99)) if keys.home_bucket(name.encode(), THREE) != FAR)
    order_no = sold.won[shopper].order_no
    with sold.shop.engine.begin() as connection:
        for table in (tables.orders, tables.order_units):
            connection.execute(update(table).where(table.c.order_no == order_no).values(shopper=pseudonym))
    record = sold.shop.redis.hget(keys.buyers(OFFER, 1, FAR), shopper)
    sold.shop.redis.hdel(keys.buyers(OFFER, 1, FAR), shopper)
    sold.shop.redis.hset(keys.buyers(OFFER, 1, FAR), pseudonym, record)
    assert broken(sold.stores) == []
    cancel(sold.shop, pseudonym, sold.won[shopper])
    applied = releases.apply_waiting(sold.shop.engine, sold.shop.redis, lease_ms=0)
    assert (applied.units, applied.done) == (1, 1)
    assert [bucket.left for bucket in sold.read()] == [10, 10, 11]
    assert broken(sold.stores) == []
    sold.whole(epoch=1, gone=(shopper,))


def test_every_bucket_hears_when_units_may_return(sold: Sold) -> None:
    chores = Chores(sold.shop.settings, sold.shop.engine)
    chores._round()
    with sold.shop.engine.connect() as connection:
        first = min(connection.execute(select(tables.orders.c.expire_at_ms)).scalars())
    assert {bucket.may_return_at_ms for bucket in sold.read()} == {first}
    chores._client.close()


# After a restart.


def test_a_clean_restart_is_approved_in_all_buckets(sold: Sold) -> None:
    sold.give(BUCKETS[0], FAR, 4)
    cancel(sold.shop, *next(iter(sold.won.items())))
    sold.stop_selling()
    assert check(sold.shop) == {}
    releases.apply_waiting(sold.shop.engine, sold.shop.redis, lease_ms=0)
    sold.whole(epoch=1, gone=(next(iter(sold.won)),))


def test_one_bucket_that_waits_closes_the_others_until_all_are_compared(
    sold: Sold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one bucket on a server that has restarted, then all are closed while they are compared."""
    sold.shop.redis.hset(keys.offer(OFFER, FAR), "run_id", "an-earlier-run")
    seen: list[Any] = []

    compare = fence.difference

    def compared(*given: Any) -> str | None:
        seen.append(runs.approved(sold.shop.redis, [(OFFER, THREE)]))
        return compare(*given)

    monkeypatch.setattr(fence, "difference", compared)
    assert check(sold.shop) == {}
    assert seen == [[[b"", b"", b""]]]
    assert sold.shop.approved(OFFER)


def lose_bucket(sold: Sold) -> None:
    for name in (keys.offer, keys.buyers, keys.freed, keys.transfers):
        sold.shop.redis.delete(name(OFFER, FAR) if name is keys.offer else name(OFFER, 1, FAR))


def lose_sale(sold: Sold) -> None:
    """The bucket's server lost its newest sale, and the others theirs not."""
    shopper = names(FAR, 10)[-1]
    [unit] = sold.won[shopper].units
    sold.shop.redis.hdel(keys.buyers(OFFER, 1, FAR), shopper)
    sold.shop.redis.hincrby(keys.offer(OFFER, FAR), "left", 1)
    sold.shop.redis.hset(keys.offer(OFFER, FAR), "next_unit", unit)


def lose_gift(sold: Sold) -> None:
    """The bucket's server lost that it gave units, which another one has."""
    keys_of = [keys.offer(OFFER, FAR), keys.transfers(OFFER, 1, FAR)]
    before = {key: sold.shop.redis.dump(key) for key in keys_of}
    sold.give(FAR, BUCKETS[0], 4)
    buckets.finish_all(sold.shop.redis, OFFER, sold.read())
    for key, content in before.items():
        if content is None:
            sold.shop.redis.delete(key)
        else:
            sold.shop.redis.restore(key, 0, content, replace=True)


def lose_arrival(sold: Sold) -> None:
    """The bucket's server lost that it got units, which the other one has closed."""
    keys_of = [keys.offer(OFFER, FAR), keys.transfers(OFFER, 1, FAR)]
    before = {key: sold.shop.redis.dump(key) for key in keys_of}
    sold.give(BUCKETS[0], FAR, 4)
    buckets.finish_all(sold.shop.redis, OFFER, sold.read())
    for key, content in before.items():
        if content is None:
            sold.shop.redis.delete(key)
        else:
            sold.shop.redis.restore(key, 0, content, replace=True)


LOST = [lose_bucket, lose_sale, lose_gift, lose_arrival]


@pytest.mark.parametrize("lose", LOST)
def test_what_one_server_lost_is_built_anew_in_all_buckets(sold: Sold, lose: Callable[[Sold], None]) -> None:
    lose(sold)
    sold.stop_selling()
    assert check(sold.shop) == {}
    assert [bucket.left for bucket in sold.read(epoch=2)] == [10, 10, 10]
    sold.whole(epoch=2)


def test_an_open_transfer_is_not_lost_with_the_epoch(sold: Sold) -> None:
    sold.give(BUCKETS[0], FAR, 4)
    lose_bucket(sold)
    sold.stop_selling()
    assert check(sold.shop) == {}
    sold.whole(epoch=2)


def test_winners_of_every_bucket_that_only_redis_knows_are_rescued(sold: Sold) -> None:
    for bucket in BUCKETS:
        sold.won |= sold.shop.click(OFFER, names(bucket, 2, prefix="late"), buckets=THREE)
        if bucket != FAR:
            shard = keys.shard_of(OFFER, bucket)
            sold.shop.redis.delete(keys.stream(shard), keys.counters(shard))
    sold.shop.redis.hset(keys.offer(OFFER, FAR), "freed", 7)
    sold.stop_selling()
    assert check(sold.shop) == {}
    sold.whole(epoch=2)


def test_a_rebuilt_offer_with_gaps_sells_every_number(shop: Shop) -> None:
    """Given buckets that sold more or less, then every number of the rebuilt offer is sold once."""
    shop.publish(OFFER, stock=1200, buckets=THREE, limit=2)
    sold = Sold.__new__(Sold)
    sold.shop, sold.won = shop, {}
    sold.stores = Stores(replace(shop.settings, lease_ms=1), shop.redis, shop.engine, shop.ledger())
    for bucket, count in zip(BUCKETS, (390, 5, 0), strict=True):
        sold.won |= shop.click(OFFER, names(bucket, count), buckets=THREE)
    settle_all(shop)
    gone = list(sold.won)[3:6]
    for shopper in gone:
        cancel(shop, shopper, sold.won[shopper])
    releases.apply_waiting(shop.engine, shop.redis, lease_ms=0)
    assert stock.adjust_stock(shop.redis, OFFER, 1, "cut", -100, lease_ms=1).applied
    operation(shop, "cut", -100, "applied")
    shop.set_ledger(OFFER, stock=1100)
    assert broken(sold.stores) == []
    shop.redis.delete(keys.offer(OFFER, FAR))
    sold.stop_selling()
    assert check(shop) == {}
    assert [bucket.left for bucket in sold.read(epoch=2)] == [236, 236, 236]
    sold.whole(epoch=2, gone=tuple(gone), stock=1100)


# Raises and cuts that were interrupted.


def operation(shop: Shop, operation_id: str, delta: int, state: str = "pending") -> None:
    with shop.engine.begin() as connection:
        connection.execute(
            insert(tables.stock_operations).values(
                operation_id=operation_id, offer=OFFER, epoch=1, delta=delta, state=state, created_at_ms=2**53
            )
        )


@pytest.fixture(params=[2, pytest.param(1, marks=pytest.mark.soak), pytest.param(3, marks=pytest.mark.soak)])
def dying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changes stock dies at this step in Redis; a cut asks for nothing first, once in each bucket."""
    real = stock._Operation.call
    steps = [request.param]

    def call(self: Any, script: str, bucket: int, **args: Any) -> Any:
        if args.get("target") != 0:
            steps[0] -= 1
            if steps[0] == 0:
                raise ConnectionError("dead")
        return real(self, script, bucket, **args)

    monkeypatch.setattr(stock._Operation, "call", call)


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("delta", [9, -9])
@pytest.mark.usefixtures("dying")
def test_a_change_of_stock_that_died_half_way_is_known_and_finished(sold: Sold, delta: int, lost: bool) -> None:
    shop = sold.shop
    operation(shop, "op", delta)
    if delta > 0:
        shop.set_ledger(OFFER, stock=STOCK + delta, unit_cap=STOCK + delta)
    with pytest.raises(ConnectionError):
        stock.adjust_stock(shop.redis, OFFER, 1, "op", delta, lease_ms=1)
    assert broken(sold.stores) == []
    if lost:
        lose_bucket(sold)
    sold.stop_selling()
    assert check(shop) == {}
    epoch = 2 if lost else 1
    assert stock.adjust_stock(shop.redis, OFFER, epoch, "op", delta, lease_ms=1).applied
    shop.set_ledger(OFFER, stock=STOCK + delta)
    with shop.engine.begin() as connection:
        connection.execute(update(tables.stock_operations).values(state="applied"))
    assert broken(sold.stores) == []
    sold.whole(epoch=epoch, stock=STOCK + delta)


# Reconcile.


def test_a_transfer_that_nobody_finishes_is_named_and_finished(sold: Sold) -> None:
    sold.give(BUCKETS[0], FAR, 4)
    [breach] = found = broken(sold.stores)
    assert (breach.code, breach.says) == ("transfer_waits", "4 units are on their way from bucket 0 to bucket 8")
    assert repair(sold.stores, found) == ([breach], [])
    assert [bucket.left for bucket in sold.read()] == [6, 10, 14]
    sold.whole(epoch=1)


def test_a_unit_in_two_buckets_is_named_and_put_right(sold: Sold) -> None:
    lose_gift(sold)
    found = broken(sold.stores)
    # The last four of its numbers were given.
    assert {(each.code, each.unit) for each in found} == {("stock_differs", None), ("unit_held_and_free", 57)}
    assert repair(sold.stores, found)[1] == []
    sold.whole(epoch=2)


def test_units_in_no_bucket_are_named_and_put_right(sold: Sold) -> None:
    lose_arrival(sold)
    found = broken(sold.stores)
    lost = {("unit_lost", unit) for unit in range(17, 21)}
    assert {(each.code, each.unit) for each in found} == {("stock_differs", None), *lost}
    assert repair(sold.stores, found)[1] == []
    sold.whole(epoch=2)


def test_a_bucket_that_is_gone_or_not_approved_is_named(sold: Sold) -> None:
    sold.shop.redis.hset(keys.offer(OFFER, FAR), "run_id", "an-earlier-run")
    assert {each.code for each in broken(sold.stores)} == {"not_approved"}
    lose_bucket(sold)
    found = broken(sold.stores)
    assert {each.says for each in found} == {"Redis does not have bucket 8 of the offer, which was on sale before"}
    assert repair(sold.stores, found)[1] == []
    sold.whole(epoch=2)
