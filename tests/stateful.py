"""Runs random histories of a state machine, so that a run that failed can be repeated."""

from __future__ import annotations

import os
import random

import hypothesis
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

SEED = int(os.environ.get("SEED") or random.randrange(10**9))


def run_histories(machine: type[RuleBasedStateMachine], *, examples: int, steps: int) -> None:
    """Try `examples` histories of up to `steps` steps each; one that fails is made smaller and shown."""
    settings = hypothesis.settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    # Shown when the test fails; SEED=… in the environment repeats the run.
    print(f"SEED={SEED}")  # noqa: T201 - it names the run
    run_state_machine_as_test(hypothesis.seed(SEED)(machine), settings=settings)
