"""The curve of a crowd. Locust patches the whole process at import, so it is looked at in another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from loadtest.processes import ROOT

PROGRAM = """
import json
from loadtest.shapes import SHAPES
seconds = (0, 20, 59, 60)
print(json.dumps({name: [shape().users_at(each) for each in seconds] for name, shape in SHAPES.items()}))
"""


def test_shapes_rise_stay_within_the_crowd_and_end() -> None:
    environ = {**os.environ, "LOADTEST_USERS": "200", "LOADTEST_DURATION_S": "60"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "spike": [[10, 200.0], [200, 200.0], [10, 200.0], None],
        "ramp": [[20, 200.0], [80, 200.0], [200, 200.0], None],
    }
