"""What each of a shopper's coupons would take off a cart, computed as any quote is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, func, select

from admin.coupons import mine
from admin.coupons.models import BestCoupons, PricedCoupon
from admin.coupons.tables import coupon_claims, coupons
from admin.promotions.cart import Cart
from admin.quotes.quoting import Asked, Quoter
from admin.resources import Resources
from gateway.orders.database import now_ms, reading

PRICED_MAX = 50
"""Coupons tried on one cart, those that end first."""
SEARCHED_MAX = 5
"""The same where the best promotions are searched for each."""


def best(resources: Resources, asked: Asked) -> BestCoupons:
    """A cart without a coupon and with each that its shopper holds, the cheapest first.

    A coupon that the cart names is left out of what it costs without one; one that is over is not tried.
    """
    assert asked.owner is not None
    cart = asked.cart.model_copy(update={"suggest": False, "explain": False})
    rows, there = _held(resources, asked.owner, SEARCHED_MAX if cart.strategy == "best" else PRICED_MAX)
    tried = [_with(asked, cart, None), *(_with(asked, cart, row.held_code or row.code) for row in rows)]
    quoter = Quoter(resources)
    moment = quoter.gather(tried)
    results = [quoter.price(each, moment, place).result for place, each in enumerate(tried)]
    total = results[0]["total"]
    items = [_priced(row, result, total) for row, result in zip(rows, results[1:], strict=True)]
    # They come in the order in which they end, and sorting keeps it.
    items.sort(key=lambda each: (each.total, each.state != "applied"))
    return BestCoupons(currency=resources.currency, total=total, items=items, left_out=there - len(rows))


def _held(resources: Resources, shopper: str, most: int) -> tuple[list[Row[Any]], int]:
    """The first coupons of a shopper to end, and how many they hold."""
    with reading(resources.engine) as connection:
        going_on = coupons.c.ended_at_ms.is_(None), coupons.c.ends_at_ms > now_ms(connection)
        held = mine.of_shopper(shopper).where(coupon_claims.c.shopper.is_not(None), *going_on)
        there = connection.execute(select(func.count()).select_from(held.subquery())).scalar_one()
        return list(connection.execute(held.order_by(coupons.c.ends_at_ms, coupons.c.code).limit(most))), there


def _with(asked: Asked, cart: Cart, code: str | None) -> Asked:
    return replace(asked, cart=cart.model_copy(update={"coupon": code}))


def _priced(row: Row[Any], result: dict[str, Any], without: int) -> PricedCoupon:
    told = result["coupon"]
    return PricedCoupon(
        code=told["code"],
        coupon=row.code,
        name=row.terms["name"],
        state=told["state"],
        reason=told["reason"],
        discount=told["discount"],
        total=result["total"],
        saves=without - result["total"],
    )
