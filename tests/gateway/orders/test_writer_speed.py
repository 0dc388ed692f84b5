"""How fast a filled stream becomes orders, from the first read to the last acknowledgement.

Prints one JSON line per database, and appends it to the file that SECKILL_WRITER_SPEED names.
"""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path

import pytest

from tests.gateway.orders.shop import Shop

ORDERS = 100_000
CLICKS_PER_BATCH = 64


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_writer_catches_up_at_twenty_thousand_orders_a_second(shop: Shop, offer_id: str) -> None:
    """Given a hundred thousand winners in the stream, when a writer starts, then it writes 20,000/s."""
    shop.publish(offer_id, stock=ORDERS)
    shop.sell(offer_id, ORDERS, batch=CLICKS_PER_BATCH)
    cpu_before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    with shop.writer():
        # Looking costs the writer time, as both are in this process: so not too often.
        while not shop.settled():
            time.sleep(0.1)
        elapsed_s = time.monotonic() - began
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    assert shop.order_count() == ORDERS
    figures = {
        "database": shop.engine.dialect.name,
        "orders": ORDERS,
        "orders_per_s": round(ORDERS / elapsed_s),
        "writer_cpu_us_per_order": round(
            (cpu.ru_utime + cpu.ru_stime - cpu_before.ru_utime - cpu_before.ru_stime) / ORDERS * 1e6, 1
        ),
        "orders_per_transaction_target": shop.settings.writer_batch,
    }
    line = json.dumps(figures)
    print(line)  # noqa: T201 - a figure is what it is run for
    if path := os.environ.get("SECKILL_WRITER_SPEED"):
        with Path(path).open("a", encoding="utf-8") as out:
            out.write(line + "\n")
    assert figures["orders_per_s"] >= 20_000
