"""Categories over HTTP."""

from __future__ import annotations

from admin.catalog import categories
from admin.catalog.category_models import Category, CategoryChange, CategoryFilter, CategoryInput, CategoryPage
from admin.crud import Models, Summaries, operations
from admin.routing import Body

_EXAMPLE = {
    "id": "kitchen",
    "name": "Kitchen",
    "parent": None,
    "position": 1,
    "texts": {"zh-Hant": {"name": "廚房"}},
}

ENDPOINTS = operations(
    categories,
    "/admin/api/categories",
    "id:path",
    "category",
    Models(Category, CategoryPage, CategoryFilter),
    Summaries(
        create="Make a category",
        list="Categories by id",
        change="Change some fields of a category; what is below it moves along",
        delete="Delete a category without children, products and campaigns",
    ),
    create=Body((CategoryInput,), {"kitchen": _EXAMPLE}),
    change=Body((CategoryChange,), {"name": {"name": "Kitchenware", "position": 2}}),
    may_conflict=("delete",),
)
