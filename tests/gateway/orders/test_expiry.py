"""Given orders that are not paid in time, they expire by the database's clock, each exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, func, select, text, update

from gateway.orders import expiry, releases, states, tables
from gateway.orders.database import now_ms, open_engine, writing
from gateway.orders.ledger import Ledger
from tests.conftest import wait_until
from tests.gateway.orders.shop import HOUR_MS, Shop, entry, ticket


@pytest.fixture
def kettles(shop: Shop, offer_id: str) -> Callable[..., list[str]]:
    """Write unpaid orders of one unit each; they are due at once unless `in_ms` says otherwise."""
    unit = 0
    shop.publish(offer_id, stock=10_000, seed=False)

    def write(count: int, *, in_ms: int = 0, offer: str = offer_id) -> list[str]:
        nonlocal unit
        ledger = Ledger(shop.engine, min_pay_window_ms=in_ms, currency="TWD")
        numbers = [f"{offer}-{unit + each}"[-32:] for each in range(1, count + 1)]
        winners = [(f"s{unit + each}", ticket(numbers[each - 1], str(unit + each))) for each in range(1, count + 1)]
        unit += count
        assert not any(each.letters for each in ledger.write(0, [entry(offer, winners)]))
        return numbers

    return write


def statuses(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(select(tables.orders.c.order_no, tables.orders.c.status))
        return {row.order_no: row.status for row in rows}


def units(engine: Engine) -> dict[str, tuple[bool, bool]]:
    """Order number → whether its unit is (active, released)."""
    each = tables.order_units.c
    with engine.connect() as connection:
        rows = connection.execute(select(each.order_no, each.active, each.released))
        return {row.order_no: (row.active, row.released) for row in rows}


def waiting(engine: Engine) -> list[tuple[str, list[int]]]:
    each = tables.unit_releases.c
    with engine.connect() as connection:
        return sorted((row.order_no, row.units) for row in connection.execute(select(each.order_no, each.units)))


def pay(engine: Engine, order_no: str) -> bool:
    with writing(engine) as connection:
        return states.move(connection, order_no, "pending", "paid", actor="provider", at_ms=now_ms(connection))


def test_orders_that_are_due_give_their_units_up(
    kettles: Callable[..., list[str]], engine: Engine, offer_id: str
) -> None:
    due, later = kettles(3), kettles(2, in_ms=HOUR_MS)
    assert expiry.expire(engine, [offer_id]) == 3
    assert statuses(engine) == dict.fromkeys(due, "expired") | dict.fromkeys(later, "pending")
    assert units(engine) == dict.fromkeys(due, (False, True)) | dict.fromkeys(later, (True, False))
    assert waiting(engine) == [(order_no, [number]) for number, order_no in enumerate(due, start=1)]
    with engine.connect() as connection:
        history = connection.execute(select(tables.order_events)).all()
        now = now_ms(connection)
    assert sorted(each.order_no for each in history) == due
    assert {(each.actor, each.before, each.after) for each in history} == {("expiry", "pending", "expired")}
    assert all(now - 60_000 < each.at_ms <= now for each in history)
    # When it is done again, then nothing is due.
    assert expiry.expire(engine, [offer_id]) == 0
    assert len(waiting(engine)) == 3


def test_an_order_is_due_by_the_clock_of_the_database_to_the_millisecond(
    kettles: Callable[..., list[str]], engine: Engine, offer_id: str
) -> None:
    (order_no,) = kettles(1, in_ms=300)
    with engine.connect() as connection:
        expire_at_ms = connection.execute(select(tables.orders.c.expire_at_ms)).scalar_one()
    wait_until(lambda: expiry.expire(engine, [offer_id]) == 1, within_s=2, what="the order's end")
    with engine.connect() as connection:
        at_ms = connection.execute(select(tables.order_events.c.at_ms)).scalar_one()
    assert at_ms >= expire_at_ms
    assert statuses(engine) == {order_no: "expired"}


@pytest.mark.parametrize("status", ["paid", "shipped", "completed", "refunding", "cancelled", "refunded"])
def test_no_other_order_expires(
    kettles: Callable[..., list[str]], engine: Engine, offer_id: str, status: str
) -> None:
    (order_no,) = kettles(1)
    with engine.begin() as connection:
        connection.execute(update(tables.orders).values(status=status))
    assert expiry.expire(engine, [offer_id]) == 0
    assert statuses(engine) == {order_no: status}
    assert waiting(engine) == []


def test_an_order_of_several_units_gives_all_up_together(shop: Shop, offer_id: str) -> None:
    shop.publish(offer_id, stock=10, limit=5, seed=False)
    ledger = Ledger(shop.engine, min_pay_window_ms=0, currency="TWD")
    winners = [("amy", ticket("A", "7.3.5", "1.2.3")), ("bob", ticket("B", "1"))]
    ledger.write(0, [entry(offer_id, winners)])
    assert expiry.expire(shop.engine, [offer_id]) == 2
    assert waiting(shop.engine) == [("A", [3, 5, 7]), ("B", [1])]


def test_a_backlog_is_taken_in_pieces(kettles: Callable[..., list[str]], engine: Engine, offer_id: str) -> None:
    kettles(expiry.TOGETHER + 20)
    assert expiry.expire(engine, [offer_id]) == expiry.TOGETHER
    assert expiry.expire(engine, [offer_id]) == 20


def test_paid_at_the_same_instant_an_order_is_either_paid_or_expired(
    kettles: Callable[..., list[str]], ledger_url: str, engine: Engine, offer_id: str
) -> None:
    numbers = kettles(300)
    start = threading.Barrier(3)
    paid: list[str] = []
    expired: list[int] = []

    def pay_all(mine: list[str]) -> None:
        start.wait()
        paid.extend(order_no for order_no in mine if pay(engine, order_no))

    def expire_all() -> None:
        own = open_engine(ledger_url)
        start.wait()
        time.sleep(0.005)  # so that some are paid before
        end = time.monotonic() + 20
        while "pending" in statuses(own).values() and time.monotonic() < end:
            expired.append(expiry.expire(own, [offer_id]))
        own.dispose()

    threads = [
        threading.Thread(target=pay_all, args=(numbers[:150],)),
        threading.Thread(target=pay_all, args=(numbers[:149:-1],)),
        threading.Thread(target=expire_all),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = statuses(engine)
    assert set(found.values()) <= {"paid", "expired"}
    assert sorted(paid) == sorted(order_no for order_no, status in found.items() if status == "paid")
    assert len(paid) + sum(expired) == 300
    assert [order_no for order_no, _ in waiting(engine)] == sorted(set(numbers) - set(paid))
    held = units(engine)
    assert all(held[order_no] == ((True, False) if order_no in paid else (False, True)) for order_no in numbers)


def test_several_at_once_expire_each_order_once(
    kettles: Callable[..., list[str]], engine: Engine, offer_id: str
) -> None:
    numbers = kettles(900)
    counts: list[int] = []

    def expire_all() -> None:
        while "pending" in statuses(engine).values():
            counts.append(expiry.expire(engine, [offer_id]))

    threads = [threading.Thread(target=expire_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 900
    assert [order_no for order_no, _ in waiting(engine)] == sorted(numbers)


def test_an_order_that_is_being_paid_holds_nobody_up(
    kettles: Callable[..., list[str]], engine: Engine, offer_id: str
) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    first, second = kettles(2)
    with engine.begin() as paying:
        paying.execute(update(tables.orders).where(tables.orders.c.order_no == first).values(paid_at_ms=1))
        assert expiry.expire(engine, [offer_id]) == 1
    assert statuses(engine) == {first: "pending", second: "expired"}
    assert expiry.expire(engine, [offer_id]) == 1


def test_while_recovery_holds_the_offer_nothing_expires(
    kettles: Callable[..., list[str]], shop: Shop, engine: Engine, offer_id: str
) -> None:
    kettles(1)
    with shop.holding_offers() as connection:
        thread = threading.Thread(target=expiry.expire, args=(engine, [offer_id]))
        thread.start()
        thread.join(timeout=0.2)
        assert thread.is_alive()
        assert connection.execute(select(tables.orders.c.status)).scalars().all() == ["pending"]
    thread.join()
    assert set(statuses(engine).values()) == {"expired"}


# Finding what is due.


def test_first_unpaid_names_offers_with_unpaid_orders_and_their_first_end(
    kettles: Callable[..., list[str]], shop: Shop, engine: Engine, offer_id: str
) -> None:
    assert expiry.first_unpaid(engine)[0] == []
    for name in ("a", "b", "c"):
        shop.publish(f"{name}-{offer_id}", stock=10_000, seed=False)
    paid = kettles(1, offer=f"a-{offer_id}")
    kettles(2, in_ms=HOUR_MS, offer=f"b-{offer_id}")
    kettles(3, offer=f"c-{offer_id}")
    assert pay(engine, paid[0])
    with engine.connect() as connection:
        ends = select(tables.orders.c.offer, func.min(tables.orders.c.expire_at_ms)).group_by(tables.orders.c.offer)
        first = {row[0]: row[1] for row in connection.execute(ends)}
        before_ms = now_ms(connection)
    found, at_ms = expiry.first_unpaid(engine)
    assert at_ms >= before_ms
    assert sorted(found) == [(f"{name}-{offer_id}", 1, 1, first[f"{name}-{offer_id}"]) for name in ("b", "c")]


def test_first_unpaid_reads_only_the_index_of_unpaid_orders(
    kettles: Callable[..., list[str]], engine: Engine
) -> None:
    kettles(5)
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            # It would read a table this small at once.
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = [" ".join(map(str, row)) for row in connection.execute(text(f"{explain} {expiry.FIRST_UNPAID}"))]
    reads = [line for line in plan if "orders" in line]
    assert len(reads) >= 2
    assert all("ix_orders_pending_expire" in line for line in reads)


def test_released_rows_are_written_once_per_order(
    kettles: Callable[..., list[str]], engine: Engine, offer_id: str
) -> None:
    (order_no,) = kettles(1)
    with writing(engine) as connection:
        states.move(connection, order_no, "pending", "cancelled", actor="shopper", at_ms=now_ms(connection))
        releases.request(connection, order_no, offer_id, "s1", [1], at_ms=now_ms(connection))
    assert expiry.expire(engine, [offer_id]) == 0
    assert waiting(engine) == [(order_no, [1])]
