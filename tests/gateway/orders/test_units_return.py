"""Given a gateway and a writer at work, unpaid units come back and are sold under the same numbers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from redis.exceptions import RedisError
from sqlalchemy import func, select, update

from gateway import keys, offers, scripts
from gateway.orders import tables
from gateway.orders.database import now_ms, writing
from gateway.orders.states import move
from tests.conftest import RedisServer, wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.orders.shop import HOUR_MS, Shop
from tests.gateway.serving import Gateway
from tests.gateway.watching import Watcher

UNITS = 20
PAY_WITHIN_MS = 500


@pytest.fixture
def hurried(shop: Shop) -> Shop:
    """Unpaid orders expire after a second."""
    shop.settings = replace(shop.settings, min_pay_window_s=1)
    return shop


def once_is_enough(shop: Shop) -> None:
    if shop.engine.dialect.name != "sqlite":
        pytest.skip("once is enough")


def sell_out(gateway: Gateway, offer: str, prefix: str, count: int = UNITS) -> dict[str, dict[str, Any]]:
    """Click for as many shoppers as it takes until so many have won; shopper → reply."""

    def buy(shopper: str) -> dict[str, Any]:
        said: dict[str, Any] = {}

        def won() -> bool:
            said.update(gateway.click(offer, shopper).json())
            return said["outcome"] == "won"

        wait_until(won, within_s=10, what=f"a unit for {shopper}")
        return said

    names = [f"{prefix}{number}" for number in range(count)]
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(buy, names), strict=True))


def numbers(won: dict[str, dict[str, Any]]) -> list[int]:
    return sorted(unit for reply in won.values() for unit in reply["units"])


def test_all_sold_none_paid_all_sold_again_to_others(
    shop: Shop, start_gateway: StartGateway, offer_id: str
) -> None:
    gateway = start_gateway(shop.settings.redis_url)
    shop.publish(offer_id, stock=UNITS, pay_within_ms=HOUR_MS)
    page = Watcher(gateway, offer_id)
    with shop.writer():
        first = sell_out(gateway, offer_id, "early")
        assert numbers(first) == list(range(1, UNITS + 1))
        refused = gateway.click(offer_id, "late0").json()
        assert refused["outcome"] == "sold_out"
        wait_until(lambda: gateway.get(f"/seckill/{offer_id}").json()["state"] == "sold_out", what="sold out")
        see(page, "sold_out")
        wait_until(shop.settled, what="every order")
        # When nobody pays, then others get the very same units.
        let_unpaid_expire(shop)
        second = sell_out(gateway, offer_id, "late")
        assert numbers(second) == list(range(1, UNITS + 1))
        # Then a shopper of the first round may click again, as a new order.
        wait_until(shop.settled, what="every order")
        let_unpaid_expire(shop)
        again = sell_out(gateway, offer_id, "early", count=1)["early0"]
        assert again["order_no"] != first["early0"]["order_no"]
        wait_until(shop.settled, what="everything settled")
        see(page, "running")
    page.close()
    with shop.engine.connect() as connection:
        orders, units = tables.orders.c, tables.order_units.c
        counted = connection.execute(select(orders.status, func.count()).group_by(orders.status)).all()
        assert {row[0]: row[1] for row in counted} == {"expired": 2 * UNITS, "pending": 1}
        holders = connection.execute(
            select(units.unit, func.count()).where(units.active).group_by(units.unit)
        ).all()
        assert all(count == 1 for _, count in holders)
        assert connection.execute(select(func.max(units.unit))).scalar_one() == UNITS


def see(page: Watcher, state: str) -> None:
    """Wait until an open page is told of a state; that of a moment it need not be told of."""
    while page.next()["state"] != state:
        pass


def let_unpaid_expire(shop: Shop) -> None:
    """Nobody has paid in time, whatever time was given."""
    with writing(shop.engine) as connection:
        pending = tables.orders.c.status == "pending"
        connection.execute(update(tables.orders).where(pending).values(expire_at_ms=now_ms(connection)))


def test_units_are_sold_again_within_the_lease_on_sold_out(
    hurried: Shop, start_gateway: StartGateway, offer_id: str
) -> None:
    once_is_enough(hurried)
    gateway = start_gateway(hurried.settings.redis_url)
    hurried.publish(offer_id, stock=1, pay_within_ms=PAY_WITHIN_MS)
    with hurried.writer():
        sell_out(gateway, offer_id, "early", 1)
        wait_until(lambda: gateway.outcome(offer_id, "late") == "sold_out")
        wait_until(lambda: read(hurried, offer_id).left == 1, what="the unit in Redis")
        began = time.monotonic()
        wait_until(lambda: gateway.outcome(offer_id, "late") == "won")
        # The lease, and a moment for a click on a busy machine.
        assert time.monotonic() - began < hurried.settings.lease_ms / 1000 + 0.3


def read(shop: Shop, offer: str) -> offers.Offer:
    found = offers.read(shop.redis, offer)
    assert found is not None
    return found


def first_end(shop: Shop) -> int | None:
    """When the first unpaid order expires."""
    each = tables.orders.c
    with shop.engine.connect() as connection:
        statement = select(func.min(each.expire_at_ms)).where(each.status == "pending")
        found: int | None = connection.execute(statement).scalar_one()
        return found


def finish(shop: Shop, after: str) -> None:
    """Somebody pays or cancels the order that would expire first."""
    each = tables.orders.c
    with writing(shop.engine) as connection:
        order_no = connection.execute(
            select(each.order_no).where(each.status == "pending").order_by(each.expire_at_ms).limit(1)
        ).scalar_one()
        assert move(connection, order_no, "pending", after, actor="shopper", at_ms=now_ms(connection))


def test_sold_out_tells_when_the_first_unpaid_unit_may_return_also_after_others_change_it(
    shop: Shop, start_gateway: StartGateway, offer_id: str
) -> None:
    once_is_enough(shop)
    gateway = start_gateway(shop.settings.redis_url)
    shop.publish(offer_id, stock=2, pay_within_ms=HOUR_MS)

    def told_ms() -> int | None:
        said = gateway.click(offer_id, "late").json()
        at = said.get("may_return_at")
        return round(datetime.fromisoformat(at).timestamp() * 1000) if at else None

    for shopper in ("amy", "bob"):
        sell_out(gateway, offer_id, shopper, 1)
        time.sleep(0.002)  # so that each expires at an instant of its own
    with shop.writer():
        wait_until(shop.settled, what="everything settled")
        for after in ("paid", "cancelled"):
            wait_until(lambda: told_ms() == first_end(shop) is not None, what="the first unpaid unit")
            finish(shop, after)
        wait_until(lambda: told_ms() is None, what="nothing that may return")
    assert gateway.outcome(offer_id, "late") == "sold_out"


def test_a_gateway_that_was_idle_when_all_was_sold_tells_it_with_its_first_refusal(
    shop: Shop, start_gateway: StartGateway, offer_id: str, own_redis: RedisServer
) -> None:
    once_is_enough(shop)
    own = Shop(replace(shop.settings, redis_url=own_redis.url), shop.engine)
    gateway = start_gateway(own_redis.url)
    own.publish(offer_id, stock=2, pay_within_ms=HOUR_MS)
    sell_out(gateway, offer_id, "amy", 1)
    own.sell(offer_id, 1)

    def looks() -> int:
        return int(own.redis.info("commandstats").get("cmdstat_hget", {"calls": 0})["calls"])  # type: ignore[union-attr]

    with own.writer():
        wait_until(lambda: read(own, offer_id).may_return_at_ms, what="the first unpaid unit")
        before = looks()
        wait_until(lambda: looks() >= before + 2, what="the gateway's looks")
        assert "may_return_at" in gateway.click(offer_id, "late").json()
    own.close()


def test_a_new_writer_corrects_what_an_older_one_told(shop: Shop, offer_id: str) -> None:
    """Given an offer without unpaid orders that was told of one, when a writer starts, then it is told better."""
    shop.publish(offer_id, stock=3)
    script = scripts.load("note_return")
    script.call(shop.redis, {"offer": keys.offer(offer_id)}, {"epoch": 1, "may_return_at_ms": 2**41})
    assert read(shop, offer_id).may_return_at_ms == 2**41
    with shop.writer():
        wait_until(lambda: read(shop, offer_id).may_return_at_ms == 0, what="the correction")


def test_orders_expire_while_redis_is_away_and_their_units_come_back_with_it(
    shop: Shop, own_redis: RedisServer, offer_id: str
) -> None:
    own = Shop(replace(shop.settings, redis_url=own_redis.url, min_pay_window_s=1), shop.engine)
    own.publish(offer_id, stock=5, pay_within_ms=HOUR_MS)
    own.sell(offer_id, 5)
    with own.writer():
        wait_until(own.settled, what="everything settled")
        own_redis.kill()
        with pytest.raises(RedisError):
            own.redis.ping()
        let_unpaid_expire(own)
        wait_until(lambda: first_end(own) is None, what="the orders' end")
        own_redis.start()
        wait_until(lambda: read(own, offer_id).left == 5, what="the units in Redis")
    own.close()


def test_a_backlog_of_expiries_does_not_stop_winners_from_being_written(shop: Shop, offer_id: str) -> None:
    """Given thousands of orders due at once, when others win, then those are written before all have expired."""
    shop.publish(offer_id, stock=5000, pay_within_ms=1)
    shop.sell(offer_id, 3000, batch=1000)
    shop.write()
    shop.redis.delete(keys.stream(0))
    shop.redis.delete(keys.counters(0))
    with shop.writer():
        wait_until(lambda: expired(shop) > 0, what="the first to expire")
        won = shop.sell(offer_id, 500, prefix="new", batch=500)
        wait_until(shop.settled, within_s=5, what="everything settled")
        assert expired(shop) < 3000
        assert {each.order_no for each in won.values()} <= set(shop.orders())
        wait_until(lambda: expired(shop) == 3000, within_s=30, what="the end of the backlog")


def expired(shop: Shop) -> int:
    with shop.engine.connect() as connection:
        statement = select(func.count()).where(tables.orders.c.status == "expired")
        return int(connection.execute(statement).scalar_one())
