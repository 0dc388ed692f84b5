"""Pricing a cart and writing its order in one step, so that the price is of the shop the order is written into.

For orders that are made without a quote at first: deposits and seats.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, insert

from admin import changes
from admin.checkout import gratis
from admin.checkout.batch import Moved
from admin.checkout.refusing import Refusal, fresh_quotes, ran_out, require_available
from admin.errors import Unavailable
from admin.orders import placing
from admin.orders.placing import NewOrder
from admin.quotes.quoting import Asked, Made, Quoter
from admin.quotes.tables import quotes
from admin.reservations.ledger import Short
from admin.resources import Resources
from gateway.orders.database import now_ms, writing

TRIES_MAX = 10
"""How often a cart is priced anew because the shop changed meanwhile."""

Build = Callable[[Connection, Made], NewOrder]
"""Makes the order of a quote, in the transaction that writes it; may write rows of its own, and may refuse."""


def order_now(resources: Resources, asked: Asked, build: Build) -> str:
    """Price a cart and write its order; the order's number. The quote is stored with it.

    Raises:
        Conflict: a line cannot be had, or too little is left of something; with the fresh quote.
        Unavailable: the shop changes faster than carts are priced.
        whatever `build` raises; nothing is written then.
    """
    quoter = Quoter(resources)
    for _ in range(TRIES_MAX):
        made = quoter.price(asked, quoter.gather([asked]))
        try:
            with writing(resources.engine) as connection:
                return _write(resources, connection, made, build)
        except Moved:
            continue
        except Short as short:
            # Sold or used up in between: priced again it shows as that, or it is there again.
            raise ran_out(short.claim).conflict(*fresh_quotes(resources, [asked])) from short
        except Refusal as refusal:
            raise refusal.conflict(*fresh_quotes(resources, [asked])) from refusal
    raise changing()


def changing() -> Unavailable:
    """The error when no price holds for as long as it takes to order."""
    return Unavailable("prices are changing: ask again in a moment", code="prices_changing")


def _write(resources: Resources, connection: Connection, made: Made, build: Build) -> str:
    """Write the order of a quote, if the shop is still the one that it was priced in."""
    if changes.newest_number(connection) != made.entry.change_number:
        raise Moved
    require_available(made)
    order = build(connection, made)
    now = now_ms(connection)
    order_no = placing.place(connection, order, now)
    entry = made.entry
    connection.execute(
        insert(quotes).values(
            token=entry.token,
            shopper=order.shopper,
            engine=entry.engine,
            change_number=entry.change_number,
            created_at_ms=entry.created_at_ms,
            valid_until_ms=entry.created_at_ms,
            snapshot=entry.snapshot,
            terms=entry.terms,
            order_no=order_no,
        )
    )
    gratis.take(resources, connection, [order], now)
    return order_no
