"""Pricing a cart and writing its order in one step, so that the price is of the shop the order is written into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, insert

from admin import changes
from admin.errors import Conflict, Unavailable
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


class _Moved(Exception):
    """The shop has changed since the cart was priced."""


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
                return write(connection, made, build)
        except _Moved:
            continue
        except Short as short:
            # Sold or used up in between: priced again it shows as that, or it is there again.
            made = quoter.price(asked, quoter.gather([asked]))
            require_available(made)
            raise used_up(short, made) from short
    raise Unavailable("prices are changing: ask again in a moment", code="prices_changing")


def write(connection: Connection, made: Made, build: Build) -> str:
    """Write the order of a quote, if the shop is still the one that it was priced in.

    Raises:
        Short: too little is left of something; the transaction must be rolled back.
    """
    if changes.newest_number(connection) != made.entry.change_number:
        raise _Moved
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
            order_no=order_no,
        )
    )
    return order_no


def require_available(made: Made) -> None:
    """Refuse a quote that cannot be ordered whole.

    Raises:
        Conflict: with the quote, whose lines say why.
    """
    states = [line["state"] for line in made.result["lines"]]
    if all(state == "unselected" for state in states):
        raise Conflict("nothing in the cart is selected", code="nothing_selected", quote=made.result)
    wrong = [line["sku"] for line in made.result["lines"] if line["state"] in {"unavailable", "short_stock"}]
    if wrong:
        raise Conflict(
            f"cannot be had as asked: {', '.join(wrong[:5])}; change the cart and ask for a new price",
            code="not_available",
            quote=made.result,
        )


def used_up(short: Short, made: Made) -> Conflict:
    """The refusal when something ran out while the order was written."""
    claim = short.claim
    extra: dict[str, Any] = {"of": claim.kind, "subject": claim.subject}
    return Conflict(
        f"{claim.subject} has just run out: look at the new price and order again",
        code="just_ran_out",
        quote=made.result,
        **extra,
    )
