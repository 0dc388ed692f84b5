"""presale 預售: a deposit now, the balance later; the deposit may be worth more than itself (定金膨脹)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import Instant
from admin.promotions import money
from admin.promotions.effects import Deposit, Effect, Group
from admin.promotions.guards import guard_common, missing
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
from admin.promotions.percent import Multiplier, Percent

_ONCE = 100
"""The multiplier of a deposit that is worth itself, hundredths."""


class PresaleRule(Rule):
    """The terms of every product that has none of its own, and the windows."""

    price: Amount | None = Field(default=None, description="per unit; the base price when absent")
    deposit: Amount | None = Field(default=None, description="per unit")
    deposit_percent: Percent | None = Field(default=None, description="of the price, rounded half up")
    mode: Literal["leverage", "confirm"] = "leverage"
    multiplier: Multiplier | None = Field(default=None, description="with leverage: what the deposit counts for")
    balance_starts_at: Instant | None = None
    balance_ends_at: Instant | None = None
    ships_at: Instant | None = None
    on_unpaid: Literal["forfeit", "refund"] = Field(default="forfeit", description="the deposit of who never pays")


class PresaleItem(Item):
    """One product, perhaps with a price or a deposit of its own."""

    price: Amount | None = Field(default=None, description="per unit; the rule's when absent")
    deposit: Amount | None = Field(default=None, description="per unit")
    deposit_percent: Percent | None = Field(default=None, description="of the price, rounded half up")


class PresaleFields(CampaignFields):
    """What may be changed about a pre-sale."""

    rule: PresaleRule = Field(default_factory=PresaleRule)
    items: list[PresaleItem] = Field(default_factory=list, max_length=ITEMS_MAX)


class PresaleCampaign(PresaleFields, NewCampaign):
    """A new pre-sale."""

    type: Literal["presale"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a unit is made of: its price, the deposit, and what the deposit counts for."""

    price: int
    deposit: int
    credit: int

    @property
    def paid(self) -> int:
        """In the end, deposit and balance together."""
        return self.price - self.credit + self.deposit


def parts_of(rule: PresaleRule, item: PresaleItem | None, base: int) -> Parts:
    """The parts of a unit with some base price; without any terms for it the deposit is 0."""
    own = item.price if item is not None else None
    price = own or rule.price or base
    terms = item if item is not None and _deposits(item) else rule
    deposit = terms.deposit
    if deposit is None:
        deposit = money.half_up(price, terms.deposit_percent or 0)
    hundredths = rule.multiplier or _ONCE
    # Half up to a whole minor unit: hundredths of a multiplier are hundreds of basis points.
    return Parts(price, deposit, money.half_up(deposit, hundredths * (money.WHOLE // _ONCE)))


def _deposits(terms: PresaleRule | PresaleItem) -> list[str]:
    return [name for name in ("deposit", "deposit_percent") if getattr(terms, name) is not None]


def _evaluate(rule: PresaleRule, group: Group) -> Effect:
    parts = [parts_of(rule, line.item, line.price) for line in group.lines]
    per_unit = tuple(line.price - each.paid for each, line in zip(parts, group.lines, strict=True))
    quantities = [line.quantity for line in group.lines]

    def times(units: Iterable[int]) -> int:
        return sum(unit * quantity for unit, quantity in zip(units, quantities, strict=True))

    return Effect(
        reached=True,
        discount=times(per_unit),
        tier=0,
        per_unit=per_unit,
        deposit=Deposit(
            price=times(each.price for each in parts),
            deposit=times(each.deposit for each in parts),
            credit=times(each.credit for each in parts),
            balance_starts_at_ms=rule.balance_starts_at or 0,
            balance_ends_at_ms=rule.balance_ends_at or 0,
        ),
    )


def _refuses(rule: PresaleRule, item: PresaleItem | None, price: int, _quantity: int) -> str | None:
    parts = parts_of(rule, item, price)
    if parts.deposit == 0:
        return "deposit_too_small"
    if parts.credit >= parts.price:
        return "deposit_too_large"
    # Unlike a discount, a pre-sale may cost what the product costs anyway.
    return "not_below_base" if parts.paid > price else None


def _guard(plan: Plan) -> list[FieldError]:
    rule: PresaleRule = plan.rule
    errors = [*guard_common(plan, items_only=True), *_guard_windows(plan), *_one_deposit("rule", rule)]
    if not _deposits(rule) and (not plan.items or any(not _deposits(item) for item in plan.items)):
        errors.append(FieldError("rule.deposit", "missing", "needed to publish: give deposit or deposit_percent"))
    if rule.mode == "confirm" and rule.multiplier not in {None, _ONCE}:
        text = "a deposit that confirms the order counts once: leave multiplier out, or use leverage"
        errors.append(FieldError("rule.multiplier", "not_for_mode", text))
    for index, item in enumerate(plan.items):
        errors += _one_deposit(f"items.{index}", item)
        product = plan.products.get(item.sku)
        if product is not None and item.sku not in plan.kept:
            errors += _guard_item(rule, index, item, product.price)
    return errors


def _guard_windows(plan: Plan) -> list[FieldError]:
    rule: PresaleRule = plan.rule
    starts, ends = rule.balance_starts_at, rule.balance_ends_at
    errors = [
        missing(f"rule.{name}") for name in ("balance_starts_at", "balance_ends_at") if getattr(rule, name) is None
    ]
    if starts is not None and plan.fields.ends_at is not None and starts < plan.fields.ends_at:
        text = "the balance is paid after the deposits: want ends_at or later"
        errors.append(FieldError("rule.balance_starts_at", "before_campaign_ends", text))
    if starts is not None and ends is not None and ends <= starts:
        errors.append(FieldError("rule.balance_ends_at", "not_after_start", "must be later than balance_starts_at"))
    if starts is not None and rule.ships_at is not None and rule.ships_at < starts:
        text = "goods are sent when the balance is paid: want balance_starts_at or later"
        errors.append(FieldError("rule.ships_at", "before_balance", text))
    return errors


def _one_deposit(path: str, terms: PresaleRule | PresaleItem) -> list[FieldError]:
    if len(_deposits(terms)) < 2:
        return []
    return [FieldError(f"{path}.deposit_percent", "one_way_only", "give only one of deposit, deposit_percent")]


def _guard_item(rule: PresaleRule, index: int, item: PresaleItem, base: int) -> list[FieldError]:
    errors = []
    parts = parts_of(rule, item, base)
    if parts.price > base:
        field = f"items.{index}.price" if item.price is not None else "rule.price"
        text = f"{parts.price} is above the base price of {item.sku}: want at most {base}, or leave it out"
        errors.append(FieldError(field, "not_below_base", text))
    own = _deposits(item)
    given = own or _deposits(rule)
    if not given:
        return errors
    field = f"items.{index}.{own[0]}" if own else f"rule.{given[0]}"
    if parts.deposit == 0:
        text = f"the deposit of {item.sku} would be rounded to nothing: raise it"
        errors.append(FieldError(field, "deposit_too_small", text))
    elif parts.credit >= parts.price:
        text = (
            f"a deposit of {parts.deposit} counts for {parts.credit} of {item.sku}: lower it or the multiplier,"
            f" so that it stays below the price {parts.price}"
        )
        errors.append(FieldError(field, "deposit_too_large", text))
    return errors


def _label(rule: PresaleRule, items: Sequence[PresaleItem], currency: str) -> dict[str, str]:
    plain = {"en": "Pre-sale", "zh-Hant": "預售"}
    terms = [item if _deposits(item) else rule for item in items] or [rule]
    if len({(each.deposit, each.deposit_percent) for each in terms}) > 1:
        return plain
    only = terms[0]
    if only.deposit is not None:
        shown = money.short(only.deposit, currency)
    elif only.deposit_percent is not None:
        shown = f"{money.show_percent(only.deposit_percent)}%"
    else:
        return plain
    return fitting({"en": f"Pre-sale, deposit {shown}", "zh-Hant": f"預售 訂金 {shown}"}, plain)


_DEPOSIT_HELP = {
    "en": "Per unit. Give an amount or a percentage, not both.",
    "zh-Hant": "每件的訂金；金額與百分比擇一填寫。",
}


def _terms(prefix: str) -> tuple[FormField, ...]:
    """Price and deposit; the rule and each product have them."""
    return (
        FormField(
            f"{prefix}price",
            "money",
            {"en": "Pre-sale price", "zh-Hant": "預售價"},
            {"en": "Leave empty for the base price.", "zh-Hant": "留空即為原價。"},
        ),
        FormField(f"{prefix}deposit", "money", {"en": "Deposit", "zh-Hant": "訂金"}, _DEPOSIT_HELP),
        FormField(
            f"{prefix}deposit_percent",
            "percent",
            {"en": "Deposit in percent of the price", "zh-Hant": "訂金佔預售價的百分比"},
            _DEPOSIT_HELP,
        ),
    )


_WINDOWS = {
    "balance_starts_at": "2036-11-28T00:00:00+08:00",
    "balance_ends_at": "2036-12-01T00:00:00+08:00",
}

PROMOTION = PromotionType(
    name="presale",
    title={"en": "Pre-sale", "zh-Hant": "預售"},
    sentence={
        "en": "Shoppers pay a deposit now and the balance later; the deposit may count several times.",
        "zh-Hant": "先付訂金、再付尾款，訂金可膨脹抵扣。",
    },
    words=("pre-sale", "presale", "pre-order", "deposit", "預售", "預購", "訂金", "定金"),
    fields=PresaleFields,
    campaign=PresaleCampaign,
    item=PresaleItem,
    guard=_guard,
    label=_label,
    evaluate=_evaluate,
    refuses=_refuses,
    own_button=True,
    additive=True,
    items_only=True,
    counts_units=True,
    form=(
        *_terms("rule."),
        FormField(
            "rule.mode",
            "choice",
            {"en": "The deposit", "zh-Hant": "訂金方式"},
            choices={
                "leverage": {"en": "Counts several times towards the price", "zh-Hant": "膨脹抵扣"},
                "confirm": {"en": "Confirms the order", "zh-Hant": "支付訂金即成立訂單"},
            },
        ),
        FormField(
            "rule.multiplier",
            "multiplier",
            {"en": "Counts … times", "zh-Hant": "膨脹倍數"},
            {"en": "3 makes a deposit of 10 worth 30.", "zh-Hant": "填 3 即訂金 10 可抵 30。"},
            shown_if=("rule.mode", "leverage"),
        ),
        FormField(
            "rule.balance_starts_at",
            "instant",
            {"en": "Balance from", "zh-Hant": "尾款開始"},
            {"en": "When the campaign ends, or later.", "zh-Hant": "不得早於活動結束。"},
            required=True,
        ),
        FormField("rule.balance_ends_at", "instant", {"en": "Balance until", "zh-Hant": "尾款截止"}, required=True),
        FormField(
            "rule.ships_at",
            "instant",
            {"en": "Sent from", "zh-Hant": "預計出貨"},
            {"en": "When the balance begins, or later.", "zh-Hant": "不得早於尾款開始。"},
        ),
        FormField(
            "rule.on_unpaid",
            "choice",
            {"en": "If the balance is not paid", "zh-Hant": "逾期未付尾款"},
            choices={
                "forfeit": {"en": "The deposit is kept", "zh-Hant": "訂金不退"},
                "refund": {"en": "The deposit is paid back", "zh-Hant": "退還訂金"},
            },
        ),
        FormField(
            "items",
            "table",
            {"en": "Products", "zh-Hant": "商品"},
            {
                "en": "A product without terms of its own takes the terms above.",
                "zh-Hant": "未另訂條件的商品適用上方的條件。",
            },
            required=True,
            columns=(
                FormField("sku", "product", {"en": "Product", "zh-Hant": "商品"}, required=True),
                *_terms(""),
            ),
        ),
    ),
    examples=(
        Example(
            {
                "en": "A deposit of 10 counts for 30: 99 later, 109 in all instead of 129.",
                "zh-Hant": "訂金 10 抵 30：尾款 99，實付 109，原價 129。",
            },
            rule={"deposit": 1000, "multiplier": 3, **_WINDOWS},
            prices={"kettle": 12900},
            cart={"kettle": 1},
            expect={
                "discount": 2000,
                "total": 10900,
                "payables": [10900],
                "tier": 0,
                "deposit": 1000,
                "balance": 9900,
            },
        ),
        Example(
            {
                "en": "10 % of 99.99 is 10.00, counting twice and a half: 25.00.",
                "zh-Hant": "99.99 的 10 % 為 10.00（四捨五入），膨脹 2.5 倍抵 25.00。",
            },
            rule={"deposit_percent": 10, "multiplier": 2.5, **_WINDOWS},
            prices={"kettle": 9999},
            cart={"kettle": 2},
            expect={"discount": 3000, "total": 16998, "deposit": 2000, "balance": 14998},
        ),
        Example(
            {
                "en": "A deposit that confirms the order counts once; the pre-sale price lowers the total.",
                "zh-Hant": "付訂金即成立訂單，訂金等額抵扣，優惠來自預售價。",
            },
            rule={"mode": "confirm", "price": 10900, "deposit": 2000, **_WINDOWS},
            prices={"kettle": 12900},
            cart={"kettle": 2},
            expect={"discount": 4000, "total": 21800, "deposit": 4000, "balance": 17800},
        ),
    ),
    # The balance is far ahead, so that the window may be set to any time before it.
    body={
        "type": "presale",
        "name": "Kettle pre-sale",
        "code": "presale-kettle",
        "starts_at": "2026-11-21T00:00:00+08:00",
        "ends_at": "2026-11-28T00:00:00+08:00",
        "rule": {"deposit": 1000, "mode": "leverage", "multiplier": 3, "on_unpaid": "forfeit", **_WINDOWS},
        "items": [{"sku": "kettle"}, {"sku": "lamp", "deposit_percent": 10}],
    },
)
