"""The promotion types there are, found by file: every module of `types/` declares one as `PROMOTION`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from admin.errors import Invalid
from admin.promotions import types
from admin.promotions.model import PromotionType

PLANNED = frozenset(
    {
        "item_discount",
        "threshold_reduction",
        "threshold_discount",
        "bundle",
        "item_gift",
        "threshold_gift",
        "add_on",
        "presale",
        "group_buy",
        "seckill",
    }
)
"""Types that are known by name, whether or not this version has them."""


@cache
def available() -> dict[str, PromotionType]:
    """Every type by name."""
    found = {}
    for module in pkgutil.iter_modules(types.__path__):
        promotion: PromotionType = importlib.import_module(f"{types.__name__}.{module.name}").PROMOTION
        found[promotion.name] = promotion
    return found


def resolve(given: object) -> PromotionType:
    """The type that a campaign's body names.

    Raises:
        Invalid: it is not an object, or names no type, an unknown one or one that is not available yet.
    """
    if not isinstance(given, dict):
        raise Invalid.one("", "not_an_object", "want a JSON object")
    if "type" not in given:
        raise Invalid.one("type", "missing", f"want one of {', '.join(sorted(available()))}")
    name = given["type"]
    if not isinstance(name, str):
        raise Invalid.one("type", "not_a_text", "want the name of a type")
    if name in available():
        return available()[name]
    if name in PLANNED:
        raise Invalid.one("type", "type_not_available", "this version does not have this type yet")
    raise Invalid.one("type", "unknown_type", "there is no such type of promotion")
