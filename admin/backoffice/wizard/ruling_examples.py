"""The examples of a type, computed by the engine and told in the reader's language. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from admin.pages.locales import lazy_gettext as _
from admin.promotions import engine, money
from admin.promotions.campaign import Campaign, read_campaign
from admin.promotions.cart import Cart
from admin.promotions.index import CampaignIndex
from admin.promotions.model import LANGUAGES, Example, PromotionType
from admin.promotions.words import Reader, in_words
from admin.promotions.world import Product, World

_CODE = "example"
_NOW_MS = 1_795_000_000_000
_TODAY = date(2026, 11, 18)
_PLENTY = 1_000_000
_DECIMAL = "CNY"
"""Amounts of the examples are written with two decimals and without a currency, as their titles say them."""
_NAMES: Mapping[str, str] = {
    "kettle": _("Kettle"),
    "lamp": _("Lamp"),
    "cup": _("Cup"),
    "plate": _("Plate"),
    "bowl": _("Bowl"),
    "mug": _("Mug"),
    "spoon": _("Spoon"),
    "bag": _("Bag"),
    "towel": _("Towel"),
    "fan": _("Fan"),
    "tea": _("Tea"),
}


@dataclass(frozen=True, slots=True)
class Bought:
    """One line of an example's cart. `pays` is empty where a product is given."""

    name: str
    quantity: int
    base: str
    pays: str


@dataclass(frozen=True, slots=True)
class Told:
    """One example: a rule in words, a cart and what it comes to."""

    title: str
    rule: tuple[str, ...]
    lines: tuple[Bought, ...]
    gifts: tuple[Bought, ...]
    base: str
    total: str
    deposit: str | None
    balance: str | None


def told(promotion: PromotionType, language: str) -> list[Told]:
    """Every example of a type."""
    return [_told(promotion, example, language) for example in promotion.examples]


def _told(promotion: PromotionType, example: Example, language: str) -> Told:
    code = next(iter(example.gifts), _CODE)
    campaign = _campaign(promotion, example, code)
    reply = _quote(promotion, example, campaign)
    presale = reply["presale"] or {}
    reader = Reader(language, _DECIMAL, ZoneInfo("UTC"), _name)
    given = [(each["sku"], each["quantity"], 0, None) for each in reply["gifts"]]
    added = [
        (each["sku"], each["quantity"], each["unit_price"] * each["quantity"], each["payable"])
        for each in reply["add_ons"]
    ]
    lines = [(each["sku"], each["quantity"], each["subtotal"], each["payable"]) for each in reply["lines"]]
    return Told(
        title=example.title.get(language) or example.title[LANGUAGES[0]],
        rule=tuple(in_words((each for each in promotion.form if each.kind != "instant"), campaign.rule, reader)),
        lines=tuple(_bought(*each) for each in lines + added),
        gifts=tuple(_bought(*each) for each in given),
        base=_amount(reply["subtotal"]),
        total=_amount(reply["total"]),
        deposit=_amount(presale["deposit"]) if presale else None,
        balance=_amount(presale["balance"]) if presale else None,
    )


def _campaign(promotion: PromotionType, example: Example, code: str) -> Campaign:
    items = example.items or [{"sku": sku} for sku in example.cart]
    body: dict[str, Any] = {
        "type": promotion.name,
        "name": code,
        "starts_at": _NOW_MS - 1,
        "ends_at": _NOW_MS + 1,
        "rule": dict(example.rule),
        "items": [dict(each) for each in items],
        "revision": 1,
    }
    return read_campaign(code, body, _DECIMAL)


def _quote(promotion: PromotionType, example: Example, campaign: Campaign) -> dict[str, Any]:
    # What has a button of its own is joined only when the line says so; a sale of the gateway never is.
    own = {"campaign": campaign.code} if promotion.own_button and not promotion.sold_by_gateway else {}
    cart = Cart.model_validate(
        {
            "lines": [{"sku": sku, "quantity": quantity, **own} for sku, quantity in example.cart.items()],
            "gifts": {name: list(picks) for name, picks in example.gifts.items()},
            "add_ons": [{"campaign": campaign.code, **each} for each in example.add_ons],
        }
    )
    products = {sku: Product(sku, price) for sku, price in example.prices.items()}
    world = World(
        now_ms=_NOW_MS,
        today=_TODAY,
        index=CampaignIndex([campaign]),
        products=products,
        free=dict.fromkeys(products, _PLENTY),
        currency=_DECIMAL,
    )
    return engine.quote(cart, world)


def _bought(sku: str, quantity: int, base: int, pays: int | None) -> Bought:
    return Bought(_name(sku), quantity, _amount(base), "" if pays is None else _amount(pays))


def _name(sku: str) -> str:
    return str(_NAMES.get(sku, sku))


def _amount(value: int) -> str:
    return money.show(value, _DECIMAL)
