"""Shopper tokens: HS256 JWTs, verified in a few microseconds and remembered.

A general JWT library costs ten times as much per token, which would be most of a click. This verifier accepts
less than they do: one algorithm, no `crit`, no duplicate claims, canonical base64url. It is tested against PyJWT.
"""

from __future__ import annotations

import json
import re
import time
import unicodedata
from array import array
from typing import Any

import orjson

from gateway.crypto import HmacSha256, derive_key, from_base64url, to_base64url
from gateway.errors import TokenError

SUBJECT_CHARACTERS_MAX = 64
INSTANT_S_MAX = 253_402_300_799  # the last second of the year 9999
LEVEL_MAX = 1_000_000
DEMO_PREFIX = "demo-"
_HEADS_MAX = 64
_SEEN_MASK = 4096 - 1
_OPTIONAL = frozenset({"nbf", "level", "since", "birthday"})
_BIRTHDAY = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_HEADER = to_base64url(b'{"alg":"HS256","typ":"JWT"}')


class Shopper:
    """Who clicks, as the token says. `id` is the subject's UTF-8; instants are epoch seconds."""

    __slots__ = ("birthday", "demo", "expires_at_s", "id", "level", "not_before_s", "since_s")

    def __init__(self, id: bytes, expires_at_s: int, demo: bool = False) -> None:
        self.id = id
        self.expires_at_s = expires_at_s
        self.demo = demo
        self.not_before_s: float = 0
        self.level = 0
        self.since_s: int | None = None
        self.birthday: str | None = None


class TokenVerifier:
    """Verifies `Authorization` values under several secrets; remembers up to `cache_max` that came twice."""

    __slots__ = ("_cache_max", "_demo", "_heads", "_keys", "_known", "_seen", "_token_max_bytes")

    def __init__(
        self,
        secrets: tuple[bytes, ...],
        *,
        token_max_bytes: int,
        cache_max: int,
        demo_secret: bytes | None = None,
    ) -> None:
        self._keys = tuple(HmacSha256(secret) for secret in secrets)
        self._demo = HmacSha256(demo_secret) if demo_secret else None
        self._token_max_bytes = token_max_bytes
        self._cache_max = cache_max
        self._known: dict[bytes, Shopper] = {}
        self._seen = array("q", bytes(8 * (_SEEN_MASK + 1)))
        # What stands before the payload, with the keys' states after it: nearly all tokens have it in common.
        self._heads: dict[bytes, tuple[tuple[HmacSha256, bool], ...]] = {}

    def verify(self, authorization: bytes, now_s: float) -> Shopper:
        """The shopper of an ``Authorization: Bearer …`` value.

        Raises:
            TokenError: with the rule that the token breaks.
        """
        shopper = self._known.get(authorization)
        if shopper is None:
            shopper = self._read(authorization)
            # Most tokens click once, and keeping those costs more (in cold memory) than it saves: only one that
            # comes again is remembered. Two different tokens in one slot merely cost another verification.
            fingerprint = hash(authorization)
            slot = fingerprint & _SEEN_MASK
            if self._seen[slot] == fingerprint:
                if len(self._known) >= self._cache_max:
                    self._known.clear()
                self._known[authorization] = shopper
            else:
                self._seen[slot] = fingerprint
        if now_s >= shopper.expires_at_s:
            raise TokenError("the token has expired: sign in again")
        if now_s < shopper.not_before_s:
            raise TokenError("the token is not valid yet")
        return shopper

    def _read(self, authorization: bytes) -> Shopper:
        if len(authorization) > self._token_max_bytes:
            raise TokenError(f"the token is longer than {self._token_max_bytes} bytes")
        parts = authorization.split(b".")
        keys = self._heads.get(parts[0]) or self._learn(parts[0])
        if len(parts) != 3 or not parts[1]:
            raise TokenError("the token does not have three parts")
        _, payload, signature = parts
        signature = signature.rstrip(b" ")
        for key, is_demo in keys:
            if key.signed(payload, signature):
                demo = is_demo
                break
        else:
            raise TokenError("the token's signature is not ours")
        try:
            text = from_base64url(payload)
            claims = orjson.loads(text)
        except ValueError:
            raise TokenError("the token's claims are not JSON") from None
        return _shopper(claims, text, demo)

    def _learn(self, head: bytes) -> tuple[tuple[HmacSha256, bool], ...]:
        """The keys for tokens that begin with `head`, each with whether it is the demo's."""
        if head[:7].lower() != b"bearer ":
            raise TokenError("send Authorization: Bearer <token>")
        header = head[7:].strip(b" ")
        if not header:
            raise TokenError("the token does not have three parts")
        _check_header(header)
        keys = [(key.after(header + b"."), False) for key in self._keys]
        if self._demo is not None:
            keys.append((self._demo.after(header + b"."), True))
        if len(self._heads) < _HEADS_MAX:
            self._heads[head] = tuple(keys)
        return tuple(keys)


def _check_header(encoded: bytes) -> None:
    try:
        text = from_base64url(encoded)
        header = orjson.loads(text)
    except ValueError:
        raise TokenError("the token's header is not JSON") from None
    if not isinstance(header, dict):
        raise TokenError("the token's header is not an object")
    _refuse_duplicates(text)
    if header.get("alg") != "HS256":
        raise TokenError("the token's alg must be HS256")
    if header.get("typ", "JWT") != "JWT":
        raise TokenError("the token's typ must be JWT")
    if "crit" in header:
        raise TokenError("the token demands extensions (crit) that are not supported")


def _shopper(claims: Any, text: bytes, demo: bool) -> Shopper:
    if not isinstance(claims, dict):
        raise TokenError("the token's claims are not an object")
    if text.count(b":") != len(claims):
        # Every member has a colon, so as many colons as distinct names means that no name came twice.
        _refuse_duplicates(text)
    subject = claims.get("sub")
    if type(subject) is not str or not 1 <= len(subject) <= SUBJECT_CHARACTERS_MAX:
        raise TokenError(f"sub must be text of 1 to {SUBJECT_CHARACTERS_MAX} characters")
    if not subject.isprintable() and any(unicodedata.category(c) in _REFUSED_CATEGORIES for c in subject):
        raise TokenError("sub must not contain control characters")
    if demo and not subject.startswith(DEMO_PREFIX):
        raise TokenError("demo tokens are for demo shoppers only")
    expires_at_s = claims.get("exp")
    if type(expires_at_s) is not int or not 0 <= expires_at_s <= INSTANT_S_MAX:
        raise TokenError("exp is required, in whole seconds")
    shopper = Shopper(subject.encode(), expires_at_s, demo)
    if not _OPTIONAL.isdisjoint(claims):
        _read_optional(shopper, claims)
    return shopper


def _read_optional(shopper: Shopper, claims: dict[str, Any]) -> None:
    """The claims that most tokens do not have."""
    not_before_s = claims.get("nbf", 0)
    if type(not_before_s) not in (int, float) or not 0 <= not_before_s <= INSTANT_S_MAX:
        raise TokenError("nbf must be in seconds")
    level = claims.get("level", 0)
    if type(level) is not int or not 0 <= level <= LEVEL_MAX:
        raise TokenError(f"level must be a whole number from 0 to {LEVEL_MAX}")
    since_s = claims.get("since")
    if since_s is not None and (type(since_s) is not int or not 0 <= since_s <= INSTANT_S_MAX):
        raise TokenError("since must be in whole seconds")
    birthday = claims.get("birthday")
    if birthday is not None and (type(birthday) is not str or not _BIRTHDAY.fullmatch(birthday)):
        raise TokenError("birthday must be MM-DD")
    shopper.not_before_s = not_before_s
    shopper.level = level
    shopper.since_s = since_s
    shopper.birthday = birthday


def _refuse_duplicates(text: bytes) -> None:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in items}) != len(items):
            raise TokenError("the token names a claim twice")
        return dict(items)

    try:
        json.loads(text, object_pairs_hook=pairs)
    except RecursionError:
        raise TokenError("the token is nested too deeply") from None


def demo_secret(signing_secret: bytes) -> bytes:
    """The secret of demo tokens: another than the shop's, so that only a demo gateway takes them."""
    return derive_key(signing_secret, "demo tokens")


def mint(secret: bytes, sub: str, *, ttl_s: int, level: int = 0, now_s: int | None = None) -> str:
    """A shopper token for `sub`, valid for `ttl_s` seconds.

    Raises:
        TokenError: it would be valid for longer than instants go, or the level is too high.
    """
    now_s = int(time.time()) if now_s is None else now_s
    if now_s + ttl_s > INSTANT_S_MAX:
        raise TokenError("exp would lie after the year 9999: give a shorter time to live")
    if level > LEVEL_MAX:
        raise TokenError(f"level must be a whole number from 0 to {LEVEL_MAX}")
    claims: dict[str, Any] = {"sub": sub, "iat": now_s, "exp": now_s + ttl_s}
    if level:
        claims["level"] = level
    signed = _HEADER + b"." + to_base64url(orjson.dumps(claims))
    return (signed + b"." + to_base64url(HmacSha256(secret).digest(signed))).decode()
