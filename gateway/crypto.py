"""Small tools for keyed hashes and base64url, shared by tokens and receipts.

Verifying a token is on the click path: `hmac.digest` costs 4 µs a call with OpenSSL 3, copying two prepared
hash states 1.3 µs.
"""

from __future__ import annotations

import hashlib
import hmac
from binascii import a2b_base64, b2a_base64
from hmac import compare_digest

_TO_URL = bytes.maketrans(b"+/", b"-_")
# The plain alphabet's own two become characters that strict decoding refuses, and so does padding.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/***")
_PADDING = (b"", b"*", b"==", b"=")
_BLOCK_BYTES = 64


class HmacSha256:
    """HMAC-SHA256 under one key, with the key's hash states prepared."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK_BYTES:
            key = hashlib.sha256(key).digest()
        padded = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def after(self, beginning: bytes) -> HmacSha256:
        """The same key, for messages that all begin alike: give it only what follows."""
        other = HmacSha256.__new__(HmacSha256)
        other._inner = self._inner.copy()
        other._inner.update(beginning)
        other._outer = self._outer
        return other

    def digest(self, message: bytes) -> bytes:
        """The 32-byte tag of a message."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is the message's; takes the same time for all wrong ones."""
        # Not through `digest`: a call here is a tenth of all that a token costs.
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return compare_digest(b2a_base64(outer.digest(), newline=False).translate(_TO_URL, b"="), signature)


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF-SHA256, RFC 5869), so that no key is used for two things."""
    pseudorandom = hmac.digest(b"seckill", secret, "sha256")
    return hmac.digest(pseudorandom, purpose.encode() + b"\x01", "sha256")


def to_base64url(data: bytes) -> bytes:
    """Unpadded base64url."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=")


def from_base64url(text: bytes) -> bytes:
    """Decode unpadded base64url, refusing anything else.

    Raises:
        ValueError: a character outside the alphabet, padding, or an impossible length.
    """
    return a2b_base64(text.translate(_FROM_URL) + _PADDING[len(text) % 4], strict_mode=True)
