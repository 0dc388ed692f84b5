"""Products over HTTP."""

from __future__ import annotations

from admin.catalog import service
from admin.catalog.models import Deleted, Product, ProductChange, ProductFilter, ProductInput, ProductPage
from admin.routing import Body, Call, Endpoint

_LIST = "/admin/api/products"
_ONE = "/admin/api/products/{sku}"

_EXAMPLE = {
    "sku": "kettle",
    "name": "Kettle",
    "price": 12900,
    "cost": 7000,
    "stock": 500,
    "category": "kitchen",
    "tags": ["new"],
    "image": "https://shop.example/kettle.jpg",
    "description": "Boils a litre in three minutes.",
    "gift_only": False,
    "on_sale": True,
    "membership": None,
}


def _create(call: Call) -> Product:
    return service.create(call.resources, call.body, actor=call.actor)


def _list(call: Call) -> ProductPage:
    return service.page(call.resources, call.query(ProductFilter))


def _read(call: Call) -> Product:
    return service.read(call.resources, call.path["sku"])


def _change(call: Call) -> Product:
    sku = call.path["sku"]
    return service.change(call.resources, sku, call.body, actor=call.actor, if_match=call.if_match)


def _delete(call: Call) -> Deleted:
    service.remove(call.resources, call.path["sku"], actor=call.actor, if_match=call.if_match)
    return Deleted(deleted=call.path["sku"])


ENDPOINTS = (
    Endpoint(
        "POST",
        _LIST,
        "create_product",
        "Make a product",
        _create,
        Product,
        status=201,
        body=Body((ProductInput,), {"kettle": _EXAMPLE}),
        problems=(409,),
    ),
    Endpoint("GET", _LIST, "list_products", "Products by SKU", _list, ProductPage, query=ProductFilter),
    Endpoint("GET", _ONE, "read_product", "One product", _read, Product, problems=(404,)),
    Endpoint(
        "PATCH",
        _ONE,
        "change_product",
        "Change some fields of a product",
        _change,
        Product,
        body=Body((ProductChange,), {"price": {"price": 11900, "tags": ["new", "kitchen"]}}),
        problems=(404, 409, 412),
    ),
    Endpoint(
        "DELETE",
        _ONE,
        "delete_product",
        "Delete a product that no live offer or order needs",
        _delete,
        Deleted,
        problems=(404, 409, 412),
    ),
)
