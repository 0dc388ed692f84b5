"""item_gift 贈品: for every so many units that joined, the listed gifts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field

from admin.errors import FieldError
from admin.promotions.effects import Effect, Grant, Group, Next
from admin.promotions.gift_terms import GIFT_COLUMNS, GIFTS_MAX, GiftTerms, gifts_of, guard_gifts, merged
from admin.promotions.guards import guard_common
from admin.promotions.model import (
    ITEMS_MAX,
    CampaignFields,
    Count,
    Example,
    FormField,
    Item,
    NewCampaign,
    Plan,
    PromotionType,
    Rule,
    fitting,
)


class ItemGiftRule(Rule):
    """The gifts, and for how many units each time."""

    gifts: list[GiftTerms] = Field(default_factory=list, max_length=GIFTS_MAX)
    per: Count = Field(default=1, description="units of all joined lines together")
    max: Count | None = Field(default=None, description="most times in one order; null is without end")


class ItemGiftFields(CampaignFields):
    """What may be changed about an item gift."""

    rule: ItemGiftRule = Field(default_factory=ItemGiftRule)
    items: list[Item] = Field(default_factory=list, max_length=ITEMS_MAX)


class ItemGiftCampaign(ItemGiftFields, NewCampaign):
    """A new item gift."""

    type: Literal["item_gift"]


def _evaluate(rule: ItemGiftRule, group: Group) -> Effect:
    gifts = gifts_of(rule.gifts)
    whole = group.units // rule.per
    times = whole if rule.max is None else min(whole, rule.max)
    following = None
    if rule.max is None or whole < rule.max:
        missing_units = (whole + 1) * rule.per - group.units
        following = Next(buy_more=missing_units, gifts=merged(gifts, whole + 1))
    if times == 0:
        return Effect(reached=False, next=following)
    return Effect(reached=True, tier=0, grants=(Grant(gifts, None, times),), next=following)


def _guard(plan: Plan) -> list[FieldError]:
    return [*guard_common(plan), *guard_gifts(plan, "rule.gifts", plan.rule.gifts)]


def _named(rule: ItemGiftRule) -> Iterable[str]:
    return [gift.sku for gift in rule.gifts if gift.sku is not None]


def _label(rule: ItemGiftRule, _items: Sequence[Item], _currency: str) -> dict[str, str]:
    plain = {"en": "Free gift", "zh-Hant": "買就送"}
    if rule.per == 1:
        return plain
    return fitting({"en": f"Buy {rule.per}, free gift", "zh-Hant": f"買 {rule.per} 件送贈品"}, plain)


PROMOTION = PromotionType(
    name="item_gift",
    title={"en": "Gift with a product", "zh-Hant": "買就送贈品"},
    sentence={
        "en": "Whoever buys these products gets gifts, for every unit or every so many units.",
        "zh-Hant": "購買指定商品即送贈品，可設每幾件送一次。",
    },
    words=("gift", "free gift", "贈品", "買就送", "買送"),
    fields=ItemGiftFields,
    campaign=ItemGiftCampaign,
    item=Item,
    guard=_guard,
    label=_label,
    evaluate=_evaluate,
    named=_named,
    form=(
        FormField(
            "rule.gifts",
            "table",
            {"en": "Gifts", "zh-Hant": "贈品"},
            {"en": "Everything that is given each time.", "zh-Hant": "每次贈送的全部贈品。"},
            required=True,
            columns=GIFT_COLUMNS,
        ),
        FormField(
            "rule.per",
            "count",
            {"en": "For every … units", "zh-Hant": "每幾件送一次"},
            {
                "en": "Units of all these products together; 1 gives with every unit.",
                "zh-Hant": "活動商品合計的件數；填 1 即每件都送。",
            },
        ),
        FormField(
            "rule.max",
            "count",
            {"en": "Most times in one order", "zh-Hant": "每單最多送幾次"},
            {"en": "Leave empty for no limit.", "zh-Hant": "留空表示不限。"},
        ),
    ),
    examples=(
        Example(
            {"en": "Two kettles bring two mugs.", "zh-Hant": "買 2 個水壺，送 2 個馬克杯。"},
            rule={"gifts": [{"sku": "mug", "quantity": 1}]},
            prices={"kettle": 12900, "mug": 1900},
            cart={"kettle": 2},
            expect={"discount": 0, "total": 25800, "payables": [25800], "tier": 0, "gifts": {"mug": 2}},
        ),
        Example(
            {
                "en": "For every 3 units, at most twice: 10 units bring two sets of gifts.",
                "zh-Hant": "每 3 件送一次，最多 2 次：買 10 件送 2 份。",
            },
            rule={"gifts": [{"sku": "mug", "quantity": 1}, {"sku": "spoon", "quantity": 2}], "per": 3, "max": 2},
            prices={"kettle": 12900, "lamp": 5900, "mug": 1900, "spoon": 500},
            cart={"kettle": 4, "lamp": 6},
            expect={"discount": 0, "total": 87000, "tier": 0, "gifts": {"mug": 2, "spoon": 4}},
        ),
        Example(
            {"en": "Units of different products count together.", "zh-Hant": "不同活動商品的件數合併計算。"},
            rule={"gifts": [{"sku": "mug", "quantity": 1}], "per": 2},
            prices={"kettle": 12900, "lamp": 5900, "mug": 1900},
            cart={"kettle": 1, "lamp": 1},
            expect={"discount": 0, "total": 18800, "tier": 0, "gifts": {"mug": 1}},
        ),
        Example(
            {"en": "One unit too few brings nothing.", "zh-Hant": "差 1 件則不送。"},
            rule={"gifts": [{"sku": "mug", "quantity": 1}], "per": 2},
            prices={"kettle": 12900, "mug": 1900},
            cart={"kettle": 1},
            expect={"discount": 0, "total": 12900, "tier": None, "gifts": {}},
        ),
    ),
    body={
        "type": "item_gift",
        "name": "A lamp with every kettle",
        "code": "kettle-lamp",
        "starts_at": "2026-11-21T00:00:00+08:00",
        "ends_at": "2026-11-28T00:00:00+08:00",
        "rule": {"gifts": [{"sku": "lamp", "quantity": 1}], "per": 1, "max": 2},
        "items": [{"sku": "kettle"}],
    },
)
