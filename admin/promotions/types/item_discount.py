"""item_discount 單品促銷: every unit of a product costs a percentage less, an amount less, or a fixed price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import Money
from admin.promotions import money
from admin.promotions.effects import Effect, Group
from admin.promotions.guards import guard_common
from admin.promotions.model import (
    ITEMS_MAX,
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

_WAYS = ("percent_off", "amount_off", "price")


class ItemDiscountRule(Rule):
    """One of the three ways, for every product that has no terms of its own."""

    percent_off: Percent | None = Field(default=None, description="per unit, rounded half up")
    amount_off: Amount | None = Field(default=None, description="minor units, per unit")
    price: Money | None = Field(default=None, description="what a unit costs, minor units")


class ItemDiscountItem(Item):
    """One product, perhaps with one way of its own."""

    percent_off: Percent | None = Field(default=None, description="per unit, rounded half up")
    amount_off: Amount | None = Field(default=None, description="minor units, per unit")
    price: Money | None = Field(default=None, description="what a unit costs, minor units")


class ItemDiscountFields(CampaignFields):
    """What may be changed about an item discount."""

    rule: ItemDiscountRule = Field(default_factory=ItemDiscountRule)
    items: list[ItemDiscountItem] = Field(default_factory=list, max_length=ITEMS_MAX)


class ItemDiscountCampaign(ItemDiscountFields, NewCampaign):
    """A new item discount."""

    type: Literal["item_discount"]


def reduced(terms: ItemDiscountRule | ItemDiscountItem, price: int) -> int | None:
    """What a unit of some base price costs under some terms; None when they name no way."""
    if terms.percent_off is not None:
        return money.half_up(price, money.WHOLE - terms.percent_off)
    if terms.amount_off is not None:
        return price - terms.amount_off
    return terms.price


def _unit_price(rule: ItemDiscountRule, item: ItemDiscountItem | None, price: int) -> int | None:
    own = reduced(item, price) if item is not None else None
    return own if own is not None else reduced(rule, price)


def _evaluate(rule: ItemDiscountRule, group: Group) -> Effect:
    per_unit = []
    for line in group.lines:
        price = _unit_price(rule, line.item, line.price)
        per_unit.append(line.price - price if price is not None else 0)
    discount = sum(off * line.quantity for off, line in zip(per_unit, group.lines, strict=True))
    return Effect(reached=True, discount=discount, tier=0, per_unit=tuple(per_unit))


def _refuses(rule: ItemDiscountRule, item: ItemDiscountItem | None, price: int, _quantity: int) -> str | None:
    unit_price = _unit_price(rule, item, price)
    return None if unit_price is not None and 0 <= unit_price < price else "not_below_base"


def _guard(plan: Plan) -> list[FieldError]:
    errors = [*guard_common(plan), *_one_way("rule", plan.rule, needed=_rule_needed(plan))]
    for index, item in enumerate(plan.items):
        errors += _one_way(f"items.{index}", item, needed=False)
        product = plan.products.get(item.sku)
        if product is None or item.sku in plan.kept:
            continue
        price = _unit_price(plan.rule, item, product.price)
        if price is not None and not 0 <= price < product.price:
            own = _given(item)
            path = f"items.{index}.{own[0]}" if own else f"rule.{(_given(plan.rule) or ['price'])[0]}"
            errors.append(
                FieldError(
                    path,
                    "not_below_base",
                    f"{item.sku} would cost {price}; want at least 0 and less than its base price {product.price}",
                )
            )
    return errors


def _rule_needed(plan: Plan) -> bool:
    return not plan.items or any(not _given(item) for item in plan.items)


def _given(terms: ItemDiscountRule | ItemDiscountItem) -> list[str]:
    return [name for name in _WAYS if getattr(terms, name) is not None]


def _one_way(path: str, terms: ItemDiscountRule | ItemDiscountItem, *, needed: bool) -> list[FieldError]:
    given = _given(terms)
    if len(given) > 1:
        text = f"give only one of {', '.join(given)}"
        return [FieldError(f"{path}.{name}", "one_way_only", text) for name in given[1:]]
    if needed and not given:
        return [FieldError(path, "missing", f"give one of {', '.join(_WAYS)}")]
    return []


def _label(rule: ItemDiscountRule, items: Sequence[ItemDiscountItem], currency: str) -> dict[str, str]:
    plain = {"en": "Special price", "zh-Hant": "特價"}
    terms = [item if _given(item) else rule for item in items] or [rule]
    if len({tuple(getattr(each, name) for name in _WAYS) for each in terms}) > 1:
        return plain
    only = terms[0]
    if only.percent_off is not None:
        shown = {
            "en": f"{money.show_percent(only.percent_off)}% off",
            "zh-Hant": f"{money.show_zhe(only.percent_off)} 折",
        }
    elif only.amount_off is not None:
        amount = money.short(only.amount_off, currency)
        shown = {"en": f"{amount} off each", "zh-Hant": f"每件減 {amount}"}
    elif only.price is not None:
        amount = money.short(only.price, currency)
        shown = {"en": f"Now {amount}", "zh-Hant": f"特價 {amount}"}
    else:
        return plain
    return fitting(shown, plain)


def _way_fields(prefix: str) -> tuple[FormField, ...]:
    """The three ways, of which one is given; the rule and each product have them."""
    return (
        FormField(
            f"{prefix}percent_off",
            "percent",
            {"en": "Percent off", "zh-Hant": "折扣"},
            {
                "en": "15 takes 15 % off every unit. Fill in one of the three.",
                "zh-Hant": "填 8.5 折，即每件省 15 %。三者擇一填寫。",
            },
        ),
        FormField(
            f"{prefix}amount_off",
            "money",
            {"en": "Amount off", "zh-Hant": "每件減"},
            {
                "en": "What every unit is reduced by. Fill in one of the three.",
                "zh-Hant": "每件減去的金額。三者擇一填寫。",
            },
        ),
        FormField(
            f"{prefix}price",
            "money",
            {"en": "Fixed price", "zh-Hant": "一口價"},
            {
                "en": "What every unit costs, below its base price. Fill in one of the three.",
                "zh-Hant": "每件的售價，須低於原價。三者擇一填寫。",
            },
        ),
    )


PROMOTION = PromotionType(
    name="item_discount",
    title={"en": "Item discount", "zh-Hant": "單品促銷"},
    sentence={
        "en": "Each unit costs a percentage less, an amount less, or a fixed price.",
        "zh-Hant": "每件商品打折、減價或一口價。",
    },
    words=("discount", "sale", "special price", "折扣", "特價", "打折", "單品促銷"),
    fields=ItemDiscountFields,
    campaign=ItemDiscountCampaign,
    item=ItemDiscountItem,
    guard=_guard,
    label=_label,
    evaluate=_evaluate,
    refuses=_refuses,
    additive=True,
    counts_units=True,
    form=(
        *_way_fields("rule."),
        FormField(
            "items",
            "table",
            {"en": "Products with terms of their own", "zh-Hant": "商品另訂條件"},
            {
                "en": "A product without any of the three takes the terms above.",
                "zh-Hant": "三者皆空白的商品適用上方的條件。",
            },
            columns=(
                FormField("sku", "product", {"en": "Product", "zh-Hant": "商品"}, required=True),
                *_way_fields(""),
            ),
            shown_if=("scope", "items"),
        ),
    ),
    examples=(
        Example(
            {
                "en": "40 % off 99.99 is 59.99, rounded for each unit.",
                "zh-Hant": "99.99 打 6 折為 59.99，每件各自四捨五入。",
            },
            rule={"percent_off": 40},
            prices={"kettle": 9999},
            cart={"kettle": 2},
            expect={"discount": 8000, "total": 11998, "payables": [11998], "tier": 0},
        ),
        Example(
            {"en": "A product may have terms of its own.", "zh-Hant": "商品可另訂條件。"},
            rule={"amount_off": 2000},
            items=[{"sku": "kettle"}, {"sku": "lamp", "price": 3000}, {"sku": "cup", "percent_off": 12.5}],
            prices={"kettle": 12900, "lamp": 5900, "cup": 333},
            cart={"kettle": 1, "lamp": 1, "cup": 3},
            expect={"discount": 5026, "total": 14773, "payables": [10900, 3000, 873], "tier": 0},
        ),
        Example(
            {
                "en": "Half a cent is rounded up: 50 % off 0.99 is 0.50.",
                "zh-Hant": "半分進位：0.99 打 5 折為 0.50。",
            },
            rule={"percent_off": 50},
            prices={"pin": 99},
            cart={"pin": 1},
            expect={"discount": 49, "total": 50, "payables": [50], "tier": 0},
        ),
        Example(
            {
                "en": "A price is never raised: what costs less already keeps its base price.",
                "zh-Hant": "不會調高售價：原價已低於一口價的商品照原價。",
            },
            rule={"price": 6000},
            prices={"kettle": 9999, "cup": 5999},
            cart={"kettle": 1, "cup": 1},
            expect={"discount": 3999, "total": 11999, "payables": [6000, 5999], "tier": 0},
        ),
    ),
    body={
        "type": "item_discount",
        "name": "Kettle week",
        "code": "kettle-week",
        "starts_at": "2026-11-21T00:00:00+08:00",
        "ends_at": "2026-11-28T00:00:00+08:00",
        "rule": {"percent_off": 15},
        "items": [{"sku": "kettle"}, {"sku": "lamp", "price": 3000}],
    },
)
