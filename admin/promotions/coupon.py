"""A coupon as the engine holds it, and what operators may say of one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import ONE_LINE, UNSET, Input, Instant, Money, Sku
from admin.promotions.audience import Audience, guard_audience
from admin.promotions.model import ITEMS_MAX, CategoryId, Count
from admin.promotions.percent import Percent

Name = Annotated[str, Field(min_length=1, max_length=100), ONE_LINE]


class CouponFields(Input):
    """What a coupon takes off, from which carts, for whom, when."""

    name: Name
    kind: Literal["amount", "percent"]
    amount_off: Money | None = None
    percent_off: Percent | None = None
    cap: Money | None = Field(default=None, description="at most this much off, for percent")
    threshold: Money = Field(default=0, description="of the scope's lines after promotions")
    scope: Literal["all", "items", "category"] = "all"
    items: list[Sku] = Field(default_factory=list, max_length=ITEMS_MAX)
    categories: list[CategoryId] = Field(default_factory=list, max_length=500)
    starts_at: Instant
    ends_at: Instant
    per_shopper: Count | None = None
    total: Count | None = None
    audience: Audience = Field(default_factory=Audience)
    claim_required: bool = False


class CouponChange(CouponFields):
    """What changes about a coupon; what is left out stays. The code never changes."""

    name: Name = UNSET
    kind: Literal["amount", "percent"] = UNSET
    starts_at: Instant = UNSET
    ends_at: Instant = UNSET


class NewCoupon(CouponFields):
    """A new coupon. Codes that differ only in upper and lower case are different."""

    code: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]


@dataclass(frozen=True, slots=True)
class Coupon:
    """One coupon. `uses_left` is what this shopper may still use of it; `claimed` whether they hold it.

    None of them is known of a coupon without such limits.
    """

    code: str
    revision: int
    fields: CouponFields
    ended: bool = False
    uses_left: int | None = None
    claimed: bool = False


def read_coupon(code: str, body: Mapping[str, Any]) -> Coupon:
    """A coupon from what was recorded of it.

    Raises:
        pydantic.ValidationError: it was stored by a version that knew other fields.
    """
    terms = {name: value for name, value in body.items() if name not in {"revision", "ended_at"}}
    return Coupon(
        code=code,
        revision=int(body["revision"]),
        fields=CouponFields.model_validate(terms),
        ended=body.get("ended_at") is not None,
    )


def guard_coupon(
    fields: CouponFields, *, now_ms: int, products: Collection[str], categories: Collection[str]
) -> list[FieldError]:
    """Rules between the fields of a coupon, and against the world: the products and categories there are.

    A field that is needed and absent was complained about already, and is not judged.
    """
    errors = [*_guard_window(fields, now_ms), *guard_audience(fields.audience)]
    if fields.kind is not None:
        errors += _guard_kind(fields)
    errors += _guard_list(fields, "items", "items", "unknown_sku", "there is no product", products)
    errors += _guard_list(fields, "category", "categories", "unknown_category", "there is no category", categories)
    return errors


def _guard_window(fields: CouponFields, now_ms: int) -> list[FieldError]:
    if fields.ends_at is None:
        return []
    if fields.starts_at is not None and fields.starts_at >= fields.ends_at:
        return [FieldError("ends_at", "not_after_start", "must be later than starts_at")]
    if fields.ends_at <= now_ms:
        return [FieldError("ends_at", "in_the_past", "must be in the future")]
    return []


def _guard_kind(fields: CouponFields) -> list[FieldError]:
    errors = []
    wanted, other = ("amount_off", "percent_off") if fields.kind == "amount" else ("percent_off", "amount_off")
    if getattr(fields, wanted) is None:
        errors.append(FieldError(wanted, "missing", f'needed with "kind": "{fields.kind}"'))
    elif getattr(fields, wanted) == 0:
        errors.append(FieldError(wanted, "too_small", "must take something off"))
    if getattr(fields, other) is not None:
        errors.append(FieldError(other, "not_for_kind", f'leave it out with "kind": "{fields.kind}"'))
    if fields.cap is not None and fields.kind == "amount":
        errors.append(FieldError("cap", "not_for_kind", 'a cap is for "kind": "percent"'))
    elif fields.cap == 0:
        errors.append(FieldError("cap", "too_small", "must leave something to take off; no cap is null"))
    return errors


def _guard_list(
    fields: CouponFields, scope: str, name: str, unknown: str, says: str, known: Collection[str]
) -> list[FieldError]:
    given: list[str] = getattr(fields, name)
    if fields.scope != scope:
        return [FieldError(name, "not_in_scope", f'only with "scope": "{scope}"')] if given else []
    if not given:
        return [FieldError(name, "missing", f'needed with "scope": "{scope}"')]
    errors = []
    seen: set[str] = set()
    for index, each in enumerate(given):
        if each in seen:
            errors.append(FieldError(f"{name}.{index}", "repeated", f"{each} is listed twice"))
        elif each not in known:
            errors.append(FieldError(f"{name}.{index}", unknown, f"{says} {each}: create it first or correct it"))
        seen.add(each)
    return errors
