"""Reading a cart that somebody wants priced, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from admin.campaigns.views import preferred
from admin.errors import FieldError, Invalid
from admin.inputs import examine
from admin.promotions.audience import Shopper
from admin.promotions.cart import Cart
from admin.quotes.facts import civil
from admin.quotes.models import CartAs, QuotedShopper
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


def asked_as(call: Call) -> Asked:
    """A cart as an operator wants it priced, perhaps as somebody and at some time.

    Raises:
        Invalid: with every problem of the cart.
    """
    given = read_cart(CartAs, call.body)
    return Asked(
        cart=given,
        request={name: value for name, value in call.body.items() if name not in {"at", "shopper"}},
        language=preferred(call.languages),
        shopper=_made_up(call, given.shopper),
        at_ms=given.at,
        operator=True,
    )


def _made_up(call: Call, given: QuotedShopper | None) -> Shopper | str | None:
    if given is None or given.sub is not None:
        return None if given is None else given.sub
    return Shopper(
        level=given.level,
        since=None if given.since is None else civil(given.since, call.resources.zone),
        birthday=given.birthday,
        new_customer=given.new_customer,
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
