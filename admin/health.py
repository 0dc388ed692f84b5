"""Whether the role in this container is alive: `python -m admin.health`, exit code 0 or 1.

Alive is not ready: a gateway without Redis is alive, and restarting it would not help. The order writer has no
port; it is alive when it has spoken to Redis lately, or when Redis is away.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from gateway import store
from gateway.settings import Settings

ANSWER_WITHIN_S = 3.0
WRITER_IDLE_MAX_S = 30
"""Longer than any transaction and any pause between two attempts."""

PATHS = {"gateway": (8000, "/healthz"), "admin": (8001, "/admin/api/healthz")}


def main() -> int:
    """Find the role in the command line of process 1 and ask it."""
    command = Path("/proc/1/cmdline").read_bytes().decode().split("\0")
    if "writer" in command:
        return 0 if writer_is_alive(Settings.from_env().redis_url) else 1
    for role, (port, path) in PATHS.items():
        if role in command:
            return 0 if answers(int(_option(command, "--port") or port), path) else 1
    sys.stderr.write("process 1 is no seckill role\n")
    return 1


def answers(port: int, path: str) -> bool:
    """Whether the role's HTTP server answers at all."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def writer_is_alive(redis_url: str) -> bool:
    """Whether somebody else at this address, which can only be the writer, has spoken to Redis lately.

    The consumer group would not tell: servers before 7.2 do not count a look that finds nothing.
    """
    try:
        with contextlib.closing(store.connect(redis_url, timeout_s=ANSWER_WITHIN_S)) as client:
            me: Any = client.client_info()
            everybody: Any = client.client_list()
    except (RedisError, OSError):
        return True  # the writer waits for Redis as well
    return any(
        _host(each) == _host(me) and int(each["id"]) != int(me["id"]) and int(each["idle"]) <= WRITER_IDLE_MAX_S
        for each in everybody
    )


def _host(connection: dict[str, Any]) -> str:
    return str(connection["addr"]).rpartition(":")[0]


def _option(command: list[str], name: str) -> str | None:
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


if __name__ == "__main__":
    sys.exit(main())
