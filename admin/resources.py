"""What every service needs: the database, Redis, and the shop's own facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from redis import Redis
from sqlalchemy import Engine

from admin.instants import format_instant
from admin.quotes.books import Books
from admin.storefront.memory import Shelf
from gateway import store
from gateway.orders.database import open_engine
from gateway.receipts import ReceiptSigner
from gateway.settings import Settings
from gateway.tokens import TokenVerifier, demo_secret


@dataclass(frozen=True, slots=True)
class Resources:
    """Open connections and facts of the shop; shared by all requests and the publisher."""

    engine: Engine
    redis: Redis
    settings: Settings
    zone: ZoneInfo
    tokens: TokenVerifier
    receipts: ReceiptSigner
    books: Books
    shelf: Shelf = field(default_factory=Shelf)

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
            settings,
            ZoneInfo(settings.timezone),
            TokenVerifier(
                settings.token_secret,
                token_max_bytes=settings.token_max_bytes,
                cache_max=settings.token_cache_max,
                demo_secret=demo_secret(settings.signing_secrets[0]) if settings.demo else None,
            ),
            ReceiptSigner(settings.signing_secrets),
            Books(engine, settings.currency),
        )

    @property
    def currency(self) -> str:
        """ISO 4217 code of every price."""
        return self.settings.currency

    @property
    def lease_ms(self) -> int:
        """How long gateways repeat a refusal without asking Redis."""
        return self.settings.lease_ms

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
