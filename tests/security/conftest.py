"""One deployment for all security tests. When it ends, its logs are searched for every secret that was used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.security.deployment import Deployment


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Everything runs with least privilege, and logs as much as it can."""
    one = Deployment(tmp_path_factory.mktemp("deployment"))
    try:
        yield one.start()
    finally:
        one.stop()
    one.assert_silent()
