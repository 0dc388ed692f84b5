"""threshold_reduction 滿減: an amount off a large purchase, by tiers once or for each full amount (每滿減)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import Input
from admin.promotions import money
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


class Reduction(Input):
    """One step: who spends this much gets that much off."""

    spend: Amount | None = None
    off: Amount | None = None


class ThresholdReductionRule(Rule):
    """Either a ladder of tiers, of which the best reached one counts once, or one step that repeats."""

    mode: Literal["tiers", "every"] | None = Field(
        default=None, description="tiers: the best reached tier, once; every: again for each full `spend`"
    )
    tiers: Annotated[list[Reduction], Field(max_length=TIERS_MAX)] = Field(
        default_factory=list, description="with mode tiers: both amounts grow from tier to tier"
    )
    spend: Amount | None = Field(default=None, description="with mode every: what counts as full once")
    off: Amount | None = Field(default=None, description="with mode every: taken off each time")
    cap: Amount | None = Field(default=None, description="with mode every: the most that is taken off in all")


class ThresholdReductionFields(CampaignFields):
    """What may be changed about a threshold reduction."""

    rule: ThresholdReductionRule = Field(default_factory=ThresholdReductionRule)
    items: list[Item] = Field(default_factory=list, max_length=ITEMS_MAX)


class ThresholdReductionCampaign(ThresholdReductionFields, NewCampaign):
    """A new threshold reduction."""

    type: Literal["threshold_reduction"]


def _evaluate(rule: ThresholdReductionRule, group: Group) -> Effect:
    return (_every if rule.mode == "every" else _ladder)(rule, group.subtotal)


def _ladder(rule: ThresholdReductionRule, subtotal: int) -> Effect:
    steps = _steps(rule)
    reached = sum(spend <= subtotal for spend, _ in steps)
    further = None
    if reached < len(steps):
        spend, off = steps[reached]
        further = Next(spend_more=spend - subtotal, discount=off)
    if reached == 0:
        return Effect(reached=False, next=further)
    return Effect(reached=True, discount=steps[reached - 1][1], tier=reached - 1, next=further)


def _every(rule: ThresholdReductionRule, subtotal: int) -> Effect:
    if rule.spend is None or rule.off is None:
        return Effect(reached=False)
    times = subtotal // rule.spend
    discount, then = (
        each if rule.cap is None else min(each, rule.cap) for each in (times * rule.off, (times + 1) * rule.off)
    )
    further = Next(spend_more=(times + 1) * rule.spend - subtotal, discount=then) if then > discount else None
    if times == 0:
        return Effect(reached=False, next=further)
    return Effect(reached=True, discount=discount, tier=0, next=further)


def _steps(rule: ThresholdReductionRule) -> list[tuple[int, int]]:
    return [(tier.spend, tier.off) for tier in rule.tiers if tier.spend is not None and tier.off is not None]


def _guard(plan: Plan) -> list[FieldError]:
    rule: ThresholdReductionRule = plan.rule
    errors = guard_common(plan)
    if rule.mode is None:
        return [*errors, FieldError("rule.mode", "missing", 'choose "tiers" or "every"')]
    if rule.mode == "tiers":
        return [*errors, *_guard_tiers(rule)]
    if rule.tiers:
        errors.append(
            FieldError(
                "rule.tiers", "not_for_mode", 'leave tiers out, or choose "mode": "tiers" instead of "every"'
            )
        )
    errors += _guard_step("rule", rule)
    if rule.cap is not None and rule.off is not None and rule.cap < rule.off:
        errors.append(FieldError("rule.cap", "too_small", f"want at least what one step takes off, {rule.off}"))
    return errors


def _guard_tiers(rule: ThresholdReductionRule) -> list[FieldError]:
    errors = [
        FieldError(f"rule.{name}", "not_for_mode", f'write {name} into a tier, or choose "mode": "every"')
        for name in ("spend", "off")
        if getattr(rule, name) is not None
    ]
    if rule.cap is not None:
        errors.append(FieldError("rule.cap", "not_for_mode", 'leave cap out: only "mode": "every" has one'))
    if not rule.tiers:
        errors.append(missing("rule.tiers"))
    for index, tier in enumerate(rule.tiers):
        errors += _guard_step(f"rule.tiers.{index}", tier)
    for name in ("spend", "off"):
        errors += guard_increasing("rule.tiers", [getattr(tier, name) for tier in rule.tiers], name)
    return errors


def _guard_step(path: str, step: Reduction | ThresholdReductionRule) -> list[FieldError]:
    errors = [missing(f"{path}.{name}") for name in ("spend", "off") if getattr(step, name) is None]
    if step.spend is not None and step.off is not None and step.off > step.spend:
        errors.append(FieldError(f"{path}.off", "too_large", f"want at most spend, {step.spend}"))
    return errors


def _label(rule: ThresholdReductionRule, _items: Sequence[Any], currency: str) -> dict[str, str]:
    plain = {"en": "Spend and save", "zh-Hant": "滿額減"}
    if rule.mode == "every":
        if rule.spend is None or rule.off is None:
            return plain
        spend, off = money.short(rule.spend, currency), money.short(rule.off, currency)
        return fitting({"en": f"Every {spend}: {off} off", "zh-Hant": f"每滿 {spend} 減 {off}"}, plain)
    steps = _steps(rule)
    if not steps:
        return plain
    spend, off = money.short(steps[-1][0], currency), money.short(steps[-1][1], currency)
    if len(steps) == 1:
        return fitting({"en": f"{off} off over {spend}", "zh-Hant": f"滿 {spend} 減 {off}"}, plain)
    return fitting({"en": f"Up to {off} off", "zh-Hant": f"最高減 {off}"}, plain)


_SPEND = {"en": "Spend", "zh-Hant": "滿額"}
_SPEND_HELP = {
    "en": "What the joined products cost at base price; exactly this much is enough.",
    "zh-Hant": "參加商品的原價小計；剛好達到即符合。",
}
_OFF = {"en": "Amount off", "zh-Hant": "減"}

PROMOTION = PromotionType(
    name="threshold_reduction",
    title={"en": "Amount off a total", "zh-Hant": "滿減"},
    sentence={
        "en": "Who spends enough pays an amount less, once by tiers or again for every full amount.",
        "zh-Hant": "消費滿額即減：依級距減一次，或每滿即減、可累計。",
    },
    words=("spend and save", "amount off", "滿減", "滿額減", "每滿減", "滿額折"),
    fields=ThresholdReductionFields,
    campaign=ThresholdReductionCampaign,
    item=Item,
    guard=_guard,
    label=_label,
    evaluate=_evaluate,
    form=(
        FormField(
            "rule.mode",
            "choice",
            {"en": "How it counts", "zh-Hant": "方式"},
            required=True,
            choices={
                "tiers": {"en": "Tiers: the best reached one, once", "zh-Hant": "滿額減：達到的最高級距，減一次"},
                "every": {"en": "Every full amount, again and again", "zh-Hant": "每滿減：每滿一次減一次"},
            },
        ),
        FormField(
            "rule.tiers",
            "table",
            {"en": "Tiers", "zh-Hant": "級距"},
            {
                "en": "From the lowest to the highest; both amounts grow. At most 20.",
                "zh-Hant": "由低到高，滿額與減額都須遞增，最多 20 級。",
            },
            required=True,
            columns=(
                FormField("spend", "money", _SPEND, _SPEND_HELP, required=True),
                FormField(
                    "off",
                    "money",
                    _OFF,
                    {
                        "en": "Taken off once, at most the amount to spend.",
                        "zh-Hant": "減一次的金額，不可高於滿額。",
                    },
                    required=True,
                ),
            ),
            shown_if=("rule.mode", "tiers"),
        ),
        FormField("rule.spend", "money", _SPEND, _SPEND_HELP, required=True, shown_if=("rule.mode", "every")),
        FormField(
            "rule.off",
            "money",
            _OFF,
            {
                "en": "Taken off each time, at most the amount to spend.",
                "zh-Hant": "每滿一次減的金額，不可高於滿額。",
            },
            required=True,
            shown_if=("rule.mode", "every"),
        ),
        FormField(
            "rule.cap",
            "money",
            {"en": "At most", "zh-Hant": "最多減"},
            {
                "en": "The most that one order is reduced by; empty: no limit.",
                "zh-Hant": "每筆訂單最多減多少；空白為不限。",
            },
            shown_if=("rule.mode", "every"),
        ),
    ),
    examples=(
        Example(
            {
                "en": "10 off is divided by what the lines cost: 3.33, 3.33 and the larger remainder 3.34.",
                "zh-Hant": "減 10 元依小計分攤為 3.33、3.33、3.34；餘數最大者多分一分。",
            },
            rule={"mode": "tiers", "tiers": [{"spend": 10000, "off": 1000}, {"spend": 30000, "off": 4000}]},
            prices={"cup": 3333, "plate": 3333, "bowl": 3335},
            cart={"cup": 1, "plate": 1, "bowl": 1},
            expect={"discount": 1000, "total": 9001, "payables": [3000, 3000, 3001], "tier": 0},
        ),
        Example(
            {"en": "The best reached tier counts, alone.", "zh-Hant": "只取達到的最高級距。"},
            rule={"mode": "tiers", "tiers": [{"spend": 10000, "off": 1000}, {"spend": 30000, "off": 4000}]},
            prices={"kettle": 9999, "lamp": 10002},
            cart={"kettle": 2, "lamp": 1},
            expect={"discount": 4000, "total": 26000, "payables": [17332, 8668], "tier": 1},
        ),
        Example(
            {"en": "One cent below the threshold nothing is taken off.", "zh-Hant": "差一分未滿額，不減。"},
            rule={"mode": "tiers", "tiers": [{"spend": 10000, "off": 1000}]},
            prices={"kettle": 9999},
            cart={"kettle": 1},
            expect={"discount": 0, "total": 9999, "payables": [9999]},
        ),
        Example(
            {
                "en": "Every 50: 5 off, at most 12. 179.97 holds 50 three times, which would be 15.",
                "zh-Hant": "每滿 50 減 5，最多減 12：179.97 滿三次應減 15，故減 12。",
            },
            rule={"mode": "every", "spend": 5000, "off": 500, "cap": 1200},
            prices={"cup": 5999},
            cart={"cup": 3},
            expect={"discount": 1200, "total": 16797, "payables": [16797], "tier": 0},
        ),
    ),
    body={
        "type": "threshold_reduction",
        "name": "Spend and save",
        "code": "save100",
        "starts_at": "2026-11-21T00:00:00+08:00",
        "ends_at": "2026-11-28T00:00:00+08:00",
        "scope": "all",
        "rule": {"mode": "tiers", "tiers": [{"spend": 10000, "off": 1000}, {"spend": 30000, "off": 4000}]},
    },
)
