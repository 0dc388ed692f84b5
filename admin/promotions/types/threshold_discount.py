"""threshold_discount 滿折: a percentage off everything that joined, once it costs enough or is enough pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import Input
from admin.promotions import money
from admin.promotions.cart import UNITS_MAX
from admin.promotions.effects import Effect, Group, Next
from admin.promotions.guards import guard_common, guard_increasing, missing
from admin.promotions.model import (
    ITEMS_MAX,
    TIERS_MAX,
    Amount,
    CampaignFields,
    Example,
    FormField,
    Item,
    NewCampaign,
    Plan,
    PromotionType,
    Rule,
    fitting,
)
from admin.promotions.percent import Percent


class DiscountTier(Input):
    """One step: from this threshold on everything costs that much less."""

    at: Amount | None = Field(default=None, description="minor units, or units of products, as `by` says")
    percent_off: Percent | None = None


class ThresholdDiscountRule(Rule):
    """A ladder of percentages; the best reached one counts."""

    by: Literal["amount", "count"] | None = Field(default=None, description="what the thresholds are compared with")
    tiers: Annotated[list[DiscountTier], Field(max_length=TIERS_MAX)] = Field(
        default_factory=list, description="threshold and percentage grow from tier to tier"
    )


class ThresholdDiscountFields(CampaignFields):
    """What may be changed about a threshold discount."""

    rule: ThresholdDiscountRule = Field(default_factory=ThresholdDiscountRule)
    items: list[Item] = Field(default_factory=list, max_length=ITEMS_MAX)


class ThresholdDiscountCampaign(ThresholdDiscountFields, NewCampaign):
    """A new threshold discount."""

    type: Literal["threshold_discount"]


def _evaluate(rule: ThresholdDiscountRule, group: Group) -> Effect:
    subtotal = group.subtotal
    by_count = rule.by == "count"
    have = group.units if by_count else subtotal
    steps = _steps(rule)
    reached = sum(at <= have for at, _ in steps)
    further = None
    if reached < len(steps):
        at, percent_off = steps[reached]
        further = (
            Next(buy_more=at - have, discount=money.percent_off(subtotal, percent_off))
            if by_count
            else Next(spend_more=at - have, discount=money.percent_off(at, percent_off))
        )
    if reached == 0:
        return Effect(reached=False, next=further)
    discount = money.percent_off(subtotal, steps[reached - 1][1])
    return Effect(reached=True, discount=discount, tier=reached - 1, next=further)


def _steps(rule: ThresholdDiscountRule) -> list[tuple[int, int]]:
    return [
        (tier.at, tier.percent_off) for tier in rule.tiers if tier.at is not None and tier.percent_off is not None
    ]


def _guard(plan: Plan) -> list[FieldError]:
    rule: ThresholdDiscountRule = plan.rule
    errors = guard_common(plan)
    if rule.by is None:
        errors.append(FieldError("rule.by", "missing", 'choose "amount" or "count"'))
    if not rule.tiers:
        errors.append(missing("rule.tiers"))
    for index, tier in enumerate(rule.tiers):
        path = f"rule.tiers.{index}"
        errors += [missing(f"{path}.{name}") for name in ("at", "percent_off") if getattr(tier, name) is None]
        if rule.by == "count" and tier.at is not None and tier.at > UNITS_MAX:
            errors.append(FieldError(f"{path}.at", "too_large", f"want at most {UNITS_MAX}, what a cart can hold"))
    for name in ("at", "percent_off"):
        errors += guard_increasing("rule.tiers", [getattr(tier, name) for tier in rule.tiers], name)
    return errors


def _label(rule: ThresholdDiscountRule, _items: Sequence[Any], currency: str) -> dict[str, str]:
    plain = {"en": "Buy more, save more", "zh-Hant": "滿額滿件折"}
    steps = _steps(rule)
    if not steps or rule.by is None:
        return plain
    at, basis_points = steps[-1]
    off, zhe = money.show_percent(basis_points), money.show_zhe(basis_points)
    if len(steps) > 1:
        return fitting({"en": f"Up to {off}% off", "zh-Hant": f"最高 {zhe} 折"}, plain)
    if rule.by == "count":
        return fitting({"en": f"{at}+ items {off}% off", "zh-Hant": f"滿 {at} 件 {zhe} 折"}, plain)
    spend = money.short(at, currency)
    return fitting({"en": f"{off}% off over {spend}", "zh-Hant": f"滿 {spend} 打 {zhe} 折"}, plain)


_PERCENT = FormField(
    "percent_off",
    "percent",
    {"en": "Percent off", "zh-Hant": "折扣"},
    {"en": "Off all joined products, not only the further ones.", "zh-Hant": "參加商品全部打折，不只是後面幾件。"},
    required=True,
)
_TIERS = {"en": "Tiers", "zh-Hant": "級距"}
_TIERS_HELP = {
    "en": "From the lowest to the highest; threshold and percentage grow. At most 20.",
    "zh-Hant": "由低到高，門檻與折扣都須遞增，最多 20 級。",
}

PROMOTION = PromotionType(
    name="threshold_discount",
    title={"en": "Percent off a total", "zh-Hant": "滿折"},
    sentence={
        "en": "Who spends enough, or buys enough pieces, pays a percentage less for all of them.",
        "zh-Hant": "滿額或滿件，參加商品全部打折。",
    },
    words=("percent off", "buy more save more", "滿折", "滿額折扣", "滿件折", "打折"),
    fields=ThresholdDiscountFields,
    campaign=ThresholdDiscountCampaign,
    item=Item,
    guard=_guard,
    label=_label,
    evaluate=_evaluate,
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
            "rule.tiers",
            "table",
            _TIERS,
            _TIERS_HELP,
            required=True,
            columns=(
                FormField(
                    "at",
                    "money",
                    {"en": "Spend", "zh-Hant": "滿額"},
                    {
                        "en": "What the joined products cost at base price; exactly this much is enough.",
                        "zh-Hant": "參加商品的原價小計；剛好達到即符合。",
                    },
                    required=True,
                ),
                _PERCENT,
            ),
            shown_if=("rule.by", "amount"),
        ),
        FormField(
            "rule.tiers",
            "table",
            _TIERS,
            _TIERS_HELP,
            required=True,
            columns=(
                FormField(
                    "at",
                    "count",
                    {"en": "Pieces", "zh-Hant": "滿件"},
                    {
                        "en": "Pieces of all joined products together.",
                        "zh-Hant": "所有參加商品合計的件數。",
                    },
                    required=True,
                ),
                _PERCENT,
            ),
            shown_if=("rule.by", "count"),
        ),
    ),
    examples=(
        Example(
            {
                "en": "30 % off 2 pieces: 149.97 becomes 104.98, rounded once for all lines, then divided.",
                "zh-Hant": "滿 2 件 7 折：149.97 為 104.98，整組四捨五入一次，再分攤到各商品。",
            },
            rule={"by": "count", "tiers": [{"at": 2, "percent_off": 30}]},
            prices={"cup": 4999, "plate": 4999},
            cart={"cup": 1, "plate": 2},
            expect={"discount": 4499, "total": 10498, "payables": [3499, 6999], "tier": 0},
        ),
        Example(
            {"en": "One piece does not reach the threshold of two.", "zh-Hant": "只買 1 件，未滿 2 件，不打折。"},
            rule={"by": "count", "tiers": [{"at": 2, "percent_off": 30}]},
            prices={"cup": 4999},
            cart={"cup": 1},
            expect={"discount": 0, "total": 4999, "payables": [4999]},
        ),
        Example(
            {
                "en": "Spend 100 for 5 %, 300 for 12.5 %: 333.33 becomes 291.66.",
                "zh-Hant": "滿 100 打 9.5 折、滿 300 打 8.75 折：333.33 為 291.66。",
            },
            rule={
                "by": "amount",
                "tiers": [{"at": 10000, "percent_off": 5}, {"at": 30000, "percent_off": 12.5}],
            },
            prices={"kettle": 33333},
            cart={"kettle": 1},
            expect={"discount": 4167, "total": 29166, "payables": [29166], "tier": 1},
        ),
    ),
    body={
        "type": "threshold_discount",
        "name": "Two or more",
        "code": "two-or-more",
        "starts_at": "2026-11-21T00:00:00+08:00",
        "ends_at": "2026-11-28T00:00:00+08:00",
        "rule": {"by": "count", "tiers": [{"at": 2, "percent_off": 30}]},
        "items": [{"sku": "kettle"}, {"sku": "lamp"}],
    },
)
