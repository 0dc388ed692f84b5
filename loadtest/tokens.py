"""Shopper tokens, minted fast enough to give every click of a benchmark its own shopper."""

from __future__ import annotations

import binascii
import hmac
import time

import orjson

_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _encode(part: bytes) -> bytes:
    return binascii.b2a_base64(part, newline=False).rstrip(b"=").translate(_TO_URL_SAFE)


_HEADER = _encode(b'{"alg":"HS256","typ":"JWT"}') + b"."


class Mint:
    """Mints HS256 tokens of one secret that all expire at the same time. About 3 µs each."""

    def __init__(self, secret: bytes, *, valid_s: int = 86_400) -> None:
        self._secret = secret
        self._expires_at_s = int(time.time()) + valid_s

    def token(self, shopper: str) -> bytes:
        """The token of one shopper; tokens of shopper ids of one length have one length."""
        claims = orjson.dumps({"sub": shopper, "exp": self._expires_at_s})
        signed = _HEADER + _encode(claims)
        return signed + b"." + _encode(hmac.digest(self._secret, signed, "sha256"))
