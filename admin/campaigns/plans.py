"""What somebody wants to publish, beside the facts that the guards of its type judge it by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select, union

from admin.campaigns import offering
from admin.campaigns.stored import Readable
from admin.catalog import service as catalog
from admin.catalog.tables import categories, products
from admin.errors import FieldError
from admin.promotions.model import Plan, ProductFacts
from admin.resources import Resources


def draw_up(
    resources: Resources,
    connection: Connection,
    code: str,
    content: Readable,
    now_ms: int,
    *,
    reserved: Mapping[str, int] | None = None,
    kept: frozenset[str] = frozenset(),
) -> Plan:
    """The plan of a campaign.

    `reserved` are units that it holds already, by SKU; `kept` the SKUs that are published with these terms.
    """
    fields, rule, items = content.fields, content.rule, content.items
    skus = {*(item.sku for item in items), *fields.exclude, *content.promotion.named(rule)}
    return Plan(
        code,
        fields,
        rule,
        items,
        now_ms,
        products=_facts(connection, skus, reserved or {}),
        categories=_known(connection, fields.categories),
        kept=kept,
        gifts_only=resources.settings.gift_goods == "gift_only",
    )


def judge(
    connection: Connection, content: Readable, plan: Plan, new: Sequence[tuple[int, Any]] | None = None
) -> list[FieldError]:
    """What is wrong with a plan; `new` are the items, with positions, that are not published yet: else all."""
    errors = content.promotion.guard(plan)
    if content.promotion.sold_by_gateway:
        items = list(enumerate(plan.items)) if new is None else new
        errors = [*errors, *offering.taken_ids(connection, plan.code, items)]
    return errors


def judge_change(
    connection: Connection, before: Readable, after: Readable, plan: Plan, new: Sequence[tuple[int, Any]]
) -> list[FieldError]:
    """The same for what a published campaign would become: parts that stay are not judged again.

    A gift may be off sale by now, or a part cheaper: that is no reason to refuse a new slogan or a later end.
    """
    errors = judge(connection, after, plan, new)
    if not errors:
        return []
    known = before.promotion.guard(replace(plan, fields=before.fields, rule=before.rule, items=before.items))
    return [error for error in errors if error not in known or _changes(error, before, after)]


def _changes(error: FieldError, before: Readable, after: Readable) -> bool:
    part = error.field.split(".")[0]
    return bool(getattr(before.fields, part, None) != getattr(after.fields, part, None))


def _facts(connection: Connection, skus: Iterable[str], reserved: Mapping[str, int]) -> dict[str, ProductFacts]:
    return {
        sku: ProductFacts(
            price=row.price,
            free=row.stock - row.reserved + reserved.get(sku, 0),
            gift_only=row.gift_only,
            on_sale=row.on_sale,
            category=row.category,
        )
        for sku, row in catalog.find(connection, skus).items()
    }


def _known(connection: Connection, wanted: Sequence[str]) -> frozenset[str]:
    """Those of some categories that are in the tree, or that a product is in."""
    if not wanted:
        return frozenset()
    in_tree = select(categories.c.id).where(categories.c.id.in_(wanted))
    in_use = select(products.c.category).where(products.c.category.in_(wanted))
    return frozenset(connection.execute(union(in_tree, in_use)).scalars())
