"""Given any error of Redis, the sidecar says that a part is away, and brings Redis up to date afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from redis import Redis
from sidecar import Api, Shop, settings_for

from admin import migrations
from admin.resources import Resources
from gateway import offers as published
from gateway.settings import Settings
from tests.conftest import RedisServer, wait_until
from tests.redis_errors import errors


@pytest.fixture
def own_settings(own_redis: RedisServer, tmp_path: Path) -> Settings:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(url)
    return settings_for(url, own_redis.url)


@pytest.fixture
def own_shop(own_settings: Settings, unique: Callable[[str], str]) -> Iterator[Shop]:
    resources = Resources.open(own_settings)
    yield Shop(resources, unique)
    resources.close()


def test_changes_wait_and_reach_redis_when_it_is_well_again(
    own_shop: Shop, own_settings: Settings, own_redis: RedisServer, portal: BlockingPortal
) -> None:
    with Api(own_settings, portal) as api, Redis.from_url(own_redis.url, single_connection_client=True) as redis:
        # Given an offer that will be on sale,
        campaign = own_shop.campaign(starts_at=own_shop.now_ms() + 600_000)
        offer = campaign.items[0].offer
        for number, (saying, provoke, end) in enumerate(errors(redis, own_redis)):
            provoke()
            # when its price is changed while Redis refuses, then the operator hears that it is on its way,
            change = {"rule": {"price": 9900 - 1 - number}}
            reply = api.send("PATCH", f"/campaigns/{campaign.code}", json=change)
            assert reply.status_code == 503, (saying, reply.text)
            code = reply.json()["type"].rpartition(":")[2]
            assert code in {"stored_not_published", "redis_away"}, saying
            end()
            if code == "redis_away":
                api.patch(f"/campaigns/{campaign.code}", change)
            # and it gets there.
            wait_until(
                lambda number=number: (found := published.read(redis, offer)) and found.price == 9899 - number,
                what=f"the change after {saying}",
            )
            wait_until(lambda: api.send("GET", "/readyz", key=None).status_code == 200, what="readiness")
