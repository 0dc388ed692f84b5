"""What a page does to a cart besides its lines. Pure: from a cart to a cart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from admin.carts import contents
from admin.carts.contents import Body


def add_lines(body: Body, lines: Sequence[Mapping[str, Any]]) -> Body:
    """Put several products in.

    Raises:
        Conflict: the cart is full.
    """
    return reduce(contents.add, lines, body)


def select_all(body: Body, *, selected: bool) -> Body:
    """Tick every line, or none."""
    return {**body, "lines": [{**each, "selected": selected} for each in body["lines"]]}


def choose_gifts(body: Body, campaign: str, picks: Sequence[str] | None) -> Body:
    """Pick gifts of a campaign; none of them is declined, None leaves it to the shop."""
    gifts = {code: list(each) for code, each in body.get("gifts", {}).items() if code != campaign}
    if picks is not None:
        gifts[campaign] = list(picks)
    return {**body, "gifts": gifts}


def choose_add_on(body: Body, campaign: str, sku: str, quantity: int) -> Body:
    """Have so many units of an add-on; of 0 it is taken out."""
    others = [each for each in body.get("add_ons", ()) if (each["campaign"], each["sku"]) != (campaign, sku)]
    if quantity:
        others.append({"campaign": campaign, "sku": sku, "quantity": quantity})
    return {**body, "add_ons": others}


def use_coupon(body: Body, code: str | None) -> Body:
    """Put a coupon in the place of the one before; None: no coupon."""
    return {**body, "coupon": code}


def join(body: Body, campaigns: Mapping[str, str | None]) -> Body:
    """Have some lines join other campaigns, by SKU; None: none."""
    lines = [
        {**each, "campaign": campaigns[each["sku"]]} if each["sku"] in campaigns else each for each in body["lines"]
    ]
    return {**body, "lines": lines}
