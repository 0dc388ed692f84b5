"""Given random carts, every discount is divided by the rules, which are written here once more in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from admin.promotions.campaign import Campaign
from tests.promotions.random_shops import Drawn, ask, drawn

MANY = 800
PER_UNIT = {"item_discount", "presale", "group_buy"}


def largest_remainder(amount: int, weights: Sequence[int]) -> list[int]:
    """The shares of an amount: each rounded down, and what is left goes by ones to the largest remainders."""
    exact = [Fraction(amount * weight, sum(weights)) if amount else Fraction(0) for weight in weights]
    shares = [int(each) for each in exact]
    rest = [(shares[place] - exact[place], place) for place in range(len(weights))]
    for _, place in sorted(rest)[: amount - sum(shares)]:
        shares[place] += 1
    return shares


def named(each: Drawn, code: str) -> Campaign:
    found = each.world.index.get(code)
    assert found is not None
    return found


def in_sets(lines: list[dict[str, Any]], campaign: Campaign) -> list[int]:
    """How many units of each line are in whole sets."""
    held = {line["sku"]: line["quantity"] for line in lines}
    needed = {each.sku: each.quantity for each in campaign.rule.components}
    sets = min(held.get(sku, 0) // quantity for sku, quantity in needed.items())
    return [sets * needed[line["sku"]] for line in lines]


def test_the_discount_of_a_group_is_divided_by_what_its_lines_cost_at_base() -> None:
    divided = 0
    for seed, each in drawn("shares", MANY):
        reply = ask(each)
        for group in reply["groups"]:
            campaign = named(each, group["campaign"])
            lines = [line for line in reply["lines"] if line["campaign"] == campaign.code and line["unit_payables"]]
            if campaign.type_name in PER_UNIT:
                continue
            units = [line["quantity"] for line in lines]
            if campaign.type_name == "bundle":
                units = in_sets(lines, campaign) if group["tier"] is not None else [0] * len(lines)
            weights = [line["unit_price"] * part for line, part in zip(lines, units, strict=True)]
            shares = largest_remainder(group["discount"], weights)
            assert [line["discount"] for line in lines] == shares, (seed, group)
            divided += len(shares) > 1 and group["discount"] > 0
            if reply["coupon_discount"]:
                continue
            for line, part in zip(lines, units, strict=True):
                unit_shares = largest_remainder(line["discount"], [1] * part) + [0] * (line["quantity"] - part)
                assert line["unit_payables"] == [line["unit_price"] - off for off in unit_shares], (seed, line)
    assert divided > 30


def test_units_of_a_price_each_all_cost_the_same() -> None:
    for seed, each in drawn("per unit", MANY // 2):
        reply = ask(each)
        for line in reply["lines"]:
            if line["campaign"] is None or line["coupon_discount"] or not line["unit_payables"]:
                continue
            if named(each, line["campaign"]).type_name in PER_UNIT:
                assert len(set(line["unit_payables"])) == 1, (seed, line)


def test_a_coupon_is_divided_by_what_its_lines_still_cost() -> None:
    divided = 0
    for seed, each in drawn("coupons", MANY):
        reply = ask(each)
        if not reply["coupon_discount"] or reply["presale"] is not None:
            continue
        coupon = each.world.coupon
        assert coupon is not None
        applied = {group["campaign"] for group in reply["groups"] if group["tier"] is not None}
        closed = {code for code in applied if not named(each, code).coupons_allowed}
        weights = []
        for line in reply["lines"]:
            product = each.world.products.get(line["sku"])
            held = {
                "all": True,
                "items": line["sku"] in coupon.fields.items,
                "category": product is not None and bool({*product.categories} & {*coupon.fields.categories}),
            }[coupon.fields.scope]
            open_to = held and line["state"] in {"ok", "short_stock"} and line["campaign"] not in closed
            weights.append(line["subtotal"] - line["discount"] if open_to else 0)
        told = [line["coupon_discount"] for line in reply["lines"]]
        assert told == largest_remainder(reply["coupon_discount"], weights), seed
        assert sum(weights) >= coupon.fields.threshold, seed
        divided += sum(bool(weight) for weight in weights) > 1
    assert divided > 30
