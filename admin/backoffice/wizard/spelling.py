"""Fields and values of a campaign in words, for people who compare them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from admin.pages import locales
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _
from admin.promotions import registry
from admin.promotions.model import FormField

SHOWN_MAX = 12
"""Elements of a list that are named."""

FIELDS: Mapping[str, str] = {
    "name": _("Name"),
    "code": _("Code"),
    "slogan": _("Slogan"),
    "label": _("Label"),
    "texts": _("Texts in other languages"),
    "starts_at": _("Start"),
    "ends_at": _("End"),
    "priority": _("Priority"),
    "channels": _("Channels"),
    "stores": _("Stores"),
    "audience": _("For whom"),
    "scope": _("Which products"),
    "categories": _("Categories"),
    "exclude": _("Left out"),
    "items": _("Products"),
    "coupons_allowed": _("Coupons"),
    "limits": _("Limits"),
    "rule.session": _("Session"),
}
CHANNELS: Mapping[str, str] = {
    "web": _("Web shop"),
    "app": _("App"),
    "mini_program": _("Mini program"),
    "store": _("Shops with a door"),
}
SCOPES: Mapping[str, str] = {
    "items": _("Products that I choose"),
    "category": _("Whole categories"),
    "all": _("Everything in the shop"),
}
LANGUAGES: Mapping[str, str] = {"en": "English", "zh-Hant": "繁體中文"}


def title(type_name: str, field: str) -> str:
    """What a field is called."""
    if field in FIELDS:
        return str(FIELDS[field])
    promotion = registry.available().get(type_name)
    for each in () if promotion is None else promotion.form:
        if each.path == field or each.path.startswith(f"{field}."):
            return each.title[locales.tag()]
        if each.columns and field.startswith(f"{each.path}."):
            return _cell(each, field.removeprefix(f"{each.path}."))
    return field.removeprefix("rule.")


def _cell(table: FormField, rest: str) -> str:
    """What a field in a row is called, with the number of its row."""
    row, _dot, path = rest.partition(".")
    told = table.title[locales.tag()]
    if not row.isascii() or not row.isdigit():
        return told
    told = f"{told} {int(row) + 1}"
    for each in table.columns:
        if each.columns and path.startswith(f"{each.path}."):
            return f"{told} › {_cell(each, path.removeprefix(f'{each.path}.'))}"
        if each.path == path:
            return f"{told} › {each.title[locales.tag()]}"
    return told


def spell(request: Request, field: str, value: Any) -> str:
    """A value in words."""
    resources = request.state.resources
    if value in (None, "", [], {}):
        return gettext("nothing")
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if field in {"starts_at", "ends_at"} or field.endswith("_at"):
        return locales.when(value, resources.zone) if isinstance(value, str) else str(value)
    if field == "scope":
        return str(SCOPES.get(value, value))
    if field in {"rule.price", "budget", "spend", "off", "cap", "price", "deposit", "amount_off", "rule.deposit"}:
        return locales.money(value, resources.currency)
    if isinstance(value, Mapping):
        told = [
            f"{name}: {spell(request, name, each)}" for name, each in value.items() if each not in (None, [], {})
        ]
        return "; ".join(told) or gettext("nothing")
    if isinstance(value, list | tuple):
        return _several(request, field, value)
    if field == "channels":
        return str(CHANNELS.get(value, value))
    return str(value)


def _several(request: Request, field: str, values: Any) -> str:
    shown = [
        _product(request, each) if isinstance(each, Mapping) and "sku" in each else spell(request, field, each)
        for each in values[:SHOWN_MAX]
        if not (isinstance(each, Mapping) and each.get("removed"))
    ]
    rest = len(values) - SHOWN_MAX
    return "; ".join([*shown, *([gettext("and %(count)s more") % {"count": rest}] if rest > 0 else [])])


def _product(request: Request, item: Mapping[str, Any]) -> str:
    aside = {"sku", "removed", "offer", "offer_price", "offer_state"}
    terms = {name: value for name, value in item.items() if name not in aside and value is not None}
    return f"{item['sku']} ({spell(request, '', terms)})" if terms else str(item["sku"])
