"""Making quotes: gather what they depend on, ask the engine, write the snapshots."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from admin.members.facts import facts_of
from admin.promotions import engine
from admin.promotions.audience import GUEST, Shopper
from admin.promotions.cart import Cart
from admin.promotions.coupon import Coupon
from admin.promotions.world import World
from admin.quotes import facts, snapshot
from admin.quotes.book import Book
from admin.quotes.facts import Touched
from admin.quotes.left import coupon_left, left_of
from admin.quotes.looking import CouponWish, Look, look
from admin.quotes.recording import Entry
from admin.quotes.terms import terms_of
from admin.resources import Resources
from gateway import tokens
from gateway.orders.database import reading


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What somebody wants priced. `request` is the cart as it was sent, `language` of the reply.

    `shopper` is who signed in, or whom an operator names by id, or facts that an operator made up; None is a
    guest. `at_ms` is another moment than now. `owner` is who may order what comes out, None is nobody.
    """

    cart: Cart
    request: Mapping[str, Any]
    language: str
    shopper: tokens.Shopper | Shopper | str | None = None
    owner: str | None = None
    at_ms: int | None = None
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """The shop as one look found it: a book at least as new; by cart, what it touches and who asks."""

    book: Book
    look: Look
    touched: Sequence[Touched]
    shoppers: Sequence[Shopper]


@dataclass(frozen=True, slots=True)
class Priced:
    """What a cart comes to, and the world it was priced in."""

    result: dict[str, Any]
    world: World


@dataclass(frozen=True, slots=True)
class Made(Priced):
    """A quote: besides, the same as JSON, and the snapshot to store."""

    reply: bytes
    entry: Entry


@dataclass(frozen=True, slots=True)
class Quoter:
    """Makes quotes of one shop."""

    resources: Resources

    def gather(self, asked: Sequence[Asked]) -> Moment:
        """What the database says now about some carts and those who ask.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        book = self.resources.books.known()
        touched, seen = self._look(book, asked)
        if seen.number > book.number:
            # Something changed: what these carts touch may be something else now.
            book = self.resources.books.at_least(seen.number)
            touched, seen = self._look(book, asked)
        return Moment(book, seen, touched, self._shoppers(asked, seen.now_ms))

    def imagine(self, book: Book, asked: Asked) -> Moment:
        """The same for one cart in a shop that is not the real one.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        touched, seen = self._look(book, [asked])
        return Moment(book, seen, touched, self._shoppers([asked], seen.now_ms))

    def _look(self, book: Book, asked: Sequence[Asked]) -> tuple[Sequence[Touched], Look]:
        touched = [facts.touched(book, each.cart, _owner(each)) for each in asked]
        tallies = {tally for each in touched if each.limited for tally in each.tallies}
        coupons: set[CouponWish] = {each.coupon for each in touched if each.coupon is not None}
        skus = (
            touched[0].products.keys() if len(touched) == 1 else {sku for each in touched for sku in each.products}
        )
        return touched, look(self.resources.engine, skus, tuple(tallies), tuple(coupons))

    def make(self, asked: Asked, moment: Moment, place: int) -> tuple[bytes, Entry]:
        """The reply to a quote, JSON with its token, and the snapshot to store; `place` is the cart's among all.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        made = self.price(asked, moment, place)
        return made.reply, made.entry

    def price(self, asked: Asked, moment: Moment, place: int = 0) -> Made:
        """The same with everything that it came from, for whoever orders it.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        priced = self.compute(asked, moment, place)
        result, world = priced.result, priced.world
        token = secrets.token_hex(16)
        reply = answer(result, token)
        entry = Entry(
            token,
            asked.owner,
            engine.ENGINE,
            moment.book.number,
            moment.look.now_ms,
            snapshot.write(asked.request, world, moment.touched[place].stored, result, reply),
            # The others cannot be ordered.
            None if asked.owner is None else terms_of(result),
        )
        return Made(result, world, reply, entry)

    def compute(self, asked: Asked, moment: Moment, place: int) -> Priced:
        """What a cart comes to, without a token and nothing to store."""
        world = self._world(asked, moment, place)
        return Priced(engine.quote(asked.cart, world), world)

    def _world(self, asked: Asked, moment: Moment, place: int) -> World:
        touched = moment.touched[place]
        now_ms = moment.look.now_ms if asked.at_ms is None else asked.at_ms
        free, used, owner = moment.look.free, moment.look.used, touched.owner
        return World(
            now_ms=now_ms,
            today=facts.civil(now_ms, self.resources.zone),
            index=moment.book.index,
            products=touched.products,
            free={sku: free[sku] for sku in touched.products if sku in free},
            shopper=moment.shoppers[place],
            left={code: left_of(campaign, used, owner) for code, campaign in touched.limited.items()},
            coupon=_coupon(asked.cart.coupon, moment, touched),
            zone=self.resources.zone,
            currency=self.resources.currency,
            language=asked.language,
            operator=asked.operator,
        )

    def _shoppers(self, asked: Sequence[Asked], now_ms: int) -> list[Shopper]:
        known = [GUEST if each.shopper is None else each.shopper for each in asked]
        if all(isinstance(each, Shopper) for each in known):
            return cast(list[Shopper], known)
        with reading(self.resources.engine) as connection:
            return [
                given
                if isinstance(given, Shopper)
                else facts_of(connection, given, each.at_ms or now_ms, self.resources.zone)
                for each, given in zip(asked, known, strict=True)
            ]


def _owner(asked: Asked) -> str:
    """Who has used what, empty for nobody."""
    given = asked.shopper
    if isinstance(given, tokens.Shopper):
        return given.id.decode()
    return given if isinstance(given, str) else ""


def _coupon(typed: str | None, moment: Moment, touched: Touched) -> Coupon | None:
    """The coupon that a code stands for, with what is left of it."""
    if typed is None:
        return None
    wish, known = touched.coupon, moment.book.coupons
    if wish is None:
        return known.get(typed)
    held = moment.look.coupons[wish]
    coupon = known.get(held.coupon or typed)
    return None if coupon is None else coupon_left(coupon, held, wish[2])


def answer(result: dict[str, Any], token: str) -> bytes:
    """The bytes of a reply. Nothing in them but the token differs between equal quotes."""
    result["token"] = token
    return orjson.dumps(result)
