"""Reading a cart that somebody wants priced, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from admin.campaigns.views import preferred
from admin.errors import FieldError, Invalid
from admin.inputs import examine
from admin.promotions.cart import Cart
from admin.quotes.quoting import Asked
from admin.routing import Call

CartT = TypeVar("CartT", bound=Cart)


def asked_by(call: Call, cart: Cart, request: Mapping[str, Any]) -> Asked:
    """A cart as whoever is signed in, or a guest, wants it priced; `request` is the cart as JSON."""
    return Asked(
        cart=cart,
        request=request,
        language=preferred(call.languages),
        shopper=call.signed_in,
        owner=None if call.signed_in is None else call.shopper,
    )


def read_cart(kind: type[CartT], body: Any) -> CartT:
    """The cart of a body.

    Raises:
        Invalid: with every problem; a product that stands in it twice is one.
    """
    cart, problems = examine(kind, body)
    errors = [error for _, error in problems]
    if cart is not None and not errors and _once(cart):
        return cart
    raise Invalid(errors + repeats(body))


def repeats(body: Any, path: str = "") -> list[FieldError]:
    """What stands twice in a cart; `path` is where the cart stands in the body."""
    if not isinstance(body, dict):
        return []
    return [
        *_repeated(body.get("lines"), ("sku",), f"{path}lines", "duplicate_sku", "is in the cart already"),
        *_repeated(body.get("add_ons"), ("campaign", "sku"), f"{path}add_ons", "repeated", "is chosen already"),
    ]


def _once(cart: Cart) -> bool:
    lines, add_ons = cart.lines, cart.add_ons
    return len({line.sku for line in lines}) == len(lines) and (
        not add_ons or len({(each.campaign, each.sku) for each in add_ons}) == len(add_ons)
    )


def _repeated(given: Any, by: tuple[str, ...], name: str, code: str, says: str) -> list[FieldError]:
    seen: set[tuple[Any, ...]] = set()
    errors = []
    for position, each in enumerate(given if isinstance(given, list) else ()):
        key = tuple(each.get(part) for part in by) if isinstance(each, dict) else ()
        if not key or not all(isinstance(part, str) for part in key):
            continue
        if key in seen:
            errors.append(FieldError(f"{name}.{position}.sku", code, f"this {says}: change its quantity"))
        seen.add(key)
    return errors
