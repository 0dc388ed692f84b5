"""A coupon as the engine holds it, and what operators may say of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import ONE_LINE, Input, Instant, Money, Sku
from admin.promotions.audience import Audience
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


class NewCoupon(CouponFields):
    """A new coupon."""

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


def guard_coupon(fields: CouponFields) -> list[FieldError]:
    """Rules between the fields of a coupon."""
    errors = []
    if fields.starts_at >= fields.ends_at:
        errors.append(FieldError("ends_at", "not_after_start", "must be later than starts_at"))
    wanted, other = ("amount_off", "percent_off") if fields.kind == "amount" else ("percent_off", "amount_off")
    if getattr(fields, wanted) is None:
        errors.append(FieldError(wanted, "missing", f'needed with "kind": "{fields.kind}"'))
    elif getattr(fields, wanted) == 0:
        errors.append(FieldError(wanted, "too_small", "must take something off"))
    if getattr(fields, other) is not None:
        errors.append(FieldError(other, "not_for_kind", f'leave it out with "kind": "{fields.kind}"'))
    if fields.cap is not None and fields.kind == "amount":
        errors.append(FieldError("cap", "not_for_kind", 'a cap is for "kind": "percent"'))
    for scope, name in (("items", "items"), ("category", "categories")):
        given = getattr(fields, name)
        if fields.scope == scope and not given:
            errors.append(FieldError(name, "missing", f'needed with "scope": "{scope}"'))
        if fields.scope != scope and given:
            errors.append(FieldError(name, "not_in_scope", f'only with "scope": "{scope}"'))
        if len(set(given)) != len(given):
            errors.append(FieldError(name, "repeated", "each once"))
    return errors
