"""The promotion types there are, found by file: every module of `types/` declares one as `PROMOTION`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from admin.errors import Invalid
from admin.promotions import types
from admin.promotions.model import PromotionType


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
        Invalid: it is not an object, or names no type or an unknown one.
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
    raise Invalid.one(
        "type", "unknown_type", f"there is no such type: want one of {', '.join(sorted(available()))}"
    )
