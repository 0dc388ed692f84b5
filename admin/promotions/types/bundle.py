"""bundle 套裝: some products together at one price, as many whole sets as the cart holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from admin.errors import FieldError
from admin.inputs import Input, Money, Sku
from admin.promotions import money
from admin.promotions.audience import guard_audience
from admin.promotions.cart import UNITS_MAX
from admin.promotions.effects import Effect, Group, Next
from admin.promotions.guards import (
    guard_channels,
    guard_items,
    guard_product,
    guard_scope,
    guard_window,
    missing,
)
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
    fitting,
)

COMPONENTS_MAX = 50
PIECES_MAX = 999
"""Most units of one product in a set."""


class Component(Input):
    """One product of a set."""

    sku: Sku | None = None
    quantity: int | None = Field(default=None, ge=1, le=PIECES_MAX, description="units in one set")


class BundleRule(Rule):
    """What a set holds, and its price."""

    price: Money | None = Field(default=None, description="of one set, at most what its parts cost")
    components: Annotated[list[Component], Field(max_length=COMPONENTS_MAX)] = Field(
        default_factory=list, description="each product once; two units or more in all"
    )


class BundleFields(CampaignFields):
    """What may be changed about a bundle. The items are the components, and may be left out."""

    rule: BundleRule = Field(default_factory=BundleRule)
    items: Annotated[list[Item], Field(max_length=ITEMS_MAX, validate_default=True)] = Field(default_factory=list)

    @field_validator("items")
    @classmethod
    def _are_the_components(cls, items: list[Item], info: ValidationInfo) -> list[Item]:
        rule = info.data.get("rule")
        return items if items or rule is None else [Item(sku=sku) for sku in dict.fromkeys(_named(rule))]


class BundleCampaign(BundleFields, NewCampaign):
    """A new bundle."""

    type: Literal["bundle"]


def _evaluate(rule: BundleRule, group: Group) -> Effect:
    needed = _needed(rule)
    if not needed or rule.price is None:
        return Effect(reached=False)
    held = dict.fromkeys(needed, 0)
    prices: dict[str, int] = {}
    for line in group.lines:
        if line.sku in needed:
            held[line.sku] += line.quantity
            prices[line.sku] = line.price
    sets = min(held[sku] // quantity for sku, quantity in needed.items())
    # A part that is not in the cart has no price here. It costs at least nothing, so the hint promises at least
    # what the known parts alone save.
    saving = max(0, sum(prices[sku] * needed[sku] for sku in prices) - rule.price)
    further = None
    if saving or len(prices) < len(needed):
        lacking = sum(max(0, quantity * (sets + 1) - held[sku]) for sku, quantity in needed.items())
        further = Next(buy_more=lacking, discount=(sets + 1) * saving)
    if sets == 0:
        return Effect(reached=False, next=further)
    sharing = tuple(sets * needed.get(line.sku, 0) for line in group.lines)
    return Effect(reached=True, discount=sets * saving, tier=0, sharing=sharing, next=further)


def _needed(rule: BundleRule) -> dict[str, int]:
    return {
        each.sku: each.quantity for each in rule.components if each.sku is not None and each.quantity is not None
    }


def _named(rule: BundleRule) -> Iterable[str]:
    return [each.sku for each in rule.components if each.sku is not None]


def _refuses(rule: BundleRule, item: Item | None, _price: int, _quantity: int) -> str | None:
    return None if item is not None and item.sku in _named(rule) else "not_in_scope"


def _guard(plan: Plan) -> list[FieldError]:
    errors = [
        *guard_window(plan),
        *guard_audience(plan.fields.audience),
        *guard_channels(plan),
        # Whether products are listed, and which, is told at the components.
        *(error for error in guard_scope(plan, items_only=True) if error.field != "items"),
        *guard_items(plan.items),
    ]
    rule: BundleRule = plan.rule
    if not rule.components:
        return [*errors, missing("rule.components"), *_guard_price(plan)]
    seen: set[str] = set()
    for index, each in enumerate(rule.components):
        path = f"rule.components.{index}"
        errors += [missing(f"{path}.{name}") for name in ("sku", "quantity") if getattr(each, name) is None]
        if each.sku is None:
            continue
        if each.sku in seen:
            text = f"{each.sku} is in the set already: name it once, with the quantity of all"
            errors.append(FieldError(f"{path}.sku", "duplicate_sku", text))
        elif each.sku not in plan.kept:
            errors += guard_product(plan, f"{path}.sku", each.sku)
        seen.add(each.sku)
    return [*errors, *_guard_set(plan, seen), *_guard_price(plan)]


def _guard_set(plan: Plan, skus: set[str]) -> list[FieldError]:
    rule: BundleRule = plan.rule
    errors = []
    complete = all(each.sku is not None and each.quantity is not None for each in rule.components)
    units = sum(each.quantity or 0 for each in rule.components)
    if complete and units < 2:
        text = "one unit alone is no set: add a product, or raise the quantity"
        errors.append(FieldError("rule.components", "too_few_units", text))
    if units > UNITS_MAX:
        text = f"a set of {units} units fits into no cart: want at most {UNITS_MAX}"
        errors.append(FieldError("rule.components", "too_many_units", text))
    if complete and plan.items and {item.sku for item in plan.items} != skus:
        text = "list exactly the products of the set, or none: then they are taken from it"
        errors.append(FieldError("items", "not_the_components", text))
    return errors


def _guard_price(plan: Plan) -> list[FieldError]:
    rule: BundleRule = plan.rule
    needed = _needed(rule)
    if rule.price is None:
        return [missing("rule.price")]
    if (
        len(needed) < len(rule.components)
        or not needed.keys() <= plan.products.keys()
        or needed.keys() <= plan.kept
    ):
        return []
    parts = sum(plan.products[sku].price * quantity for sku, quantity in needed.items())
    if rule.price <= parts:
        return []
    return [FieldError("rule.price", "above_the_parts", f"the parts cost {parts} one by one: want at most that")]


def _label(rule: BundleRule, _items: Sequence[Any], currency: str) -> dict[str, str]:
    plain = {"en": "Bundle", "zh-Hant": "套裝優惠"}
    if rule.price is None:
        return plain
    shown = money.short(rule.price, currency)
    return fitting({"en": f"Bundle {shown}", "zh-Hant": f"套裝價 {shown}"}, plain)


PROMOTION = PromotionType(
    name="bundle",
    title={"en": "Bundle", "zh-Hant": "套裝"},
    sentence={
        "en": "Some products together cost less than one by one; only whole sets count.",
        "zh-Hant": "指定商品成套購買，以套裝價計；不足一套的部分照原價。",
    },
    words=("bundle", "set", "combo", "套裝", "組合價", "套組"),
    fields=BundleFields,
    campaign=BundleCampaign,
    item=Item,
    guard=_guard,
    label=_label,
    evaluate=_evaluate,
    refuses=_refuses,
    named=_named,
    items_only=True,
    form=(
        FormField(
            "rule.components",
            "table",
            {"en": "The set", "zh-Hant": "套裝內容"},
            {
                "en": "Each product once, two units or more in all. At most 50 products.",
                "zh-Hant": "每項商品列一次，合計至少 2 件，最多 50 項。",
            },
            required=True,
            columns=(
                FormField("sku", "product", {"en": "Product", "zh-Hant": "商品"}, required=True),
                FormField(
                    "quantity",
                    "count",
                    {"en": "Units", "zh-Hant": "件數"},
                    {"en": "In one set.", "zh-Hant": "一套內的件數。"},
                    required=True,
                ),
            ),
        ),
        FormField(
            "rule.price",
            "money",
            {"en": "Price of a set", "zh-Hant": "套裝價"},
            {
                "en": "At most what its parts cost. A set never costs more than they do, even if they get cheaper.",
                "zh-Hant": "不可高於各商品合計；日後商品降價時，也不會高於合計。",
            },
            required=True,
        ),
    ),
    examples=(
        Example(
            {
                "en": "149.97 together, 129.99 as a set: the 19.98 are divided by what the parts cost.",
                "zh-Hant": "單買合計 149.97，套裝 129.99；省下的 19.98 依各商品金額分攤。",
            },
            rule={
                "price": 12999,
                "components": [{"sku": "kettle", "quantity": 1}, {"sku": "cup", "quantity": 2}],
            },
            items=[{"sku": "kettle"}, {"sku": "cup"}],
            prices={"kettle": 9999, "cup": 2499},
            cart={"kettle": 1, "cup": 2},
            expect={"discount": 1998, "total": 12999, "payables": [8667, 4332], "tier": 0},
        ),
        Example(
            {
                "en": "Two sets; the third kettle and the fifth cup cost their base price.",
                "zh-Hant": "成兩套；第三只壺與第五個杯子不足一套，照原價。",
            },
            rule={
                "price": 12999,
                "components": [{"sku": "kettle", "quantity": 1}, {"sku": "cup", "quantity": 2}],
            },
            items=[{"sku": "kettle"}, {"sku": "cup"}],
            prices={"kettle": 9999, "cup": 2499},
            cart={"kettle": 3, "cup": 5},
            expect={"discount": 3996, "total": 38496, "payables": [27333, 11163], "tier": 0},
        ),
        Example(
            {"en": "Three of one product: any 3 for 50.", "zh-Hant": "同一商品 3 件 50 元，第 4 件照原價。"},
            rule={"price": 5000, "components": [{"sku": "cup", "quantity": 3}]},
            items=[{"sku": "cup"}],
            prices={"cup": 1999},
            cart={"cup": 4},
            expect={"discount": 997, "total": 6999, "payables": [6999], "tier": 0},
        ),
        Example(
            {"en": "Without the kettle there is no set.", "zh-Hant": "少了壺，不成套，照原價。"},
            rule={
                "price": 12999,
                "components": [{"sku": "kettle", "quantity": 1}, {"sku": "cup", "quantity": 2}],
            },
            items=[{"sku": "kettle"}, {"sku": "cup"}],
            prices={"kettle": 9999, "cup": 2499},
            cart={"cup": 2},
            expect={"discount": 0, "total": 4998, "payables": [4998]},
        ),
    ),
    body={
        "type": "bundle",
        "name": "Tea for two",
        "code": "tea-for-two",
        "starts_at": "2026-11-21T00:00:00+08:00",
        "ends_at": "2026-11-28T00:00:00+08:00",
        "rule": {
            "price": 15000,
            "components": [{"sku": "kettle", "quantity": 1}, {"sku": "lamp", "quantity": 1}],
        },
    },
)
