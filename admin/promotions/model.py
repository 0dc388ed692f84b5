"""A campaign as an operator sends it, and what a promotion type adds to it.

A type is one file in `types/`: its rule, its items, its guards and its label. Every field may be absent in a
draft; what publishing needs is judged by guards, so that all problems are told together.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from admin.errors import FieldError
from admin.inputs import MONEY_MAX, ONE_LINE, Code, Input, Instant, Money, Sku, refuse
from admin.promotions.audience import Audience
from admin.promotions.effects import Effect, Group

ITEMS_MAX = 1000
"""Products listed in one campaign."""
TIERS_MAX = 20
"""Steps of one ladder."""
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
Count = Annotated[int, Field(ge=1, le=10**9)]
Amount = Annotated[int, Field(ge=1, le=MONEY_MAX, description="minor units, not 0")]
Channel = Literal["web", "app", "mini_program", "store"]
StoreId = Annotated[str, Field(min_length=1, max_length=40), ONE_LINE]
CategoryId = Annotated[str, Field(min_length=1, max_length=64), ONE_LINE]


class Texts(Input):
    """The typed texts in one language."""

    name: Name | None = None
    slogan: Slogan | None = None
    label: Label | None = None


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
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A campaign that somebody wants to publish, and the world it would be published into.

    `products` has the listed products, the excluded ones and those that the rule names, as far as they exist;
    `categories` those of the scope that exist.
    """

    code: str
    fields: CampaignFields
    rule: Any
    items: Sequence[Any]
    now_ms: int
    products: Mapping[str, ProductFacts] = field(default_factory=dict)
    categories: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    """SKUs that are published already and whose terms stay; they were judged then, by that day's base price."""
    gifts_only: bool = False
    """Whether the shop gives away only goods that are not for sale."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a type's form. `path` is its place in the body; texts by language.

    A `session` is asked as a session and a date. A `table` has `columns`, fields whose paths are relative to a
    row; `choices` are values with their texts; `shown_if` names a field and the value it must have for this one
    to be asked.
    """

    path: str
    kind: Literal[
        "money", "percent", "multiplier", "count", "choice", "flag", "instant", "product", "session", "table"
    ]
    title: Mapping[str, str]
    help: Mapping[str, str] = field(default_factory=dict)
    required: bool = False
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    columns: tuple[FormField, ...] = ()
    shown_if: tuple[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A cart and what the type makes of it; operators read it, and a test holds the engine to it.

    `prices` are base prices by SKU, `cart` quantities by SKU. `expect` may name `total`, `discount`, `payables`
    (by line), `tier`, `gifts` ({sku: quantity}), `deposit`, `balance`.
    """

    title: Mapping[str, str]
    rule: Mapping[str, Any]
    prices: Mapping[str, int]
    cart: Mapping[str, int]
    expect: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]] = ()
    """Terms of listed products; by default everything in the cart is listed without terms of its own."""
    gifts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    add_ons: Sequence[Mapping[str, Any]] = ()


def _nothing_named(_rule: Any) -> Iterable[str]:
    return ()


def _no_limit(_rule: Any) -> int | None:
    return None


def _all_welcome(_rule: Any, _item: Any, _price: int, _quantity: int) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class PromotionType:
    """One type of promotion: everything that is special about it."""

    name: str
    title: Mapping[str, str]
    sentence: Mapping[str, str]
    """What it does, for an operator who has to choose a type."""
    words: tuple[str, ...]
    """What shoppers type when they look for such promotions."""
    fields: type[CampaignFields]
    campaign: type[NewCampaign]
    item: type[Item]
    guard: Callable[[Plan], list[FieldError]]
    label: Callable[[Any, Sequence[Any], str], dict[str, str]]
    """Of a rule, its items and the currency: the short text in every language."""
    evaluate: Callable[[Any, Group], Effect] | None
    """What the rule makes of a group. None: never priced in a cart."""
    body: Mapping[str, Any]
    """A body that makes such a campaign."""
    form: tuple[FormField, ...]
    examples: tuple[Example, ...]
    refuses: Callable[[Any, Any, int, int], str | None] = _all_welcome
    """Of rule, item terms, base price and quantity: the code of the reason why a line is left out, if it is."""
    named: Callable[[Any], Iterable[str]] = _nothing_named
    """Products that the rule names: gifts, options, components."""
    own_button: bool = False
    """Joined only when the shopper says so, and alone."""
    additive: bool = False
    """What a line is reduced by depends on that line alone."""
    items_only: bool = False
    """Whether products must be listed one by one."""
    counts_units: bool = False
    """Whether `limits` count units; otherwise orders."""
    own_limit: Callable[[Any], int | None] = _no_limit
    """Of a rule: units that one shopper may have in all, where the rule says so instead of `limits`."""
    coupons_allowed: bool = True
    raisable: frozenset[str] = frozenset()
    """Fields of the rule that may grow while the campaign runs."""

    @property
    def sold_by_gateway(self) -> bool:
        """Whether its items become offers of the gateway, which reserve stock."""
        return self.evaluate is None


def fitting(long: Mapping[str, str], plain: Mapping[str, str]) -> dict[str, str]:
    """Labels that are not too wide: in each language the long one if it fits, else the plain one."""
    return {
        language: text if width(text) <= LABEL_WIDTH_MAX else plain[language] for language, text in long.items()
    }
