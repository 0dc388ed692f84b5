"""What publishing a draft would not refuse, but an operator should know. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from admin.gate.goods import Goods
from admin.gate.models import CheckWarning
from admin.gate.pricing import Good
from admin.promotions.campaign import Campaign
from admin.promotions.model import LABEL_WIDTH_MAX, width

FIRST = 5
"""SKUs that a line of the report names."""


def of_terms(draft: Campaign, now_ms: int, *, levels_exist: bool) -> Iterator[CheckWarning]:
    """What can be said of a draft without its goods."""
    if draft.starts_at_ms <= now_ms:
        text = "it has begun already: published, it is on at once, for what is left of its window"
        yield _warning("starts_at_once", "starts_at", text)
    for language, label in draft.labels.items():
        if draft.label is None and width(label) > LABEL_WIDTH_MAX:
            text = f"the generated label ({language}) is too wide for lists: type a shorter one: {label}"
            yield _warning("label_too_wide", "label", text)
    if not levels_exist:
        text = "no member has one of these levels now; only tokens could claim one"
        yield _warning("no_such_member", "audience.levels", text)


def of_goods(draft: Campaign, goods: Goods) -> Iterator[CheckWarning]:
    """What the goods of a draft are not."""
    if not goods:
        yield _warning("no_goods", "scope", "nothing that is on sale is in its scope now")
    if draft.scope == "items" or draft.type is None:
        return
    left_out = [
        sku
        for sku, product in goods.products.items()
        if draft.type.refuses(draft.rule, draft.items.get(sku), product.price, 1) == "not_below_base"
    ]
    if left_out:
        text = "these would not cost less than their base price, so they are left out"
        yield _warning("not_below_base", "scope", text, left_out)


def of_margins(draft: Campaign, priced: Sequence[Good], costs: Mapping[str, int | None]) -> Iterator[CheckWarning]:
    """What would be sold below its cost."""
    losing = [each.product.sku for each in priced if each.margin is not None and each.margin < 0]
    if losing:
        worst = min(each.margin for each in priced if each.margin is not None)
        text = f"a unit would be sold below its cost, gifts included; the worst leaves {worst}"
        yield _warning("below_cost", "rule", text, losing)
    options = {
        option.sku: option.price
        for each in priced
        if each.reached is not None
        for option in each.reached.effect.options
    }
    cheap = sorted(sku for sku, price in options.items() if price < (costs.get(sku) or 0))
    if cheap:
        yield _warning("add_on_below_cost", "rule", "these would be added below their cost", cheap)


def _warning(code: str, field: str, message: str, skus: Iterable[str] = ()) -> CheckWarning:
    named = list(skus)
    return CheckWarning.model_validate(
        {"code": code, "field": field, "message": message, "count": len(named), "skus": named[:FIRST]}
    )
