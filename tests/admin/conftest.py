"""The sidecar under test: its services on both databases, and its HTTP API through the real application."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sidecar import Api, Shop, settings_for

from admin import migrations
from admin.resources import Resources
from gateway import keys, store
from gateway.settings import Settings

_numbers = itertools.count(1)

ALIKE = re.compile(
    "test_admin_(book|buckets|campaign_changes|campaign_lists|campaign_types|cart_options|carts|categories|coupon_codes|coupons"
    "|csv|erasing|imports|members|memberships|notices|openapi|operators|presales|presales_coupons|products|quotes"
    "|receipts|records|refund_carts|reminders_http|replay|report_types|reports|sales_lists|sessions|shop_lists"
    "|shop_windows|storefront|uses|webhook)"
)
"""Tests whose statements are plain, or those of others: on PostgreSQL they run with `make soak` only."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if ALIKE.fullmatch(item.path.stem) and item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.soak)


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Names that no other test uses: the session's Redis is shared."""
    return lambda word: f"{word}{next(_numbers)}p{os.getpid()}"


@pytest.fixture
def settings(migrated_url: str, redis_server: Any) -> Settings:
    return settings_for(migrated_url, redis_server.url)


@pytest.fixture
def resources(settings: Settings) -> Iterator[Resources]:
    opened = Resources.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def shop(resources: Resources, unique: Callable[[str], str]) -> Shop:
    return Shop(resources, unique)


@pytest.fixture(scope="module")
def shared_settings(tmp_path_factory: pytest.TempPathFactory, redis_server: Any) -> Settings:
    """SQLite that a whole module shares, for what does not differ between databases."""
    url = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'ledger.db'}"
    migrations.upgrade(url)
    return settings_for(url, redis_server.url)


@pytest.fixture(scope="module")
def shared_resources(shared_settings: Settings) -> Iterator[Resources]:
    opened = Resources.open(shared_settings)
    yield opened
    opened.close()


@pytest.fixture
def shared_shop(shared_resources: Resources, unique: Callable[[str], str]) -> Shop:
    """A shop that a whole module shares; its names are the test's own all the same."""
    return Shop(shared_resources, unique)


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal("asyncio") as opened:
        yield opened


@pytest.fixture
def api(settings: Settings, portal: BlockingPortal) -> Iterator[Api]:
    with Api(settings, portal) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_api(shared_settings: Settings, portal: BlockingPortal) -> Iterator[Api]:
    """One application for a whole module, whose requests do not disturb each other."""
    with Api(shared_settings, portal) as opened:
        yield opened


@pytest.fixture
def own_reminders(unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A mailer's stream of this test's own: the sidecars of others share the session's Redis."""
    tag = unique("reminders")
    monkeypatch.setattr(keys, "reminders", lambda: f"{{{tag}}}:stream")
    monkeypatch.setattr(keys, "reminded", lambda: f"{{{tag}}}:given")


@pytest.fixture
def broken_redis(resources: Resources, tmp_path: Path) -> Iterator[Resources]:
    """The same database, with a Redis that nobody answers for."""
    away = store.connect(f"unix://{tmp_path / 'nobody'}")
    yield replace(resources, redis=away)
    away.close()
