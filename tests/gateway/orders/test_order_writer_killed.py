"""A writer that is killed without warning loses nothing, and somebody else finishes in seconds."""

from __future__ import annotations

import time

from sqlalchemy import text

from gateway import keys
from tests.conftest import wait_until
from tests.gateway.orders.shop import Shop

TAKEN_OVER_WITHIN_S = 10.0


def test_killed_with_entries_in_hand(shop: Shop, offer_id: str) -> None:
    """Given a writer killed while it holds entries, when another starts, then all is written within 10 s."""
    shop.publish(offer_id, stock=1000)
    won = shop.sell(offer_id, 1000, batch=50)
    with shop.engine.connect() as connection:
        # Somebody else holds the ledger, so the writer gets stuck between reading and writing.
        lock = "LOCK TABLE orders IN SHARE ROW EXCLUSIVE MODE"
        connection.execute(text("SELECT 1" if shop.engine.dialect.name == "sqlite" else lock))
        process = shop.start_process()
        wait_until(lambda: _pending(shop) > 0, what="entries in hand")
        process.kill()
        process.communicate()
    assert shop.order_count() == 0
    began = time.monotonic()
    with shop.writer():
        wait_until(shop.settled, within_s=TAKEN_OVER_WITHIN_S, what="everything settled")
    assert time.monotonic() - began < TAKEN_OVER_WITHIN_S
    assert set(shop.orders()) == {each.order_no for each in won.values()}
    assert shop.counters() == {"issued": 1000, "committed": 1000, "dead": 0}


def test_killed_again_and_again_in_the_middle_of_a_sale(shop: Shop, offer_id: str) -> None:
    """Given writers killed at work one after the other, then each winner has exactly one order in the end."""
    shop.settings = type(shop.settings)(
        redis_url=shop.settings.redis_url,
        database_url=shop.settings.database_url,
        writer_takeover_ms=200,
        writer_batch=50,
    )
    shop.publish(offer_id, stock=4000)
    won = {}
    for number in range(2):
        process = shop.start_process()
        before = shop.order_count()
        won |= shop.sell(offer_id, 2000, prefix=f"round{number}", batch=20)
        wait_until(lambda before=before: shop.order_count() > before, what="some orders")
        process.kill()
        process.communicate()
    with shop.writer():
        wait_until(shop.settled, what="everything settled")
    assert set(shop.orders()) == {each.order_no for each in won.values()}
    assert shop.counters() == {"issued": 4000, "committed": 4000, "dead": 0}


def _pending(shop: Shop) -> int:
    groups = shop.redis.xinfo_groups(keys.stream(0))
    return int(groups[0]["pending"]) if groups else 0
