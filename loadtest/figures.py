"""What a benchmark measured, and what follows from it: medians over repetitions and ratios of interleaved pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

CONSTANT = "constant"
"""The target that answers a constant; its clicks have no outcome."""


DATABASES = ("sqlite", "postgresql")
FULL_CORE_SHARE = 0.95
"""From here on the core of generator and Redis counts as full."""

IDLE_CORE_SHARE = 0.85
"""A closed loop that leaves both cores below this was kept waiting by other programs on the machine."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the generator against one target. CPU is µs per click; latencies are closed-loop µs."""

    scenario: str
    connections: int
    target: str
    repetition: int
    clicks: int
    clicks_per_s: float
    p50_us: int
    p99_us: int
    p999_us: int
    gateway_cpu_us: float
    redis_cpu_us: float
    generator_cpu_share: float
    batch_mean: float
    local_share: float
    outcomes: dict[str, int]
    failed: int

    @property
    def server_core_share(self) -> float:
        """How much of its core the server used."""
        return self.gateway_cpu_us * self.clicks_per_s / 1e6

    @property
    def kept_waiting(self) -> bool:
        """Whether other programs on the machine kept this run waiting, so that its rate says little."""
        return max(self.server_core_share, self.other_core_share) < IDLE_CORE_SHARE

    @property
    def other_core_share(self) -> float:
        """How much of the other core generator and Redis used; near 1, they and not the server set the pace."""
        return self.generator_cpu_share + self.redis_cpu_us * self.clicks_per_s / 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of all repetitions of one run.

    Median ratios of interleaved pairs: `of_constant` by clicks/s, `of_constant_by_cpu` by the server's CPU per
    click, which also holds on a machine that is busy with other things.
    """

    scenario: str
    connections: int
    target: str
    clicks_per_s: float
    of_constant: float | None
    of_constant_by_cpu: float | None
    p50_us: float
    p99_us: float
    p999_us: float
    gateway_cpu_us: float
    redis_cpu_us: float
    generator_cpu_share: float
    other_core_share: float
    batch_mean: float
    outcomes: dict[str, int]
    failed: int


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that was promised. `value` is None when this run did not measure it."""

    name: str
    value: float | None
    wanted: float
    at_least: bool
    doubt: str = ""
    """Why the value does not prove that it was reached; a missed goal stays missed."""

    @property
    def reached(self) -> bool | None:
        """Whether it was reached; None when not measured."""
        if self.value is None:
            return None
        return self.value >= self.wanted if self.at_least else self.value <= self.wanted


def rows(runs: list[Run]) -> list[Row]:
    """One row per scenario, connections and target, in the order of first measurement."""
    order = dict.fromkeys((run.scenario, run.connections, run.target) for run in runs)
    return [_row(runs, *key) for key in order]


def _row(runs: list[Run], scenario: str, connections: int, target: str) -> Row:
    found = chosen(runs, scenario, connections, target)

    def middle(of: Callable[[Run], float]) -> float:
        return median(of(run) for run in found)

    outcomes: dict[str, int] = {}
    for run in found:
        for word, count in run.outcomes.items():
            outcomes[word] = outcomes.get(word, 0) + count
    return Row(
        scenario,
        connections,
        target,
        middle(lambda run: run.clicks_per_s),
        None if target == CONSTANT else pair_ratio(runs, scenario, connections, target, CONSTANT, rate),
        None if target == CONSTANT else pair_ratio(runs, scenario, connections, target, CONSTANT, clicks_per_cpu_s),
        middle(lambda run: run.p50_us),
        middle(lambda run: run.p99_us),
        middle(lambda run: run.p999_us),
        middle(lambda run: run.gateway_cpu_us),
        middle(lambda run: run.redis_cpu_us),
        middle(lambda run: run.generator_cpu_share),
        middle(lambda run: run.other_core_share),
        middle(lambda run: run.batch_mean),
        outcomes,
        sum(run.failed for run in found),
    )


def chosen(runs: Iterable[Run], scenario: str, connections: int, target: str) -> list[Run]:
    """The runs of one target at one number of connections."""
    return [run for run in runs if (run.scenario, run.connections, run.target) == (scenario, connections, target)]


def rate(run: Run) -> float:
    """Clicks per second."""
    return run.clicks_per_s


def clicks_per_cpu_s(run: Run) -> float:
    """Clicks per second of the server's CPU time: what its core could answer if nothing else were in the way."""
    return 1e6 / run.gateway_cpu_us if run.gateway_cpu_us else 0.0


def pair_ratio(
    runs: list[Run], scenario: str, connections: int, target: str, base: str, of: Callable[[Run], float]
) -> float | None:
    """The median of `pair_ratios`, None when there is no pair."""
    ratios = pair_ratios(runs, scenario, connections, target, base, of)
    return median(ratios) if ratios else None


def pair_ratios(
    runs: list[Run], scenario: str, connections: int, target: str, base: str, of: Callable[[Run], float]
) -> list[float]:
    """A figure of `target` divided by that of `base`, for each repetition that has both.

    Noise that lasts longer than one repetition cancels out.
    """
    bases = {run.repetition: of(run) for run in chosen(runs, scenario, connections, base)}
    return [
        of(run) / bases[run.repetition]
        for run in chosen(runs, scenario, connections, target)
        if bases.get(run.repetition)
    ]


def goals(runs: list[Run], *, writer_orders_per_s: dict[str, float], resident_mb: float | None) -> list[Goal]:
    """The promised figures, at the larger number of connections."""
    most = max((run.connections for run in runs), default=0)

    def redis_cpu(run: Run) -> float:
        return run.redis_cpu_us

    def ratio(scenario: str, target: str, base: str) -> float | None:
        return pair_ratio(runs, scenario, most, target, base, rate)

    batched = pair_ratio(runs, "batching", most, "batched", "unbatched", redis_cpu)
    return [
        Goal(f"win / constant, {most} connections", ratio("win", "relaxed", CONSTANT), 0.55, True),
        Goal(f"sold out / constant, {most} connections", ratio("sold_out", "relaxed", CONSTANT), 0.75, True),
        Goal(f"win, strict / relaxed, {most} connections", ratio("win", "strict", "relaxed"), 0.7, True),
        Goal("Redis CPU per click, batched / one by one", batched, 0.25, False),
        *(
            Goal(f"writer into {database}, orders/s", writer_orders_per_s.get(database), 20_000, True)
            for database in DATABASES
        ),
        Goal("gateway worker after a million shoppers, MB", resident_mb, 120, False),
    ]
