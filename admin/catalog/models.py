"""Products as operators send and see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from pydantic.json_schema import WithJsonSchema

from admin.inputs import (
    ONE_LINE,
    PARAGRAPHS,
    UNSET,
    Image,
    Input,
    Money,
    QueryFlag,
    QueryText,
    Sku,
    Stock,
    refuse,
)
from admin.paging import Numbered

SKUS_MAX = 200
"""Products that one list may name."""


def _separated(given: object) -> list[str]:
    skus = given.split(",") if isinstance(given, str) else []
    if not 0 < len(skus) <= SKUS_MAX:
        raise refuse("too_many", f"want 1 to {SKUS_MAX} SKUs, separated by commas")
    return skus


def _distinct(tags: list[str]) -> list[str]:
    if len(set(tags)) != len(tags):
        raise refuse("repeated", "each tag once")
    return tags


Name = Annotated[str, Field(min_length=1, max_length=200), ONE_LINE]
Category = Annotated[str, Field(min_length=1, max_length=64), ONE_LINE]
Tag = Annotated[str, Field(min_length=1, max_length=40), ONE_LINE]
Tags = Annotated[list[Tag], Field(max_length=20), AfterValidator(_distinct)]
Description = Annotated[str, Field(max_length=20_000), PARAGRAPHS]
ProductSort = Literal[
    "sku", "-sku", "name", "-name", "price", "-price", "stock", "-stock", "updated_at", "-updated_at"
]


class Membership(Input):
    """What a paid purchase makes the buyer."""

    level: int = Field(ge=1, le=1000)
    days: int = Field(ge=1, le=36_500, description="civil days")


class ProductInput(Input):
    """A new product."""

    sku: Sku
    name: Name
    price: Money
    cost: Money | None = None
    stock: Stock = 0
    category: Category | None = None
    tags: Tags = Field(default_factory=list)
    image: Image | None = None
    description: Description | None = None
    gift_only: bool = False
    on_sale: bool = True
    membership: Membership | None = None


class ProductChange(Input):
    """What changes; what is left out stays. The SKU never changes."""

    name: Name = UNSET
    price: Money = UNSET
    cost: Money | None = None
    stock: Stock = UNSET
    category: Category | None = None
    tags: Tags = UNSET
    image: Image | None = None
    description: Description | None = None
    gift_only: bool = UNSET
    on_sale: bool = UNSET
    membership: Membership | None = None


class Product(BaseModel):
    """A product. `free` units are neither promised to a campaign nor held by an order."""

    sku: str
    name: str
    price: int
    cost: int | None
    stock: int
    reserved: int
    free: int
    category: str | None
    tags: list[str]
    image: str | None
    description: str | None
    gift_only: bool
    on_sale: bool
    membership: Membership | None
    revision: int
    created_at: str
    updated_at: str


class ProductFilter(Numbered):
    """Which products to show; all that is asked holds."""

    category: Annotated[QueryText | None, Field(description="or a descendant of it")] = None
    tag: QueryText | None = None
    on_sale: QueryFlag | None = None
    gift_only: QueryFlag | None = None
    sku: Annotated[
        list[Sku] | None,
        BeforeValidator(_separated),
        WithJsonSchema({"type": "string", "description": f"only these, at most {SKUS_MAX}, separated by commas"}),
    ] = None
    q: Annotated[QueryText | None, Field(description="a part of the name or the SKU")] = None
    sort: Annotated[ProductSort | None, Field(description="by SKU when absent; - is descending")] = None


class ProductPage(BaseModel):
    """Products by SKU."""

    items: list[Product]
    next: str | None
    total: int | None = None
