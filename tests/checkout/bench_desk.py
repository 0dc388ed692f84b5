"""How fast quotes become orders without HTTP around it: `python -m tests.checkout.bench_desk URL [orders] [pairs]`;
`make bench-checkout` runs it.

In turn, on one database: so many quotes are ordered at the desk, and the very rows that this has inserted are
inserted again under other numbers by the driver alone, in one bare transaction for each order. Quotes are made
beforehand. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Table, func, select

from admin import migrations
from admin.campaigns import service as campaigns
from admin.catalog import service as catalog
from admin.catalog.tables import products
from admin.checkout.desk import CheckoutDesk
from admin.checkout.models import Checkout, Ordered, Wish
from admin.checkout.refusing import fresh_quotes
from admin.coupons import service as coupons
from admin.orders.tables import order_lines
from admin.promotions.cart import Cart
from admin.quotes.driver import driver_connection
from admin.quotes.quoting import Asked
from admin.reservations.tables import reservations, tallies
from admin.resources import Resources
from gateway import tokens
from gateway.orders.database import now_ms, reading
from gateway.orders.tables import events, orders
from gateway.settings import Settings
from loadtest import checkout_shop
from loadtest.checkout_shop import CART

AT_ONCE = 200
QUOTES_AT_ONCE = 50
TABLES: tuple[Table, ...] = (orders, order_lines, reservations, events)
"""What a new order inserts rows into."""
Transaction = list[tuple[str, list[tuple[Any, ...]]]]


def fill(resources: Resources) -> None:
    with reading(resources.engine) as connection:
        now = now_ms(connection)
    for body in checkout_shop.PRODUCTS:
        catalog.create(resources, body, actor="bench")
    for body in checkout_shop.campaigns(now):
        campaigns.create(resources, body, actor="bench")
    for body in checkout_shop.coupons(now):
        coupons.create(resources, body, actor="bench")


def wishes(resources: Resources, count: int) -> list[Wish]:
    """Checkouts of as many shoppers, each with a fresh quote of the same cart."""
    shoppers = [tokens.Shopper(secrets.token_hex(8).encode(), 10**12) for _ in range(count)]
    cart, found = Cart.model_validate(CART), []
    for start in range(0, count, QUOTES_AT_ONCE):
        some = shoppers[start : start + QUOTES_AT_ONCE]
        asked = [Asked(cart, CART, "en", each, owner=each.id.decode()) for each in some]
        for shopper, reply in zip(some, fresh_quotes(resources, asked), strict=True):
            given = Checkout(token=orjson.loads(reply)["token"])
            found.append(Wish(given, shopper, "en", secrets.token_hex(32), given.token))
    return found


def at_desk(resources: Resources, waiting: Sequence[Wish]) -> tuple[float, float, set[str]]:
    """Orders per second, CPU of each in µs, and their numbers."""
    desk = CheckoutDesk(resources)

    async def run() -> list[Ordered]:
        some = asyncio.Semaphore(AT_ONCE)

        async def one(wish: Wish) -> Ordered:
            async with some:
                return await desk.ask(wish)

        return await asyncio.gather(*(one(each) for each in waiting))

    begin, cpu = time.perf_counter(), time.process_time()
    ordered = asyncio.run(run())
    took_s, cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    desk.close()
    assert all(each.new for each in ordered)
    numbers = {orjson.loads(each.order)["order_no"] for each in ordered}
    return len(ordered) / took_s, cpu_s / len(ordered) * 1e6, numbers


def bare(resources: Resources, numbers: set[str]) -> tuple[float, set[str]]:
    """Orders per second when their rows alone are inserted, each order's in one transaction; the new numbers."""
    with reading(resources.engine) as connection:
        prepared = _transactions(connection, numbers)
    sqlite = resources.engine.dialect.name == "sqlite"
    with driver_connection(resources.engine) as connection:
        cursor = connection.cursor()
        begin = time.perf_counter()
        for transaction in prepared.values():
            if sqlite:
                cursor.execute("BEGIN IMMEDIATE")
            for statement, rows in transaction:
                cursor.executemany(statement, rows)
            connection.commit()
        return len(prepared) / (time.perf_counter() - begin), set(prepared)


def _transactions(connection: Connection, numbers: set[str]) -> dict[str, Transaction]:
    """The inserts of some orders as the driver takes them, by the number that each gets."""
    place = "?" if connection.dialect.name == "sqlite" else "%s"
    again = {number: secrets.token_hex(10) for number in numbers}
    made: dict[str, Transaction] = defaultdict(list)
    for table in TABLES:
        columns = [column for column in table.columns if column is not table.autoincrement_column]
        own = [column.name for column in columns].index("subject" if table is events else "order_no")
        names = ", ".join(column.name for column in columns)
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join([place] * len(columns))})"
        to_driver = [column.type.dialect_impl(connection.dialect) for column in columns]
        bound = [kind.bind_processor(connection.dialect) for kind in to_driver]
        rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for row in connection.execute(select(*columns)):
            if row[own] in again:
                values = [each if to is None else to(each) for each, to in zip(row, bound, strict=True)]
                values[own] = again[row[own]]
                if table is orders:
                    values[list(orders.c).index(orders.c.key)] = secrets.token_hex(32)
                rows[again[row[own]]].append(tuple(values))
        for number, each in rows.items():
            made[number].append((statement, each))
    return made


def forget(resources: Resources, numbers: set[str]) -> None:
    """Delete the copies: the books are of orders."""
    with driver_connection(resources.engine) as connection:
        place = "?" if resources.engine.dialect.name == "sqlite" else "%s"
        for table in TABLES:
            name = "subject" if table is events else "order_no"
            cursor = connection.cursor()
            cursor.executemany(f"DELETE FROM {table.name} WHERE {name} = {place}", [(each,) for each in numbers])
        connection.commit()


def breaches(resources: Resources, made: int) -> list[str]:
    """What does not add up."""
    found = []
    with reading(resources.engine) as connection:
        if connection.execute(select(func.count()).select_from(orders)).scalar_one() != made:
            found.append("there are not as many orders as were made")
        held = select(
            reservations.c.kind, reservations.c.subject, reservations.c.owner, func.sum(reservations.c.amount)
        )
        sums = {
            (kind, subject, owner): int(amount)
            for kind, subject, owner, amount in connection.execute(
                held.group_by(reservations.c.kind, reservations.c.subject, reservations.c.owner)
            )
        }
        for row in connection.execute(select(tallies)):
            if row.reserved != sums.pop((row.kind, row.subject, row.owner), 0):
                found.append(f"the counter of {row.kind} {row.subject} is not the sum of what orders hold")
        for row in connection.execute(select(products)):
            if row.reserved != sums.pop(("stock", row.sku, ""), 0):
                found.append(f"what is reserved of {row.sku} is not the sum of what orders hold")
        totals = select(func.sum(order_lines.c.payable)), select(func.sum(orders.c.total))
        lines, whole = (connection.execute(each).scalar_one() for each in totals)
        if sums or lines != whole:
            found.append("orders hold what is not counted, or cost other than their lines")
    return found


def main(url: str, count: int = 1000, pairs: int = 5) -> None:
    """Print the figures."""
    migrations.upgrade(url)
    environ = {
        "SECKILL_DATABASE_URL": url,
        "SECKILL_REDIS_URL": "unix:///nobody",
        "SECKILL_TOKEN_SECRET": secrets.token_hex(32),
        "SECKILL_ADMIN_KEY": secrets.token_hex(32),
    }
    resources = Resources.open(Settings.from_env(environ))
    try:
        fill(resources)
        at_desk(resources, wishes(resources, 100))
        found = []
        for _ in range(pairs):
            waiting = wishes(resources, count)
            desk_per_s, cpu_us, numbers = at_desk(resources, waiting)
            bare_per_s, copies = bare(resources, numbers)
            forget(resources, copies)
            found.append({"desk_per_s": desk_per_s, "bare_per_s": bare_per_s, "desk_cpu_us": cpu_us})
        wrong = breaches(resources, 100 + count * pairs)
    finally:
        resources.close()
    sys.stdout.write(orjson.dumps({"pairs": found, "breaches": wrong}).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1], *(int(each) for each in sys.argv[2:]))
