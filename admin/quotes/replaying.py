"""Computing a stored quote again, from what was recorded: the same bytes, whatever the shop has become since."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from admin import changes
from admin.promotions import engine
from admin.promotions.campaign import read_campaign
from admin.promotions.coupon import Coupon, read_coupon
from admin.promotions.index import CampaignIndex
from admin.quotes import quoting, snapshot
from admin.quotes.books import one_state
from admin.quotes.tables import quotes
from gateway.errors import SeckillError, SettingsError
from gateway.orders.database import open_engine
from gateway.settings import Settings


class UnknownQuote(SeckillError):
    """No such quote is kept, or this version cannot compute it."""


class QuoteDiffers(Exception):
    """Computed again, a quote is not what was answered."""


def run(settings: Settings, token: str) -> bytes:
    """The reply that a token was given with, computed again.

    Raises:
        UnknownQuote: the token is unknown or was deleted, or another version of the engine made it.
        QuoteDiffers: the result is not what was answered.
        SettingsError: the database cannot be used.
    """
    database = open_engine(settings.database_url)
    try:
        return replay(database, token)
    except SQLAlchemyError as error:
        first_line = str(error).partition("\n")[0]
        raise SettingsError(f"SECKILL_DATABASE_URL cannot be used: {first_line}") from error
    finally:
        database.dispose()


def replay(database: Engine, token: str) -> bytes:
    """The same with an open database.

    Raises:
        UnknownQuote: the token is unknown or was deleted, or another version of the engine made it.
        QuoteDiffers: the result is not what was answered.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    with one_state(database) as connection:
        row = connection.execute(select(quotes).where(quotes.c.token == token)).one_or_none()
        if row is None:
            raise UnknownQuote(f"there is no quote {token}: it was never given, or has been deleted since")
        if row.engine != engine.ENGINE:
            raise UnknownQuote(
                f"the quote was made by version {row.engine} of the engine and this is version {engine.ENGINE}: "
                "use the release that made it"
            )
        kept = snapshot.read(row.snapshot)
        campaigns = [
            read_campaign(each.subject, each.body, kept.facts["currency"])
            for each in changes.as_of(connection, "campaign", row.change_number)
        ]
        world = kept.world(CampaignIndex(campaigns), lambda code: _coupon(connection, code, row.change_number))
    reply = quoting.answer(engine.quote(kept.cart, world), token)
    if snapshot.digest(reply) != kept.reply:
        raise QuoteDiffers(f"computed again, the quote {token} is not what was answered")
    return reply


def _coupon(connection: Connection, code: str, number: int) -> Coupon:
    bodies = {each.subject: each.body for each in changes.as_of(connection, "coupon", number)}
    return read_coupon(code, bodies[code])
