"""What every service needs: the database, Redis, and the shop's own facts."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from redis import Redis
from sqlalchemy import Engine

from admin.instants import format_instant
from gateway import store
from gateway.orders.database import open_engine
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Resources:
    """Open connections and facts of the shop; shared by all requests and the publisher."""

    engine: Engine
    redis: Redis
    zone: ZoneInfo
    currency: str
    lease_ms: int
    """How long gateways repeat a refusal without asking Redis."""

    @classmethod
    def open(cls, settings: Settings) -> Resources:
        """Open both stores; nothing is contacted before the first use.

        Raises:
            SettingsError: a URL has a form that is not supported.
        """
        engine = open_engine(settings.database_url)
        return cls(
            engine,
            store.connect(settings.redis_url),
            ZoneInfo(settings.timezone),
            settings.currency,
            settings.lease_ms,
        )

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self.redis.close()

    def iso(self, instant_ms: int) -> str:
        """An instant as the shop shows it."""
        return format_instant(instant_ms, self.zone)

    def iso_or_none(self, instant_ms: int | None) -> str | None:
        """The same for an instant that may be absent."""
        return None if instant_ms is None else self.iso(instant_ms)
