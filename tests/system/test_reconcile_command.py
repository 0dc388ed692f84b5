"""`seckill reconcile` as an operator runs it: what it prints, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import insert

from admin import migrations
from admin.payments.tables import payments
from admin.reservations.tables import tallies
from gateway import keys
from gateway.orders.database import open_engine
from gateway.settings import Settings
from tests.conftest import RedisServer
from tests.gateway.orders.half_sold import OFFER, HalfSold
from tests.gateway.orders.shop import Shop


class Operator:
    """Somebody with a shell beside a sale."""

    def __init__(self, redis_url: str, database_url: str) -> None:
        self.environ = {"SECKILL_REDIS_URL": redis_url, "SECKILL_DATABASE_URL": database_url}

    def reconcile(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "admin.cli", "reconcile", *options]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SECKILL_")}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=environ | self.environ
        )

    def json(self, status: int, *options: str) -> Any:
        done = self.reconcile("--json", *options)
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def operator(own_redis: RedisServer, tmp_path: Path) -> Operator:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(url)
    return Operator(own_redis.url, url)


@pytest.fixture
def redis(operator: Operator, own_redis: RedisServer) -> Any:
    """Of a sale half-way."""
    engine = open_engine(operator.environ["SECKILL_DATABASE_URL"])
    shop = Shop(Settings(redis_url=own_redis.url), engine)
    sale = HalfSold(shop)
    with engine.begin() as connection:
        # The one that is paid was paid for.
        connection.execute(
            insert(payments).values(
                id="p",
                order_no=sale.won["a"].order_no,
                provider="sandbox",
                amount=sale.won["a"].price,
                currency="CNY",
                state="settled",
                plan={},
                created_at_ms=1,
                settled_at_ms=1,
            )
        )
    yield shop.redis
    shop.close()
    engine.dispose()


def test_what_is_sound_is_told_in_a_line(operator: Operator, redis: Redis) -> None:
    done = operator.reconcile()
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 offer looked at, 0 broken\n", "")
    assert operator.json(0, "--offer", OFFER) == {"sound": True, "offers": 1, "broken": [], "repaired": []}


def test_what_is_broken_is_named_repaired_and_gone(operator: Operator, redis: Redis) -> None:
    redis.hdel(keys.buyers(OFFER, 1), "b")
    redis.hincrby(keys.counters(0), "issued", 2)
    named = operator.reconcile()
    assert named.returncode == 1
    assert f"broken    order_without_ticket, offer {OFFER}, unit 2, order ORDER00000002: order" in named.stdout
    assert "--repair would close the offer for a moment" in named.stdout
    assert named.stdout.endswith("1 offer looked at, 4 broken\n")
    document = operator.json(1)
    [lost] = [each for each in document["broken"] if each["code"] == "order_without_ticket"]
    assert (lost["offer"], lost["unit"], lost["order_no"], lost["entry"]) == (OFFER, 2, "ORDER00000002", None)
    assert lost["repair"].startswith("close the offer")
    # Of one offer, the streams' totals are not.
    assert len(operator.json(1, "--offer", OFFER)["broken"]) == 3
    repaired = operator.json(0, "--repair")
    assert repaired["broken"] == []
    assert {each["code"] for each in repaired["repaired"]} >= {"order_without_ticket", "backlog_differs"}
    assert operator.reconcile().returncode == 0


@pytest.mark.soak
def test_the_books_of_the_shop_are_looked_through_too(operator: Operator, redis: Redis) -> None:
    engine = open_engine(operator.environ["SECKILL_DATABASE_URL"])
    with engine.begin() as connection:
        count = {"kind": "coupon", "subject": "SAVE5", "owner": "", "reserved": 0, "committed": 3}
        connection.execute(insert(tallies).values(**count))
    engine.dispose()
    named = operator.reconcile()
    assert named.returncode == 1
    assert "broken    tally_differs, coupon SAVE5: 0 are counted as reserved and 3 as committed" in named.stdout
    assert "--repair would set the count to the sum of what orders hold" in named.stdout
    # They are not an offer's.
    assert operator.json(0, "--offer", OFFER)["broken"] == []
    [repaired] = operator.json(0, "--repair")["repaired"]
    assert (repaired["code"], repaired["entry"]) == ("tally_differs", "coupon SAVE5")
    assert operator.reconcile().stdout == "1 offer looked at, 0 broken\n"


def test_what_must_be_decided_says_so(operator: Operator, redis: Redis) -> None:
    redis.sadd(keys.offers(0), "unknown")
    done = operator.reconcile("--repair")
    assert done.returncode == 1
    assert "offer_unknown, offer unknown: Redis has an offer that the ledger does not know" in done.stdout
    assert "to decide: restore the ledger" in done.stdout


@pytest.mark.soak
def test_what_the_operator_can_put_right_is_one_sentence(operator: Operator, redis: Redis) -> None:
    unknown = operator.reconcile("--offer", "no-such")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "the ledger has no offer no-such" in unknown.stderr
    operator.environ["SECKILL_REDIS_URL"] = "redis://127.0.0.1:1/0"
    away = operator.reconcile()
    assert (away.returncode, away.stdout) == (2, "")
    assert away.stderr.startswith("seckill: Redis cannot be used (SECKILL_REDIS_URL): ")
    operator.environ["SECKILL_DATABASE_URL"] = "sqlite:////nowhere/at/all.db"
    assert operator.reconcile().returncode == 2
