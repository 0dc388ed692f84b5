"""A quote's snapshot: everything that its price came from besides the engine and the record of changes.

Campaigns are not repeated: the number of the change they were read at brings them back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from admin.promotions.audience import Shopper
from admin.promotions.cart import Cart
from admin.promotions.coupon import Coupon
from admin.promotions.index import CampaignIndex
from admin.promotions.world import Left, Product, World
from admin.quotes.terms import Gifts, gifts_of

_PIECE_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that was read: the cart, the hash of the reply, what makes the world again, and the gifts that
    were promised, if it was made when these were stored.
    """

    cart: Cart
    reply: str
    facts: Mapping[str, Any]
    gifts: Gifts

    def world(self, index: CampaignIndex, coupon_as_recorded: Callable[[str], Coupon]) -> World:
        """The world that the engine saw, with the campaigns and the coupon of that time."""
        facts = self.facts
        coupon = None
        if facts["coupon"] is not None and self.cart.coupon is not None:
            # The code was not always there: it is another than the one typed only for one code of many.
            _revision, uses_left, claimed, *code = facts["coupon"]
            recorded = coupon_as_recorded(code[0] if code else self.cart.coupon)
            coupon = replace(recorded, uses_left=uses_left, claimed=claimed)
        products = {
            sku: Product(sku, price, tuple(categories), gift_only, on_sale)
            for sku, price, categories, gift_only, on_sale in facts["products"]
        }
        shopper = facts["shopper"]
        since = shopper["since"]
        return World(
            now_ms=facts["now_ms"],
            today=date.fromisoformat(facts["today"]),
            index=index,
            products=products,
            free=facts["free"],
            shopper=Shopper(**{**shopper, "since": None if since is None else date.fromisoformat(since)}),
            left={code: Left(*left) for code, left in facts["left"].items()},
            coupon=coupon,
            zone=ZoneInfo(facts["zone"]),
            currency=facts["currency"],
            language=facts["language"],
            operator=facts["operator"],
        )


def stored(product: Product) -> orjson.Fragment:
    """A product as snapshots store it."""
    return orjson.Fragment(
        orjson.dumps((product.sku, product.price, product.categories, product.gift_only, product.on_sale))
    )


def write(
    request: Mapping[str, Any],
    world: World,
    products: Mapping[str, orjson.Fragment],
    result: Mapping[str, Any],
    reply: bytes,
) -> bytes:
    """The snapshot of a quote: the cart as it was sent, the world it was priced in, with its products as they are
    stored, the gifts of the result, and the hash of the reply.
    """
    shopper, coupon = world.shopper, world.coupon
    return orjson.dumps(
        {
            "request": request,
            "reply": digest(reply),
            "gifts": gifts_of(result),
            "now_ms": world.now_ms,
            "today": world.today,
            "zone": world.zone.key,
            "currency": world.currency,
            "language": world.language,
            "operator": world.operator,
            # Without who it was: no price depends on it, and a shopper who is erased leaves nothing here.
            "shopper": {
                "guest": shopper.guest,
                "member": shopper.member,
                "level": shopper.level,
                "since": shopper.since,
                "birthday": shopper.birthday,
                "new_customer": shopper.new_customer,
            },
            "coupon": None if coupon is None else _coupon(coupon, result["coupon"]["code"]),
            "left": {code: (each.total, each.per_shopper, each.budget) for code, each in world.left.items()},
            "products": tuple(products.values()),
            "free": world.free,
        }
    )


def _coupon(coupon: Coupon, typed: str) -> tuple[Any, ...]:
    known = (coupon.revision, coupon.uses_left, coupon.claimed)
    return known if typed == coupon.code else (*known, coupon.code)


def read(text: bytes) -> Snapshot:
    """A snapshot from its stored form.

    Raises:
        ValueError: the cart cannot be read by this version.
    """
    facts = orjson.loads(text)
    cart, reply, gifts = facts.pop("request"), facts.pop("reply"), facts.pop("gifts", ())
    return Snapshot(Cart.model_validate(cart), reply, facts, gifts)


def digest(reply: bytes) -> str:
    """What tells whether two replies are the same."""
    whole = hashlib.sha256()
    # In pieces: for longer ones Python lets go of the interpreter's lock, and getting it back takes far longer.
    for start in range(0, len(reply), _PIECE_BYTES):
        whole.update(reply[start : start + _PIECE_BYTES])
    return whole.hexdigest()
