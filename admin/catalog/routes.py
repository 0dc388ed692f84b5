"""Products over HTTP."""

from __future__ import annotations

from admin.catalog import service
from admin.catalog.models import Product, ProductChange, ProductFilter, ProductInput, ProductPage
from admin.crud import Models, Summaries, operations
from admin.routing import Body

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

ENDPOINTS = operations(
    service,
    "/admin/api/products",
    "sku",
    "product",
    Models(Product, ProductPage, ProductFilter),
    Summaries(
        create="Make a product",
        list="Products by SKU",
        change="Change some fields of a product",
        delete="Delete a product that no live offer or order needs",
    ),
    create=Body((ProductInput,), {"kettle": _EXAMPLE}),
    change=Body((ProductChange,), {"price": {"price": 11900, "tags": ["new", "kitchen"]}}),
    may_conflict=("change", "delete"),
)
