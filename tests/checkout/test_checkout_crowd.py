"""Given a crowd that orders, pays, cancels and returns, the sidecar may be killed at any moment: all adds up."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from gateway.orders.database import open_engine, reading
from tests.checkout import books, goods
from tests.checkout.shoppers import Crowd
from tests.conftest import wait_until
from tests.faults.processes import seckill
from tests.security.deployment import Deployment

SEED = int(os.environ.get("SEED") or random.randrange(10**9))


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Deployment]:
    one = Deployment(tmp_path, database_url=database_url, log_level="info", quotes_max="1000000")
    try:
        yield one.start()
    finally:
        one.stop()


def campaign(shop: Deployment, shoppers: int, rounds: int, kills: int) -> None:
    """A crowd beside a sidecar that is killed some times, and the books afterwards."""
    began = goods.set_up(shop)
    crowd = Crowd(shop, shoppers, SEED, rounds).start()
    sidecar = shop.roles["admin"]
    for number in range(1, kills + 1):
        # A third and a little more of what they try becomes an order, as goods run out.
        wanted = number * shoppers * rounds // (4 * kills)
        wait_until(lambda wanted=wanted: crowd.answered() >= wanted or crowd.failure, within_s=120, what="orders")
        sidecar.kill()
        sidecar.start()
    crowd.finish(within_s=240)
    # To do the same again: SEED=… in the environment.
    print(f"SEED={SEED}: {dict(crowd.answers)}")  # noqa: T201 - read when the test fails
    shop.until_ready()
    engine = open_engine(shop.settings["SECKILL_DATABASE_URL"])
    try:
        _agree(shop, engine)
        waits_s = time.monotonic() + 60
        while open_ones := _open(engine):
            assert time.monotonic() < waits_s, open_ones
        with reading(engine) as connection:
            books.check(connection, began, crowd)
            assert len(crowd.told) > shoppers // 2
    finally:
        engine.dispose()
    done = seckill("reconcile", "--json", environ=shop.environ("admin"))
    assert done.returncode == 0, done.stdout + done.stderr


def _agree(shop: Deployment, engine: Engine) -> None:
    """An operator agrees to what shoppers cannot have by themselves, such as a deposit back."""
    with reading(engine) as connection:
        asked = books.rows(connection, "SELECT order_no FROM refunds WHERE state = 'requested'")
    for each in asked:
        shop.operate("POST", f"/orders/{each['order_no']}/refund", {})


def _open(engine: Engine) -> list[dict[str, Any]]:
    """Payments and refunds that nobody has finished."""
    with reading(engine) as connection:
        return [
            *books.rows(connection, "SELECT * FROM refunds WHERE state <> 'settled'"),
            *books.rows(connection, "SELECT * FROM payments WHERE state = 'started'"),
        ]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "database_url",
    [pytest.param("sqlite", marks=pytest.mark.soak), pytest.param("postgres", marks=pytest.mark.postgres)],
    indirect=True,
)
def test_a_crowd_beside_a_sidecar_that_is_killed(shop: Deployment) -> None:
    campaign(shop, shoppers=16, rounds=2, kills=2)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("run", range(5))
def test_two_hundred_checkouts_at_once(shop: Deployment, run: int) -> None:
    campaign(shop, shoppers=200, rounds=4, kills=6)
