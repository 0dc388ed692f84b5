"""Rules that every type keeps before a campaign is published. Each tells all that is wrong, not only the first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from admin.errors import FieldError
from admin.promotions.audience import guard_audience
from admin.promotions.model import Item, Plan


def missing(path: str) -> FieldError:
    """The refusal to publish without a field."""
    return FieldError(path, "missing", "needed to publish")


def guard_common(plan: Plan, *, items_only: bool = False) -> list[FieldError]:
    """Everything that does not depend on the rule: name, window, audience, channels, scope and goods."""
    return [
        *guard_window(plan),
        *guard_audience(plan.fields.audience),
        *guard_channels(plan),
        *guard_scope(plan, items_only=items_only),
        *guard_goods(plan),
    ]


def guard_window(plan: Plan) -> list[FieldError]:
    """A name, and a window that is not over."""
    fields = plan.fields
    errors = [missing(name) for name in ("name", "starts_at", "ends_at") if getattr(fields, name) is None]
    if fields.starts_at is not None and fields.ends_at is not None and fields.starts_at >= fields.ends_at:
        errors.append(FieldError("ends_at", "not_after_start", "must be later than starts_at"))
    elif fields.ends_at is not None and fields.ends_at <= plan.now_ms:
        errors.append(FieldError("ends_at", "in_the_past", "must be in the future"))
    return errors


def guard_channels(plan: Plan) -> list[FieldError]:
    """Shops with a door belong to the channel `store`."""
    fields = plan.fields
    errors = []
    if len(set(fields.channels)) != len(fields.channels):
        errors.append(FieldError("channels", "repeated", "name each channel once"))
    if fields.stores and fields.channels and "store" not in fields.channels:
        errors.append(FieldError("stores", "needs_channel_store", 'add "store" to channels, or leave stores out'))
    return errors


def guard_scope(plan: Plan, *, items_only: bool) -> list[FieldError]:
    """What the scope needs, and nothing that it would ignore."""
    fields = plan.fields
    if items_only and fields.scope != "items":
        return [FieldError("scope", "items_only", 'this type needs its products listed: want "items"')]
    errors = []
    if fields.scope == "items":
        if not plan.items:
            errors.append(missing("items"))
    elif plan.items:
        errors.append(FieldError("items", "not_in_scope", 'list products only with "scope": "items"'))
    if fields.scope == "category":
        if not fields.categories:
            errors.append(missing("categories"))
        for index, category in enumerate(fields.categories):
            if category not in plan.categories:
                errors.append(
                    FieldError(f"categories.{index}", "unknown_category", f"there is no category {category}")
                )
    elif fields.categories:
        errors.append(FieldError("categories", "not_in_scope", 'name categories only with "scope": "category"'))
    return errors


def guard_items(items: Sequence[Item]) -> list[FieldError]:
    """Each product once."""
    seen: set[str] = set()
    errors = []
    for index, item in enumerate(items):
        if item.sku in seen:
            errors.append(
                FieldError(f"items.{index}.sku", "duplicate_sku", f"{item.sku} is listed twice: keep one")
            )
        seen.add(item.sku)
    return errors


def guard_goods(plan: Plan) -> list[FieldError]:
    """Listed products exist and are for sale."""
    errors = guard_items(plan.items)
    for index, item in enumerate(plan.items):
        if item.sku not in plan.kept:
            errors += guard_product(plan, f"items.{index}.sku", item.sku)
    return errors


def guard_product(plan: Plan, path: str, sku: str) -> list[FieldError]:
    """A product that shoppers pay for."""
    product = plan.products.get(sku)
    if product is None:
        return [FieldError(path, "unknown_sku", f"there is no product {sku}: create it first or correct the SKU")]
    if product.gift_only:
        text = f"{sku} is only given as a gift: leave it out, or clear gift_only on the product"
        return [FieldError(path, "gift_only", text)]
    if not product.on_sale:
        text = f"{sku} is not on sale: leave it out, or set on_sale on the product"
        return [FieldError(path, "not_on_sale", text)]
    return []


def guard_increasing(path: str, values: Iterable[int | None], name: str) -> list[FieldError]:
    """Each tier asks for, or gives, more than the one before. `path` names the list, `name` the field."""
    errors = []
    before: int | None = None
    for index, value in enumerate(values):
        if value is not None and before is not None and value <= before:
            errors.append(
                FieldError(
                    f"{path}.{index}.{name}", "tier_not_increasing", "must be more than in the tier before it"
                )
            )
        before = value if value is not None else before
    return errors
