"""Made-up shoppers: anybody at this machine may be one, in a demo only."""

from __future__ import annotations

import ipaddress
import time

from gateway import tokens
from gateway.settings import Settings

NAME_MAX = 40
TOKEN_TTL_S = 24 * 3600


def is_open(settings: Settings, peer: str) -> bool:
    """Whether a client at this address may make up a shopper."""
    if not settings.demo:
        return False
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


def make(settings: Settings, name: str) -> tuple[str, str, int]:
    """A token for somebody of this name: the token, its `sub`, and when it ends, epoch s.

    Raises:
        ValueError: the name cannot be used; the text says why.
    """
    plain = "-".join(name.lower().split())
    if not 1 <= len(plain) <= NAME_MAX or not plain.isprintable():
        raise ValueError(f"A name has 1 to {NAME_MAX} printable characters.")
    subject, now_s = tokens.DEMO_PREFIX + plain, int(time.time())
    secret = tokens.demo_secret(settings.signing_secrets[0])
    return tokens.mint(secret, subject, ttl_s=TOKEN_TTL_S, now_s=now_s), subject, now_s + TOKEN_TTL_S
