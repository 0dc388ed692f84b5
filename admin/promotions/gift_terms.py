"""Gifts as a rule names them, and what is asked of them before a campaign is published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import Input, Sku
from admin.promotions.effects import Gift
from admin.promotions.guards import missing
from admin.promotions.model import FormField, Plan

GIFTS_MAX = 20
"""Gifts listed in one place."""

Quantity = Annotated[int, Field(ge=1, le=999, description="pieces")]


class GiftTerms(Input):
    """Some pieces of a product that are given away."""

    sku: Sku | None = None
    quantity: Quantity = 1


GIFT_COLUMNS = (
    FormField("sku", "product", {"en": "Gift", "zh-Hant": "贈品"}, required=True),
    FormField("quantity", "count", {"en": "Pieces", "zh-Hant": "數量"}),
)
"""What a form asks of each gift."""


def gifts_of(terms: Iterable[GiftTerms]) -> tuple[Gift, ...]:
    """The listed products as gifts; a row that names none is no gift."""
    return tuple(Gift(each.sku, each.quantity) for each in terms if each.sku is not None)


def merged(gifts: Iterable[Gift], times: int = 1) -> tuple[Gift, ...]:
    """Gifts given some times, each product once."""
    pieces: dict[str, int] = {}
    for gift in gifts:
        pieces[gift.sku] = pieces.get(gift.sku, 0) + gift.quantity * times
    return tuple(Gift(sku, quantity) for sku, quantity in pieces.items())


def guard_gifts(plan: Plan, path: str, terms: Sequence[GiftTerms]) -> list[FieldError]:
    """At least one gift, each product once, and each one may be given away. `path` names the list."""
    if not terms:
        return [missing(path)]
    errors = []
    seen: set[str] = set()
    for index, gift in enumerate(terms):
        field = f"{path}.{index}.sku"
        if gift.sku is None:
            errors.append(missing(field))
            continue
        if gift.sku in seen:
            text = f"{gift.sku} is listed twice: keep one and raise its quantity"
            errors.append(FieldError(field, "duplicate_sku", text))
        else:
            errors += _guard_gift(plan, field, gift.sku)
        seen.add(gift.sku)
    return errors


def _guard_gift(plan: Plan, field: str, sku: str) -> list[FieldError]:
    """It exists, and the shop gives such goods away. It may be among the items, too: two teas, one more tea."""
    if sku in plan.kept:
        return []
    product = plan.products.get(sku)
    if product is None:
        text = f"there is no product {sku}: create it first or correct the SKU"
        return [FieldError(field, "unknown_sku", text)]
    if plan.gifts_only and not product.gift_only:
        return [must_be_gift_only(field, f"set gift_only on {sku}")]
    return []


def must_be_gift_only(field: str, remedy: str) -> FieldError:
    """The refusal to give away goods that are for sale, in a shop that does not want it."""
    text = f"this shop gives away only goods that are not for sale: {remedy}, or set SECKILL_GIFT_GOODS=any"
    return FieldError(field, "must_be_gift_only", text)
