"""Settings, read once from ``SECKILL_*`` and frozen. Names carry units; relations are checked at start."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal
from zoneinfo import ZoneInfo

from gateway import keys
from gateway.errors import SettingsError

SECRET_BYTES_MIN = 32
LEDGER_SCHEMES = ("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://")

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Rate:
    """So many clicks in one window; a count of 0 means no limit."""

    count: int
    window_ms: int

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read ``5/s``, ``300/m`` or ``off``."""
        if text.strip().lower() in {"", "off", "none", "0"}:
            return cls(0, 1000)
        match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(s|m)\s*", text)
        if match is None or int(match[1]) == 0:
            raise ValueError("want a rate such as 5/s or 300/m, or off")
        return cls(int(match[1]), 1000 if match[2] == "s" else 60_000)


@dataclass(frozen=True, slots=True)
class Bind:
    """An address to listen on."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Bind:
        """Read ``host:port``; ``[::1]:9464`` for IPv6."""
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65535:
            raise ValueError("want host:port, for example 127.0.0.1:9464")
        return cls(host.strip("[]"), int(port))


def _secrets(text: str) -> tuple[bytes, ...]:
    secrets = tuple(part.strip().encode() for part in text.split(",") if part.strip())
    for secret in secrets:
        if len(secret) < SECRET_BYTES_MIN:
            raise ValueError(f"every secret needs at least {SECRET_BYTES_MIN} bytes")
    return secrets


def _networks(text: str) -> tuple[IPNetwork, ...]:
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _ledger(text: str) -> str:
    if not text.startswith(LEDGER_SCHEMES):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return text


def _currency(text: str) -> str:
    if re.fullmatch(r"[A-Z]{3}", text) is None:
        raise ValueError("want a three-letter ISO code such as CNY")
    return text


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("want a name of the IANA time zone database such as Asia/Taipei") from error
    return text


def _durability(text: str) -> str:
    if text not in {"strict", "relaxed"}:
        raise ValueError("want strict or relaxed")
    return text


def _flag(text: str) -> bool:
    if text.lower() not in {"0", "1", "true", "false", "yes", "no", ""}:
        raise ValueError("want 1 or 0")
    return text.lower() in {"1", "true", "yes"}


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise ValueError("want a whole number above zero")
    return int(text)


def _buckets(text: str) -> int:
    if not text.isdigit() or int(text) not in keys.BUCKETS:
        raise ValueError(f"want one of {', '.join(map(str, keys.BUCKETS))}")
    return int(text)


def _gift_goods(text: str) -> str:
    if text not in {"any", "gift_only"}:
        raise ValueError("want any or gift_only")
    return text


def _payment(text: str) -> str:
    if text not in {"none", "sandbox"}:
        raise ValueError("want none or sandbox")
    return text


def _setting(parse: Any, default: Any, about: str, *, secret: bool = False) -> Any:
    """Declare one setting: how its text is read, its default, and what it means (with its unit)."""
    return field(default=default, repr=not secret, metadata={"parse": parse, "about": about})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. A field ``x_y`` is read from ``SECKILL_X_Y``; see ``docs/settings.md``."""

    redis_url: str = _setting(
        str,
        "redis://127.0.0.1:6379/0",
        "Redis or Valkey: redis://, rediss://, unix://, redis+sentinel://host:port,host:port/service/db,"
        " or redis+cluster://host:port,host:port",
        secret=True,
    )
    database_url: str = _setting(
        _ledger,
        "sqlite:///seckill.db",
        "ledger: sqlite:///path or postgresql://…, a database in UTF8",
        secret=True,
    )
    token_secret: tuple[bytes, ...] = _setting(
        _secrets, (), "HS256 secrets of shopper tokens; the first signs, all verify", secret=True
    )
    signing_secret: tuple[bytes, ...] = _setting(
        _secrets, (), "receipt and session keys are derived from these; default: the admin key", secret=True
    )
    admin_key: tuple[bytes, ...] = _setting(_secrets, (), "bearer key of operators' programs", secret=True)
    durability: Literal["strict", "relaxed"] = _setting(
        _durability, "strict", "strict: a win is told only once it is on disk"
    )
    durability_unverified: bool = _setting(
        _flag, False, "1 accepts a Redis whose disk settings cannot be read (CONFIG forbidden)"
    )
    timezone: str = _setting(_timezone, "UTC", "the shop's time zone, for showing instants")
    currency: str = _setting(_currency, "CNY", "ISO 4217 code of every price")
    rate_per_shopper: Rate = _setting(Rate.parse, Rate(5, 1000), "clicks per shopper and offer, all workers")
    rate_per_ip: Rate = _setting(Rate.parse, Rate(100, 1000), "clicks per client address, per worker")
    rate_total: Rate = _setting(Rate.parse, Rate(0, 1000), "clicks per worker, all shoppers")
    trusted_proxies: tuple[IPNetwork, ...] = _setting(
        _networks, (), "networks whose X-Forwarded-For and -Proto are believed"
    )
    payment_provider: Literal["none", "sandbox"] = _setting(_payment, "none", "who takes the money")
    gift_goods: Literal["any", "gift_only"] = _setting(
        _gift_goods, "any", "what may be given as a gift: any product, or only goods that are not for sale"
    )
    min_pay_window_s: int = _setting(_positive, 300, "least time to pay after the order could be paid, s")
    pay_within_s: int = _setting(_positive, 900, "time to pay an order of a cart, a deposit or a group's seat, s")
    backlog_max: int = _setting(_positive, 1_000_000, "winners waiting for the writer before `busy`")
    cors_origins: tuple[str, ...] = _setting(_words, (), "origins whose pages may call and frame the gateway")
    metrics_bind: Bind = _setting(Bind.parse, Bind("127.0.0.1", 9464), "where /metrics listens; 0 picks a port")
    workers: int = _setting(_positive, 1, "gateway worker processes")
    demo: bool = _setting(_flag, False, "1 hands out demo tokens (set by `seckill up`, loopback only)")
    orders_url: str = _setting(
        str, "", "URL of the page where shoppers see and pay their orders; one order is at /ORDER_NO below it"
    )
    body_max_bytes: int = _setting(_positive, 1024, "largest body of a click, bytes")
    admin_body_max_bytes: int = _setting(_positive, 4_194_304, "largest body at the sidecar, bytes")
    csv_max_bytes: int = _setting(_positive, 67_108_864, "largest CSV file at the sidecar, bytes")
    token_max_bytes: int = _setting(_positive, 4096, "longest shopper token, bytes")
    token_cache_max: int = _setting(_positive, 8192, "tokens remembered per worker, of those that came twice")
    buckets: int = _setting(
        _buckets, 1, "buckets that an offer's stock is divided over when it is first published: 1, 2, 3, 4, 6 or 12"
    )
    batch_max: int = _setting(_positive, 256, "clicks decided by one script call")
    batches_in_flight_max: int = _setting(_positive, 2, "script calls under way per bucket and worker")
    queue_max: int = _setting(_positive, 10_000, "clicks waiting per bucket and worker before `busy`")
    queue_wait_max_ms: int = _setting(_positive, 500, "longest wait for a batch before `busy`, ms")
    click_timeout_ms: int = _setting(_positive, 1000, "deadline of a script call, ms of Redis time")
    lag_max_ms: int = _setting(
        _positive, 25, "standing delay of a worker above which it answers some clicks `busy` at once, ms"
    )
    lease_ms: int = _setting(
        _positive, 200, "how long a refusal is repeated without Redis, ms; the same everywhere"
    )
    winners_max: int = _setting(_positive, 100_000, "winners that a worker keeps copies of, all offers")
    connections_max: int = _setting(_positive, 20_000, "open connections per worker")
    listen_backlog: int = _setting(_positive, 4096, "connections waiting to be accepted")
    watchers_max: int = _setting(_positive, 10_000, "open event streams per worker")
    events_per_s: int = _setting(_positive, 2_500, "events sent to watchers per second and worker, all together")
    shutdown_timeout_s: int = _setting(_positive, 15, "time to finish what is in flight when stopping, s")
    writer_batch: int = _setting(_positive, 500, "orders per database transaction, target")
    writer_takeover_ms: int = _setting(_positive, 4000, "idle ms after which a dead writer's entries are taken")
    reminders_max: int = _setting(_positive, 50, "reminders that a shopper may have waiting")
    reminder_stream_max: int = _setting(_positive, 100_000, "reminders on the mailer's stream before more wait")
    notices_keep_s: int = _setting(_positive, 7_776_000, "how long notices and finished reminders are kept, s")
    events_keep_s: int = _setting(_positive, 2_592_000, "how long events are kept that every webhook has had, s")
    webhook_http: bool = _setting(
        _flag, False, "1 lets webhooks have http:// addresses beyond this machine, unencrypted"
    )
    quote_valid_s: int = _setting(_positive, 1800, "how long a quote may be ordered, s")
    quote_keep_s: int = _setting(_positive, 604_800, "how long quotes are kept for `seckill quote --replay`, s")
    quotes_max: int = _setting(_positive, 200_000, "quotes kept; of more, the oldest of guests go first")
    operator_session_s: int = _setting(_positive, 43_200, "how long an operator stays signed in, s")
    operator_idle_s: int = _setting(_positive, 3600, "and how long without doing anything, s")
    gateway_url: str = _setting(
        str, "", "where browsers reach the gateway, for the storefront's links to its sale page"
    )
    log_level: str = _setting(str, "info", "debug, info, warning or error")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check all settings.

        Raises:
            SettingsError: naming every variable that is wrong, and why.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        problems: list[str] = []
        for each in fields(cls):
            name = variable(each.name)
            text = environ.get(name)
            if text is None:
                continue
            try:
                values[each.name] = each.metadata["parse"](text)
            except ValueError as error:
                problems.append(f"{name}: {error}")
        if problems:
            raise SettingsError("; ".join(problems))
        settings = cls(**values)
        settings._check_relations()
        return settings

    def _check_relations(self) -> None:
        relations = [
            (self.queue_max >= self.batch_max, "SECKILL_QUEUE_MAX must be at least SECKILL_BATCH_MAX"),
            (self.batch_max <= 1000, "SECKILL_BATCH_MAX must be at most 1000 (Lua's unpack limit)"),
            (
                self.lease_ms < self.click_timeout_ms,
                "SECKILL_LEASE_MS must be below SECKILL_CLICK_TIMEOUT_MS",
            ),
            (
                self.click_timeout_ms < self.shutdown_timeout_s * 1000,
                "SECKILL_SHUTDOWN_TIMEOUT_S must be longer than SECKILL_CLICK_TIMEOUT_MS",
            ),
            (
                self.quote_keep_s >= self.quote_valid_s,
                "SECKILL_QUOTE_KEEP_S must be at least SECKILL_QUOTE_VALID_S",
            ),
            (self.writer_takeover_ms <= 8000, "SECKILL_WRITER_TAKEOVER_MS must be at most 8000"),
            (
                self.backlog_max >= self.writer_batch,
                "SECKILL_BACKLOG_MAX must be at least SECKILL_WRITER_BATCH",
            ),
        ]
        broken = [text for holds, text in relations if not holds]
        if broken:
            raise SettingsError("; ".join(broken))

    def require(self, *names: str) -> None:
        """Refuse to go on when a setting this role needs is empty.

        Raises:
            SettingsError: naming the variables to set.
        """
        missing = [variable(name) for name in names if not getattr(self, name)]
        if missing:
            raise SettingsError(f"set {', '.join(missing)} (at least {SECRET_BYTES_MIN} bytes each)")

    @property
    def pay_window_ms(self) -> int:
        """Time to pay an order that the gateway has not sold, from when it was placed."""
        return max(self.pay_within_s, self.min_pay_window_s) * 1000

    @property
    def signing_secrets(self) -> tuple[bytes, ...]:
        """Secrets that no identity provider needs; receipts and sessions derive their keys from them.

        Raises:
            SettingsError: neither a signing secret nor an admin key is set.
        """
        secrets = self.signing_secret or self.admin_key
        if not secrets:
            raise SettingsError("set SECKILL_SIGNING_SECRET (or SECKILL_ADMIN_KEY, from which it is derived)")
        return secrets


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"SECKILL_{name.upper()}"


def describe() -> list[tuple[str, str, str]]:
    """Every setting as (variable, default as text, meaning); the documentation is tested against it."""
    rows = []
    for each in fields(Settings):
        default = each.default
        match default:
            case Rate(count=count, window_ms=window_ms):
                text = f"{count}/{'s' if window_ms == 1000 else 'm'}" if count else "off"
            case Bind(host=host, port=port):
                text = f"{host}:{port}"
            case bool():
                text = "1" if default else "0"
            case tuple():
                text = ""
            case _:
                text = str(default)
        rows.append((variable(each.name), text, each.metadata["about"]))
    return rows
