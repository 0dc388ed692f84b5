"""Categories as operators send and see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from admin.catalog.models import Category as CategoryId
from admin.inputs import ONE_LINE, UNSET, Input, QueryText
from admin.paging import Numbered
from admin.promotions.model import Language

POSITION_MAX = 1_000_000

CategoryName = Annotated[str, Field(min_length=1, max_length=100), ONE_LINE]
Position = Annotated[int, Field(ge=0, le=POSITION_MAX, description="among its siblings, smaller first")]
CategorySort = Literal["id", "-id", "name", "-name", "position", "-position", "updated_at", "-updated_at"]


class CategoryTexts(Input):
    """The name in one language."""

    name: CategoryName


Languages = Annotated[dict[Language, CategoryTexts], Field(max_length=20)]


class CategoryInput(Input):
    """A new category."""

    id: CategoryId
    name: CategoryName
    parent: Annotated[CategoryId | None, Field(description="null: a root")] = None
    position: Position = 0
    texts: Languages = Field(default_factory=dict)


class CategoryChange(Input):
    """What changes; what is left out stays. The id never changes."""

    name: CategoryName = UNSET
    parent: CategoryId | None = None
    position: Position = UNSET
    texts: Languages = UNSET


class Category(BaseModel):
    """A category. Products may also name one that is not in the tree: then it stands alone."""

    id: str
    name: str
    parent: str | None
    position: int
    texts: dict[str, CategoryTexts]
    revision: int
    created_at: str
    updated_at: str


class CategoryFilter(Numbered):
    """Which categories to show."""

    parent: Annotated[QueryText | None, Field(description="only its children")] = None
    q: Annotated[QueryText | None, Field(description="a part of the id or the name")] = None
    sort: Annotated[CategorySort | None, Field(description="by id when absent; - is descending")] = None


class CategoryPage(BaseModel):
    """Categories by id."""

    items: list[Category]
    next: str | None
    total: int | None = None
