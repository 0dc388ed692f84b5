"""Given a sale under faults, nobody loses what they were told, and nothing is sold twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.faults.run import Run
from tests.faults.stack import standing


@pytest.mark.timeout(120)
def test_a_sale_in_peace(tmp_path: Path) -> None:
    with standing(tmp_path) as stack:
        run = Run(stack, "calm", seed=1).open()
        wait_until(lambda: run.answered() > 800, within_s=30, what="answers")
        result = run.finish()
        assert not result.breaches, "\n".join(map(str, result.breaches))
        assert result.outcomes["won"] > 100
