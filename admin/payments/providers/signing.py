"""Signatures of callbacks: ``t=<epoch seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">``.

The key is derived from the signing secrets; the first secret signs, all verify.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

from admin.errors import BadSignature
from gateway.crypto import derive_key

HEADER = "X-Seckill-Signature"
AGE_MAX_S = 300
"""How far a callback's time may be from ours, in both directions."""

_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})", re.ASCII)


class CallbackSigner:
    """Signs and verifies callbacks."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._keys = tuple(derive_key(secret, "webhooks") for secret in secrets)

    def sign(self, body: bytes, now_s: int) -> str:
        """The value of the header for a body sent at an instant (epoch seconds)."""
        return signature(self._keys[0], body, now_s)

    def verify(self, header: str, body: bytes, now_s: float) -> None:
        """Let only genuine, fresh callbacks pass.

        Raises:
            BadSignature: saying what is wrong.
        """
        match = _FORM.fullmatch(header)
        if match is None:
            raise BadSignature(f"want {HEADER}: t=<epoch seconds>,v1=<hex HMAC-SHA256>")
        sent_s = int(match[1])
        # Every key is compared, so the time taken does not tell which one came close.
        genuine = [hmac.compare_digest(_tag(key, sent_s, body), match[2]) for key in self._keys]
        if not any(genuine):
            raise BadSignature("the signature is not ours")
        if abs(now_s - sent_s) > AGE_MAX_S:
            raise BadSignature(f"the callback is more than {AGE_MAX_S} s away from our clock: sign it anew")


def signature(key: bytes, body: bytes, now_s: int) -> str:
    """The value of the header for a body that is sent at an instant (epoch seconds) under a key."""
    return f"t={now_s},v1={_tag(key, now_s, body)}"


def _tag(key: bytes, sent_s: int, body: bytes) -> str:
    return hmac.digest(key, b"%d.%b" % (sent_s, body), "sha256").hex()
