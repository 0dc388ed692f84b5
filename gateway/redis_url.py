"""What `SECKILL_REDIS_URL` may look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from gateway.errors import SettingsError

SENTINEL_SCHEME = "redis+sentinel://"
SCHEMES = ("redis://", "rediss://", "unix://", SENTINEL_SCHEME)
SENTINEL_PORT = 26379

_FORM = f"{SENTINEL_SCHEME}[user:password@]host:port[,host:port…]/service[/db][?sentinel_password=…]"
_OPTIONS = ("sentinel_username", "sentinel_password")


@dataclass(frozen=True, slots=True)
class SentinelPlace:
    """Which sentinels to ask for which service, and how to sign in at both."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)


def require_known_scheme(url: str) -> None:
    """Refuse a URL of another kind.

    Raises:
        SettingsError: naming the schemes there are.
    """
    if not url.startswith(SCHEMES):
        raise SettingsError(f"SECKILL_REDIS_URL must begin with one of {', '.join(SCHEMES)}")


def sentinel_place(url: str) -> SentinelPlace | None:
    """What a URL with sentinels says; None for a URL that leads to Redis itself.

    Raises:
        SettingsError: it has the scheme, but not the form.
    """
    if not url.startswith(SENTINEL_SCHEME):
        return None
    try:
        parts = urlsplit(url)
        signing_in, _, hosts = parts.netloc.rpartition("@")
        username, _, password = signing_in.partition(":")
        service, _, db = parts.path.strip("/").partition("/")
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        sentinels = tuple(_address(text) for text in hosts.split(","))
        number = int(db) if db else 0
    except ValueError:
        raise SettingsError(f"SECKILL_REDIS_URL must have the form {_FORM}") from None
    if not service or number < 0 or any(name not in _OPTIONS for name in options):
        raise SettingsError(f"SECKILL_REDIS_URL must have the form {_FORM}")
    return SentinelPlace(
        sentinels=sentinels,
        service=unquote(service),
        db=number,
        username=unquote(username) or None,
        password=unquote(password) or None,
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
    )


def _address(text: str) -> tuple[str, int]:
    """Read ``host:port`` or ``host``; an IPv6 address stands in brackets.

    Raises:
        ValueError: it is neither.
    """
    one = urlsplit(f"//{text}")
    if not one.hostname or one.path:
        raise ValueError(text)
    return one.hostname, one.port or SENTINEL_PORT
