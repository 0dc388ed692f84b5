"""Redis' append-only file after a crash: written anew before anything is sold on top of what was torn.

A script's changes lie in the file as one transaction. When a power failure tears the last one apart, Redis leaves
it out and starts, but its beginning may stay in the file. What is appended then is read as a part of it at the next
start, and is lost or done twice. Redis' own repair tool cuts it off rightly, Redis itself in new versions only.
"""

from __future__ import annotations

import logging
import time

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

WRITTEN_WITHIN_S = 10.0
"""Longest wait for a new file. A larger one is finished while the sale goes on."""
POLL_S = 0.02

log = logging.getLogger(__name__)


def renew(client: Redis) -> None:
    """Have one server write its append-only file anew, and wait for it; nothing happens where there is none.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    if not client.info("persistence").get("aof_enabled"):
        return
    try:
        client.bgrewriteaof()
    except NoPermissionError:
        log.warning(
            "Redis may not be asked for a new append-only file: allow BGREWRITEAOF, or see docs/operating.md"
        )
        return
    except ResponseError as error:
        # Somebody else has asked for it already.
        log.debug("append-only file: %s", error)
    end = time.monotonic() + WRITTEN_WITHIN_S
    while _under_way(client):
        if time.monotonic() > end:
            log.warning("the append-only file is not written anew after %d s; selling on", WRITTEN_WITHIN_S)
            return
        time.sleep(POLL_S)


def _under_way(client: Redis) -> bool:
    state = client.info("persistence")
    return bool(state.get("aof_rewrite_in_progress") or state.get("aof_rewrite_scheduled"))
