"""The comparison under way: the same clicks to the gateway and to every peer, in turn, and the books after each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from loadtest import generators, open_loop
from loadtest.figures import Run, chosen
from loadtest.open_loop import Order
from loadtest.peers import books, probe
from loadtest.peers.goals import FIRST, MANY, OURS, Latency, target
from loadtest.peers.stack import PeerStack
from loadtest.scenarios import Plan, Sizes, Target, measure, new_shoppers, prepare, prime
from loadtest.stack import Cores, Stack
from loadtest.tokens import Mint

OPEN_CONNECTIONS = 256
"""Connections of an open-loop run; more are opened when none is free, so that nobody is asked less."""

OPEN_CONNECTIONS_MAX = 4096


@dataclass(slots=True)
class Comparison:
    """Stacks by durability, and what was found so far."""

    cores: Cores
    sizes: Sizes
    ours: dict[str, Stack]
    peers: dict[str, list[PeerStack]]
    tell: Callable[[str], None]
    step: Callable[[str], None]
    """Told what begins, once per run."""

    runs: list[Run] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    breaches: dict[str, list[str]] = field(default_factory=dict)
    """Per server; an empty list is a promise that was looked at and held."""

    forgotten: dict[str, int] = field(default_factory=dict)
    """Winners of mixed runs who asked again and were told `sold_out`, at least so many, per server."""

    sold: dict[str, list[tuple[Plan, int]]] = field(default_factory=dict)
    """Per durability: our plans, with the wins that the gateway counted."""

    def probe(self) -> None:
        """Ask every server for a click's work before it is measured."""
        for durability, stack in self.ours.items():
            foreign, expired = Mint(b"another secret of another shop..."), Mint(stack.secret.encode(), valid_s=-60)
            # The gateway knows no more than its two offers, and a peer is given the same.
            offer = stack.create_offer(1)
            for peer in self.peers[durability]:
                peer.open_offer(offer, 1)
            servers: list[Target] = [stack, *self.peers[durability]]
            for one in servers:
                found = probe.faults(one.gateway_url, stack.mint, offer, expired=expired, foreign=foreign)
                self.breaches.setdefault(one.name, []).extend(found)
            for peer in self.peers[durability]:
                self._close(peer, offer, 1)
            requests = generators.Requests(Path(), 0, 0)
            self.sold.setdefault(durability, []).append((Plan(offer, 1, requests), 1))

    def round(self, scenario: str, connections: int, repetition: int) -> None:
        """Measure every server once, in an order that rotates from round to round."""
        for durability in _rotated(list(self.ours), repetition):
            stack = self.ours[durability]
            peers = [peer for peer in self.peers[durability] if scenario in peer.kind.scenarios]
            plan = prepare(scenario, stack, self.sizes, core=self.cores.others)
            for peer in peers:
                peer.open_offer(plan.offer, plan.stock)
                prime(peer, plan, core=self.cores.others)
            for one in _rotated([stack, *peers], repetition):
                self.step(f"{scenario}, {connections} connections, {one.name}")
                run = measure(
                    scenario,
                    one,
                    plan,
                    connections=connections,
                    repetition=repetition,
                    sizes=self.sizes,
                    core=self.cores.others,
                )
                self._note(run, plan)
                if one is stack:
                    self.sold.setdefault(durability, []).append((plan, run.outcomes.get("won", 0)))
            for peer in peers:
                self._close(peer, plan.offer, plan.stock)
            plan.requests.path.unlink()

    def _note(self, run: Run, plan: Plan) -> None:
        self.runs.append(run)
        self.tell(
            f"{run.scenario:9} {run.connections:4} {run.target:18} {run.clicks_per_s:9,.0f}/s  server"
            f" {run.gateway_cpu_us:6.1f} µs  Redis {run.redis_cpu_us:5.1f} µs  {run.outcomes}"
        )
        faults = self.breaches.setdefault(run.target, [])
        if run.failed:
            faults.append(
                f"{run.scenario}, {run.connections} connections: {run.failed} clicks failed at the client"
            )
        if plan.until_sent and not plan.primed:
            # Everybody clicks three times, but those who are under way when the run ends may not be heard.
            again = 2 * plan.stock - run.connections
            missing = max(0, again - run.outcomes.get("already_won", 0))
            self.forgotten[run.target] = self.forgotten.get(run.target, 0) + missing

    def _close(self, peer: PeerStack, offer: str, stock: int) -> None:
        found = books.breaches(peer.close_offer(offer, stock))
        self.breaches.setdefault(peer.name, []).extend(f"{offer}: {text}" for text in found)

    def capacity(self, durability: str) -> float | None:
        """Clicks/s that both the gateway and the first peer can answer on the win path; None when not measured."""
        at = max((run.connections for run in self.runs if run.connections <= MANY), default=0)
        medians = []
        for name in (OURS, FIRST):
            found = chosen(self.runs, "win", at, target(name, durability))
            if not found:
                return None
            medians.append(median(run.clicks_per_s for run in found))
        return min(medians)

    def latency_round(
        self, durability: str, share: float, capacity: float, repetition: int, duration_s: float
    ) -> None:
        """Click at one given rate on the gateway and on the first peer."""
        stack = self.ours[durability]
        (peer,) = (each for each in self.peers[durability] if each.kind.name == FIRST)
        rate_per_s = share * capacity
        clicks = round(rate_per_s * duration_s) + 1
        offer = stack.create_offer(clicks)
        peer.open_offer(offer, clicks)
        path = stack.folder / "clicks.bin"
        requests = generators.write_requests(path, offer, new_shoppers(clicks), stack.mint)
        for one in _rotated([stack, peer], repetition):
            self.step(f"open loop, {rate_per_s:,.0f} clicks/s, {one.name}")
            url = urlsplit(one.gateway_url)
            order = Order(
                str(url.hostname),
                int(url.port or 0),
                str(path),
                requests.size_bytes,
                rate_per_s,
                duration_s,
                OPEN_CONNECTIONS_MAX,
                OPEN_CONNECTIONS,
            )
            before = stack.counters().outcomes.get("won", 0)
            heard = open_loop.click(order, core=self.cores.others)
            self._note_latency(one.name, share, rate_per_s, repetition, duration_s, heard)
            if one is stack:
                won = stack.counters().outcomes.get("won", 0) - before
                self.sold.setdefault(durability, []).append((Plan(offer, clicks, requests), won))
        self._close(peer, offer, clicks)
        path.unlink()

    def _note_latency(
        self, name: str, share: float, rate_per_s: float, repetition: int, duration_s: float, heard: dict[str, Any]
    ) -> None:
        every = heard["all"]
        found = Latency(
            "win",
            name,
            share,
            rate_per_s,
            repetition,
            every["p50_us"],
            every["p99_us"],
            every["p999_us"],
            heard["sent"],
            heard["answered"],
            heard["failed"],
            heard["late_s"] * 1000,
            heard["generator_cpu_s"] / duration_s,
        )
        self.latencies.append(found)
        self.tell(
            f"open loop {share:4.0%} {name:18} {rate_per_s:9,.0f}/s  p50 {found.p50_us / 1000:.1f}"
            f"  p99 {found.p99_us / 1000:.1f}  p99.9 {found.p999_us / 1000:.1f} ms"
            f"  generator {found.late_ms:.1f} ms late"
        )
        if found.failed or found.answered != found.sent:
            faults = self.breaches.setdefault(name, [])
            faults.append(f"open loop at {share:.0%}: {found.sent} clicks were sent, {found.answered} answered")


def _rotated(items: list[Any], by: int) -> list[Any]:
    turn = by % len(items) if items else 0
    return items[turn:] + items[:turn]
