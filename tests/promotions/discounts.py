"""Bodies of discounts and bundles: whole ones, rules in a line each, and what is told of broken ones."""

from __future__ import annotations

import re
from typing import Any

from tests.promotions.judging import codes, told

PAIR = [{"sku": "kettle", "quantity": 1}, {"sku": "cup", "quantity": 2}]
GOOD: dict[str, dict[str, Any]] = {
    "item_discount": {"rule": {"percent_off": 15}},
    "threshold_reduction": {"rule": {"mode": "tiers", "tiers": [{"spend": 10000, "off": 1000}]}},
    "threshold_discount": {"rule": {"by": "count", "tiers": [{"at": 2, "percent_off": 30}]}},
    "bundle": {"rule": {"price": 13000, "components": PAIR}, "items": [{"sku": "kettle"}, {"sku": "cup"}]},
}
DISCOUNTS = sorted(GOOD)
HUGE = 10**13
TELLS = re.compile(
    r"want|must|should|at most|at least|give only|give one|need|required|name (it|each|categories)|list|leave|"
    r"choose|write|create it|add |no such|not permitted|only given|not on sale|there is no"
)
"""What a sentence has that says what would be right."""

Expected = dict[str, str]


def check(type_name: str, about: dict[str, Any], expected: Expected) -> None:
    """Hold a good body with some fields changed to the codes by field that it is told."""
    errors = told(type_name, {**GOOD[type_name], **about})
    assert codes(errors) == sorted(expected.items())
    for error in errors:
        assert TELLS.search(error.message), error


def tiers(*steps: tuple[Any, Any]) -> dict[str, Any]:
    return {"mode": "tiers", "tiers": [{"spend": spend, "off": off} for spend, off in steps]}


def percents(by: str, *steps: tuple[Any, Any]) -> dict[str, Any]:
    return {"by": by, "tiers": [{"at": at, "percent_off": percent_off} for at, percent_off in steps]}


def every(spend: Any, off: Any, **more: Any) -> dict[str, Any]:
    return {"mode": "every", "spend": spend, "off": off, **more}


def bundle(price: Any, *components: tuple[Any, Any]) -> dict[str, Any]:
    parts = [{"sku": sku, "quantity": quantity} for sku, quantity in components]
    return {"price": price, "components": parts}
