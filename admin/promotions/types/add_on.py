"""add_on 加價購: whoever spends enough may add some products at a lower price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import Input, Money, Sku
from admin.promotions import money
from admin.promotions.effects import Effect, Group, Next, Option
from admin.promotions.guards import guard_common, guard_increasing, guard_product, missing
from admin.promotions.model import (
    ITEMS_MAX,
    TIERS_MAX,
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

OPTIONS_MAX = 50
"""Products offered in one tier."""


class AddOnOption(Input):
    """One product that may be added, and at what price."""

    sku: Sku | None = None
    price: Money | None = Field(default=None, description="per unit")
    limit: Annotated[int, Field(ge=1, le=999)] = Field(default=1, description="units in one order")


class AddOnTier(Input):
    """One step: from where on, and what it offers."""

    spend: Money | None = None
    options: list[AddOnOption] = Field(default_factory=list, max_length=OPTIONS_MAX)


class AddOnRule(Rule):
    """The ladder; all reached tiers offer their options."""

    tiers: list[AddOnTier] = Field(default_factory=list, max_length=TIERS_MAX)


class AddOnFields(CampaignFields):
    """What may be changed about an add-on campaign."""

    rule: AddOnRule = Field(default_factory=AddOnRule)
    items: list[Item] = Field(default_factory=list, max_length=ITEMS_MAX)


class AddOnCampaign(AddOnFields, NewCampaign):
    """A new add-on campaign."""

    type: Literal["add_on"]


def _evaluate(rule: AddOnRule, group: Group) -> Effect:
    subtotal = group.subtotal
    tiers = [(index, tier.spend, tier) for index, tier in enumerate(rule.tiers) if tier.spend is not None]
    reached = [(index, tier) for index, spend, tier in tiers if subtotal >= spend]
    higher = next((spend for _, spend, _ in tiers if spend > subtotal), None)
    return Effect(
        reached=bool(reached),
        tier=reached[-1][0] if reached else None,
        options=_options(tier for _, tier in reached),
        next=Next(spend_more=higher - subtotal) if higher is not None else None,
    )


def _options(tiers: Iterable[AddOnTier]) -> tuple[Option, ...]:
    """Each product once at its lowest price, with the limit that goes with it; at one price the larger limit."""
    found: dict[str, Option] = {}
    for tier in tiers:
        for terms in tier.options:
            if terms.sku is None or terms.price is None:
                continue
            option = Option(terms.sku, terms.price, terms.limit)
            known = found.setdefault(terms.sku, option)
            if (option.price, -option.limit) < (known.price, -known.limit):
                found[terms.sku] = option
    return tuple(found.values())


def _guard(plan: Plan) -> list[FieldError]:
    tiers: Sequence[AddOnTier] = plan.rule.tiers
    errors = guard_common(plan)
    if not tiers:
        errors.append(missing("rule.tiers"))
    for index, tier in enumerate(tiers):
        path = f"rule.tiers.{index}"
        if tier.spend is None:
            errors.append(missing(f"{path}.spend"))
        if not tier.options:
            errors.append(missing(f"{path}.options"))
        errors += _guard_options(plan, f"{path}.options", tier.options)
    return [*errors, *guard_increasing("rule.tiers", (tier.spend for tier in tiers), "spend")]


def _guard_options(plan: Plan, path: str, options: Sequence[AddOnOption]) -> list[FieldError]:
    errors = []
    seen: set[str] = set()
    for index, option in enumerate(options):
        field = f"{path}.{index}"
        if option.price is None:
            errors.append(missing(f"{field}.price"))
        if option.sku is None:
            errors.append(missing(f"{field}.sku"))
        elif option.sku in seen:
            text = f"{option.sku} is offered twice in this tier: keep one price"
            errors.append(FieldError(f"{field}.sku", "duplicate_sku", text))
        elif option.sku not in plan.kept:
            errors += _guard_option(plan, field, option.sku, option.price)
        if option.sku is not None:
            seen.add(option.sku)
    return errors


def _guard_option(plan: Plan, field: str, sku: str, price: int | None) -> list[FieldError]:
    errors = guard_product(plan, f"{field}.sku", sku)
    product = plan.products.get(sku)
    if product is not None and price is not None and price >= product.price:
        text = f"{sku} would cost {price}: want less than its base price {product.price}"
        errors.append(FieldError(f"{field}.price", "not_below_base", text))
    return errors


def _named(rule: AddOnRule) -> Iterable[str]:
    return [option.sku for tier in rule.tiers for option in tier.options if option.sku is not None]


def _label(rule: AddOnRule, _items: Sequence[Item], currency: str) -> dict[str, str]:
    plain = {"en": "Add-on offer", "zh-Hant": "加價購"}
    prices = {option.price for tier in rule.tiers for option in tier.options if option.price is not None}
    if not prices:
        return plain
    lowest = money.short(min(prices), currency)
    if len(prices) > 1:
        return fitting({"en": f"Add-on from {lowest}", "zh-Hant": f"加 {lowest} 起換購"}, plain)
    return fitting({"en": f"Add-on for {lowest}", "zh-Hant": f"加 {lowest} 換購"}, plain)


_TOWEL = {"sku": "towel", "price": 900, "limit": 2}

PROMOTION = PromotionType(
    name="add_on",
    title={"en": "Add-on at a lower price", "zh-Hant": "加價購"},
    sentence={
        "en": "Whoever spends enough may add certain products at a lower price.",
        "zh-Hant": "消費滿額即可加價換購指定商品。",
    },
    words=("add-on", "add on", "加價購", "換購", "加購"),
    fields=AddOnFields,
    campaign=AddOnCampaign,
    item=Item,
    guard=_guard,
    label=_label,
    evaluate=_evaluate,
    named=_named,
    form=(
        FormField(
            "rule.tiers",
            "table",
            {"en": "Tiers", "zh-Hant": "級距"},
            {
                "en": "From the lowest to the highest; every reached tier offers its products. At most 20.",
                "zh-Hant": "由低到高，達到的各級商品皆可換購，最多 20 級。",
            },
            required=True,
            columns=(
                FormField(
                    "spend",
                    "money",
                    {"en": "Spend", "zh-Hant": "滿額"},
                    {
                        "en": "What the joined products cost at base price; 0 offers them to whoever buys any.",
                        "zh-Hant": "參加商品的原價小計；填 0 即任購一件皆可換購。",
                    },
                    required=True,
                ),
                FormField(
                    "options",
                    "table",
                    {"en": "Products to add", "zh-Hant": "換購商品"},
                    required=True,
                    columns=(
                        FormField("sku", "product", {"en": "Product", "zh-Hant": "商品"}, required=True),
                        FormField(
                            "price",
                            "money",
                            {"en": "Add-on price", "zh-Hant": "換購價"},
                            {"en": "Below its base price.", "zh-Hant": "須低於原價。"},
                            required=True,
                        ),
                        FormField("limit", "count", {"en": "Limit per order", "zh-Hant": "每單限購"}),
                    ),
                ),
            ),
        ),
    ),
    examples=(
        Example(
            {"en": "Spending 100 allows a towel for 9.", "zh-Hant": "消費滿 100，加 9 元換購毛巾。"},
            rule={"tiers": [{"spend": 10000, "options": [_TOWEL]}]},
            prices={"kettle": 12900, "towel": 2900},
            cart={"kettle": 1},
            add_ons=[{"sku": "towel", "quantity": 1}],
            expect={"discount": 0, "total": 13800, "payables": [12900], "tier": 0},
        ),
        Example(
            {"en": "In two reached tiers, the lower price holds.", "zh-Hant": "同一商品在兩級內時，以較低價為準。"},
            rule={
                "tiers": [
                    {"spend": 10000, "options": [_TOWEL]},
                    {"spend": 20000, "options": [{"sku": "towel", "price": 500, "limit": 1}]},
                ]
            },
            prices={"kettle": 12900, "towel": 2900},
            cart={"kettle": 2},
            add_ons=[{"sku": "towel", "quantity": 1}],
            expect={"discount": 0, "total": 26300, "payables": [25800], "tier": 1},
        ),
        Example(
            {
                "en": "Over the limit nothing is added, and nothing is charged at base price.",
                "zh-Hant": "超過限購數量則不加入，也不會按原價計費。",
            },
            rule={"tiers": [{"spend": 10000, "options": [_TOWEL]}]},
            prices={"kettle": 12900, "towel": 2900},
            cart={"kettle": 1},
            add_ons=[{"sku": "towel", "quantity": 3}],
            expect={"discount": 0, "total": 12900, "payables": [12900], "tier": 0},
        ),
    ),
    body={
        "type": "add_on",
        "name": "A lamp for 9",
        "code": "plus9",
        "starts_at": "2026-11-21T00:00:00+08:00",
        "ends_at": "2026-11-28T00:00:00+08:00",
        "scope": "all",
        "rule": {
            "tiers": [
                {"spend": 10000, "options": [{"sku": "lamp", "price": 900, "limit": 1}]},
                {"spend": 30000, "options": [{"sku": "fan", "price": 1900, "limit": 2}]},
            ]
        },
    },
)
