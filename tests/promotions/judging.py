"""What an operator is told of a body, judged as `admin.campaigns.service` judges it: its form, then the guards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from admin.campaigns.service import merge
from admin.errors import FieldError
from admin.inputs import examine
from admin.promotions import registry
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
    type_name: str,
    about: Mapping[str, Any],
    *,
    products: Mapping[str, ProductFacts] = PRODUCTS,
    kept: Iterable[str] = (),
) -> list[FieldError]:
    """Everything that is wrong with a body: a fine one but for its rule, with `about` in it.

    `kept` are SKUs that are published already.
    """
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
        plan = Plan("sale", given, terms.rule, terms.items, NOW_MS, products, categories, frozenset(kept))
        errors += promotion.guard(plan)
    return merge(errors)


def codes(errors: list[FieldError]) -> list[tuple[str, str]]:
    """Field and code of each, in order of fields."""
    return sorted((error.field, error.code) for error in errors)
