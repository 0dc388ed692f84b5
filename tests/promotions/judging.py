"""What an operator is told of a body, judged as `admin.campaigns.service` judges it: its form, then the guards."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from admin.campaigns.service import merge
from admin.errors import FieldError
from admin.inputs import examine
from admin.promotions import registry
from admin.promotions.effects import Effect, Group, Line
from admin.promotions.model import Plan, ProductFacts
from tests.promotions.worlds import DAY_MS, NOW_MS

PRODUCTS = {
    "kettle": ProductFacts(price=12900, free=100, gift_only=False, on_sale=True),
    "lamp": ProductFacts(price=5900, free=100, gift_only=False, on_sale=True),
    "cup": ProductFacts(price=333, free=100, gift_only=False, on_sale=True),
    "mug": ProductFacts(price=1900, free=100, gift_only=True, on_sale=True),
    "relic": ProductFacts(price=9900, free=100, gift_only=False, on_sale=False),
}


def told(
    type_name: str, about: Mapping[str, Any], *, products: Mapping[str, ProductFacts] = PRODUCTS
) -> list[FieldError]:
    """Everything that is wrong with a body, apart from `about` a fine one but for its rule."""
    promotion = registry.available()[type_name]
    body = {
        "type": type_name,
        "name": "Sale",
        "code": "sale",
        "starts_at": NOW_MS,
        "ends_at": NOW_MS + DAY_MS,
        "items": [{"sku": "kettle"}],
        **about,
    }
    given, problems = examine(promotion.campaign, body)
    errors = [error for _, error in problems]
    if given is not None:
        terms: Any = given
        categories = frozenset({"kitchen"})
        errors += promotion.guard(Plan("sale", given, terms.rule, terms.items, NOW_MS, products, categories))
    return merge(errors)


def codes(errors: list[FieldError]) -> list[tuple[str, str]]:
    """Field and code of each, in order of fields."""
    return sorted((error.field, error.code) for error in errors)


def label(
    type_name: str, rule: Mapping[str, Any], *items: Mapping[str, Any], currency: str = "CNY"
) -> dict[str, str]:
    """The generated label of a rule, in every language."""
    promotion = registry.available()[type_name]
    fields: Any = promotion.fields.model_validate({"rule": rule, "items": list(items)})
    return promotion.label(fields.rule, fields.items, currency)


def judge(type_name: str, rule: Mapping[str, Any], *lines: tuple[str, int, int], **terms: Any) -> Effect:
    """What a type makes of lines (SKU, quantity, base price); `terms` are an item's own by SKU."""
    promotion = registry.available()[type_name]
    fields: Any = promotion.fields.model_validate(
        {"rule": rule, "items": [{"sku": sku, **terms.get(sku, {})} for sku, _, _ in lines]}
    )
    assert promotion.evaluate is not None
    group = Group(
        tuple(
            Line(number, sku, quantity, price, item)
            for number, ((sku, quantity, price), item) in enumerate(zip(lines, fields.items, strict=True), 1)
        )
    )
    return promotion.evaluate(fields.rule, group)


def rounded(amount: int, percent: Decimal) -> int:
    """What is left of an amount when a percentage is taken off, as decimal arithmetic has it."""
    return int((Decimal(amount) * (100 - percent) / 100).quantize(Decimal(1), ROUND_HALF_UP))
