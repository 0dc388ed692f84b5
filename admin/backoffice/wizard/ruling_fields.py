"""What a type's form asks at each step, worked out from what the type declares. Pure.

The step "rule" asks everything about the rule but the products that a campaign gives away or offers; those are
asked at the step "gifts". Products with terms of their own are asked where the goods are chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from admin.promotions import registry
from admin.promotions.gift_terms import GIFT_COLUMNS
from admin.promotions.model import FormField, PromotionType

RULE = "rule"
GIFTS = "gifts"
_PREFIX = "rule."
_ROWS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """One field at one step.

    `name` is that of its input, below that of its row; `key` its place in the rule or the row; `empty` what the
    rule has when nothing is typed. `rows_max` and `grows`, whether rows come and go at this step, are for tables.
    """

    field: FormField
    name: str
    key: str
    empty: Any = None
    columns: tuple[Asked, ...] = ()
    told: tuple[Asked, ...] = ()
    """Columns of another step, by which people know a row."""
    rows_max: int = 0
    grows: bool = True

    @property
    def is_gift(self) -> bool:
        """Whether it names a product that is given away."""
        return self.field == GIFT_COLUMNS[0]


def steps(type_name: str) -> tuple[str, ...]:
    """The steps of a type's form."""
    promotion = registry.available()[type_name]
    return (RULE, GIFTS) if asked(promotion.name, GIFTS) else (RULE,)


@cache
def asked(type_name: str, step: str) -> tuple[Asked, ...]:
    """The fields of a type's form at a step, in its order. A path that stands there twice has two names."""
    return tuple(fields_of(registry.available()[type_name], step))


def fields_of(promotion: PromotionType, step: str) -> Iterator[Asked]:
    """The same, of a type that need not be registered."""
    schema = promotion.fields.model_json_schema()
    terms = _resolved(schema["properties"][RULE], schema)
    empty = promotion.fields.model_validate({}).model_dump(mode="json")[RULE]
    seen: dict[str, int] = {}
    for field in promotion.form:
        if not field.path.startswith(_PREFIX):
            continue
        key = field.path.removeprefix(_PREFIX)
        seen[key] = seen.get(key, 0) + 1
        name = field.path if seen[key] == 1 else f"{field.path}~{seen[key]}"
        described = _resolved(terms["properties"][key], schema)
        found = _at_step(promotion, field, step, name, key, described, schema)
        if found is not None:
            yield Asked(field, name, key, empty.get(key), *found)


def _at_step(
    promotion: PromotionType,
    field: FormField,
    step: str,
    name: str,
    key: str,
    described: Mapping[str, Any],
    schema: Mapping[str, Any],
) -> tuple[tuple[Asked, ...], tuple[Asked, ...], int, bool] | None:
    """What a step asks of a field: columns, columns that are only told, how many rows, whether they change."""
    if field.kind == "session":
        # It decides when the campaign is, and is asked with that.
        return None
    if field.kind != "table":
        return ((), (), 0, True) if step == RULE else None
    columns = _columns(field, described, schema)
    rows_max = described.get("maxItems", _ROWS_MAX)
    # Where goods are listed one by one, products in the rule are those goods.
    apart = 0 if _names_products(field) else _first_products(field.columns)
    if promotion.items_only or apart is None:
        return (columns, (), rows_max, True) if step == RULE else None
    if apart == 0:
        return (columns, (), rows_max, True) if step == GIFTS else None
    # What stands behind the products in a row speaks of them.
    if step == RULE:
        return columns[:apart], (), rows_max, True
    return columns[apart:], columns[:apart], rows_max, False


def _columns(field: FormField, described: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[Asked, ...]:
    row = _resolved(described.get("items", {}), schema)
    found = []
    for column in field.columns:
        inside = _resolved(row.get("properties", {}).get(column.path, {}), schema)
        nested = _columns(column, inside, schema) if column.kind == "table" else ()
        found.append(
            Asked(column, column.path, column.path, None, nested, rows_max=inside.get("maxItems", _ROWS_MAX))
        )
    return tuple(found)


def _names_products(table: FormField) -> bool:
    return any(column.kind == "product" for column in table.columns)


def _first_products(columns: Sequence[FormField]) -> int | None:
    """Where the first list of products stands among some columns."""
    for place, column in enumerate(columns):
        if column.kind == "table" and _names_products(column):
            return place
    return None


def _resolved(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of a JSON schema without references and without null."""
    if "$ref" in described:
        return _resolved(schema["$defs"][described["$ref"].rpartition("/")[2]], schema)
    if "anyOf" in described:
        options = [each for each in described["anyOf"] if each.get("type") != "null"]
        return _resolved(options[0], schema)
    return described


def asks(type_name: str, step: str, path: str) -> int:
    """How much of a path a step asks for: the number of its parts that lead to one of its fields."""
    return max(
        (_depth(each.columns, path.split("."), each.field.path.split(".")) for each in asked(type_name, step)),
        default=0,
    )


def _depth(columns: Sequence[Asked], parts: Sequence[str], own: Sequence[str]) -> int:
    if list(parts[: len(own)]) != list(own):
        return 0
    rest = parts[len(own) :]
    inside = [_depth(each.columns, rest[1:], [each.key]) for each in columns if len(rest) > 1]
    deeper = max(inside, default=0)
    return len(own) + (1 + deeper if deeper else 0)


def applies(field: FormField, fact: Any) -> bool:
    """Whether a field is asked, given what the field has by which it is asked."""
    return field.shown_if is None or bool(fact == field.shown_if[1])
