"""Given copies of Redis and then of the ledger, made while a sale runs, what they hold can be sold on from."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.faults.processes import seckill
from tests.security.deployment import Deployment
from tests.security.scenario import wins


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Deployment]:
    one = Deployment(tmp_path, log_level="info")
    try:
        yield one.start()
    finally:
        one.stop()


def orders(shop: Deployment, offer: str) -> dict[str, list[int]]:
    """Shopper → units of every order in the ledger."""
    found = shop.operate("GET", f"/orders?offer={offer}&limit=500")["items"]
    return {each["shopper"]: each["units"] for each in found}


@pytest.mark.soak
def test_redis_first_and_then_the_ledger_is_restored_whole_and_sells_on(shop: Deployment, tmp_path: Path) -> None:
    offer = shop.campaign("copied", stock=50)
    for number in range(5):
        shop.win(offer, f"early-{number}")
    # Given a win that waits for a writer who is away, a copy of Redis,
    shop.roles["writer"].stop()
    assert wins(shop, "waiting", offer)
    shutil.copytree(tmp_path / "redis", tmp_path / "copy")
    # more wins, all of them written, and then a copy of the ledger,
    shop.roles["writer"].start()
    for number in range(5):
        shop.win(offer, f"between-{number}")
    ledger = tmp_path / "ledger.db"
    with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(tmp_path / "ledger.copy")) as target:
        source.backup(target)
    saved = orders(shop, offer)
    assert len(saved) == 11
    # and wins that no copy has: when both are put back,
    shop.win(offer, "late")
    shop.stop_roles()
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    (tmp_path / "ledger.copy").rename(ledger)
    shutil.rmtree(tmp_path / "redis")
    (tmp_path / "copy").rename(tmp_path / "redis")
    shop.start()
    # then the offer opens again by itself, with every order of the ledger's copy known to Redis,
    wait_until(lambda: wins(shop, "new", offer), within_s=30, what="a win after the restore")
    for sub, units in saved.items():
        mine = shop.shop(sub, "GET", f"/seckill/{offer}/mine")
        assert mine["tickets"][0]["units"] == units
    # nobody gets a unit that somebody has,
    wait_until(lambda: "new" in orders(shop, offer), what="the new order")
    held = [unit for units in orders(shop, offer).values() for unit in units]
    assert len(held) == len(set(held)) == 12
    # and the books agree.
    done = seckill("reconcile", environ=shop.environ("admin"))
    assert done.returncode == 0, done.stdout
