"""Idempotency-Keys of orders: the same key with the same body is the same order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select, text

from admin.errors import Malformed
from admin.routing import Call
from gateway.orders.tables import orders

KEY = "Idempotency-Key"
KEY_MAX = 64
"""Longest Idempotency-Key, characters."""
KEY_HEADER = {KEY: f"1 to {KEY_MAX} characters: the same key with the same body is the same order"}
KEYED = text("flow <> 'seckill'"), text("key <> ''")
"""As literals, so that both databases see that the index serves."""


@dataclass(frozen=True, slots=True)
class Key:
    """Digests of an Idempotency-Key, empty without one, and of what was sent with it."""

    key: str
    request: str


def read(call: Call, sent: Any) -> Key:
    """The key of a call; `sent` is what it asks for, as JSON.

    Raises:
        Malformed: it is empty or too long.
    """
    key = call.headers.get(KEY)
    if key is not None and not 1 <= len(key) <= KEY_MAX:
        raise Malformed(f"an {KEY} has 1 to {KEY_MAX} characters", code="bad_key")
    return Key(
        "" if key is None else _digest(key.encode()), _digest(orjson.dumps(sent, option=orjson.OPT_SORT_KEYS))
    )


def order_of(connection: Connection, shopper: str, key: Key) -> str | None:
    """The order that a shopper has made under a key; None without one.

    Raises:
        Malformed: it was made with another body.
    """
    if not key.key:
        return None
    row = connection.execute(
        select(orders.c.order_no, orders.c.request).where(
            orders.c.shopper == shopper, orders.c.key == key.key, *KEYED
        )
    ).one_or_none()
    if row is None:
        return None
    if row.request != key.request:
        raise reused()
    return str(row.order_no)


def reused() -> Malformed:
    """The refusal of a key that was used with another body."""
    return Malformed(
        "this Idempotency-Key was used with another body: take a new key for a new order", code="key_reused"
    )


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
