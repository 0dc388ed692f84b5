"""Given the OpenAPI document, it describes the operations there are, and its examples work."""

from __future__ import annotations

import re
from typing import Any

from pydantic import TypeAdapter
from sidecar import Api, Shop
from starlette.routing import Route

from admin.app import ENDPOINTS, create_app
from gateway.settings import Settings


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, each in document["paths"].items() for method in each}


def test_every_route_is_documented_and_nothing_else(api: Api, settings: Settings) -> None:
    real = {
        (method, route.path)
        for route in create_app(settings).routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert operations(api.get("/openapi.json")) == real
    assert len(real) == len(ENDPOINTS)


def test_the_document_is_whole(api: Api) -> None:
    document = api.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    referred = set(re.findall(r'#/components/schemas/([^"]+)', str(document).replace("'", '"')))
    assert referred <= set(schemas)
    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(set(names)) == len(names)
    assert schemas["SeckillRule"]["additionalProperties"] is False
    assert schemas["SeckillRule"]["properties"]["price"]
    parameters = document["paths"]["/admin/api/campaigns"]["get"]["parameters"]
    assert {each["name"] for each in parameters} == {"state", "type", "archived", "limit", "cursor"}


def test_documented_statuses_cover_what_is_answered(api: Api, shop: Shop) -> None:
    document = api.get("/openapi.json")
    campaign = shop.campaign()
    for method, path, body in (
        ("POST", "/campaigns", {}),
        ("POST", "/campaigns", shop.body(code=campaign.code)),
        ("PATCH", "/campaigns/{code}", {"priority": 7}),
        ("GET", "/products/{sku}", None),
        ("DELETE", "/campaigns/{code}", None),
    ):
        reply = api.send(method, path.format(code=campaign.code, sku="none"), json=body)
        assert str(reply.status_code) in document["paths"][f"/admin/api{path}"][method.lower()]["responses"]


def test_the_examples_work(api: Api, shop: Shop) -> None:
    """Every example body is sent as it is documented, in an order in which each is possible."""
    document = api.get("/openapi.json")
    examples = {
        operation["operationId"]: [
            each["value"]
            for content in operation["requestBody"]["content"].values()
            for each in content.get("examples", {}).values()
        ]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    }
    lasting = {"starts_at": shop.now_ms() - 1, "ends_at": shop.now_ms() + 3_600_000}
    for sku in ("lamp", "fan"):
        api.post("/products", {"sku": sku, "name": sku, "price": 99_000, "stock": 100}, 201)
    plan = [
        ("create_product", "POST", "/products", 201),
        ("change_product", "PATCH", "/products/kettle", 200),
        ("create_campaign", "POST", "/campaigns", 201),
        ("add_item", "POST", "/campaigns/noon1121/items", 201),
        ("change_campaign", "PATCH", "/campaigns/noon1121", 200),
        ("change_stock", "POST", "/campaigns/noon1121/items/kettle/stock", 200),
        ("pause_campaign", "POST", "/campaigns/noon1121/pause", 200),
        ("resume_campaign", "POST", "/campaigns/noon1121/resume", 200),
        ("copy_campaign", "POST", "/campaigns/noon1121/copy", 201),
        ("publish_campaign", "POST", "/campaigns/noon1122/publish", 200),
        ("terminate_campaign", "POST", "/campaigns/noon1121/terminate", 200),
    ]
    assert {name for name, *_ in plan} == {name for name, given in examples.items() if given}
    for name, method, path, status in plan:
        if name == "publish_campaign":
            # A copy has no window of its own yet.
            api.patch("/campaigns/noon1122", lasting)
        for example in examples[name]:
            body = {**example, **lasting} if name == "create_campaign" else example
            reply = api.send(method, path, json=body)
            assert reply.status_code == status, (name, reply.text)
            _check_against_schema(document, path, method, reply.json())
    for code in ("noon1121", "noon1122"):
        for sku in ("kettle", "lamp", "fan"):
            _forget(shop, f"{code}-{sku}")


def _check_against_schema(document: dict[str, Any], path: str, method: str, reply: Any) -> None:
    endpoint = next(
        each
        for each in ENDPOINTS
        if each.method == method
        and re.fullmatch(re.sub(r"{\w+}", "[^/]+", each.path), f"/admin/api{path}") is not None
    )
    assert endpoint.path in document["paths"]
    TypeAdapter(endpoint.reply).validate_python(reply)


def _forget(shop: Shop, offer: str) -> None:
    """The example's offer ids are no test's own, and the session's Redis is shared."""
    from gateway import keys

    names = [keys.offer(offer), keys.operations(offer, 1), keys.clicks(offer), keys.buyers(offer, 1)]
    shop.resources.redis.delete(*names)
    shop.resources.redis.srem(keys.offers(0), offer)
