"""How many users there are over time: the crowd of an opening, or a slow growth to find the limit."""

from __future__ import annotations

import os
from typing import ClassVar

from locust import LoadTestShape

QUIET_SHARE = 0.05
"""The part of the crowd that looks around before and after the spike."""

RAMP_STEPS = 10


class LoadShape(LoadTestShape):
    """A curve of users over one run. Subclasses give the share of the crowd at a moment of the run."""

    abstract = True
    crowd: ClassVar[int] = int(os.environ.get("LOADTEST_USERS", "300"))
    duration_s: ClassVar[float] = float(os.environ.get("LOADTEST_DURATION_S", "60"))

    def share(self, moment: float) -> float:
        """The part of the crowd that is there at `moment` (0 is the beginning, 1 the end)."""
        raise NotImplementedError

    def users_at(self, run_time_s: float) -> tuple[int, float] | None:
        """Users and spawn rate (users/s) at a time of the run; None once it is over."""
        if run_time_s >= self.duration_s:
            return None
        users = max(2, round(self.crowd * self.share(run_time_s / self.duration_s)))
        return users, float(self.crowd)

    def tick(self) -> tuple[int, float] | None:
        """Asked by Locust about once a second."""
        return self.users_at(float(self.get_run_time()))  # type: ignore[no-untyped-call]


class SpikeShape(LoadShape):
    """Quiet, then everybody within a second for half of the run, then quiet again."""

    abstract = False

    def share(self, moment: float) -> float:
        """A few, all, a few."""
        return 1.0 if 0.15 <= moment < 0.65 else QUIET_SHARE


class RampShape(LoadShape):
    """From a tenth of the crowd to all of it in ten even steps."""

    abstract = False

    def share(self, moment: float) -> float:
        """One step more for every tenth of the run."""
        return (int(moment * RAMP_STEPS) + 1) / RAMP_STEPS


SHAPES: dict[str, type[LoadShape]] = {"spike": SpikeShape, "ramp": RampShape}
