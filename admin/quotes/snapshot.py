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

_PIECE_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that was read: the cart, the hash of the reply, and what makes the world again."""

    cart: Cart
    reply: str
    facts: Mapping[str, Any]

    def world(self, index: CampaignIndex, coupon_as_recorded: Callable[[str], Coupon]) -> World:
        """The world that the engine saw, with the campaigns and the coupon of that time."""
        facts = self.facts
        coupon = None
        if facts["coupon"] is not None and self.cart.coupon is not None:
            _revision, uses_left, claimed = facts["coupon"]
            coupon = replace(coupon_as_recorded(self.cart.coupon), uses_left=uses_left, claimed=claimed)
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


def write(request: Mapping[str, Any], world: World, products: Mapping[str, orjson.Fragment], reply: bytes) -> bytes:
    """The snapshot of a quote: the cart as it was sent, the world it was priced in, with its products as they are
    stored, and the hash of the reply.
    """
    shopper, coupon = world.shopper, world.coupon
    return orjson.dumps(
        {
            "request": request,
            "reply": digest(reply),
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
            "coupon": None if coupon is None else (coupon.revision, coupon.uses_left, coupon.claimed),
            "left": {code: (each.total, each.per_shopper, each.budget) for code, each in world.left.items()},
            "products": tuple(products.values()),
            "free": world.free,
        }
    )


def read(text: bytes) -> Snapshot:
    """A snapshot from its stored form.

    Raises:
        ValueError: the cart cannot be read by this version.
    """
    facts = orjson.loads(text)
    return Snapshot(Cart.model_validate(facts.pop("request")), facts.pop("reply"), facts)


def digest(reply: bytes) -> str:
    """What tells whether two replies are the same."""
    whole = hashlib.sha256()
    # In pieces: for longer ones Python lets go of the interpreter's lock, and getting it back takes far longer.
    for start in range(0, len(reply), _PIECE_BYTES):
        whole.update(reply[start : start + _PIECE_BYTES])
    return whole.hexdigest()
