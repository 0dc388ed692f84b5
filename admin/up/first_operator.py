"""The first operator of a new shop: an owner with a password made up here, kept in a file that only `up` reads.

Run once by `seckill up`: `python -m admin.up.first_operator FILE`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from admin.operators import service
from admin.resources import Resources
from gateway.lifeline import die_with_parent
from gateway.settings import Settings

NAME = "owner"
ACTOR = "seckill up"


def main(file: Path) -> int:
    """Make the operator if there is none at all; exit code 0."""
    die_with_parent()
    resources = Resources.open(Settings.from_env())
    try:
        password = service.create_first(resources, NAME, actor=ACTOR)
    finally:
        resources.close()
    if password is not None:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(f"{NAME}\n{password}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
