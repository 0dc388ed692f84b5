"""What a benchmark measured, and what follows from it: medians over repetitions and ratios of interleaved pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

CONSTANT = "constant"
"""The target that answers a constant; its clicks have no outcome."""


DATABASES = ("sqlite", "postgresql")


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
    chosen = _chosen(runs, scenario, connections, target)

    def middle(of: Callable[[Run], float]) -> float:
        return median(of(run) for run in chosen)

    outcomes: dict[str, int] = {}
    for run in chosen:
        for word, count in run.outcomes.items():
            outcomes[word] = outcomes.get(word, 0) + count
    return Row(
        scenario,
        connections,
        target,
        middle(lambda run: run.clicks_per_s),
        None if target == CONSTANT else pair_ratio(runs, scenario, connections, target, CONSTANT, _rate),
        None
        if target == CONSTANT
        else pair_ratio(runs, scenario, connections, target, CONSTANT, _clicks_per_cpu_s),
        middle(lambda run: run.p50_us),
        middle(lambda run: run.p99_us),
        middle(lambda run: run.p999_us),
        middle(lambda run: run.gateway_cpu_us),
        middle(lambda run: run.redis_cpu_us),
        middle(lambda run: run.generator_cpu_share),
        middle(lambda run: run.batch_mean),
        outcomes,
        sum(run.failed for run in chosen),
    )


def _chosen(runs: Iterable[Run], scenario: str, connections: int, target: str) -> list[Run]:
    return [run for run in runs if (run.scenario, run.connections, run.target) == (scenario, connections, target)]


def _rate(run: Run) -> float:
    return run.clicks_per_s


def _clicks_per_cpu_s(run: Run) -> float:
    return 1e6 / run.gateway_cpu_us if run.gateway_cpu_us else 0.0


def pair_ratio(
    runs: list[Run], scenario: str, connections: int, target: str, base: str, of: Callable[[Run], float]
) -> float | None:
    """Median over repetitions of a figure of `target` divided by that of `base`, both of one repetition.

    Noise that lasts longer than one repetition cancels out. None when there is no pair.
    """
    bases = {run.repetition: of(run) for run in _chosen(runs, scenario, connections, base)}
    ratios = [
        of(run) / bases[run.repetition]
        for run in _chosen(runs, scenario, connections, target)
        if bases.get(run.repetition)
    ]
    return median(ratios) if ratios else None


def goals(runs: list[Run], *, writer_orders_per_s: dict[str, float], resident_mb: float | None) -> list[Goal]:
    """The promised figures, at the larger number of connections."""
    most = max((run.connections for run in runs), default=0)

    def redis_cpu(run: Run) -> float:
        return run.redis_cpu_us

    def ratio(scenario: str, target: str, base: str) -> float | None:
        return pair_ratio(runs, scenario, most, target, base, _rate)

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
