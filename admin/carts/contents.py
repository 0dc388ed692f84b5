"""What becomes of a stored cart when something is put in, changed or taken out. Pure: carts are JSON, as in the
body of a quote, with only those fields that somebody chose.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from admin.errors import Conflict, NotFound
from admin.promotions.cart import ADD_ONS_MAX, LINES_MAX, QUANTITY_MAX, UNITS_MAX

Body = dict[str, Any]

EMPTY: Body = {"lines": []}
BYTES_MAX = 65_536
"""Largest stored cart; one of a hundred lines with all their choices has about a third."""


def add(body: Body, line: Mapping[str, Any]) -> Body:
    """Put some units in, beside those of the product that are there.

    Raises:
        Conflict: the cart is full.
    """
    lines = [dict(each) for each in body["lines"]]
    for each in lines:
        if each["sku"] == line["sku"]:
            each |= {**line, "quantity": each["quantity"] + line["quantity"]}
            break
    else:
        lines.append(dict(line))
    return _fitting({**body, "lines": lines})


def change(body: Body, sku: str, values: Mapping[str, Any], *, unpin: bool) -> Body:
    """Change a line; with `unpin` its campaign is the default again.

    Raises:
        NotFound: there is no such line.
        Conflict: the cart is full.
    """
    _require(body, sku)
    lines = [{**each, **values} if each["sku"] == sku else each for each in body["lines"]]
    if unpin:
        lines = [_without(each, "campaign") if each["sku"] == sku else each for each in lines]
    return _fitting({**body, "lines": lines})


def drop(body: Body, sku: str) -> Body:
    """Take a line out.

    Raises:
        NotFound: there is no such line.
    """
    _require(body, sku)
    return {**body, "lines": [each for each in body["lines"] if each["sku"] != sku]}


def merge(body: Body, guest: Body) -> Body:
    """Both carts in one. Quantities add up as far as there is room; where the guest chose, that choice holds."""
    lines = {each["sku"]: dict(each) for each in body["lines"]}
    room = UNITS_MAX - sum(each["quantity"] for each in lines.values())
    for line in guest["lines"]:
        there = lines.get(line["sku"], {"quantity": 0})
        more = max(0, min(line["quantity"], QUANTITY_MAX - there["quantity"], room))
        if "sku" not in there and (more == 0 or len(lines) == LINES_MAX):
            continue
        room -= more
        lines[line["sku"]] = {**there, **line, "quantity": there["quantity"] + more}
    merged = {**body, **guest, "lines": list(lines.values())}
    if guest.get("coupon") is None and "coupon" in body:
        merged["coupon"] = body["coupon"]
    gifts = {**body.get("gifts", {}), **guest.get("gifts", {})}
    if gifts:
        merged["gifts"] = dict(list(gifts.items())[-LINES_MAX:])
    add_ons = {
        (each["campaign"], each["sku"]): each for each in (*body.get("add_ons", ()), *guest.get("add_ons", ()))
    }
    if add_ons:
        merged["add_ons"] = list(add_ons.values())[-ADD_ONS_MAX:]
    return merged


def without_ordered(
    body: Body, quantities: Mapping[str, int], coupon: str | None, add_ons: Collection[tuple[str, str]]
) -> Body:
    """The cart without what was ordered of it: units, the coupon, and add-ons by campaign and SKU."""
    left = [{**each, "quantity": each["quantity"] - quantities.get(each["sku"], 0)} for each in body["lines"]]
    rest = {**body, "lines": [each for each in left if each["quantity"] > 0]}
    if coupon is not None and rest.get("coupon") == coupon:
        rest = _without(rest, "coupon")
    if rest.get("add_ons"):
        rest["add_ons"] = [each for each in rest["add_ons"] if (each["campaign"], each["sku"]) not in add_ons]
    if not rest["lines"]:
        # Choices of an empty cart would surprise whoever fills it next.
        rest = _without(rest, "gifts", "add_ons")
    return rest


def _require(body: Body, sku: str) -> None:
    if not any(each["sku"] == sku for each in body["lines"]):
        raise NotFound("your cart has no such line")


def _without(part: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name not in names}


def _fitting(body: Body) -> Body:
    quantities = [each["quantity"] for each in body["lines"]]
    for what, count, limit in (
        ("lines", len(quantities), LINES_MAX),
        ("units of a product", max(quantities), QUANTITY_MAX),
        ("units", sum(quantities), UNITS_MAX),
    ):
        if count > limit:
            raise Conflict(f"a cart holds at most {limit} {what}: order some first", code="cart_full", limit=limit)
    return body
