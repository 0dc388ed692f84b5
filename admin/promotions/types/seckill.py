"""seckill 秒殺: a limited stock at a low price in a short window, sold only by the gateway."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from admin.errors import FieldError
from admin.inputs import Code, Input, Money, Stock, refuse
from admin.promotions import money
from admin.promotions.audience import guard_audience
from admin.promotions.guards import guard_items, guard_product, guard_window, missing
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

LIMIT_MAX = 1000
"""Most units one shopper may hold of an offer."""
PAY_WITHIN_MAX_S = 30 * 24 * 3600


def _day(text: str) -> str:
    problem = refuse("bad_date", "want a date such as 2026-11-21")
    try:
        year = datetime.date.fromisoformat(text).year
    except ValueError as error:
        raise problem from error
    if not 2000 <= year < 2286:
        raise problem
    return text


class SessionDate(Input):
    """A session on one date. The campaign's window is its hours on that day."""

    id: Code
    date: Annotated[
        str,
        Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="YYYY-MM-DD in the shop's zone"),
        AfterValidator(_day),
    ]

    @property
    def day(self) -> datetime.date:
        """The date on which the session starts."""
        return datetime.date.fromisoformat(self.date)


class SeckillRule(Rule):
    """The terms of every item that has none of its own."""

    price: Money | None = Field(default=None, description="per unit; each item may have its own")
    limit_per_shopper: int = Field(default=1, ge=1, le=LIMIT_MAX, description="units")
    pay_within_s: int = Field(default=900, ge=1, le=PAY_WITHIN_MAX_S, description="seconds")
    session: SessionDate | None = Field(default=None, description="which session it is; gives the window")


class SeckillItem(Item):
    """One product on sale."""

    stock: Stock | None = Field(default=None, description="units, reserved out of the product's free stock")
    price: Money | None = Field(default=None, description="per unit; the rule's when absent")


class SeckillFields(CampaignFields):
    """What may be changed about a seckill campaign."""

    rule: SeckillRule = Field(default_factory=SeckillRule)
    items: list[SeckillItem] = Field(default_factory=list, max_length=ITEMS_MAX)


class SeckillCampaign(SeckillFields, NewCampaign):
    """A new seckill campaign. Each item becomes the offer `{code}-{sku}`."""

    type: Literal["seckill"]


def _guard(plan: Plan) -> list[FieldError]:
    errors = [*guard_window(plan), *_unsupported(plan), *guard_audience(plan.fields.audience)]
    if not plan.items:
        errors.append(missing("items"))
    errors += guard_items(plan.items)
    unpriced = plan.rule.price is None and (not plan.items or any(item.price is None for item in plan.items))
    if unpriced:
        errors.append(missing("rule.price"))
    for index, item in enumerate(plan.items):
        errors += _guard_item(plan, index, item)
    return errors


def _unsupported(plan: Plan) -> list[FieldError]:
    # The gateway sells without the database: it knows a shopper by the token's claims, and no orders.
    names = [
        name for name in ("channels", "stores", "categories", "exclude", "limits") if getattr(plan.fields, name)
    ]
    if plan.fields.audience.new_customer is not None:
        names.append("audience.new_customer")
    text = "the gateway sells without looking at this: leave it out"
    errors = [FieldError(name, "not_supported_for_seckill", text) for name in names]
    if plan.fields.scope != "items":
        errors.append(FieldError("scope", "not_supported_for_seckill", 'want "items"'))
    return errors


def _guard_item(plan: Plan, index: int, item: SeckillItem) -> list[FieldError]:
    path = f"items.{index}"
    errors = []
    if re.fullmatch(r"[a-z0-9-]+", item.sku) is None:
        text = "a seckill SKU has only a-z, 0-9 and hyphens: use a product with such a SKU"
        errors.append(FieldError(f"{path}.sku", "sku_not_sellable", text))
    if item.sku in plan.kept:
        return errors
    errors += guard_product(plan, f"{path}.sku", item.sku)
    product = plan.products.get(item.sku)
    price = item.price if item.price is not None else plan.rule.price
    if product is not None and price is not None and price >= product.price:
        where = f"{path}.price" if item.price is not None else "rule.price"
        text = f"{item.sku} would cost {price}: want less than its base price {product.price}"
        errors.append(FieldError(where, "not_below_base", text))
    if item.stock is None:
        errors.append(missing(f"{path}.stock"))
    elif item.stock == 0:
        errors.append(FieldError(f"{path}.stock", "too_small", "want at least one unit"))
    elif product is not None and item.stock > product.free:
        text = f"the product has {product.free} free units: want at most so many, or raise its stock first"
        errors.append(FieldError(f"{path}.stock", "not_enough_stock", text))
    return errors


def _label(rule: SeckillRule, items: Sequence[SeckillItem], currency: str) -> dict[str, str]:
    own = {item.price if item.price is not None else rule.price for item in items} or {rule.price}
    prices = sorted(price for price in own if price is not None)
    words = {"en": "Flash sale", "zh-Hant": "限時秒殺"}
    if not prices:
        return words
    shown = money.show(prices[0], currency)
    several = len(prices) > 1
    labels = {
        "en": f"Flash sale from {shown}" if several else f"Flash sale {shown}",
        "zh-Hant": f"秒殺價 {shown} 起" if several else f"秒殺價 {shown}",
    }
    return fitting(labels, words)


_PRICE = {"en": "Price", "zh-Hant": "秒殺價"}

PROMOTION = PromotionType(
    name="seckill",
    title={"en": "Flash sale", "zh-Hant": "限時秒殺"},
    sentence={
        "en": "A few pieces at a very low price in a short time, sold by the gateway.",
        "zh-Hant": "短時間內以超低價限量搶購，由秒殺閘道售出。",
    },
    words=("flash sale", "seckill", "秒殺", "限時搶購"),
    item=SeckillItem,
    evaluate=None,
    own_button=True,
    items_only=True,
    fields=SeckillFields,
    campaign=SeckillCampaign,
    guard=_guard,
    label=_label,
    coupons_allowed=False,
    raisable=frozenset({"rule.limit_per_shopper"}),
    form=(
        FormField(
            "rule.session",
            "session",
            {"en": "Session", "zh-Hant": "場次"},
            {
                "en": "Its hours on one date are the campaign's window; leave it empty to set the window freely.",
                "zh-Hant": "該場次在指定日期的時段即為活動時間；留空則自訂活動時間。",
            },
        ),
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
            "rule.limit_per_shopper",
            "count",
            {"en": "Limit per shopper", "zh-Hant": "每人限購"},
            {"en": "Units that one shopper may buy.", "zh-Hant": "每位顧客最多可買的件數。"},
        ),
        FormField(
            "rule.pay_within_s",
            "count",
            {"en": "Seconds to pay", "zh-Hant": "付款期限（秒）"},
            {"en": "Unpaid orders give their units back.", "zh-Hant": "逾時未付款即釋出商品。"},
        ),
        FormField(
            "items",
            "table",
            {"en": "Products", "zh-Hant": "商品"},
            {
                "en": "A product without a price of its own has the price above.",
                "zh-Hant": "未另訂價格的商品適用上方的秒殺價。",
            },
            required=True,
            columns=(
                FormField("sku", "product", {"en": "Product", "zh-Hant": "商品"}, required=True),
                FormField(
                    "stock",
                    "count",
                    {"en": "Units on sale", "zh-Hant": "秒殺庫存"},
                    {
                        "en": "Reserved out of the product's stock; unsold ones go back at the end.",
                        "zh-Hant": "自商品庫存中預留，未售出者於活動結束後歸還。",
                    },
                    required=True,
                ),
                FormField("price", "money", _PRICE),
            ),
        ),
    ),
    examples=(
        Example(
            {"en": "In a cart it costs its base price.", "zh-Hant": "購物車內仍為原價，須按專屬按鈕購買。"},
            rule={"price": 9900},
            items=[{"sku": "kettle", "stock": 10}],
            prices={"kettle": 12900},
            cart={"kettle": 1},
            expect={"discount": 0, "total": 12900},
        ),
        Example(
            {
                "en": "The same with a price of its own: each click buys at 49, a cart at base price.",
                "zh-Hant": "另訂秒殺價亦同：搶購每件 49，購物車仍以原價計算。",
            },
            rule={"price": 9900, "limit_per_shopper": 2},
            items=[{"sku": "kettle", "stock": 10}, {"sku": "lamp", "stock": 5, "price": 4900}],
            prices={"kettle": 12900, "lamp": 5900},
            cart={"kettle": 1, "lamp": 2},
            expect={"discount": 0, "total": 24700, "payables": [12900, 11800]},
        ),
    ),
    body={
        "type": "seckill",
        "name": "Noon sale",
        "code": "noon1121",
        "starts_at": "2026-11-21T12:00:00+08:00",
        "ends_at": "2026-11-21T14:00:00+08:00",
        "priority": 100,
        "slogan": "Two hours only",
        "audience": {"kind": "everyone"},
        "rule": {"price": 9900, "limit_per_shopper": 1, "pay_within_s": 900},
        "items": [{"sku": "kettle", "stock": 100}, {"sku": "lamp", "stock": 20, "price": 4900}],
    },
)
