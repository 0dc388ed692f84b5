"""One look at the database for some carts: the newest change, its clock, stock, and what is held of limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from sqlalchemy import Engine

from admin.quotes.driver import driver_connection
from admin.quotes.left import Held, Tally, Used

# One statement, one row: it is asked for every quote, and what it tells belongs together.
_LOOK = {
    "sqlite": "SELECT number, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),"
    " (SELECT json_group_object(sku, stock - reserved) FROM products WHERE sku IN (SELECT value FROM json_each(?)))"
    "{more} FROM change_counter",
    "postgresql": "SELECT number, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT),"
    " (SELECT CAST(json_object_agg(sku, stock - reserved) AS text) FROM products"
    " WHERE sku IN (SELECT json_array_elements_text(CAST(%s AS json))))"
    "{more} FROM change_counter",
}
# For carts that have to do with limits or coupons: rows for wishes by their place. Each table is read by its key.
_MORE = {
    "sqlite": ", (SELECT json_group_array(json_array(wish.key, {columns})) FROM json_each(?) AS wish {joins})",
    "postgresql": ", (SELECT CAST(json_agg(json_build_array(wish.key - 1, {columns})) AS text)"
    " FROM json_array_elements(CAST(%s AS json)) WITH ORDINALITY AS wish (value, key) {joins})",
}
_PART = {"sqlite": "json_extract(wish.value, '$[{}]')", "postgresql": "(wish.value ->> {})"}
_TALLY = "tally.reserved + tally.committed"
_TALLIES = "JOIN tallies AS tally ON tally.kind = {0} AND tally.subject = {1} AND tally.owner = {2}"
# A wish is the coupon, else a code that may be one of many, and the shopper.
_COUPON = (
    "code.coupon, code.shopper, claim.shopper IS NOT NULL,"
    " COALESCE(in_all.reserved + in_all.committed, 0), COALESCE(own.reserved + own.committed, 0),"
    " COALESCE(of_code.reserved + of_code.committed, 0)"
)
_COUPONS = """
    LEFT JOIN coupon_codes AS code ON code.code = {1}
    LEFT JOIN coupon_claims AS claim ON claim.coupon = COALESCE({0}, code.coupon) AND claim.shopper = {2}
    AND claim.code IS NULL
    LEFT JOIN tallies AS in_all
    ON in_all.kind = 'coupon' AND in_all.subject = COALESCE({0}, code.coupon) AND in_all.owner = ''
    LEFT JOIN tallies AS own
    ON own.kind = 'coupon_shopper' AND own.subject = COALESCE({0}, code.coupon) AND own.owner = {2}
    LEFT JOIN tallies AS of_code
    ON of_code.kind = 'coupon_code' AND of_code.subject = code.code AND of_code.owner = ''
"""


def _statement(dialect: str, *, tallies: bool, coupons: bool) -> str:
    parts = [_PART[dialect].format(place) for place in range(3)]
    more = ""
    if tallies:
        more += _MORE[dialect].format(columns=_TALLY, joins=_TALLIES.format(*parts))
    if coupons:
        more += _MORE[dialect].format(columns=_COUPON, joins=_COUPONS.format(*parts))
    return _LOOK[dialect].format(more=more)


# One for each need: a database plans a longer one for longer.
_STATEMENTS = {
    (dialect, tallies, coupons): _statement(dialect, tallies=tallies, coupons=coupons)
    for dialect in _LOOK
    for tallies in (False, True)
    for coupons in (False, True)
}

CouponWish = tuple[str | None, str | None, str]
"""A coupon that is known, else a code that is not; and who uses it, empty for nobody."""


@dataclass(frozen=True, slots=True)
class Look:
    """The database at an instant of its own clock: the newest change, what is free of some products, how much is
    held of some things, and what is known of each coupon that was asked for.
    """

    number: int
    now_ms: int
    free: Mapping[str, int]
    used: Used = field(default_factory=dict)
    coupons: Mapping[CouponWish, Held] = field(default_factory=dict)


def look(
    engine: Engine, skus: Iterable[str], tallies: Sequence[Tally] = (), coupons: Sequence[CouponWish] = ()
) -> Look:
    """Read what no book has.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    statement = _STATEMENTS[engine.dialect.name, bool(tallies), bool(coupons)]
    wishes = [list(skus), *(each for each in (tallies, coupons) if each)]
    with driver_connection(engine) as connection:
        row = connection.execute(statement, tuple(orjson.dumps(each).decode() for each in wishes)).fetchone()
    number, now_ms, free, *more = row
    held = orjson.loads(more.pop(0) or b"[]") if tallies else ()
    known = orjson.loads(more.pop(0) or b"[]") if coupons else ()
    return Look(
        number,
        now_ms,
        orjson.loads(free) if free else {},
        {tallies[place]: amount for place, amount in held},
        {
            coupons[place]: Held(coupon, bound, bool(claimed), in_all, own, of_code)
            for place, coupon, bound, claimed, in_all, own, of_code in known
        },
    )
