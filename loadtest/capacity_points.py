"""Measures the costs and the points that the model of capacity is made of and held against."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from rich.console import Console

from loadtest import books, costs, generators, machine
from loadtest.costs import Measured
from loadtest.figures import Run
from loadtest.processes import cores
from loadtest.redis_memory import RedisMemory, connected
from loadtest.scenarios import Plan, Sizes, measure, new_shoppers, prepare
from loadtest.stack import Cores, Stack

CONNECTIONS = (16, 64, 256, 1024)
BUSY_CONNECTIONS = 256
"""From here on a worker is never idle, and no cost of waking up is taken for one of a call."""
ONE_BY_ONE = {"SECKILL_BATCH_MAX": "1", "SECKILL_BATCHES_IN_FLIGHT_MAX": "64"}
LINK_US = 20.0
SOURCES = {
    "gateway_click_us": "fit: CPU per click against 1 / batch, win path, busy workers, one click per call as well",
    "gateway_call_us": "the same fit; the part per script call",
    "redis_click_us": "the same fit of Redis' CPU; the part per click",
    "redis_call_us": "the same fit; the part per script call",
    "generator_click_us": "median over the same runs: wrk's CPU per click",
    "gateway_sold_out_us": "sold-out path, 256 connections, best run",
    "gateway_duplicate_us": "duplicate path, 256 connections, best run",
    "redis_duplicate_us": "duplicate path, 256 connections, best run",
    "fsync_us": "median of 200 appends of 4 KiB with fsync, before the runs",
    "link_us": "assumed: one way over loopback, both schedulers included; over a network, half its round trip",
    "writer_order_us": "wall time of one order writer, its start included, per order: SQLite",
    "request_bytes": "length of a click: HTTP head with a token",
    "won_reply_bytes": "length of the reply that tells of a win",
    "sold_out_reply_bytes": "length of the reply that tells of none left",
    "redis_request_bytes": "Redis' total_net_input_bytes per click of one run",
    "redis_reply_bytes": "Redis' total_net_output_bytes per click of one run",
    "aof_bytes_per_winner": "growth of the append-only files per winner of one run",
    "redis_bytes_per_winner": "growth of Redis' used_memory per winner of one run, the order still in the stream",
}


@dataclass(frozen=True, slots=True)
class Bytes:
    """Totals that grow with winners."""

    into_redis: int
    out_of_redis: int
    memory: int
    aof: int

    @classmethod
    def of(cls, redis: RedisMemory, folder: Path) -> Bytes:
        """The totals now."""
        files = sum(path.stat().st_size for path in folder.glob("appendonlydir/*"))
        stat = redis.stat
        return cls(stat("total_net_input_bytes"), stat("total_net_output_bytes"), redis.used_bytes(), files)


def measure_all(duration_s: float, repetitions: int, console: Console, path: Path = costs.PATH) -> list[str]:
    """Measure everything and write it to `path`; breaches."""
    placed = Cores(*(cores() or (None, None)))
    sizes = Sizes(duration_s)
    runs: list[Run] = []
    sold: dict[str, list[tuple[Plan, int]]] = {"strict": [], "relaxed": [], "singly": []}
    with (
        tempfile.TemporaryDirectory(prefix="seckill-capacity-") as name,
        Stack("strict", Path(name), placed, durability="strict") as strict,
        Stack("relaxed", Path(name), placed, durability="relaxed") as relaxed,
        Stack("singly", Path(name), placed, durability="relaxed", extra=ONE_BY_ONE) as singly,
    ):
        fsync_us = machine.fsync_us(Path(name))

        def run(scenario: str, stack: Stack, connections: int, repetition: int) -> Run:
            plan = prepare(scenario, stack, sizes, core=placed.others)
            found = measure(
                scenario,
                stack,
                plan,
                connections=connections,
                repetition=repetition,
                sizes=sizes,
                core=placed.others,
            )
            plan.requests.path.unlink()
            sold[stack.name].append((plan, found.outcomes.get("won", 0)))
            runs.append(found)
            console.print(
                f"{scenario:9} {stack.name:8} {connections:5}  {found.clicks_per_s:8,.0f}/s"
                f"  gateway {found.gateway_cpu_us:5.1f}  Redis {found.redis_cpu_us:5.1f} µs"
                f"  batch {found.batch_mean:5.1f}"
            )
            return found

        for repetition in range(repetitions):
            for connections in CONNECTIONS:
                for stack in (strict, relaxed):
                    run("win", stack, connections, repetition)
            run("win", singly, BUSY_CONNECTIONS, repetition)
            for scenario in ("sold_out", "duplicate"):
                run(scenario, strict, BUSY_CONNECTIONS, repetition)
        with connected(strict.folder / "redis.sock") as redis:
            before = Bytes.of(redis, strict.folder)
            one = run("win", strict, 256, repetitions)
            after = Bytes.of(redis, strict.folder)
        lengths = reply_lengths(strict)
        checked = [books.check(stack, sold[stack.name]) for stack in (strict, relaxed, singly)]
    points = [_best(runs, stack, many) for stack in ("strict", "relaxed") for many in CONNECTIONS]
    busy = [each for each in points if each.connections >= BUSY_CONNECTIONS]
    values = {
        **costs.fit([*busy, _best(runs, "singly", BUSY_CONNECTIONS)]),
        **_least_cpu(runs),
        **_per_click(before, after, one.clicks),
        **lengths,
        "fsync_us": fsync_us,
        "link_us": LINK_US,
        "writer_order_us": 1e6 * sum(each.took_s for each in checked) / sum(each.written for each in checked),
    }
    data = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(machine.describe()),
        "settings": {"duration_s": duration_s, "repetitions": repetitions},
        "points_from": "the same runs",
        "costs": costs.each_with_source(values, SOURCES.__getitem__),
        "points": [asdict(point) for point in points],
    }
    path.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
    return [text for each in checked for text in each.breaches]


def _best(runs: Sequence[Run], stack: str, connections: int) -> Measured:
    """The best of some runs: whatever else a machine does can only take away from one."""
    best = max(
        (run for run in runs if (run.scenario, run.target, run.connections) == ("win", stack, connections)),
        key=lambda run: run.clicks_per_s,
    )
    return Measured(
        stack,
        connections,
        round(best.clicks_per_s, 1),
        round(best.batch_mean, 2),
        best.p50_us,
        best.p99_us,
        round(best.gateway_cpu_us, 2),
        round(best.redis_cpu_us, 2),
        round(1e6 * best.generator_cpu_share / best.clicks_per_s, 2),
    )


def _least_cpu(runs: Sequence[Run]) -> dict[str, float]:
    """CPU per click of the paths without winners."""

    def least(scenario: str, of: Callable[[Run], float]) -> float:
        return min(of(run) for run in runs if run.scenario == scenario)

    return {
        "gateway_sold_out_us": least("sold_out", lambda run: run.gateway_cpu_us),
        "gateway_duplicate_us": least("duplicate", lambda run: run.gateway_cpu_us),
        "redis_duplicate_us": least("duplicate", lambda run: run.redis_cpu_us),
    }


def _per_click(before: Bytes, after: Bytes, clicks: int) -> dict[str, float]:
    """Bytes of Redis per winning click."""
    return {
        "redis_request_bytes": (after.into_redis - before.into_redis) / clicks,
        "redis_reply_bytes": (after.out_of_redis - before.out_of_redis) / clicks,
        "aof_bytes_per_winner": (after.aof - before.aof) / clicks,
        "redis_bytes_per_winner": (after.memory - before.memory) / clicks,
    }


def reply_lengths(stack: Stack) -> dict[str, float]:
    """Bytes of a click and of its replies, as they are on the wire."""
    offer = stack.create_offer(1)
    requests = generators.write_requests(stack.folder / "two.bin", offer, new_shoppers(2), stack.mint)
    both = requests.path.read_bytes()
    target = urlsplit(stack.gateway_url)
    lengths = []
    with socket.create_connection((str(target.hostname), target.port or 80), timeout=10.0) as connection:
        for start in (0, requests.size_bytes):
            connection.sendall(both[start : start + requests.size_bytes])
            # So short a reply comes in one piece.
            lengths.append(len(connection.recv(65_536)))
    return {
        "request_bytes": requests.size_bytes,
        "won_reply_bytes": lengths[0],
        "sold_out_reply_bytes": lengths[1],
    }
