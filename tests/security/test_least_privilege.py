"""Given Redis users that may do only what their role needs, everything works, and nothing else is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from admin import health
from gateway import keys, stock
from tests.lua.divided import Divided
from tests.security import scenario
from tests.security.deployment import Deployment


@pytest.fixture(scope="module")
def used(deployment: Deployment) -> Deployment:
    """A deployment that has done everything once, with crashes of Redis in between."""
    scenario.sell(deployment)
    scenario.remind(deployment)
    refused = deployment.refused_by_redis()
    scenario.restart_redis(deployment)
    scenario.care(deployment)
    assert refused + deployment.refused_by_redis() == []
    return deployment


def test_every_role_may_do_all_that_it_has_to(used: Deployment) -> None:
    assert health.writer_is_alive(used.redis_url("writer"))
    assert used.refused_by_redis() == []


def test_gateways_and_the_sidecar_may_move_units_between_buckets(used: Deployment) -> None:
    with used.redis("sidecar") as sidecar, used.redis("gateway") as gateway:
        divided = Divided(sidecar, "divided", stock=9, limit=3)
        assert divided.as_seen_by(gateway).admit(0, "amy", click_keys=["k"]).letters == "W"
        divided.first.free(1)
        # Numbers that were never issued, and one that came back.
        assert divided.move(0, 4, 3).units == "2-3,1"
        assert divided.as_seen_by(gateway).move(4, 0, 6).units == "2-3,4-6,1"
        assert divided.as_seen_by(gateway).mark_dry(4, 9, lasts_ms=1) == "MARKED"
        for delta in (3, -5, -1000):
            assert stock.adjust_stock(sidecar, "divided", 1, f"by {delta}", delta, lease_ms=0) is not None
    assert used.refused_by_redis() == []


@pytest.mark.parametrize("user", ["gateway", "writer", "sidecar", "mailer"])
def test_no_role_may_do_more(deployment: Deployment, user: str) -> None:
    commands: list[tuple[Any, ...]] = [
        ("FLUSHALL",),
        ("CONFIG", "SET", "appendonly", "no"),
        ("SHUTDOWN", "NOSAVE"),
        ("ACL", "LIST"),
        ("KEYS", "*"),
        ("SCAN", "0"),
        ("EVAL", "return 1", "0"),
        ("SCRIPT", "FLUSH"),
        ("REPLICAOF", "NO", "ONE"),
        ("MONITOR",),
        ("DEL", keys.offers(0)),
        ("HGET", "other:key", "field"),
        ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "other:stream", ">"),
        ("PUBLISH", "channel", "text"),
    ]
    with deployment.redis(user) as client:
        for command in commands:
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)
    with deployment.redis() as client:
        client.acl_log_reset()


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("gateway", ("HGETALL", "sk1:{reminders}:stream")),
        ("writer", ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "sk1:{reminders}:stream", ">")),
        ("mailer", ("XREADGROUP", "GROUP", "order-writers", "c", "STREAMS", keys.stream(0), ">")),
    ],
)
def test_only_who_has_to_sees_who_is_reminded_and_who_buys(
    deployment: Deployment, user: str, command: tuple[str, ...]
) -> None:
    with deployment.redis(user) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command)
    with deployment.redis() as client:
        client.acl_log_reset()


def test_nobody_comes_in_without_a_password(deployment: Deployment) -> None:
    with Redis(port=deployment.redis_port) as client, pytest.raises(AuthenticationError):
        client.ping()
