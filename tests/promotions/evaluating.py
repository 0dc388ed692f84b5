"""A type's own functions, asked directly: what it makes of lines, refuses and calls itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from admin.promotions import registry
from admin.promotions.effects import Effect, Gift, Group, Line

Row = tuple[str, int, int]
"""A line: SKU, base price, quantity."""


def fields_of(type_name: str, rule: Mapping[str, Any], items: Sequence[Mapping[str, Any]] = ()) -> Any:
    """The fields of a campaign with some rule."""
    return registry.available()[type_name].fields.model_validate({"rule": dict(rule), "items": list(items)})


def effect(type_name: str, rule: Mapping[str, Any], *lines: Row, items: Sequence[Mapping[str, Any]] = ()) -> Effect:
    """What the type makes of some lines."""
    read = fields_of(type_name, rule, items)
    terms = {item.sku: item for item in read.items}
    group = Group(
        tuple(
            Line(number, sku, quantity, price, terms.get(sku))
            for number, (sku, price, quantity) in enumerate(lines, 1)
        )
    )
    evaluate = registry.available()[type_name].evaluate
    assert evaluate is not None
    return evaluate(read.rule, group)


def refusal(
    type_name: str, rule: Mapping[str, Any], price: int, quantity: int = 1, item: Mapping[str, Any] | None = None
) -> str | None:
    """Why a line of some base price is left out."""
    read = fields_of(type_name, rule, [{"sku": "kettle", **(item or {})}])
    return registry.available()[type_name].refuses(read.rule, read.items[0], price, quantity)


def labels(
    type_name: str, rule: Mapping[str, Any], items: Sequence[Mapping[str, Any]] = (), currency: str = "CNY"
) -> tuple[str, str]:
    """The generated labels, English and Traditional Chinese."""
    read = fields_of(type_name, rule, items)
    made = registry.available()[type_name].label(read.rule, read.items, currency)
    return made["en"], made["zh-Hant"]


def pieces(gifts: Sequence[Gift]) -> dict[str, int]:
    """Gifts as pieces by SKU, in order; each SKU stands there once."""
    assert len({gift.sku for gift in gifts}) == len(gifts)
    return {gift.sku: gift.quantity for gift in gifts}


def rounded(amount: int, percent: Decimal) -> int:
    """What is left of an amount when a percentage is taken off, as decimal arithmetic has it."""
    return int((Decimal(amount) * (100 - percent) / 100).quantize(Decimal(1), ROUND_HALF_UP))
