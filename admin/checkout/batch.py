"""Several quotes become orders together: priced from one look, written in one transaction.

What can be refused is refused before anything is written, one by one, so nobody is refused for another's sake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select, update

from admin import changes
from admin.carts.ordered import remove_ordered
from admin.carts.tables import carts
from admin.catalog import service as catalog
from admin.checkout import drafting, gratis, keys
from admin.checkout.models import Wish
from admin.checkout.refusing import Refusal, ran_out, require_available, require_own_button
from admin.errors import Conflict, NotFound
from admin.orders import placing
from admin.orders.placing import NewOrder
from admin.quotes import snapshot
from admin.quotes.quoting import Asked, Priced, Quoter
from admin.quotes.snapshot import Snapshot
from admin.quotes.tables import quotes
from admin.quotes.terms import all_there, same, same_but_gifts, still_there
from admin.reservations.several import Dealing
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import orders

_ORDERED = (
    update(quotes)
    .where(quotes.c.token == bindparam("of"), quotes.c.order_no.is_(None))
    .values(order_no=bindparam("by"))
)


@dataclass(frozen=True, slots=True)
class Done:
    """An order; `new` if it was made just now."""

    order_no: str
    new: bool


Outcome = Done | Exception
"""An order, or why there is none."""


class Moved(Exception):
    """The shop has changed since the carts were priced."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """A wish with the quote that it names, and the same cart to be priced again."""

    wish: Wish
    row: Row[Any]
    kept: Snapshot

    @property
    def asked(self) -> Asked:
        """The cart as it was quoted, for a fresh quote."""
        cart = self.kept.cart
        request = cart.model_dump(mode="json", exclude_unset=True)
        return Asked(cart, request, self.wish.language, self.wish.shopper, owner=self.wish.owner)

    @property
    def asked_again(self) -> Asked:
        """The same without what no order depends on."""
        cart = self.kept.cart.model_copy(update={"explain": False, "suggest": False})
        return Asked(cart, {}, self.wish.language, self.wish.shopper, owner=self.wish.owner)


def find(resources: Resources, wishes: Sequence[Wish]) -> tuple[list[Quoted], dict[Wish, Outcome]]:
    """The quotes of some wishes; and those wishes that have an order already, or never will.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    with reading(resources.engine) as connection:
        keyed = _keyed(connection, wishes)
        wanted = [wish.given.token for wish in wishes]
        rows: dict[str, Row[Any]] = {
            row.token: row for row in connection.execute(select(quotes).where(quotes.c.token.in_(wanted)))
        }
    found: list[Quoted] = []
    known: dict[Wish, Outcome] = {}
    for wish in wishes:
        order, row = keyed.get((wish.owner, wish.key)), rows.get(wish.given.token)
        if order is not None:
            known[wish] = Done(order.order_no, False) if order.request == wish.request else keys.reused()
        elif row is None or row.shopper != wish.owner:
            known[wish] = _unknown(wish)
        elif row.order_no is not None:
            known[wish] = Done(row.order_no, False)
        else:
            try:
                found.append(Quoted(wish, row, snapshot.read(row.snapshot)))
            except ValueError:
                known[wish] = Conflict(
                    "another version of the shop made this quote: ask for a price again", code="quote_expired"
                )
    return found, known


def _keyed(connection: Connection, wishes: Sequence[Wish]) -> dict[tuple[str, str], Row[Any]]:
    """Orders that were made under the keys of some wishes, by shopper and key."""
    with_key = [wish for wish in wishes if wish.key]
    if not with_key:
        return {}
    statement: Select[Any] = select(orders.c.shopper, orders.c.key, orders.c.order_no, orders.c.request).where(
        orders.c.shopper.in_([wish.owner for wish in with_key]),
        orders.c.key.in_([wish.key for wish in with_key]),
        *keys.KEYED,
    )
    return {(row.shopper, row.key): row for row in connection.execute(statement)}


def _unknown(wish: Wish) -> NotFound:
    return NotFound(f"there is no quote {wish.given.token}: ask for a price first")


def order(resources: Resources, quoter: Quoter, found: Sequence[Quoted]) -> dict[Wish, Outcome]:
    """Order what can be ordered, and say of the others why not. Nothing is written about those.

    Raises:
        Moved: the shop has changed meanwhile; nothing is written.
        sqlalchemy.exc.IntegrityError: a key or a quote was used at the same moment; nothing is written.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    asked = [each.asked_again for each in found]
    moment = quoter.gather(asked)
    priced = [quoter.compute(each, moment, place) for place, each in enumerate(asked)]
    with writing(resources.engine) as connection:
        if changes.newest_number(connection) != moment.book.number:
            raise Moved
        now, taken = now_ms(connection), _lock(connection, found)
        outcomes: dict[Wish, Outcome] = {}
        drafts: list[tuple[Quoted, NewOrder]] = []
        known = catalog.find(connection, {sku for each in priced for sku in drafting.skus_of(each)})
        for each, made in zip(found, priced, strict=True):
            if each.row.token not in taken:
                outcomes[each.wish] = _unknown(each.wish)
                continue
            already = taken[each.row.token]
            if already is not None:
                outcomes[each.wish] = Done(already, False)
                continue
            try:
                drafts.append((each, _draft(resources, each, made, known, now)))
            except Refusal as refusal:
                outcomes[each.wish] = refusal
        placed = _reserve(connection, drafts, outcomes)
        if placed:
            _write(resources, connection, placed, now)
            outcomes.update({each.wish: Done(new.order_no, True) for each, new in placed})
    return outcomes


def _lock(connection: Connection, found: Sequence[Quoted]) -> Mapping[str, str | None]:
    """By token, the order that a quote has become meanwhile; no other transaction can make one now. A quote that
    was deleted is not here.
    """
    tokens = [each.row.token for each in found]
    rows = connection.execute(
        select(quotes.c.token, quotes.c.order_no)
        .where(quotes.c.token.in_(tokens))
        .order_by(quotes.c.token)
        .with_for_update()
    )
    return {row.token: row.order_no for row in rows}


def _draft(resources: Resources, quoted: Quoted, made: Priced, known: Mapping[str, Row[Any]], now: int) -> NewOrder:
    """The order of a quote.

    Raises:
        Refusal: it cannot be ordered, or not at this price.
    """
    wish, row, given = quoted.wish, quoted.row, quoted.wish.given
    require_own_button(made)
    if now >= row.valid_until_ms:
        raise Refusal("quote_expired", "the quote has expired: look at the new price and order again")
    require_available(made)
    if not same(row.terms, made.result):
        promised = quoted.kept.gifts
        if not same_but_gifts(row.terms, made.result) or all_there(promised, made.result):
            raise Refusal("quote_changed", "the price has changed: look at the new one and order again")
        if not given.accept_missing_gifts:
            raise Refusal(
                "gifts_missing", "gifts have run out: order at the new price, or with accept_missing_gifts"
            )
        # The next in the list, given in place of one that is gone, was not promised.
        made = replace(made, result={**made.result, "gifts": still_there(promised, made.result)})
    lines = drafting.lines_from(known, made)
    coupon = made.result["coupon"]
    return NewOrder(
        flow="cart",
        shopper=wish.owner,
        currency=made.result["currency"],
        lines=lines,
        claims=drafting.claims_of(made, lines, wish.owner),
        pay_within_ms=resources.settings.pay_window_ms,
        coupon=coupon["code"] if coupon is not None and coupon["state"] == "applied" else None,
        channel=quoted.kept.cart.channel,
        address=None if given.address is None else given.address.model_dump(exclude_none=True),
        note=given.note,
        key=wish.key,
        request=wish.request,
    )


def _reserve(
    connection: Connection, drafts: Sequence[tuple[Quoted, NewOrder]], outcomes: dict[Wish, Outcome]
) -> list[tuple[Quoted, NewOrder]]:
    """Those of some orders for which there is enough of everything; what is said of the others is added."""
    dealing = Dealing(connection, [claim for _, new in drafts for claim in new.claims])
    placed = []
    for quoted, new in drafts:
        short = dealing.take(new.order_no, new.claims)
        if short is None:
            placed.append((quoted, new))
        else:
            outcomes[quoted.wish] = ran_out(short)
    dealing.write()
    # Shoppers and their keys in one order everywhere: rows of both are waited for.
    return sorted(placed, key=lambda each: (each[1].shopper, each[1].key))


def _write(
    resources: Resources, connection: Connection, placed: Sequence[tuple[Quoted, NewOrder]], now: int
) -> None:
    made = [new for _, new in placed]
    placing.write(connection, made, now)
    names = [{"of": quoted.row.token, "by": new.order_no} for quoted, new in placed]
    assert connection.execute(_ORDERED, names).rowcount == len(names), "a quote that was locked has changed"
    _empty_carts(connection, placed)
    gratis.take(resources, connection, made, now)


def _empty_carts(connection: Connection, placed: Sequence[tuple[Quoted, NewOrder]]) -> None:
    """What was ordered leaves the carts that the server keeps."""
    shoppers = [new.shopper for _, new in placed]
    having = set(connection.execute(select(carts.c.shopper).where(carts.c.shopper.in_(shoppers))).scalars())
    for _, new in placed:
        if new.shopper in having:
            remove_ordered(
                connection,
                new.shopper,
                {line.sku: line.quantity for line in new.lines if line.kind == "goods"},
                coupon=new.coupon,
                add_ons={(str(line.campaign), line.sku) for line in new.lines if line.kind == "add_on"},
            )
