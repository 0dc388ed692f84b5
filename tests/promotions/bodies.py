"""Bodies of gifts, add-ons, pre-sales, group buys and seckills: whole ones, changed in one place or another."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from admin.promotions.model import ProductFacts
from tests.promotions.judging import codes, told
from tests.promotions.worlds import NOW_MS

STARTS_MS, ENDS_MS = NOW_MS + 1_000, NOW_MS + 2_000
BALANCE_MS = ENDS_MS
LEAVE_OUT: Any = object()


def product(price: int, **facts: Any) -> ProductFacts:
    return ProductFacts(**{"price": price, "free": 100, "gift_only": False, "on_sale": True, **facts})


PRODUCTS = {
    "kettle": product(12900),
    "lamp": product(5900),
    "mug": product(1900),
    "pin": product(40),
    "sample": product(0, gift_only=True),
    "old": product(9000, on_sale=False),
    "Upper": product(900),
}
COMMON = {"starts_at": STARTS_MS, "ends_at": ENDS_MS, "items": [{"sku": "kettle"}, {"sku": "lamp"}]}
RULES: Mapping[str, dict[str, Any]] = {
    "item_gift": {"gifts": [{"sku": "mug", "quantity": 1}], "per": 2, "max": 3},
    "threshold_gift": {
        "by": "amount",
        "mode": "best",
        "tiers": [
            {"at": 10000, "gifts": [{"sku": "mug", "quantity": 1}]},
            {"at": 20000, "gifts": [{"sku": "mug", "quantity": 1}, {"sku": "sample", "quantity": 2}], "choose": 1},
        ],
    },
    "add_on": {
        "tiers": [
            {"spend": 10000, "options": [{"sku": "mug", "price": 900, "limit": 1}]},
            {"spend": 20000, "options": [{"sku": "mug", "price": 500, "limit": 2}, {"sku": "pin", "price": 9}]},
        ]
    },
    "presale": {
        "deposit": 1000,
        "mode": "leverage",
        "multiplier": 3,
        "balance_starts_at": BALANCE_MS,
        "balance_ends_at": BALANCE_MS + 1,
        "ships_at": BALANCE_MS,
        "on_unpaid": "refund",
    },
    "group_buy": {"price": 3900, "size": 3, "hours": 24, "limit_per_shopper": 1, "virtual_fill": False},
    "seckill": {"price": 3900, "limit_per_shopper": 1, "pay_within_s": 900},
}
_DIRECTIONS = re.compile(
    r"\b(want|give|keep|leave|lower|raise|name|create|move|set|use|add|list|needed|must|should|at most)\b"
    r"|not permitted|required|no such date"
)
"""Words of a sentence that says what to do."""


def changed(type_name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A body that breaks no rule, with some fields changed; a path is dotted."""
    body: dict[str, Any] = copy.deepcopy({**COMMON, "rule": RULES[type_name]})
    if type_name == "seckill":
        body["items"] = [{"sku": "kettle", "stock": 5}, {"sku": "lamp", "stock": 5}]
    for path, value in changes.items():
        *parents, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
        place: Any = body
        for parent in parents:
            place = place[parent]
        if value is LEAVE_OUT:
            del place[last]
        elif isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value
    return body


def check(type_name: str, changes: Mapping[str, Any], expected: Mapping[str, str], says: str = "") -> None:
    """Hold a changed body to the codes by field that it is told, in sentences that say what to do.

    Several codes of one field stand side by side, in alphabetical order.
    """
    errors = told(type_name, changed(type_name, changes), products=PRODUCTS)
    by_field: dict[str, list[str]] = {}
    for field, code in codes(errors):
        by_field.setdefault(field, []).append(code)
    assert {field: " ".join(dict.fromkeys(each)) for field, each in by_field.items()} == expected
    unhelpful = [error.message for error in errors if not _DIRECTIONS.search(error.message)]
    assert not unhelpful
    assert any(says in error.message for error in errors) or not errors, errors
