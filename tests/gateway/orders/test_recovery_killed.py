"""Given a recovery that is killed, or a writer that slept through one, nothing is lost and none is sold twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from redis.client import Pipeline
from sqlalchemy import select
from sqlalchemy.engine import Transaction

from gateway import keys, offers
from gateway.orders import rebuilding, tables
from gateway.orders.message import Entry, Ticket
from gateway.orders.stream import WinnersStream
from tests.conftest import RedisServer
from tests.gateway.orders.half_sold import OFFER, cancel, settle_all
from tests.gateway.orders.losing import check, held
from tests.gateway.orders.shop import Shop, read_new


@pytest.fixture
def shop(own_shop: Shop) -> Shop:
    return own_shop


# A writer that slept.


def test_a_writer_that_slept_through_a_recovery_drops_nothing(shop: Shop) -> None:
    """Given entries in a sleeping writer's hands that Redis lost, then each winner is filed, once."""
    shop.publish(OFFER, stock=10)
    stream = WinnersStream(shop.redis, 0, "sleeper")
    stream.ensure_group()
    shop.click(OFFER, ["written"])
    settle_all(shop)
    lost = shop.click(OFFER, ["lost-1", "lost-2"])
    entries = [Entry.parse(*each) for each in read_new(shop.redis, 10, consumer=stream.consumer)]
    shop.redis.flushall()
    assert check(shop) == {}
    stream.ensure_group()
    for _ in range(3):
        settled = stream.settle(shop.ledger().write(0, entries))
    assert settled == (0, 0)
    letters = [(each[b"shopper"], each[b"reason"], each[b"epoch"]) for each in shop.dead()]
    assert letters == [(b"lost-1", b"stale_epoch", b"1"), (b"lost-2", b"stale_epoch", b"1")]
    assert shop.counters() == {"committed": 0, "dead": 2}
    assert lost["lost-1"].order_no not in shop.orders()


def test_a_writer_that_slept_through_a_clean_restart_writes_what_it_has(shop: Shop, own_redis: RedisServer) -> None:
    shop.publish(OFFER, stock=10)
    stream = WinnersStream(shop.redis, 0, "sleeper")
    stream.ensure_group()
    shop.click(OFFER, ["a"])
    entries = [Entry.parse(*each) for each in read_new(shop.redis, 10, consumer=stream.consumer)]
    own_redis.kill()
    own_redis.start()
    check(shop)
    assert stream.settle(shop.ledger().write(0, entries)) == (1, 0)
    assert shop.backlog() == 0
    assert not shop.dead()


# Crashes.


class KilledError(BaseException):
    """The process dies here: nothing is cleaned up, and the database rolls back."""


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.soak)])
def test_killed_at_any_step_the_next_one_finishes(shop: Shop, stride: int) -> None:
    """Given a recovery that dies between two of its calls (in soak: any two), then the next one finishes it."""
    shop.publish(OFFER, stock=6, limit=2)
    won = shop.click(OFFER, ["a", "b", "c"])
    settle_all(shop)
    cancel(shop, "b", won["b"])
    steps = 0
    while True:
        shop.redis.flushall()
        killer = Killer(steps)
        with pytest.MonkeyPatch.context() as patch:
            killer.watch(patch)
            with contextlib.suppress(KilledError):
                check(shop)
        found = offers.read(shop.redis, OFFER)
        if found is not None and found.run_id == offers.run_id(shop.redis):
            assert whole(shop, won), f"killed at step {steps}"
        if not killer.killed:
            break
        assert check(shop) == {}
        assert whole(shop, won), f"killed at step {steps}"
        steps += stride
    assert steps > 20
    assert not shop.dead()


class Killer:
    """Dies at the n-th step; a step is the moment before a call to Redis or a commit, and so after the last."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.killed = False

    def step(self) -> None:
        if self._left == 0:
            self.killed = True
            raise KilledError
        self._left -= 1

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for owner, name in ((Redis, "execute_command"), (Pipeline, "execute")):
            patch.setattr(owner, name, self._stepped(getattr(owner, name)))
        patch.setattr(Transaction, "commit", self._stepped(Transaction.commit))

    def _stepped(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **about: Any) -> Any:
            self.step()
            return call(*args, **about)

        return stepped


def whole(shop: Shop, won: dict[str, Ticket]) -> bool:
    """Whether the offer is open, with its two winners and four units to sell, and its ledger of the same epoch."""
    found = offers.read(shop.redis, OFFER)
    with shop.engine.connect() as connection:
        epoch = connection.execute(select(tables.offers.c.epoch)).scalar_one()
    return (
        shop.approved(OFFER)
        and found.epoch == epoch
        and held(shop, epoch) == {"a": [won["a"]], "c": [won["c"]]}
        and (found.stock, found.left) == (6, 4)
        and shop.redis.zrange(keys.freed(OFFER, epoch), 0, -1) == [b"2"]
    )


def test_what_a_crash_left_half_built_goes_away_by_itself(shop: Shop) -> None:
    shop.publish(OFFER, stock=6)
    shop.click(OFFER, ["a"])
    settle_all(shop)
    shop.redis.flushall()

    def die(*_: object) -> None:
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilding, "_put_in_place", die)
        with pytest.raises(KilledError):
            check(shop)
    [half_built] = shop.redis.scan_iter("*built*")
    assert 0 < shop.redis.ttl(half_built) <= rebuilding.BUILT_FOR_S
    assert check(shop) == {}
    assert held(shop, 2).keys() == {"a"}
