"""The one place where prices come from: a cart and a world in, a quote out. Pure; the same answer every time."""

from __future__ import annotations

from typing import Any

from admin.promotions import explain, search
from admin.promotions.cart import Cart
from admin.promotions.quoting import Quoting
from admin.promotions.world import World

ENGINE = 1
"""The version of everything in here that decides a price; a snapshot is computed again only by its own."""


def quote(cart: Cart, world: World) -> dict[str, Any]:
    """The price of a cart, explained to the last cent, as JSON without a token."""
    quoting = Quoting(cart, world)
    assignment = quoting.default
    found = None
    if cart.strategy == "best" or cart.suggest:
        found = search.best(quoting.pricing, quoting.default, quoting.usable())
    if found is not None and cart.strategy == "best":
        assignment = found.assignment
    return explain.reply(quoting, assignment, found)
