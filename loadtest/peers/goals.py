"""What the comparison with peers promises, and what it found: every aim is listed, reached or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from loadtest.figures import Goal, Run, pair_ratio, rate

OURS = "seckill"
FIRST = "nginx_lua"
"""The peer that most aims speak of."""

FLAG = "nginx_lua_flag"
"""The same, with a shortcut on the sold-out path that promises less than the gateway."""

FASTAPI = "fastapi"
FEW, MANY = 64, 256
WIN_RATE = {FEW: 1.0, MANY: 1.4}
SOLD_OUT_RATE = {FEW: 1.3, MANY: 1.6}
CPU_TOGETHER = {FEW: 0.75, MANY: 0.55}
REDIS_CPU = 0.2
FASTAPI_RATE = 12.0
STRICT_OF_RELAXED = 0.85
P99 = 1.0
LATE_MS = 20.0
"""A generator that was once so far behind has put its own delay into nearly a hundredth of a short run."""


@dataclass(frozen=True, slots=True)
class Latency:
    """One open-loop run at a given rate. Latencies are µs and count from when a click was due."""

    scenario: str
    target: str
    share: float
    """The rate as a share of the capacity of the slower of both."""

    rate_per_s: float
    repetition: int
    p50_us: int
    p99_us: int
    p999_us: int
    sent: int
    answered: int
    failed: int
    late_ms: float
    """The most by which the generator itself was behind."""

    generator_cpu_share: float


def target(name: str, durability: str) -> str:
    """What a server of one durability is called in a run."""
    return f"{name}-{durability}"


def together(run: Run) -> float:
    """CPU of server and Redis, µs per click."""
    return run.gateway_cpu_us + run.redis_cpu_us


def redis_cpu(run: Run) -> float:
    """CPU of Redis, µs per click."""
    return run.redis_cpu_us


def goals(runs: list[Run], latencies: Sequence[Latency], durabilities: Sequence[str]) -> list[Goal]:
    """Every aim, for each durability that was measured. All are ratios: ours divided by the peer's."""

    def ratio(
        scenario: str, connections: int, durability: str, base: str, of: Callable[[Run], float]
    ) -> float | None:
        return pair_ratio(runs, scenario, connections, target(OURS, durability), target(base, durability), of)

    found = []
    for durability in durabilities:
        for connections in (FEW, MANY):
            at = f"{connections} connections, {durability}"
            win = ratio("win", connections, durability, FIRST, rate)
            sold_out, flag = (ratio("sold_out", connections, durability, base, rate) for base in (FIRST, FLAG))
            cpu = ratio("win", connections, durability, FIRST, together)
            redis = ratio("win", connections, durability, FIRST, redis_cpu)
            fastapi = ratio("win", connections, durability, FASTAPI, rate)
            quick, slow = WIN_RATE[connections], SOLD_OUT_RATE[connections]
            busy, empty = (_doubt(runs, each, connections, durability) for each in ("win", "sold_out"))
            found += [
                Goal(f"win, clicks/s / nginx + Lua, {at}", win, quick, True, busy),
                Goal(f"sold out, clicks/s / nginx + Lua, {at}", sold_out, slow, True, empty),
                Goal(f"sold out, clicks/s / nginx + Lua with flag, {at}", flag, slow, True, empty),
                Goal(f"win, CPU together / nginx + Lua, {at}", cpu, CPU_TOGETHER[connections], False),
                Goal(f"win, Redis CPU / nginx + Lua, {at}", redis, REDIS_CPU, False),
                Goal(f"win, clicks/s / FastAPI, {at}", fastapi, FASTAPI_RATE, True, busy),
            ]
        found += _p99(latencies, durability)
    for connections in (FEW, MANY):
        strict = pair_ratio(runs, "win", connections, target(OURS, "strict"), target(OURS, "relaxed"), rate)
        name = f"win, clicks/s, ours strict / ours relaxed, {connections} connections"
        found.append(Goal(name, strict, STRICT_OF_RELAXED, True, _doubt(runs, "win", connections, *durabilities)))
    return found


def _doubt(runs: list[Run], scenario: str, connections: int, *durabilities: str) -> str:
    """Why rates of these runs prove nothing: in most of them other programs had the processors."""
    names = {target(name, durability) for name in (OURS, FIRST) for durability in durabilities}
    waited = [
        run.kept_waiting
        for run in runs
        if (run.scenario, run.connections) == (scenario, connections) and run.target in names
    ]
    return "busy machine" if 2 * sum(waited) > len(waited) else ""


def _late(latencies: Sequence[Latency], share: float, durability: str) -> str:
    """Why latencies at this rate prove nothing: the generator itself was often behind."""
    late = [each.late_ms for each in latencies if each.share == share and each.target.endswith(f"-{durability}")]
    return "late generator" if late and median(late) > LATE_MS else ""


def _p99(latencies: Sequence[Latency], durability: str) -> list[Goal]:
    shares = sorted({each.share for each in latencies}) or [0.25, 0.5, 0.75]
    return [
        Goal(
            f"win, p99 / nginx + Lua at {share:.0%} of capacity, {durability}",
            latency_ratio(latencies, share, target(OURS, durability), target(FIRST, durability)),
            P99,
            False,
            _late(latencies, share, durability),
        )
        for share in shares
    ]


def latency_ratio(latencies: Sequence[Latency], share: float, name: str, base: str) -> float | None:
    """Median over repetitions of one target's p99 divided by another's at the same rate; None without a pair."""
    at = [each for each in latencies if each.share == share]
    bases = {each.repetition: each.p99_us for each in at if each.target == base}
    ratios = [
        each.p99_us / bases[each.repetition] for each in at if each.target == name and bases.get(each.repetition)
    ]
    return median(ratios) if ratios else None
