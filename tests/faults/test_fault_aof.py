"""Given a power loss, whatever was told is there, wherever the append-only file was cut behind it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from gateway import keys
from tests.conftest import free_port, wait_until
from tests.faults import looking
from tests.faults.client import ask, mint
from tests.faults.history import History
from tests.faults.processes import Role, clean_environment
from tests.faults.sale import Offer, Sale
from tests.faults.stack import Stack, standing

STOCK = 40
TOLD_BEFORE = 12
AT_ONCE = 6
SAMPLE = 24


@dataclass
class Tail:
    """An append-only file at the moment when nobody has yet heard of its end."""

    folder: Path
    aof: Path
    told_bytes: int
    written_bytes: int
    told: dict[str, str]
    offer: Offer


def click(stack: Stack, offer: Offer, shopper: str) -> tuple[int, dict[str, object]]:
    token = mint(stack.token_secret, shopper)
    return ask(f"{stack.gateway_url}/seckill/{offer.id}", method="POST", token=token, within_s=8)


@pytest.fixture(scope="module")
def tail(tmp_path_factory: pytest.TempPathFactory) -> Tail:
    """A sale of which some wins were told, and a batch of more is on disk but was told to nobody."""
    folder = tmp_path_factory.mktemp("aof")
    with standing(folder, workers=1) as stack:
        sale = Sale(stack, History())
        offer = sale.publish("cut", "kettle", stock=STOCK, limit=1, pay_within_s=600, lasts_s=600)
        told = {}
        for number in range(TOLD_BEFORE):
            status, said = click(stack, offer, f"early {number}")
            assert status == 201, said
            told[f"early {number}"] = str(said["order_no"])
        wait_until(lambda: len(looking.orders(sale, offer) or []) == TOLD_BEFORE, what="every order")
        # The writer and the sidecar change nothing any more.
        for name in ("writer", "admin"):
            stack.roles[name].stop()
        trap = stack.redis_ways["gateway"].trap("request", "admit")
        # One click is caught; the others gather behind it and go as one batch when it has its answer.
        clicks = [
            threading.Thread(target=click, args=(stack, offer, f"late {number}")) for number in range(AT_ONCE)
        ]
        for each in clicks:
            each.start()
        assert trap.wait(5)
        aof = stack.aof()
        told_bytes = aof.stat().st_size
        held = stack.redis_ways["gateway"].trap("reply", "admit")
        stack.redis_ways["gateway"].set_weather(frozen=True)
        trap.release()
        assert held.wait(5)
        wait_until(lambda: aof.stat().st_size > told_bytes, what="a longer file")
        stack.redis_role.kill()
        kept = folder / "kept"
        shutil.copytree(stack.folder / "redis", kept)
        for way in stack.redis_ways.values():
            way.cut()
        for each in clicks:
            each.join()
    return Tail(kept, aof.relative_to(stack.folder / "redis"), told_bytes, aof.stat().st_size, told, offer)


@contextmanager
def started(folder: Path) -> Iterator[Redis]:
    """Redis on a folder, killed at the end of the block."""
    port = free_port()
    binary = shutil.which("redis-server") or shutil.which("valkey-server") or ""
    given = ["--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "yes"]
    role = Role("redis", [binary, *given], clean_environment(), folder / "redis.log").start()
    client = Redis(port=port)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except RedisError:
            assert role.alive, role.tail()
            return False

    try:
        wait_until(answers, what="Redis")
        yield client
    finally:
        client.close()
        role.kill()


def hold_it_against_what_was_told(tail: Tail, folder: Path, size: int) -> int:
    """Check the file cut to `size` bytes; how many of the untold wins survived it."""
    shutil.copytree(tail.folder, folder)
    os.truncate(folder / tail.aof, size)
    with started(folder) as redis:
        late = everything_is_there_as_a_whole(tail, redis, size)
    shutil.rmtree(folder)
    return late


def everything_is_there_as_a_whole(tail: Tail, redis: Redis, size: int) -> int:
    end = looking.offer_end(redis, tail.offer)
    shard = keys.shard_of(tail.offer.id)
    entries = redis.xlen(keys.stream(shard))
    issued = int(redis.hget(keys.counters(shard), "issued") or 0)
    held = {shopper: tickets[0] for shopper, tickets in end.tickets.items()}
    # Whatever was told is there,
    assert tail.told.items() <= {shopper: ticket.order_no for shopper, ticket in held.items()}.items(), size
    # and what is there of the rest is there as a whole: stock, buyers, numbers, stream and totals agree.
    late = [shopper for shopper in held if shopper not in tail.told]
    assert len(held) == end.stock - end.left == issued, size
    sold = sorted(unit for ticket in held.values() for unit in ticket.units)
    assert sold + end.fresh == list(range(1, end.stock + 1)), size
    assert bool(late) == (entries > len(tail.told)), size
    return len(late)


def cuts(tail: Tail) -> list[int]:
    return list(range(tail.told_bytes, tail.written_bytes + 1))


def test_nothing_told_is_lost_and_nothing_is_there_by_half_at_some_cuts(tail: Tail, tmp_path: Path) -> None:
    every = cuts(tail)
    some = sorted({*every[:2], *every[-2:], *every[:: max(1, len(every) // SAMPLE)]})
    survived = [hold_it_against_what_was_told(tail, tmp_path / str(size), size) for size in some]
    # The longest file has them all, the shortest none: the cuts were really in the middle of them.
    assert survived[0] == 0
    assert survived[-1] > 0


def test_a_file_written_anew_after_the_cut_survives_the_next_restart_too(tail: Tail, tmp_path: Path) -> None:
    # Given a file that ends in the middle of a script's changes,
    size = tail.told_bytes + (tail.written_bytes - tail.told_bytes) // 3
    shutil.copytree(tail.folder, tmp_path / "cut")
    os.truncate(tmp_path / "cut" / tail.aof, size)
    # when Redis starts, writes its file anew before anything else, and goes on,
    with started(tmp_path / "cut") as redis:
        survived = everything_is_there_as_a_whole(tail, redis, size)
        redis.bgrewriteaof()
        wait_until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"], what="a new file")
        redis.pipeline(transaction=True).incr("more").incr("more").execute()
    # then the next start finds all of it, and nothing of the torn changes.
    with started(tmp_path / "cut") as redis:
        assert everything_is_there_as_a_whole(tail, redis, size) == survived
        assert redis.get("more") == b"2"


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_nothing_told_is_lost_and_nothing_is_there_by_half_at_every_cut(tail: Tail, tmp_path: Path) -> None:
    survived = [hold_it_against_what_was_told(tail, tmp_path / str(size), size) for size in cuts(tail)]
    assert len(survived) > 300
    # The more of the file is left, the more of its batches are.
    assert survived == sorted(survived)
    assert survived[0] == 0 < survived[-1]


def test_the_file_is_repaired_by_redis_own_tool_too(tail: Tail, tmp_path: Path) -> None:
    # Given a file that ends in the middle of a command,
    size = (tail.told_bytes + tail.written_bytes) // 2
    shutil.copytree(tail.folder, tmp_path / "cut")
    aof = tmp_path / "cut" / tail.aof
    os.truncate(aof, size)
    # when an operator repairs it by hand,
    tool = shutil.which("redis-check-aof") or shutil.which("valkey-check-aof")
    if tool is None:
        pytest.skip("redis-check-aof is missing")
    subprocess.run([tool, "--fix", str(aof)], input=b"y\n", check=True, capture_output=True)
    # then it ends with the last whole change, whoever made it: behind what was told, before the cut.
    assert tail.told_bytes <= aof.stat().st_size <= size
