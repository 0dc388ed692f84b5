"""What `SECKILL_REDIS_URL` may look like."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.connection import SSLConnection, parse_url

from gateway.errors import SettingsError

SENTINEL_SCHEME = "redis+sentinel://"
CLUSTER_SCHEMES = ("redis+cluster://", "rediss+cluster://")
SCHEMES = ("redis://", "rediss://", "unix://", SENTINEL_SCHEME, *CLUSTER_SCHEMES)
SENTINEL_PORT = 26379
REDIS_PORT = 6379

Address = tuple[str, int]
"""Host and port."""

_FORM = f"{SENTINEL_SCHEME}[user:password@]host:port[,host:port…]/service[/db][?sentinel_password=…]"
_OPTIONS = ("sentinel_username", "sentinel_password")
_CLUSTER_FORM = "redis+cluster://[user:password@]host:port[,host:port…][?option=value]"


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


@dataclass(frozen=True, slots=True)
class ClusterPlace:
    """Servers of a cluster to begin with, and how to sign in at each of them."""

    seeds: tuple[Address, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    template: str = field(default="", repr=False)
    """The URL of one server, with ``{}`` for its address."""

    def url_of(self, address: Address) -> str:
        """The URL that leads to one server."""
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        return self.template.replace("{}", f"{host}:{address[1]}")


def sign_in(username: str | None, password: str | None) -> list[tuple[str, ...]]:
    """The command by which a connection signs in, none where there is no password."""
    return [("AUTH", *((username,) if username else ()), password)] if password else []


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
        sentinels = tuple(_address(text, SENTINEL_PORT) for text in hosts.split(","))
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


def cluster_place(url: str) -> ClusterPlace | None:
    """What a URL of a cluster says; None for any other.

    Raises:
        SettingsError: it has the scheme, but not the form.
    """
    if not url.startswith(CLUSTER_SCHEMES):
        return None
    try:
        parts = urlsplit(url)
        signing_in, _, hosts = parts.netloc.rpartition("@")
        username, _, password = signing_in.partition(":")
        seeds = tuple(_address(text, REDIS_PORT) for text in hosts.split(","))
        if parts.path.strip("/") not in {"", "0"}:
            raise ValueError(parts.path)  # a cluster has one database
        at = f"{signing_in}@" if signing_in else ""
        query = f"?{parts.query}" if parts.query else ""
        template = f"{parts.scheme.removesuffix('+cluster')}://{at}{{}}/0{query}"
        parse_url(template.replace("{}", "localhost:1"))  # type: ignore[no-untyped-call]
    except ValueError:
        raise SettingsError(f"SECKILL_REDIS_URL must have the form {_CLUSTER_FORM}") from None
    return ClusterPlace(seeds, unquote(username) or None, unquote(password) or None, template)


def options_of(url: str) -> dict[str, Any]:
    """What a URL that leads to one server says, in redis-py's words.

    Raises:
        SettingsError: its form is wrong.
    """
    try:
        return dict(parse_url(url))  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise SettingsError(f"SECKILL_REDIS_URL: {error}") from error


def tls_of(url: str) -> ssl.SSLContext | None:
    """How connections to this URL are encrypted; None when they are not."""
    options = options_of(url)
    if options.get("connection_class") is not SSLConnection:
        return None
    tls = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_cert_reqs") == "none":
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return tls


def _address(text: str, port: int) -> Address:
    """Read ``host:port`` or ``host``; an IPv6 address stands in brackets.

    Raises:
        ValueError: it is neither.
    """
    one = urlsplit(f"//{text}")
    if not one.hostname or one.path:
        raise ValueError(text)
    return one.hostname, one.port or port
