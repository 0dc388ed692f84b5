"""Proof that a request which changes something comes from our own page.

The proof is a keyed hash of the cookie that says who asks: who cannot read the cookie cannot make it, and it ends
with it. Forms send it as a hidden field, scripts as a header. Requests with a bearer key or token need none: no
browser adds those by itself. The forms of the back office are guarded by starlette-admin's own proof.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

from admin.errors import Forbidden
from gateway.crypto import derive_key, to_base64url

FIELD = "csrf"
HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@lru_cache(maxsize=8)
def _key(secret: bytes) -> bytes:
    return derive_key(secret, "page forms")


def proof(secrets: tuple[bytes, ...], cookie: str) -> str:
    """The proof for whoever has this cookie."""
    return _made(secrets[0], cookie)


def check(secrets: tuple[bytes, ...], cookie: str, given: str) -> None:
    """Refuse a request without a right proof.

    Raises:
        Forbidden: it has none, or one for another cookie.
    """
    candidate = given.encode("utf-8", "replace")
    # Those of older secrets hold too, so that changing the signing secret breaks no open page.
    if not any(hmac.compare_digest(candidate, _made(each, cookie).encode()) for each in secrets):
        raise Forbidden(
            "this page is too old, or the request did not come from it: load the page again and repeat it",
            code="csrf",
        )


def _made(secret: bytes, cookie: str) -> str:
    return to_base64url(hmac.digest(_key(secret), cookie.encode("utf-8", "replace"), "sha256")).decode()
