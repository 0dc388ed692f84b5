"""threshold_gift 滿贈: gifts for spending some amount (滿額贈) or buying some units (滿件贈)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import MONEY_MAX, Input
from admin.promotions import money
from admin.promotions.effects import Effect, Gift, Grant, Group, Next
from admin.promotions.gift_terms import (
    GIFT_COLUMNS,
    GIFTS_MAX,
    GiftTerms,
    gifts_of,
    guard_gifts,
    merged,
    must_be_gift_only,
)
from admin.promotions.guards import guard_common, guard_increasing, missing
from admin.promotions.model import (
    ITEMS_MAX,
    TIERS_MAX,
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


class ThresholdGift(GiftTerms):
    """Some pieces of a product, or of one of the products that joined."""

    same_item: bool = Field(default=False, description="a further piece of a joined product, the shopper's pick")


class GiftTier(Input):
    """One step: from where on, and what it gives."""

    at: Annotated[int, Field(ge=1, le=MONEY_MAX)] | None = Field(
        default=None, description="minor units, or units by count"
    )
    gifts: list[ThresholdGift] = Field(default_factory=list, max_length=GIFTS_MAX)
    choose: Annotated[int, Field(ge=1, le=GIFTS_MAX)] | None = Field(
        default=None, description="so many picks among the gifts; absent = all of them"
    )

    @property
    def same_item(self) -> ThresholdGift | None:
        """The gift that is a further piece of a joined product, if it is one."""
        return next((gift for gift in self.gifts if gift.same_item), None)


class ThresholdGiftRule(Rule):
    """The ladder, and how its tiers work together."""

    by: Literal["amount", "count"] | None = None
    mode: Literal["best", "cumulative", "every"] = "best"
    tiers: list[GiftTier] = Field(default_factory=list, max_length=TIERS_MAX)
    max: Count | None = Field(default=None, description="with every: most times in one order")


class ThresholdGiftFields(CampaignFields):
    """What may be changed about a threshold gift."""

    rule: ThresholdGiftRule = Field(default_factory=ThresholdGiftRule)
    items: list[Item] = Field(default_factory=list, max_length=ITEMS_MAX)


class ThresholdGiftCampaign(ThresholdGiftFields, NewCampaign):
    """A new threshold gift."""

    type: Literal["threshold_gift"]


def _evaluate(rule: ThresholdGiftRule, group: Group) -> Effect:
    value = group.units if rule.by == "count" else group.subtotal
    if rule.mode == "every":
        return _every(rule, group, value)
    reached = [index for index, tier in enumerate(rule.tiers) if tier.at is not None and value >= tier.at]
    rising = range(reached[-1] + 1 if reached else 0, len(rule.tiers))
    after = next((index for index in rising if rule.tiers[index].at is not None), None)
    granting = reached if rule.mode == "cumulative" else reached[-1:]
    following = None
    if after is not None:
        then = [*granting, after] if rule.mode == "cumulative" else [after]
        grants = [_grant(rule.tiers[index], group, 1) for index in then]
        following = _next(rule, (rule.tiers[after].at or 0) - value, grants)
    return Effect(
        reached=bool(reached),
        tier=reached[-1] if reached else None,
        grants=tuple(_grant(rule.tiers[index], group, 1) for index in granting),
        next=following,
    )


def _every(rule: ThresholdGiftRule, group: Group, value: int) -> Effect:
    tier = rule.tiers[0] if rule.tiers else None
    if tier is None or tier.at is None:
        return Effect(reached=False)
    whole = value // tier.at
    times = whole if rule.max is None else min(whole, rule.max)
    following = None
    if rule.max is None or whole < rule.max:
        following = _next(rule, (whole + 1) * tier.at - value, [_grant(tier, group, whole + 1)])
    if times == 0:
        return Effect(reached=False, next=following)
    return Effect(reached=True, tier=0, grants=(_grant(tier, group, times),), next=following)


def _grant(tier: GiftTier, group: Group, times: int) -> Grant:
    same = tier.same_item
    if same is None:
        return Grant(gifts_of(tier.gifts), tier.choose, times)
    # The first option is the default: the cheapest, then the earlier line.
    lines = sorted(group.lines, key=lambda line: (line.price, line.number))
    return Grant(tuple(Gift(line.sku, same.quantity) for line in lines), 1, times)


def _next(rule: ThresholdGiftRule, more: int, grants: Iterable[Grant]) -> Next:
    # Where shoppers pick, the hint names what they get without a pick.
    given = [gift for grant in grants for gift in merged(grant.options[: grant.choose], grant.times)]
    if rule.by == "count":
        return Next(buy_more=more, gifts=merged(given))
    return Next(spend_more=more, gifts=merged(given))


def _guard(plan: Plan) -> list[FieldError]:
    rule: ThresholdGiftRule = plan.rule
    errors = guard_common(plan)
    if rule.by is None:
        errors.append(missing("rule.by"))
    if not rule.tiers:
        errors.append(missing("rule.tiers"))
    if rule.mode == "every" and len(rule.tiers) > 1:
        text = "every counts multiples of one threshold: keep one tier, or use best or cumulative"
        errors.append(FieldError("rule.tiers", "one_tier_only", text))
    if rule.mode != "every" and rule.max is not None:
        text = f"{rule.mode} gives each tier once: leave max out, or use every"
        errors.append(FieldError("rule.max", "not_for_mode", text))
    for index, tier in enumerate(rule.tiers):
        if tier.at is None:
            errors.append(missing(f"rule.tiers.{index}.at"))
        errors += _guard_tier(plan, f"rule.tiers.{index}", tier)
    return [*errors, *guard_increasing("rule.tiers", (tier.at for tier in rule.tiers), "at")]


def _guard_tier(plan: Plan, path: str, tier: GiftTier) -> list[FieldError]:
    if tier.same_item is not None:
        return _guard_same_item(plan, path, tier)
    errors = guard_gifts(plan, f"{path}.gifts", tier.gifts)
    listed = len(tier.gifts)
    if tier.choose is not None and listed and tier.choose > listed:
        text = f"the tier lists {listed}: add gifts, or lower choose to at most {listed}"
        errors.append(FieldError(f"{path}.choose", "more_than_listed", text))
    return errors


def _guard_same_item(plan: Plan, path: str, tier: GiftTier) -> list[FieldError]:
    errors = []
    for index, gift in enumerate(tier.gifts):
        field = f"{path}.gifts.{index}.same_item"
        if not gift.same_item:
            continue
        if gift.sku is not None:
            text = "give either sku or same_item, not both"
            errors.append(FieldError(field, "one_way_only", text))
        if plan.rule.by == "amount":
            text = 'one more of the same is given by count: want "by": "count", or name a gift by its sku'
            errors.append(FieldError(field, "needs_count", text))
        if len(tier.gifts) > 1:
            text = "same_item stands alone in its tier: move the other gifts to another tier or campaign"
            errors.append(FieldError(field, "same_item_alone", text))
        if plan.gifts_only:
            errors.append(must_be_gift_only(field, "name a gift_only product by its sku"))
    if tier.choose is not None:
        text = "the shopper picks one of the joined products anyway: leave choose out"
        errors.append(FieldError(f"{path}.choose", "not_for_same_item", text))
    return errors


def _named(rule: ThresholdGiftRule) -> Iterable[str]:
    return [gift.sku for tier in rule.tiers for gift in tier.gifts if gift.sku is not None]


def _label(rule: ThresholdGiftRule, _items: Sequence[Item], currency: str) -> dict[str, str]:
    plain = {"en": "Free gift", "zh-Hant": "滿件贈" if rule.by == "count" else "滿額贈"}
    tier = rule.tiers[0] if rule.tiers else None
    if tier is None or tier.at is None or rule.by is None:
        return plain
    every = rule.mode == "every"
    same = tier.same_item
    if same is not None:
        shown = {"en": f"Buy {tier.at}, get {same.quantity} free", "zh-Hant": f"買 {tier.at} 送 {same.quantity}"}
    elif rule.by == "count":
        shown = {
            "en": f"Gift every {tier.at} items" if every else f"Gift with {tier.at} items",
            "zh-Hant": f"每 {tier.at} 件送贈品" if every else f"滿 {tier.at} 件送贈品",
        }
    else:
        amount = money.short(tier.at, currency)
        shown = {
            "en": f"Gift every {amount}" if every else f"Gift over {amount}",
            "zh-Hant": f"每滿 {amount} 送贈品" if every else f"滿 {amount} 送贈品",
        }
    return fitting(shown, plain)


_GIFTS = FormField("gifts", "table", {"en": "Gifts", "zh-Hant": "贈品"}, required=True, columns=GIFT_COLUMNS)
_SAME_ITEM = FormField(
    "same_item",
    "flag",
    {"en": "One more of what was bought", "zh-Hant": "送同款商品"},
    {
        "en": "Instead of a named gift: the shopper picks among the bought products, by default the cheapest.",
        "zh-Hant": "取代指定贈品：由顧客從所購商品中挑選，預設為最低價者。",
    },
)
_CHOOSE = FormField(
    "choose",
    "count",
    {"en": "The shopper picks", "zh-Hant": "任選幾樣"},
    {"en": "Leave empty to give all that are listed.", "zh-Hant": "留空表示全部贈送。"},
)


def _tiers(by: str, threshold: FormField, gifts: FormField) -> FormField:
    return FormField(
        "rule.tiers",
        "table",
        {"en": "Tiers", "zh-Hant": "級距"},
        {"en": "From the lowest to the highest. At most 20.", "zh-Hant": "由低到高，最多 20 級。"},
        required=True,
        columns=(threshold, gifts, _CHOOSE),
        shown_if=("rule.by", by),
    )


_LADDER = [
    {"at": 10000, "gifts": [{"sku": "spoon", "quantity": 1}]},
    {"at": 30000, "gifts": [{"sku": "mug", "quantity": 1}]},
]

PROMOTION = PromotionType(
    name="threshold_gift",
    title={"en": "Gift over a threshold", "zh-Hant": "滿贈"},
    sentence={
        "en": "Spending enough, or buying enough units, brings gifts.",
        "zh-Hant": "消費滿額或滿件即送贈品。",
    },
    words=("gift", "free gift", "buy and get", "滿贈", "滿額贈", "滿件贈", "贈品", "買送"),
    fields=ThresholdGiftFields,
    campaign=ThresholdGiftCampaign,
    item=Item,
    guard=_guard,
    label=_label,
    evaluate=_evaluate,
    named=_named,
    form=(
        FormField(
            "rule.by",
            "choice",
            {"en": "Threshold", "zh-Hant": "門檻"},
            required=True,
            choices={
                "amount": {"en": "What the products cost", "zh-Hant": "滿額"},
                "count": {"en": "How many pieces", "zh-Hant": "滿件"},
            },
        ),
        FormField(
            "rule.mode",
            "choice",
            {"en": "Tiers", "zh-Hant": "階梯方式"},
            choices={
                "best": {"en": "Only the highest reached tier", "zh-Hant": "只送達到的最高階"},
                "cumulative": {"en": "All reached tiers together", "zh-Hant": "達到的各階累計贈送"},
                "every": {"en": "Again at every multiple", "zh-Hant": "每滿即送"},
            },
        ),
        _tiers("amount", FormField("at", "money", {"en": "Spend", "zh-Hant": "滿額"}, required=True), _GIFTS),
        _tiers(
            "count",
            FormField("at", "count", {"en": "Pieces", "zh-Hant": "滿件"}, required=True),
            replace(_GIFTS, columns=(*GIFT_COLUMNS, _SAME_ITEM)),
        ),
        FormField(
            "rule.max",
            "count",
            {"en": "Most times in one order", "zh-Hant": "每單最多送幾次"},
            {"en": "Leave empty for no limit.", "zh-Hant": "留空表示不限。"},
            shown_if=("rule.mode", "every"),
        ),
    ),
    examples=(
        Example(
            {
                "en": "Spending 300 reaches the second tier; only its gift is given.",
                "zh-Hant": "消費滿 300，只送第二階的贈品。",
            },
            rule={"by": "amount", "mode": "best", "tiers": _LADDER},
            prices={"kettle": 15000, "mug": 1900, "spoon": 500},
            cart={"kettle": 2},
            expect={"discount": 0, "total": 30000, "payables": [30000], "tier": 1, "gifts": {"mug": 1}},
        ),
        Example(
            {"en": "The same, cumulative: both gifts.", "zh-Hant": "累計贈送：兩階贈品都送。"},
            rule={"by": "amount", "mode": "cumulative", "tiers": _LADDER},
            prices={"kettle": 15000, "mug": 1900, "spoon": 500},
            cart={"kettle": 2},
            expect={"discount": 0, "total": 30000, "tier": 1, "gifts": {"spoon": 1, "mug": 1}},
        ),
        Example(
            {
                "en": "Buy 2, get 1 free: of 5 units, two more of the cheapest; paid units stay paid.",
                "zh-Hant": "買 2 送 1：買 5 件，加送 2 件最低價者，所購商品照價付款。",
            },
            rule={
                "by": "count",
                "mode": "every",
                "tiers": [{"at": 2, "gifts": [{"same_item": True, "quantity": 1}]}],
            },
            prices={"kettle": 12900, "lamp": 5900},
            cart={"kettle": 3, "lamp": 2},
            expect={"discount": 0, "total": 50500, "payables": [38700, 11800], "tier": 0, "gifts": {"lamp": 2}},
        ),
        Example(
            {"en": "One pick among three; without a pick the first.", "zh-Hant": "三選一；未選時送第一項。"},
            rule={
                "by": "count",
                "tiers": [
                    {
                        "at": 2,
                        "gifts": [
                            {"sku": "mug", "quantity": 1},
                            {"sku": "spoon", "quantity": 2},
                            {"sku": "bag", "quantity": 1},
                        ],
                        "choose": 1,
                    }
                ],
            },
            prices={"kettle": 12900, "mug": 1900, "spoon": 500, "bag": 900},
            cart={"kettle": 2},
            expect={"discount": 0, "total": 25800, "tier": 0, "gifts": {"mug": 1}},
        ),
    ),
    body={
        "type": "threshold_gift",
        "name": "Gifts over 300",
        "code": "gift300",
        "starts_at": "2026-11-21T00:00:00+08:00",
        "ends_at": "2026-11-28T00:00:00+08:00",
        "scope": "all",
        "rule": {
            "by": "amount",
            "mode": "best",
            "tiers": [
                {"at": 30000, "gifts": [{"sku": "lamp", "quantity": 1}]},
                {
                    "at": 60000,
                    "gifts": [{"sku": "lamp", "quantity": 1}, {"sku": "fan", "quantity": 1}],
                    "choose": 1,
                },
            ],
        },
    },
)
