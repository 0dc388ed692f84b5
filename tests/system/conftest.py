"""Fixtures that start `seckill up` and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.running import Up, environment


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Start one or more `up`; whatever they leave is gone after the test."""
    started: list[Up] = []

    def start(*arguments: str, folder: Path | None = None, **given: str) -> Up:
        one = Up(folder or tmp_path / "data", arguments, environment(**given)).start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.kill_everything()
        for stream in (one.process.stdout, one.process.stderr):
            assert stream is not None
            stream.close()
