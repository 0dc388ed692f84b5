"""A campaign as an operator sends it, and what a promotion type adds to it.

A type is one file in `types/`: its rule, its items, its guards and its label. Every field may be absent in a
draft; what publishing needs is judged by guards, so that all problems are told together.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from admin.errors import FieldError
from admin.inputs import ONE_LINE, Code, Input, Instant, Money, Sku, refuse

ITEMS_MAX = 1000
"""Products listed in one campaign."""
LABEL_WIDTH_MAX = 24
"""Width of a label: a Latin character counts 1, a CJK character 2."""
LANGUAGES = ("en", "zh-Hant")
"""Languages of generated texts; the first is used for everybody else."""


def width(text: str) -> int:
    """How wide a text is shown, in Latin characters."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _short(label: str) -> str:
    if width(label) > LABEL_WIDTH_MAX:
        raise refuse("too_wide", "at most 24 Latin or 12 CJK characters")
    return label


Name = Annotated[str, Field(min_length=1, max_length=100), ONE_LINE]
Slogan = Annotated[str, Field(min_length=1, max_length=200), ONE_LINE]
Label = Annotated[str, Field(min_length=1, max_length=LABEL_WIDTH_MAX), ONE_LINE, AfterValidator(_short)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=20)]
Level = Annotated[int, Field(ge=0, le=1000)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Channel = Literal["web", "app", "mini_program", "store"]
StoreId = Annotated[str, Field(min_length=1, max_length=40), ONE_LINE]
CategoryId = Annotated[str, Field(min_length=1, max_length=64), ONE_LINE]


class Texts(Input):
    """The typed texts in one language."""

    name: Name | None = None
    slogan: Slogan | None = None
    label: Label | None = None


class Audience(Input):
    """Whom a campaign is for. Conditions belong to `members`; all that are given hold."""

    kind: Literal["everyone", "members"] = "everyone"
    levels: Annotated[list[Level], Field(min_length=1, max_length=100)] | None = None
    member_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    birthday: Literal["day", "month"] | None = None
    new_customer: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """Without the conditions that are not given."""
        return self.model_dump(exclude_none=True)


class Limits(Input):
    """How much a campaign may give away in all."""

    per_shopper: Count | None = None
    total: Count | None = None
    budget: Money | None = None


class Item(Input):
    """One product of a campaign."""

    sku: Sku


class Rule(Input):
    """What a campaign does; each type has its own fields."""


class CampaignFields(Input):
    """What may be changed about a campaign; a type narrows `rule` and `items`."""

    name: Name | None = None
    slogan: Slogan | None = None
    label: Label | None = None
    texts: Annotated[dict[Language, Texts], Field(max_length=20)] = Field(default_factory=dict)
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    priority: int = Field(default=0, ge=-1_000_000, le=1_000_000)
    channels: Annotated[list[Channel], Field(max_length=4)] = Field(default_factory=list)
    stores: Annotated[list[StoreId], Field(max_length=500)] = Field(default_factory=list)
    audience: Audience = Field(default_factory=Audience)
    scope: Literal["items", "category", "all"] = "items"
    categories: Annotated[list[CategoryId], Field(max_length=500)] = Field(default_factory=list)
    exclude: Annotated[list[Sku], Field(max_length=ITEMS_MAX)] = Field(default_factory=list)
    coupons_allowed: bool | None = Field(default=None, description="by default what is usual for the type")
    limits: Limits | None = None


class NewCampaign(CampaignFields):
    """What is settled when a campaign is made."""

    code: Code | None = Field(default=None, description="made up when not given")
    draft: bool = Field(default=False, description="stored as it is, on sale only after publishing")


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """What a guard needs to know of a product. `free` counts what this campaign has already reserved."""

    price: int
    free: int
    gift_only: bool
    on_sale: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A campaign that somebody wants to publish, and the world it would be published into."""

    code: str
    fields: CampaignFields
    rule: Any
    items: Sequence[Any]
    now_ms: int
    products: Mapping[str, ProductFacts] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    """SKUs that are published already and whose price stays; they were judged then, by that day's base price."""


@dataclass(frozen=True, slots=True)
class PromotionType:
    """One type of promotion."""

    name: str
    fields: type[CampaignFields]
    campaign: type[NewCampaign]
    guard: Callable[[Plan], list[FieldError]]
    label: Callable[[Any, Sequence[Any], str], dict[str, str]]
    example: Mapping[str, Any]
    coupons_allowed: bool = True
    raisable: frozenset[str] = frozenset()
    """Fields of the rule that may grow while the campaign runs."""


def missing(path: str) -> FieldError:
    """The refusal to publish without a field."""
    return FieldError(path, "missing", "needed to publish")


def guard_window(plan: Plan) -> list[FieldError]:
    """Rules that every type keeps: a name, and a window that is not over."""
    fields = plan.fields
    errors = [missing(name) for name in ("name", "starts_at", "ends_at") if getattr(fields, name) is None]
    if fields.starts_at is not None and fields.ends_at is not None and fields.starts_at >= fields.ends_at:
        errors.append(FieldError("ends_at", "not_after_start", "must be later than starts_at"))
    elif fields.ends_at is not None and fields.ends_at <= plan.now_ms:
        errors.append(FieldError("ends_at", "in_the_past", "must be in the future"))
    return errors


def guard_audience(audience: Audience) -> list[FieldError]:
    """Conditions are for members only."""
    if audience.kind == "members":
        return []
    given = audience.model_dump(exclude={"kind"}, exclude_none=True)
    return [FieldError(f"audience.{name}", "needs_members", 'conditions need "kind": "members"') for name in given]


def guard_items(items: Sequence[Item]) -> list[FieldError]:
    """Each product once."""
    seen: set[str] = set()
    errors = []
    for index, item in enumerate(items):
        if item.sku in seen:
            errors.append(FieldError(f"items.{index}.sku", "duplicate_sku", f"{item.sku} is listed twice"))
        seen.add(item.sku)
    return errors
