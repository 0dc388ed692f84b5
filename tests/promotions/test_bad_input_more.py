"""Given gifts, add-ons, pre-sales, group buys or seckills that break guards, each is told with its field.

Nothing is stored and no server is asked: a body is read and guarded as it is when a campaign is made.
"""

from __future__ import annotations

from typing import Any

import pytest

from admin.promotions import registry
from admin.promotions.model import Plan
from tests.promotions.bodies import BALANCE_MS, ENDS_MS, LEAVE_OUT, PRODUCTS, RULES, STARTS_MS, changed, check
from tests.promotions.judging import codes
from tests.promotions.worlds import NOW_MS

NEEDED = {
    "item_gift": ["rule.gifts"],
    "threshold_gift": ["rule.by", "rule.tiers"],
    "add_on": ["rule.tiers"],
    "presale": ["rule.balance_ends_at", "rule.balance_starts_at", "rule.deposit"],
    "group_buy": ["rule.price"],
    "seckill": ["rule.price"],
}
TYPES = sorted(RULES)


@pytest.mark.parametrize("type_name", TYPES)
def test_the_bodies_that_are_broken_below_are_whole(type_name: str) -> None:
    check(type_name, {}, {})


def test_a_product_of_the_campaign_may_be_its_gift_too() -> None:
    check("item_gift", {"rule.gifts.0.sku": "kettle"}, {})
    check("threshold_gift", {"rule.tiers.0.gifts.0.sku": "lamp"}, {})


@pytest.mark.parametrize("type_name", TYPES)
def test_a_draft_without_any_rule_is_read_and_tells_what_publishing_needs(type_name: str) -> None:
    expected = dict.fromkeys(["name", "starts_at", "ends_at", "items", *NEEDED[type_name]], "missing")
    check(
        type_name, {"name": None, "starts_at": None, "ends_at": None, "items": [], "rule": {}}, expected, "publish"
    )


SAME = {"same_item": True}
BY_COUNT = {"rule.by": "count", "rule.tiers.0.at": 2, "rule.tiers.1.at": 4}
GUARDS: list[tuple[str, dict[str, Any], dict[str, str], str]] = [
    ("item_gift", {"rule.gifts": []}, {"rule.gifts": "missing"}, "needed"),
    ("item_gift", {"rule.gifts": LEAVE_OUT}, {"rule.gifts": "missing"}, "needed"),
    ("item_gift", {"rule.gifts.0": {}}, {"rule.gifts.0.sku": "missing"}, "needed"),
    ("item_gift", {"rule.gifts.0.sku": "none"}, {"rule.gifts.0.sku": "unknown_sku"}, "create it first"),
    ("item_gift", {"rule.gifts.1": {"sku": "mug"}}, {"rule.gifts.1.sku": "duplicate_sku"}, "raise its quantity"),
    ("item_gift", {"items.0.price": 1}, {"items.0.price": "unknown_field"}, "not permitted"),
    ("item_gift", {"items.0.sku": "sample"}, {"items.0.sku": "gift_only"}, "clear gift_only"),
    ("threshold_gift", {"rule.by": LEAVE_OUT}, {"rule.by": "missing"}, "needed"),
    ("threshold_gift", {"rule.tiers": []}, {"rule.tiers": "missing"}, "needed"),
    ("threshold_gift", {"rule.tiers.0.at": LEAVE_OUT}, {"rule.tiers.0.at": "missing"}, "needed"),
    ("threshold_gift", {"rule.tiers.0.at": 20000}, {"rule.tiers.1.at": "tier_not_increasing"}, "must be more"),
    ("threshold_gift", {"rule.tiers.0.at": 30000}, {"rule.tiers.1.at": "tier_not_increasing"}, "must be more"),
    ("threshold_gift", {"rule.tiers.1.gifts": []}, {"rule.tiers.1.gifts": "missing"}, "needed"),
    ("threshold_gift", {"rule.tiers.1.choose": 3}, {"rule.tiers.1.choose": "more_than_listed"}, "at most 2"),
    ("threshold_gift", {"rule.max": 2}, {"rule.max": "not_for_mode"}, "leave max out, or use every"),
    ("threshold_gift", {"rule.mode": "cumulative", "rule.max": 2}, {"rule.max": "not_for_mode"}, "use every"),
    ("threshold_gift", {"rule.mode": "every"}, {"rule.tiers": "one_tier_only"}, "keep one tier"),
    ("threshold_gift", {"rule.tiers.0.gifts.0.sku": "none"}, {"rule.tiers.0.gifts.0.sku": "unknown_sku"}, "create"),
    (
        "threshold_gift",
        {"rule.tiers.1.gifts.1.sku": "mug"},
        {"rule.tiers.1.gifts.1.sku": "duplicate_sku"},
        "keep one",
    ),
    (
        "threshold_gift",
        {"rule.tiers.0.gifts.0": SAME},
        {"rule.tiers.0.gifts.0.same_item": "needs_count"},
        'want "by": "count"',
    ),
    (
        "threshold_gift",
        {**BY_COUNT, "rule.tiers.1.gifts.1": SAME, "rule.tiers.1.choose": LEAVE_OUT},
        {"rule.tiers.1.gifts.1.same_item": "same_item_alone"},
        "move the other gifts",
    ),
    (
        "threshold_gift",
        {**BY_COUNT, "rule.tiers.1.gifts": [SAME]},
        {"rule.tiers.1.choose": "not_for_same_item"},
        "leave choose out",
    ),
    (
        "threshold_gift",
        {**BY_COUNT, "rule.tiers.0.gifts.0.same_item": True},
        {"rule.tiers.0.gifts.0.same_item": "one_way_only"},
        "not both",
    ),
    ("add_on", {"rule.tiers": []}, {"rule.tiers": "missing"}, "needed"),
    ("add_on", {"rule.tiers.0.spend": LEAVE_OUT}, {"rule.tiers.0.spend": "missing"}, "needed"),
    ("add_on", {"rule.tiers.0.options": []}, {"rule.tiers.0.options": "missing"}, "needed"),
    ("add_on", {"rule.tiers.0.options.0.price": LEAVE_OUT}, {"rule.tiers.0.options.0.price": "missing"}, "needed"),
    ("add_on", {"rule.tiers.0.options.0.sku": LEAVE_OUT}, {"rule.tiers.0.options.0.sku": "missing"}, "needed"),
    ("add_on", {"rule.tiers.0.options.0.sku": "none"}, {"rule.tiers.0.options.0.sku": "unknown_sku"}, "create"),
    ("add_on", {"rule.tiers.0.options.0.sku": "old"}, {"rule.tiers.0.options.0.sku": "not_on_sale"}, "set on_sale"),
    ("add_on", {"rule.tiers.1.options.1.sku": "mug"}, {"rule.tiers.1.options.1.sku": "duplicate_sku"}, "keep one"),
    ("add_on", {"rule.tiers.0.options.0.price": 1900}, {"rule.tiers.0.options.0.price": "not_below_base"}, "1900"),
    ("add_on", {"rule.tiers.0.spend": 20000}, {"rule.tiers.1.spend": "tier_not_increasing"}, "must be more"),
    ("presale", {"rule.deposit": LEAVE_OUT}, {"rule.deposit": "missing"}, "give deposit or deposit_percent"),
    ("presale", {"rule.deposit_percent": 10}, {"rule.deposit_percent": "one_way_only"}, "only one of"),
    (
        "presale",
        {"items.0.deposit": 1, "items.0.deposit_percent": 10},
        {"items.0.deposit_percent": "one_way_only"},
        "only one of",
    ),
    ("presale", {"rule.price": 5901}, {"rule.price": "not_below_base"}, "want at most 5900"),
    ("presale", {"items.1.price": 5901}, {"items.1.price": "not_below_base"}, "want at most 5900"),
    ("presale", {"rule.deposit": 1967}, {"rule.deposit": "deposit_too_large"}, "lower it or the multiplier"),
    ("presale", {"items.0.deposit": 4300}, {"items.0.deposit": "deposit_too_large"}, "below the price 12900"),
    ("presale", {"items.0.price": 3000}, {"rule.deposit": "deposit_too_large"}, "below the price 3000"),
    (
        "presale",
        {"items.1": {"sku": "pin", "deposit_percent": 1}},
        {"items.1.deposit_percent": "deposit_too_small"},
        "raise it",
    ),
    ("presale", {"rule.mode": "confirm"}, {"rule.multiplier": "not_for_mode"}, "leave multiplier out"),
    ("presale", {"rule.balance_starts_at": LEAVE_OUT}, {"rule.balance_starts_at": "missing"}, "needed"),
    ("presale", {"rule.balance_ends_at": LEAVE_OUT}, {"rule.balance_ends_at": "missing"}, "needed"),
    (
        "presale",
        {"rule.balance_starts_at": ENDS_MS - 1},
        {"rule.balance_starts_at": "before_campaign_ends"},
        "want ends_at or later",
    ),
    (
        "presale",
        {"rule.balance_ends_at": BALANCE_MS},
        {"rule.balance_ends_at": "not_after_start"},
        "later than balance_starts_at",
    ),
    ("presale", {"rule.ships_at": BALANCE_MS - 1}, {"rule.ships_at": "before_balance"}, "starts_at or later"),
    ("presale", {"scope": "all"}, {"scope": "items_only"}, 'want "items"'),
    ("presale", {"items": []}, {"items": "missing"}, "needed"),
    ("presale", {"items.0.sku": "none"}, {"items.0.sku": "unknown_sku"}, "create it first"),
    ("group_buy", {"rule.price": LEAVE_OUT}, {"rule.price": "missing"}, "needed"),
    ("group_buy", {"rule.price": LEAVE_OUT, "items.0.price": 1}, {"rule.price": "missing"}, "needed"),
    ("group_buy", {"rule.price": 5900}, {"rule.price": "not_below_base"}, "less than its base price 5900"),
    ("group_buy", {"items.0.price": 12900}, {"items.0.price": "not_below_base"}, "less than its base price 12900"),
    ("group_buy", {"rule.size": 1}, {"rule.size": "too_small"}, "2"),
    ("group_buy", {"rule.size": 1001}, {"rule.size": "too_large"}, "1000"),
    ("group_buy", {"rule.hours": 721}, {"rule.hours": "too_large"}, "720"),
    ("group_buy", {"rule.limit_per_shopper": 1001}, {"rule.limit_per_shopper": "too_large"}, "1000"),
    (
        "group_buy",
        {"limits": {"per_shopper": 2, "total": 9}},
        {"limits.per_shopper": "not_supported_for_group_buy"},
        "set rule.limit_per_shopper",
    ),
    ("group_buy", {"scope": "category", "categories": ["kitchen"]}, {"scope": "items_only"}, 'want "items"'),
    ("seckill", {"rule.price": LEAVE_OUT}, {"rule.price": "missing"}, "needed"),
    ("seckill", {"rule.price": 5900}, {"rule.price": "not_below_base"}, "5900"),
    ("seckill", {"items.0.price": 12900}, {"items.0.price": "not_below_base"}, "12900"),
    ("seckill", {"items.0.stock": LEAVE_OUT}, {"items.0.stock": "missing"}, "needed"),
    ("seckill", {"items.0.stock": 0}, {"items.0.stock": "too_small"}, "at least one"),
    ("seckill", {"items.0.stock": 101}, {"items.0.stock": "not_enough_stock"}, "100 free units"),
    ("seckill", {"items.0.sku": "none"}, {"items.0.sku": "unknown_sku"}, "create it first"),
    (
        "seckill",
        {"items.0": {"sku": "none", "stock": 0}},
        {"items.0.sku": "unknown_sku", "items.0.stock": "too_small"},
        "at least one",
    ),
    ("seckill", {"items.0": {"sku": "Upper", "stock": 1, "price": 1}}, {"items.0.sku": "sku_not_sellable"}, "a-z"),
    (
        "seckill",
        {"items.0": {"sku": "sample", "stock": 1}},
        {"items.0.sku": "gift_only", "rule.price": "not_below_base"},
        "gift",
    ),
    ("seckill", {"items.1.sku": "kettle"}, {"items.1.sku": "duplicate_sku"}, "twice"),
    ("seckill", {"limits": {"total": 1}}, {"limits": "not_supported_for_seckill"}, "leave it out"),
    ("seckill", {"channels": ["web"]}, {"channels": "not_supported_for_seckill"}, "leave it out"),
    ("seckill", {"exclude": ["lamp"]}, {"exclude": "not_supported_for_seckill"}, "leave it out"),
    ("seckill", {"scope": "all"}, {"scope": "not_supported_for_seckill"}, 'want "items"'),
]


@pytest.mark.parametrize(("type_name", "changes", "expected", "says"), GUARDS)
def test_each_guard_broken_once(
    type_name: str, changes: dict[str, Any], expected: dict[str, str], says: str
) -> None:
    check(type_name, changes, expected, says)


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ends_at": STARTS_MS}, {"ends_at": "not_after_start"}),
        ({"ends_at": STARTS_MS - 1}, {"ends_at": "not_after_start"}),
        ({"starts_at": 1, "ends_at": NOW_MS}, {"ends_at": "in_the_past"}),
        ({"rule.colour": "red"}, {"rule.colour": "unknown_field"}),
        ({"colour": "red"}, {"colour": "unknown_field"}),
        ({"items.0.colour": "red"}, {"items.0.colour": "unknown_field"}),
        ({"items": [{"sku": f"s{number}"} for number in range(10_000)]}, {"items": "too_many"}),
        ({"items.1.sku": "kettle"}, {"items.1.sku": "duplicate_sku"}),
        ({"items.1.sku": "old"}, {"items.1.sku": "not_on_sale"}),
    ],
)
def test_what_every_type_refuses(type_name: str, changes: dict[str, Any], expected: dict[str, str]) -> None:
    check(type_name, changes, expected)


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("rule", [5, True, None, "all", []])
def test_a_rule_that_is_no_object_is_told_beside_what_is_missing(type_name: str, rule: object) -> None:
    check(type_name, {"rule": rule}, {"rule": "not_an_object", **dict.fromkeys(NEEDED[type_name], "missing")})


SEVERAL: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (
        "item_gift",
        {
            "name": "",
            "rule.gifts": [{"sku": "none"}, {"sku": "lamp"}, {"quantity": 0}, {"sku": "lamp"}],
            "rule.per": 0,
            "rule.every": 3,
            "items.1.price": 5,
            "ends_at": 1,
        },
        {
            "name": "too_short",
            "ends_at": "not_after_start",
            "rule.gifts.0.sku": "unknown_sku",
            "rule.gifts.2.sku": "missing",
            "rule.gifts.2.quantity": "too_small",
            "rule.gifts.3.sku": "duplicate_sku",
            "rule.per": "too_small",
            "rule.every": "unknown_field",
            "items.1.price": "unknown_field",
        },
    ),
    (
        "threshold_gift",
        {
            "rule.mode": "every",
            "rule.tiers": [
                {"at": 300, "gifts": [{"same_item": True, "sku": "mug"}, {"sku": "kettle"}], "choose": 1},
                {"at": 200, "gifts": [{"sku": "mug"}], "choose": 2},
                {"at": True, "gifts": []},
            ],
        },
        {
            "rule.tiers": "one_tier_only",
            "rule.tiers.0.gifts.0.same_item": "needs_count one_way_only same_item_alone",
            "rule.tiers.0.choose": "not_for_same_item",
            "rule.tiers.1.at": "tier_not_increasing",
            "rule.tiers.1.choose": "more_than_listed",
            "rule.tiers.2.at": "not_an_integer",
            "rule.tiers.2.gifts": "missing",
        },
    ),
    (
        "add_on",
        {
            "scope": "all",
            "rule.tiers": [
                {"spend": 500, "options": [{"sku": "mug", "price": 1901}, {"sku": "none", "price": "1"}]},
                {"spend": 500, "options": [{"sku": "sample", "price": 1}, {"price": -1, "limit": 0}]},
                {"spend": 400},
            ],
        },
        {
            "items": "not_in_scope",
            "rule.tiers.0.options.0.price": "not_below_base",
            "rule.tiers.0.options.1.price": "not_an_integer",
            "rule.tiers.0.options.1.sku": "unknown_sku",
            "rule.tiers.1.spend": "tier_not_increasing",
            "rule.tiers.1.options.0.sku": "gift_only",
            "rule.tiers.1.options.0.price": "not_below_base",
            "rule.tiers.1.options.1.sku": "missing",
            "rule.tiers.1.options.1.price": "too_small",
            "rule.tiers.1.options.1.limit": "too_small",
            "rule.tiers.2.spend": "tier_not_increasing",
            "rule.tiers.2.options": "missing",
        },
    ),
    (
        "presale",
        {
            "scope": "all",
            "rule.price": 6000,
            "rule.deposit": 5000,
            "rule.deposit_percent": 10.555,
            "rule.balance_starts_at": STARTS_MS,
            "rule.balance_ends_at": STARTS_MS - 1,
            "rule.ships_at": 1,
            "items.2": {"sku": "mug", "price": 2000, "deposit": 1, "deposit_percent": 5},
        },
        {
            "scope": "items_only",
            "rule.price": "not_below_base",
            "rule.deposit": "deposit_too_large",
            "rule.deposit_percent": "too_many_decimals",
            "rule.balance_starts_at": "before_campaign_ends",
            "rule.balance_ends_at": "not_after_start",
            "rule.ships_at": "before_balance",
            "items.2.price": "not_below_base",
            "items.2.deposit_percent": "one_way_only",
        },
    ),
    (
        "group_buy",
        {
            "rule.price": 6000,
            "rule.size": 1,
            "rule.hours": 0,
            "rule.limit_per_shopper": 0,
            "rule.virtual_fill": "yes",
            "items.0.price": 20000,
            "items.2": {"sku": "none", "price": 1},
            "ends_at": 0,
        },
        {
            "ends_at": "bad_instant",
            "rule.price": "not_below_base",
            "rule.size": "too_small",
            "rule.hours": "too_small",
            "rule.limit_per_shopper": "too_small",
            "rule.virtual_fill": "not_a_boolean",
            "items.0.price": "not_below_base",
            "items.2.sku": "unknown_sku",
        },
    ),
    (
        "seckill",
        {
            "channels": ["web"],
            "rule.price": LEAVE_OUT,
            "rule.limit_per_shopper": 0,
            "items.0.stock": 101,
            "items.1": {"sku": "Upper", "stock": 0, "price": 900},
        },
        {
            "channels": "not_supported_for_seckill",
            "rule.price": "missing",
            "rule.limit_per_shopper": "too_small",
            "items.0.stock": "not_enough_stock",
            "items.1.sku": "sku_not_sellable",
            "items.1.stock": "too_small",
            "items.1.price": "not_below_base",
        },
    ),
]


@pytest.mark.parametrize(("type_name", "changes", "expected"), SEVERAL)
def test_several_at_once(type_name: str, changes: dict[str, Any], expected: dict[str, str]) -> None:
    check(type_name, changes, expected)


def guarded(type_name: str, changes: dict[str, Any], **facts: Any) -> dict[str, str]:
    """The codes by field of a body without wrong kinds, in a shop with some facts."""
    promotion = registry.available()[type_name]
    read: Any = promotion.fields.model_validate({"name": "Sale", **changed(type_name, changes)})
    return dict(codes(promotion.guard(Plan("sale", read, read.rule, read.items, NOW_MS, **facts))))


def test_a_shop_that_gives_only_goods_that_are_not_for_sale() -> None:
    facts = {"products": PRODUCTS, "gifts_only": True}
    one_tier = {"rule.tiers": [{"at": 2, "gifts": [{"same_item": True}]}]}
    assert guarded("item_gift", {}, **facts) == {"rule.gifts.0.sku": "must_be_gift_only"}
    assert guarded("item_gift", {"rule.gifts.0.sku": "sample"}, **facts) == {}
    assert guarded("threshold_gift", {"rule.by": "count", **one_tier}, **facts) == {
        "rule.tiers.0.gifts.0.same_item": "must_be_gift_only"
    }


@pytest.mark.parametrize("type_name", ["item_gift", "threshold_gift", "add_on", "presale", "group_buy"])
def test_what_is_published_is_not_judged_again_by_today_s_products(type_name: str) -> None:
    kept = frozenset({"kettle", "lamp", "mug", "pin", "sample"})
    assert guarded(type_name, {}, kept=kept) == {}
    assert guarded(type_name, {}) != {}
