"""Categories over HTTP."""

from __future__ import annotations

from admin.catalog import categories
from admin.catalog.category_models import Category, CategoryChange, CategoryFilter, CategoryInput, CategoryPage
from admin.catalog.models import Deleted
from admin.routing import Body, Call, Endpoint

_LIST = "/admin/api/categories"
_ONE = "/admin/api/categories/{id:path}"

_EXAMPLE = {
    "id": "kitchen",
    "name": "Kitchen",
    "parent": None,
    "position": 1,
    "texts": {"zh-Hant": {"name": "廚房"}},
}


def _create(call: Call) -> Category:
    return categories.create(call.resources, call.body, actor=call.actor)


def _list(call: Call) -> CategoryPage:
    return categories.page(call.resources, call.query(CategoryFilter))


def _read(call: Call) -> Category:
    return categories.read(call.resources, call.path["id"])


def _change(call: Call) -> Category:
    return categories.change(call.resources, call.path["id"], call.body, actor=call.actor, if_match=call.if_match)


def _delete(call: Call) -> Deleted:
    categories.remove(call.resources, call.path["id"], actor=call.actor, if_match=call.if_match)
    return Deleted(deleted=call.path["id"])


ENDPOINTS = (
    Endpoint(
        "POST",
        _LIST,
        "create_category",
        "Make a category",
        _create,
        Category,
        status=201,
        body=Body((CategoryInput,), {"kitchen": _EXAMPLE}),
        problems=(409,),
    ),
    Endpoint("GET", _LIST, "list_categories", "Categories by id", _list, CategoryPage, query=CategoryFilter),
    Endpoint("GET", _ONE, "read_category", "One category", _read, Category, problems=(404,)),
    Endpoint(
        "PATCH",
        _ONE,
        "change_category",
        "Change some fields of a category; what is below it moves along",
        _change,
        Category,
        body=Body((CategoryChange,), {"name": {"name": "Kitchenware", "position": 2}}),
        problems=(404, 412),
    ),
    Endpoint(
        "DELETE",
        _ONE,
        "delete_category",
        "Delete a category without children, products and campaigns",
        _delete,
        Deleted,
        problems=(404, 409, 412),
    ),
)
