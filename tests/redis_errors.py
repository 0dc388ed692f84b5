"""Ways to make a real Redis answer with errors, and to make it well again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from tests.conftest import RedisServer, free_port, wait_until

Do = Callable[[], Any]


def errors(redis: Redis, server: RedisServer) -> Iterator[tuple[str, Do, Do]]:
    """What a client says of it, how to provoke it, how to end it."""
    config = redis.config_set

    def cut() -> None:
        redis.client_kill_filter(_type="normal", skipme=True)

    def permit(*commands: str) -> None:
        redis.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=commands)

    def crowd() -> None:
        config("maxclients", 1)
        cut()

    def close() -> None:
        config("requirepass", "secret")
        cut()

    def loop() -> None:
        def run() -> None:
            with server.client() as client, contextlib.suppress(RedisError):
                client.eval("while true do end", 0)

        config("lua-time-limit", 20)
        threading.Thread(target=run).start()
        wait_until(lambda: not answers(redis), what="a Redis that is busy")

    def kill() -> None:
        redis.script_kill()
        wait_until(lambda: answers(redis), what="the end of the script")

    least = "min-replicas-to-write"
    yield "Not enough good replicas", lambda: config(least, 1), lambda: config(least, 0)
    yield (
        "read only replica",
        lambda: redis.replicaof("127.0.0.1", free_port()),
        lambda: redis.replicaof("NO", "ONE"),
    )
    yield "permission", lambda: permit("-xreadgroup", "-evalsha"), lambda: permit("+@all")
    yield "max number of clients", crowd, lambda: config("maxclients", 1000)
    yield "authenticated", close, lambda: config("requirepass", "")
    yield "busy running a script", loop, kill


def answers(redis: Redis) -> bool:
    """Whether it answers a command without an error."""
    try:
        return bool(redis.ping())
    except RedisError:
        return False
