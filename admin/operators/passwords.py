"""Passwords, kept as scrypt hashes with a salt of their own."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from functools import cache

COST = 2**15
BLOCK = 8
MEMORY_MAX_BYTES = 64 * 1024 * 1024
SALT_BYTES = 16
PASSWORD_MIN = 12
PASSWORD_MAX = 200
MADE_BYTES = 12


def make() -> str:
    """A password that nobody can guess, short enough to be typed once."""
    return secrets.token_urlsafe(MADE_BYTES)


def hashed(password: str) -> str:
    """What is kept of a password; takes about a tenth of a second, on purpose."""
    salt = secrets.token_bytes(SALT_BYTES)
    return f"scrypt${COST}${BLOCK}${b64encode(salt).decode()}${b64encode(_scrypt(password, salt)).decode()}"


def matches(password: str, kept: str) -> bool:
    """Whether a password is the one of which `kept` was made."""
    salt, digest = kept.split("$")[3:]
    return hmac.compare_digest(_scrypt(password, b64decode(salt)), b64decode(digest))


@cache
def nobodys() -> str:
    """A hash for names that do not exist, so that trying them takes as long as trying those that do."""
    return hashed(make())


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=COST, r=BLOCK, p=1, maxmem=MEMORY_MAX_BYTES)
