"""Given the rule of any type, a shopper can read it in their language."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from admin.promotions import registry
from admin.promotions.words import Reader, in_words

TYPES = sorted(registry.available())


def words(type_name: str, language: str, rule: object = None) -> list[str]:
    promotion = registry.available()[type_name]
    given = dict(promotion.body)["rule"] if rule is None else rule
    fields = promotion.fields.model_validate({"rule": given})
    names = {"kettle": "Copper kettle", "mug": "Mug"}
    reader = Reader(language, "CNY", ZoneInfo("Asia/Taipei"), lambda sku: names.get(sku, sku))
    return in_words(promotion.form, fields.rule, reader)  # type: ignore[attr-defined]


@pytest.mark.parametrize("type_name", TYPES)
def test_every_type_has_words_in_both_languages(type_name: str) -> None:
    english, chinese = words(type_name, "en"), words(type_name, "zh-Hant")
    assert len(english) == len(chinese) > 0
    assert all(": " in line and "：" not in line for line in english)
    assert all("：" in line for line in chinese)
    assert not [line for line in english if "None" in line or "=" in line]


@pytest.mark.parametrize(
    ("type_name", "rule", "expected"),
    [
        ("item_discount", {"percent_off": 12.5}, ["Percent off: 12.5 %"]),
        ("item_discount", {"price": 9900}, ["Fixed price: 99.00"]),
        (
            "threshold_reduction",
            {"mode": "every", "spend": 10000, "off": 500, "cap": None},
            ["How it counts: Every full amount, again and again", "Spend: 100.00", "Amount off: 5.00"],
        ),
        (
            "threshold_gift",
            {"by": "count", "mode": "every", "tiers": [{"at": 2, "gifts": [{"same_item": True}]}], "max": 3},
            [
                "Threshold: How many pieces",
                "Tiers: Again at every multiple",
                "Tiers: Pieces: 2, Gifts: Pieces: 1, One more of what was bought: yes",
                "Most times in one order: 3",
            ],
        ),
        (
            "bundle",
            {"price": 15000, "components": [{"sku": "kettle", "quantity": 2}]},
            ["The set: Copper kettle × 2", "Price of a set: 150.00"],
        ),
    ],
)
def test_only_what_is_filled_in_is_told(type_name: str, rule: object, expected: list[str]) -> None:
    assert words(type_name, "en", rule) == expected


def test_chinese_says_what_a_discount_leaves_and_a_share_stays_a_percentage() -> None:
    tiers = {"by": "count", "tiers": [{"at": 2, "percent_off": 15}]}
    assert words("threshold_discount", "zh-Hant", tiers)[1] == "級距：滿件：2、折扣：8.5 折"
    deposit = dict(registry.available()["presale"].body)["rule"] | {"deposit": None, "deposit_percent": 10}
    assert [line for line in words("presale", "zh-Hant", deposit) if "10 %" in line]


def test_instants_are_told_by_the_clock_of_the_shop() -> None:
    rule = {"balance_starts_at": "2026-12-01T16:30:00Z"}
    assert "Balance from: Dec 2, 2026, 00:30" in words("presale", "en", rule)
    assert "尾款開始：2026年12月2日 00:30" in words("presale", "zh-Hant", rule)


def test_the_session_of_a_sale_is_left_to_its_time() -> None:
    rule = {"price": 9900, "session": {"id": "noon", "date": "2026-11-22"}}
    assert not [line for line in words("seckill", "en", rule) if "noon" in line]
