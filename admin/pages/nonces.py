"""The number that marks the scripts of one reply as ours; the reply's Content-Security-Policy names it."""

from __future__ import annotations

import secrets
from contextvars import ContextVar

NONCE_BYTES = 16

_nonce: ContextVar[str] = ContextVar("nonce", default="")


def fresh() -> str:
    """Begin a reply with a number that nobody could have guessed."""
    value = secrets.token_urlsafe(NONCE_BYTES)
    _nonce.set(value)
    return value


def current() -> str:
    """The number of the reply that is being made."""
    return _nonce.get()
