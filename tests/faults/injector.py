"""Making faults happen at their points, and ending them."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults.looking import backlog
from tests.faults.plans import POINTS, Fault
from tests.faults.processes import Role
from tests.faults.proxy import Way
from tests.faults.sale import Offer, Sale
from tests.faults.stack import Stack

REACHED_WITHIN_S = 2.5
SLICE_BYTES = 7
NARROW_BYTES_PER_S = 3000
DELAY_MAX_S = 0.7
AT_ONCE_S = 0.08
DISK_SPARE_BYTES = 1500
WRITTEN_WITHIN_S = 8.0

WEATHER = {
    "refuse": {"refuse": True},
    "lose replies": {"swallow": frozenset({"down"})},
    "lose requests": {"swallow": frozenset({"up"})},
    "half-open": {"swallow": frozenset({"up", "down"})},
    "slice": {"slice_bytes": SLICE_BYTES},
    "narrow": {"bytes_per_s": NARROW_BYTES_PER_S},
}


@dataclass
class Injected:
    """A fault that was made, and whether its point was really reached (else it came at any moment)."""

    fault: Fault
    reached: bool


class Injector:
    """Makes the faults of a plan, one after the other."""

    def __init__(self, stack: Stack, *, reached_within_s: float = REACHED_WITHIN_S) -> None:
        """`reached_within_s`: a point that is not reached in this time is given up; the fault comes anyhow."""
        self.stack = stack
        self._reached_within_s = reached_within_s
        self.done: list[Injected] = []
        self._backup = stack.folder / "backup"
        shutil.copytree(stack.folder / "redis", self._backup)

    def inject(self, fault: Fault) -> Injected:
        """Wait, arm the point, make the fault when it is reached, and end it."""
        time.sleep(fault.wait_s)
        if fault.kind in {"second writer", "sleep through a takeover"}:
            self._start_second_writer()
        with self._held(fault) as reached:
            end = self._begin(fault)
        end()
        made = Injected(fault, reached)
        self.done.append(made)
        return made

    @contextmanager
    def _held(self, fault: Fault) -> Iterator[bool]:
        """Hold whatever marks the point while the fault begins."""
        way, place, command = POINTS.get(fault.point, ("", "", ""))
        found = self._way(way) if way else None
        if found is None:
            yield False
            return
        trap = found.trap(place, command)
        try:
            yield trap.wait(self._reached_within_s)
        finally:
            trap.lose = fault.lose and fault.kind not in WEATHER
            found.forget(trap)

    def _way(self, name: str) -> Way | None:
        role, dash, end = name.replace("sidecar", "admin").partition("-")
        if not dash:
            return None
        return (self.stack.database_ways if end == "database" else self.stack.redis_ways).get(role)

    def _role(self, target: str) -> Role:
        return self.stack.roles[{"sidecar": "admin", "gateway main": "gateway"}.get(target, target)]

    def _begin(self, fault: Fault) -> Callable[[], None]:
        """Begin a fault; what ends it is returned, and takes as long as the fault lasts."""
        if way := self._way(fault.target):
            return self._on_way(fault, way)
        if fault.target == "database":
            return self._on_database(fault)
        if fault.target == "redis":
            return self._on_redis(fault)
        if fault.target == "gateway worker":
            return self._on_worker(fault)
        return self._on_role(fault, self._role(fault.target))

    def _on_way(self, fault: Fault, way: Way) -> Callable[[], None]:
        if fault.kind in {"cut", "reset"}:
            way.cut(reset=fault.kind == "reset")
            return lambda: None
        given = {"delay_s": DELAY_MAX_S * fault.amount} if fault.kind == "delay" else WEATHER[fault.kind]
        way.set_weather(**given)
        if fault.kind == "refuse":
            way.cut()

        def end() -> None:
            time.sleep(fault.lasts_s)
            way.set_weather()
            if "swallow" in given:
                way.cut(reset=fault.lose)

        return end

    def _on_role(self, fault: Fault, role: Role) -> Callable[[], None]:
        if fault.kind == "kill":
            role.signal(signal.SIGKILL)
        elif fault.kind == "term":
            role.signal(signal.SIGTERM)
        elif fault.kind in {"pause", "sleep through a takeover"}:
            role.signal_all(signal.SIGSTOP)
        elif fault.kind == "change workers":
            role.command[-1] = str(1 + int(fault.amount * 3))
            role.signal(signal.SIGTERM)

        def end() -> None:
            time.sleep(fault.lasts_s)
            role.signal_all(signal.SIGCONT)
            if fault.kind in {"kill", "term", "change workers"}:
                role.wait(15)
                role.kill()
                role.start()
            if fault.kind == "second writer":
                self.stack.roles["writer2"].signal(signal.SIGKILL if fault.lose else signal.SIGTERM)
            elif fault.kind == "sleep through a takeover":
                self.stack.roles["writer2"].stop()

        return end

    def _start_second_writer(self) -> None:
        second = self.stack.roles["writer2"]
        second.start()
        end_s = time.monotonic() + 10
        while "order writer started" not in second.tail(50) and time.monotonic() < end_s:
            time.sleep(0.05)

    def _on_worker(self, fault: Fault) -> Callable[[], None]:
        """One worker alone; the main process replaces it."""
        workers = self.stack.gateway.workers()
        if not workers:
            return lambda: None
        worker = workers[int(fault.amount * len(workers))]
        number = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "pause": signal.SIGSTOP}[fault.kind]
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.send_signal(number)

        def end() -> None:
            time.sleep(fault.lasts_s)
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.send_signal(signal.SIGCONT)

        return end

    def _on_database(self, fault: Fault) -> Callable[[], None]:
        if fault.kind == "pause":
            paused = threading.Thread(target=self.stack.database.pause, args=(fault.lasts_s,))
            paused.start()
            return paused.join
        self.stack.database.kill()

        def end() -> None:
            time.sleep(fault.lasts_s)
            self.stack.database.start()

        return end

    def _on_redis(self, fault: Fault) -> Callable[[], None]:
        stack, role = self.stack, self.stack.redis_role
        if fault.kind in {"kill", "term", "pause"}:
            role.signal({"kill": signal.SIGKILL, "term": signal.SIGTERM, "pause": signal.SIGSTOP}[fault.kind])
        elif fault.kind in {"script flush", "rewrite"}:
            with stack.redis() as client:
                client.script_flush() if fault.kind == "script flush" else client.bgrewriteaof()
        elif fault.kind == "out of memory":
            with stack.redis() as client:
                client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + int(fault.amount * 4000))
        elif fault.kind == "disk full":
            stack.limit_redis_files(int(fault.amount * DISK_SPARE_BYTES))
        elif fault.kind == "power loss":
            lose_power(stack, fault.amount)
        elif fault.kind in {"data lost", "old backup"}:
            lose_data(stack, self._backup if fault.kind == "old backup" else None)

        def end() -> None:
            time.sleep(fault.lasts_s)
            role.signal(signal.SIGCONT)
            if fault.kind == "out of memory":
                with stack.redis() as client:
                    client.config_set("maxmemory", 0)
            stack.unlimit_redis_files()
            if fault.kind == "term":
                role.wait(10)
            stack.start_redis()

        return end


def lose_power(stack: Stack, amount: float) -> None:
    """Redis dies, and of what it had not yet told anybody only a part (0 to 1) is on disk."""
    ways = list(stack.redis_ways.values())
    for way in ways:
        way.set_weather(frozen=True)
    aof = stack.aof()
    told_bytes = aof.stat().st_size
    time.sleep(AT_ONCE_S)
    stack.redis_role.kill()
    written_bytes = aof.stat().st_size
    os.truncate(aof, told_bytes + round(amount * (written_bytes - told_bytes)))
    for way in ways:
        way.cut()
        way.set_weather()


def lose_data(stack: Stack, backup: Path | None) -> None:
    """Redis dies once all that was told is in the ledger, and comes back empty, or as it was in a backup."""
    way = stack.redis_ways["gateway"]
    way.set_weather(frozen=True, swallow=frozenset({"up"}))
    end_s = time.monotonic() + WRITTEN_WITHIN_S
    while writer_has_work(stack) and time.monotonic() < end_s:
        time.sleep(AT_ONCE_S)
    drained = not writer_has_work(stack)
    stack.redis_role.kill()
    if drained:
        kept = stack.folder / "redis" / "appendonlydir"
        shutil.rmtree(kept)
        if backup is not None:
            shutil.copytree(backup / "appendonlydir", kept)
    for each in stack.redis_ways.values():
        each.cut()
    way.set_weather()


class Meddler:
    """Operators who raise, cut, pause, resume, and perhaps end an offer for good while it sells."""

    def __init__(self, sale: Sale, offer: Offer, seed: int) -> None:
        self._sale = sale
        self._offer = offer
        self._dice = random.Random(f"meddler {seed}")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meddler", daemon=True)

    def start(self) -> Meddler:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(90)
        assert not self._thread.is_alive(), "operators are still waiting for an answer"

    def _run(self) -> None:
        while not self._stopping.wait(self._dice.uniform(0.4, 1.6)):
            what = self._dice.choice(("raise", "raise", "cut", "stop", "stop"))
            if what == "raise":
                self._sale.change_stock(self._offer, self._dice.randint(5, 25))
            elif what == "cut":
                self._sale.change_stock(self._offer, -self._dice.randint(1, 15))
            else:
                self._sale.act("pause", self._offer)
                self._stopping.wait(self._dice.uniform(0.1, 0.4))
                self._sale.act("resume", self._offer)
        if self._dice.random() < 0.3:
            self._sale.act("terminate", self._offer)


def writer_has_work(stack: Stack) -> bool:
    """Whether entries wait for a writer."""
    with stack.redis() as client:
        return backlog(client) != (0, 0)
