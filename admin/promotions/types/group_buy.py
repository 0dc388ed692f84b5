"""group_buy 拼團: a lower price for shoppers who fill a group together before its deadline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import Money
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
    fitting,
)


class GroupBuyRule(Rule):
    """The price, and how a group is filled."""

    price: Money | None = Field(default=None, description="per unit; each item may have its own")
    size: int = Field(default=3, ge=2, le=1000, description="shoppers in a group")
    hours: int = Field(default=24, ge=1, le=720, description="from opening a group to its deadline")
    limit_per_shopper: int = Field(default=1, ge=1, le=1000, description="units")
    virtual_fill: bool = Field(
        default=False, description="fill what is short at the deadline, instead of refunding"
    )


class GroupBuyItem(Item):
    """One product, perhaps with a price of its own."""

    price: Money | None = Field(default=None, description="per unit; the rule's when absent")


class GroupBuyFields(CampaignFields):
    """What may be changed about a group buy."""

    rule: GroupBuyRule = Field(default_factory=GroupBuyRule)
    items: list[GroupBuyItem] = Field(default_factory=list, max_length=ITEMS_MAX)


class GroupBuyCampaign(GroupBuyFields, NewCampaign):
    """A new group buy."""

    type: Literal["group_buy"]


def price_of(rule: GroupBuyRule, item: GroupBuyItem | None) -> int | None:
    """What a unit costs in a group; None when no price is given."""
    return item.price if item is not None and item.price is not None else rule.price


def _evaluate(rule: GroupBuyRule, group: Group) -> Effect:
    per_unit = []
    for line in group.lines:
        price = price_of(rule, line.item)
        per_unit.append(line.price - price if price is not None else 0)
    discount = sum(off * line.quantity for off, line in zip(per_unit, group.lines, strict=True))
    return Effect(reached=True, discount=discount, tier=0, per_unit=tuple(per_unit))


def _refuses(rule: GroupBuyRule, item: GroupBuyItem | None, base: int, quantity: int) -> str | None:
    price = price_of(rule, item)
    if price is None or price >= base:
        return "not_below_base"
    return "limit_per_shopper" if quantity > rule.limit_per_shopper else None


def _guard(plan: Plan) -> list[FieldError]:
    rule: GroupBuyRule = plan.rule
    errors = guard_common(plan, items_only=True)
    if plan.fields.limits is not None and plan.fields.limits.per_shopper is not None:
        text = "leave it out and set rule.limit_per_shopper, which counts units"
        errors.append(FieldError("limits.per_shopper", "not_supported_for_group_buy", text))
    if rule.price is None and (not plan.items or any(item.price is None for item in plan.items)):
        errors.append(missing("rule.price"))
    for index, item in enumerate(plan.items):
        product = plan.products.get(item.sku)
        price = price_of(rule, item)
        if product is None or item.sku in plan.kept or price is None or price < product.price:
            continue
        field = f"items.{index}.price" if item.price is not None else "rule.price"
        text = f"{item.sku} would cost {price}: want less than its base price {product.price}"
        errors.append(FieldError(field, "not_below_base", text))
    return errors


def _label(rule: GroupBuyRule, items: Sequence[GroupBuyItem], currency: str) -> dict[str, str]:
    plain = {"en": f"Group of {rule.size}", "zh-Hant": f"{rule.size} 人團"}
    prices = {price for price in [price_of(rule, item) for item in items] or [rule.price] if price is not None}
    if not prices:
        return plain
    lowest = money.short(min(prices), currency)
    several = len(prices) > 1
    labels = {
        "en": f"Group of {rule.size}: from {lowest}" if several else f"Group of {rule.size}: {lowest}",
        "zh-Hant": f"{rule.size} 人團 {lowest} 起" if several else f"{rule.size} 人團 {lowest}",
    }
    return fitting(labels, plain)


_PRICE = {"en": "Group price", "zh-Hant": "拼團價"}

PROMOTION = PromotionType(
    name="group_buy",
    title={"en": "Group buy", "zh-Hant": "拼團"},
    sentence={
        "en": "Shoppers who fill a group together in time pay a lower price.",
        "zh-Hant": "限時湊滿人數即享拼團價。",
    },
    words=("group buy", "group", "拼團", "團購", "揪團"),
    fields=GroupBuyFields,
    campaign=GroupBuyCampaign,
    item=GroupBuyItem,
    guard=_guard,
    label=_label,
    evaluate=_evaluate,
    refuses=_refuses,
    own_button=True,
    additive=True,
    items_only=True,
    own_limit=lambda rule: rule.limit_per_shopper,
    coupons_allowed=False,
    raisable=frozenset({"rule.limit_per_shopper"}),
    form=(
        FormField(
            "rule.price",
            "money",
            _PRICE,
            {
                "en": "Per unit, below the base price; may be empty if every product has its own.",
                "zh-Hant": "每件價格，須低於原價；若各商品皆另訂價格可留空。",
            },
        ),
        FormField(
            "rule.size",
            "count",
            {"en": "Shoppers in a group", "zh-Hant": "成團人數"},
            {"en": "At least 2; 3 when empty.", "zh-Hant": "至少 2 人；留空為 3 人。"},
        ),
        FormField(
            "rule.hours",
            "count",
            {"en": "Hours to fill a group", "zh-Hant": "成團時限（小時）"},
            {
                "en": "From the opening of a group, at most 720; 24 when empty.",
                "zh-Hant": "自開團起算，最多 720 小時；留空為 24 小時。",
            },
        ),
        FormField(
            "rule.limit_per_shopper",
            "count",
            {"en": "Limit per shopper", "zh-Hant": "每人限購"},
            {
                "en": "Units that one shopper may buy; 1 when empty.",
                "zh-Hant": "每位顧客最多可買的件數；留空為 1 件。",
            },
        ),
        FormField(
            "rule.virtual_fill",
            "flag",
            {"en": "Fill groups that are short", "zh-Hant": "自動成團"},
            {
                "en": "At the deadline empty seats are filled and marked virtual; otherwise everybody is refunded.",
                "zh-Hant": "到期未滿時以標示的虛擬名額補足；否則全數退款。",
            },
        ),
        FormField(
            "items",
            "table",
            {"en": "Products", "zh-Hant": "商品"},
            {
                "en": "A product without a price of its own has the price above.",
                "zh-Hant": "未另訂價格的商品適用上方的拼團價。",
            },
            required=True,
            columns=(
                FormField("sku", "product", {"en": "Product", "zh-Hant": "商品"}, required=True),
                FormField("price", "money", _PRICE),
            ),
        ),
    ),
    examples=(
        Example(
            {"en": "A group of 3 pays 99 each instead of 129.", "zh-Hant": "3 人成團，每件 99，原價 129。"},
            rule={"price": 9900, "size": 3},
            prices={"kettle": 12900},
            cart={"kettle": 1},
            expect={"discount": 3000, "total": 9900, "payables": [9900], "tier": 0},
        ),
        Example(
            {
                "en": "A product may have a price of its own; two units where the limit is 2.",
                "zh-Hant": "商品可另訂拼團價；限購 2 件時可買 2 件。",
            },
            rule={"price": 9900, "size": 2, "limit_per_shopper": 2},
            items=[{"sku": "lamp", "price": 3900}],
            prices={"lamp": 5900},
            cart={"lamp": 2},
            expect={"discount": 4000, "total": 7800, "payables": [7800], "tier": 0},
        ),
    ),
    body={
        "type": "group_buy",
        "name": "Kettles together",
        "code": "kettle-group",
        "starts_at": "2026-11-21T00:00:00+08:00",
        "ends_at": "2026-11-28T00:00:00+08:00",
        "rule": {"price": 9900, "size": 3, "hours": 24, "limit_per_shopper": 1, "virtual_fill": False},
        "items": [{"sku": "kettle"}, {"sku": "lamp", "price": 4900}],
    },
)
