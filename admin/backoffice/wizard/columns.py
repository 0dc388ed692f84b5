"""What each listed product may have of its own, as its type declares it: reading, showing, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from admin.backoffice.wizard import typed as reading
from admin.backoffice.wizard.saving import Errors
from admin.campaigns.models import Campaign
from admin.catalog.models import Product
from admin.inputs import examine
from admin.pages import locales
from admin.pages.locales import gettext
from admin.promotions import registry
from admin.promotions.types import item_discount


@dataclass(frozen=True, slots=True)
class Column:
    """One term; `unit` stands behind the field."""

    name: str
    title: str
    help: str
    kind: str
    unit: str


def of(type_name: str) -> list[Column]:
    """The columns of a type's list of products; most types have none."""
    tag = locales.tag()
    for field in registry.available()[type_name].form:
        if field.path == "items" and field.kind == "table":
            return [
                Column(each.path, each.title[tag], each.help.get(tag, ""), each.kind, _unit(each.kind))
                for each in field.columns
                if each.path != "sku"
            ]
    return []


def _unit(kind: str) -> str:
    if kind == "percent":
        return "折" if _in_zhe() else "%"
    return ""


def _in_zhe() -> bool:
    """Whether people here say what is left of a price, not what is taken off."""
    return locales.tag() == "zh-Hant"


def read(request: Request, column: Column, text: str) -> Any:
    """A term as the API takes it; nothing for an empty field.

    Raises:
        Unreadable: the text is not of the column's kind.
    """
    if not text.strip():
        return None
    match column.kind:
        case "money":
            return reading.money(text, request.state.resources.currency)
        case "percent":
            return reading.zhe(text) if column.unit == "折" else reading.percent(text)
    return reading.whole(text)


def _show(request: Request, column: Column, value: Any) -> str:
    if value is None:
        return ""
    match column.kind:
        case "money":
            return reading.show_money(value, request.state.resources.currency)
        case "percent" if column.unit == "折":
            return reading.show_zhe(value)
    return str(value)


def cells(
    request: Request, campaign: Campaign, listed: Iterable[str], typed: FormData | None
) -> dict[str, dict[str, str]]:
    """By product and column: what the fields hold."""
    stored = _terms(campaign)
    found: dict[str, dict[str, str]] = {}
    for sku in listed:
        found[sku] = {}
        for column in of(campaign.type):
            name = f"item.{column.name}.{sku}"
            own = stored.get(sku, {}).get(column.name)
            found[sku][column.name] = (
                str(typed[name]) if typed is not None and name in typed else _show(request, column, own)
            )
    return found


def take(
    request: Request, campaign: Campaign, listed: Iterable[str], form: FormData, errors: Errors
) -> dict[str, dict[str, Any]]:
    """The listed products with their terms, by SKU; fields that were not asked keep what is stored."""
    stored = _terms(campaign)
    rows: dict[str, dict[str, Any]] = {}
    for place, sku in enumerate(listed):
        row = {name: value for name, value in stored.get(sku, {}).items() if value is not None} | {"sku": sku}
        for column in of(campaign.type):
            name = f"item.{column.name}.{sku}"
            if name not in form:
                continue
            row.pop(column.name, None)
            try:
                value = read(request, column, str(form[name]))
            except reading.Unreadable as error:
                errors[f"items.{place}.{column.name}"] = [str(error)]
                continue
            if value is not None:
                row[column.name] = value
        rows[sku] = row
    return rows


def _terms(campaign: Campaign) -> dict[str, dict[str, Any]]:
    """What is stored of each listed product, as far as the API takes it back."""
    names = registry.available()[campaign.type].item.model_fields
    return {
        item.sku: {name: value for name, value in item.model_dump(mode="json").items() if name in names}
        for item in campaign.items
        if not item.removed
    }


def prices(request: Request, campaign: Campaign, products: Mapping[str, Product]) -> dict[str, str]:
    """What one unit of each listed product would cost, where the type says so for each by itself."""
    promotion = registry.available()[campaign.type]
    if not promotion.additive and not promotion.own_button:
        return {}
    rule: Any = examine(promotion.fields, {"rule": campaign.rule})[0]
    found = {}
    for sku, terms in _terms(campaign).items():
        product = products.get(sku)
        item, _ = examine(promotion.item, terms)
        if product is None or item is None or rule is None:
            continue
        price = _price(rule.rule, item, product.price)
        if price is None:
            found[sku] = gettext("no price yet")
        else:
            found[sku] = locales.money(price, request.state.resources.currency)
    return found


def _price(rule: Any, item: Any, base: int) -> int | None:
    if isinstance(rule, item_discount.ItemDiscountRule):
        own = item_discount.reduced(item, base)
        return own if own is not None else item_discount.reduced(rule, base)
    own_price: int | None = getattr(item, "price", None)
    rule_price: int | None = getattr(rule, "price", None)
    return own_price if own_price is not None else rule_price
