"""A promotion type that the shop does not have, as somebody would add it: this one file, put beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from admin.errors import FieldError
from admin.promotions import money
from admin.promotions.effects import Effect, Group
from admin.promotions.guards import guard_common, missing
from admin.promotions.model import (
    ITEMS_MAX,
    CampaignFields,
    Example,
    FormField,
    Item,
    NewCampaign,
    Plan,
    PromotionType,
    Rule,
)
from admin.promotions.percent import Percent


class SecondHalfPriceRule(Rule):
    percent_off: Percent | None = None


class SecondHalfPriceFields(CampaignFields):
    rule: SecondHalfPriceRule = Field(default_factory=SecondHalfPriceRule)
    items: list[Item] = Field(default_factory=list, max_length=ITEMS_MAX)


class SecondHalfPriceCampaign(SecondHalfPriceFields, NewCampaign):
    type: Literal["second_half_price"]


def _evaluate(rule: SecondHalfPriceRule, group: Group) -> Effect:
    off = rule.percent_off or 0
    sharing = tuple(line.quantity // 2 for line in group.lines)
    discount = sum(
        money.percent_off(line.price, off) * pairs for line, pairs in zip(group.lines, sharing, strict=True)
    )
    return Effect(reached=any(sharing), discount=discount, tier=0 if any(sharing) else None, sharing=sharing)


def _guard(plan: Plan) -> list[FieldError]:
    errors = guard_common(plan)
    return errors if plan.rule.percent_off is not None else [*errors, missing("rule.percent_off")]


def _label(_rule: SecondHalfPriceRule, _items: Sequence[Any], _currency: str) -> dict[str, str]:
    return {"en": "Second one for less", "zh-Hant": "第二件優惠"}


PROMOTION = PromotionType(
    name="second_half_price",
    title={"en": "Second for less", "zh-Hant": "第二件優惠"},
    sentence={"en": "Every second unit of a product costs less.", "zh-Hant": "同款商品每第二件享折扣。"},
    words=("second half price", "第二件半價"),
    fields=SecondHalfPriceFields,
    campaign=SecondHalfPriceCampaign,
    item=Item,
    guard=_guard,
    label=_label,
    evaluate=_evaluate,
    form=(FormField("rule.percent_off", "percent", {"en": "Percent off", "zh-Hant": "第二件折扣"}, required=True),),
    examples=(
        Example(
            {"en": "Of three cups, one costs half.", "zh-Hant": "買三個杯子，一個半價。"},
            rule={"percent_off": 50},
            prices={"cup": 1999},
            cart={"cup": 3},
            expect={"discount": 999, "total": 4998, "payables": [4998], "tier": 0},
        ),
    ),
    body={
        "type": "second_half_price",
        "name": "Second cup",
        "code": "second-cup",
        "starts_at": "2026-11-21T00:00:00+08:00",
        "ends_at": "2026-11-28T00:00:00+08:00",
        "rule": {"percent_off": 50},
        "items": [{"sku": "kettle"}],
    },
)
