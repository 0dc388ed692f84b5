"""`seckill reconcile`: opens the stores, looks, repairs if asked to, and reports."""

from __future__ import annotations

from collections.abc import Callable

from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from gateway import store
from gateway.errors import SettingsError
from gateway.orders.database import open_engine
from gateway.orders.ledger import Ledger
from gateway.orders.pacing import one_line
from gateway.orders.reconcile import report
from gateway.orders.reconcile.looking import Stores, broken, offer_ids
from gateway.orders.reconcile.repairs import repair
from gateway.orders.reconcile.report import Told
from gateway.settings import Settings
from gateway.telemetry import set_up_logging

Books = Callable[[Engine, bool], tuple[list[Told], list[Told]]]
"""Looks at more in the database, and repairs if asked to: what was repaired, and what is broken."""


def run(
    settings: Settings, *, offer: str | None, repairing: bool, json: bool, books: Books | None = None
) -> tuple[str, bool]:
    """Look at all offers or one, and repair if asked to; `books` are further ones, looked at with all offers.

    Returns:
        The report, and whether nothing is broken (any more).

    Raises:
        SettingsError: Redis or the database cannot be used, or a URL is wrong.
        OfferError: there is no such offer.
    """
    set_up_logging(settings, "reconcile")
    try:
        engine = open_engine(settings.database_url)
    except (ArgumentError, ImportError) as error:
        raise SettingsError(f"SECKILL_DATABASE_URL cannot be used: {one_line(error)}") from error
    client = store.connect(settings.redis_url)
    ledger = Ledger(engine, min_pay_window_ms=settings.min_pay_window_s * 1000, currency=settings.currency)
    stores = Stores(settings, client, engine, ledger)
    try:
        offers = len(offer_ids(stores, offer))
        found = broken(stores, offer)
        mended, broken_still = repair(stores, found, offer) if repairing else ([], found)
        repaired: list[Told] = [*mended]
        left: list[Told] = [*broken_still]
        if books is not None and offer is None:
            for into, more in zip((repaired, left), books(engine, repairing), strict=True):
                into.extend(more)
    except RedisError as error:
        raise SettingsError(f"Redis cannot be used (SECKILL_REDIS_URL): {one_line(error)}") from error
    except SQLAlchemyError as error:
        raise SettingsError(f"the database cannot be used (SECKILL_DATABASE_URL): {one_line(error)}") from error
    finally:
        client.close()
        engine.dispose()
    if json:
        return report.as_json(offers, left, repaired), not left
    return report.as_text(offers, left, repaired, repairing=repairing), not left
