"""What stands beside a field that can be read: a discount said both ways with a price, or which product it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request

from admin.backoffice.wizard import ruling_products
from admin.backoffice.wizard.ruling_fields import Asked
from admin.backoffice.wizard.ruling_products import Sample
from admin.backoffice.wizard.ruling_values import basis_points, is_discount, zhe_for
from admin.campaigns.models import Campaign
from admin.pages.locales import gettext, money
from admin.promotions import money as amounts
from admin.promotions.model import FormField, PromotionType

Notes = dict[str, list[str]]


async def notes(
    request: Request,
    campaign: Campaign,
    promotion: PromotionType,
    asked: Sequence[Asked],
    rule: Mapping[str, Any],
    names: Mapping[str, str],
) -> Notes:
    """Texts by input, about the values that a rule has. `names` are inputs by path."""
    named = [(field, value, names[path]) for path, field, value in values(asked, rule) if path in names]
    products = await ruling_products.known(
        request, (value for field, value, _ in named if field.kind == "product" and isinstance(value, str))
    )
    percents = [each for each in named if each[0].kind == "percent"]
    sample = await ruling_products.sample(request, campaign, promotion) if percents else None
    found: Notes = {}
    for field, value, name in named:
        if field.kind == "product" and value in products:
            product = products[value]
            found[name] = [f"{product.name} · {ruling_products.about(request, product)}"]
        elif field.kind == "percent" and sample is not None:
            text = _priced(field, value, sample, request.state.resources.currency)
            found |= {name: [text]} if text else {}
    return found


def values(
    asked: Sequence[Asked], terms: Mapping[str, Any], prefix: str = "rule"
) -> Iterator[tuple[str, FormField, Any]]:
    """Every value that a rule has for some fields, with its path."""
    for each in asked:
        path, value = f"{prefix}.{each.key}", terms.get(each.key)
        if each.field.kind != "table":
            yield path, each.field, value
        elif isinstance(value, list):
            for position, row in enumerate(value):
                if isinstance(row, dict):
                    yield from values(each.columns, row, f"{path}.{position}")


def as_85(field: FormField, text: str, *, zhe: bool) -> str | None:
    """That 85 was read as 8.5折, if it was."""
    if not is_discount(field) or not (zhe or text.strip().endswith("折")):
        return None
    read = zhe_for(text)
    return read and gettext("Read as %(zhe)s折.") % {"zhe": read}


def _priced(field: FormField, value: Any, sample: Sample, currency: str) -> str | None:
    points = basis_points(value)
    if points is None or not 0 < points < amounts.WHOLE:
        return None
    price, percent = money(sample.price, currency), amounts.show_percent(points)
    if not is_discount(field):
        share = money(amounts.half_up(sample.price, points), currency)
        told = gettext("%(percent)s%% of the price. %(name)s at %(price)s: %(share)s.")
        return told % {"percent": percent, "name": sample.name, "price": price, "share": share}
    pays = money(sample.price - amounts.percent_off(sample.price, points), currency)
    told = gettext("%(percent)s%% off, in Chinese %(zhe)s折. %(name)s at %(price)s: pays %(pays)s.")
    zhe = amounts.show_zhe(points)
    return told % {"percent": percent, "zhe": zhe, "name": sample.name, "price": price, "pays": pays}
