"""Given the OpenAPI document, it describes the operations there are, and its examples work."""

from __future__ import annotations

import re
import time
from typing import Any

import orjson
from buying import Shopper, an_order, bring, row
from grouping import Guest, group_buy
from preselling import Buyer, coupon, due, presale
from pydantic import TypeAdapter
from sidecar import KEY, Api, Shop
from sqlalchemy import update
from starlette.routing import Route

from admin.app import ENDPOINTS, create_app
from admin.flows.interface import Due
from admin.payments import booking
from admin.payments.providers import registry
from admin.payments.providers.signing import HEADER, CallbackSigner
from admin.payments.tables import payments
from admin.quotes.tables import quotes
from gateway.orders.database import writing
from gateway.settings import Settings
from gateway.tokens import mint


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, each in document["paths"].items() for method in each}


def test_every_route_is_documented_and_nothing_else(api: Api, settings: Settings) -> None:
    real = {
        (method, route.path.replace(":path}", "}"))
        for route in create_app(settings).routes
        if isinstance(route, Route) and re.match(r"(/admin)?/api/(?!{nothing)|/c/", route.path)
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
    wanted = {"state", "type", "archived", "q", "codes", "sort", "limit", "cursor"}
    assert {each["name"] for each in parameters} == wanted


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


def examples_in(document: dict[str, Any]) -> dict[str, list[Any]]:
    """Example bodies by operation."""
    return {
        operation["operationId"]: [
            each["value"]
            for content in operation["requestBody"]["content"].values()
            for each in content.get("examples", {}).values()
        ]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    }


# Operation, path, and the state of the order that it is sent for.
OF_ORDERS = (
    ("set_address", "PUT", "/api/orders/{order_no}/address", "pending"),
    ("pay_order", "POST", "/api/orders/{order_no}/pay", "pending"),
    ("cancel_my_order", "POST", "/api/orders/{order_no}/cancel", "pending"),
    ("preview_my_refund", "POST", "/api/orders/{order_no}/refund/preview", "paid"),
    ("ask_refund", "POST", "/api/orders/{order_no}/refund", "paid"),
    ("receive_callback", "POST", "/api/payments/sandbox/webhook", "pending"),
    ("verify_receipt", "POST", "/api/receipts/verify", "pending"),
    ("ship_order", "POST", "/orders/{order_no}/ship", "paid"),
    ("complete_order", "POST", "/orders/{order_no}/complete", "shipped"),
    ("cancel_order", "POST", "/orders/{order_no}/cancel", "pending"),
    ("preview_refund", "POST", "/orders/{order_no}/refund/preview", "shipped"),
    ("refund_order", "POST", "/orders/{order_no}/refund", "paid"),
    ("reject_refund", "POST", "/orders/{order_no}/refund/reject", "refunding"),
)


ELSEWHERE = {"pay_deposit", "pay_balance", "open_group", "join_group", "leave_group", "change_own_password"}
"""Operations whose examples have tests of their own."""


def test_the_examples_about_orders_work(api: Api, shop: Shop) -> None:
    document = api.get("/openapi.json")
    examples = examples_in(document)
    for name, method, path, state in OF_ORDERS:
        assert examples[name]
        for example in examples[name]:
            order_no = an_order(shop)
            bring(shop, api, order_no, state)
            headers = {}
            body = orjson.dumps(example)
            if name == "receive_callback":
                _begin_payment(shop, order_no, example["payment"])
                headers[HEADER] = CallbackSigner([KEY.encode()]).sign(body, int(time.time()))
            key = {"/api/o": Shopper(api).token, "/order": KEY}.get(path[:6])
            reply = api.send(method, path.format(order_no=order_no), key=key, content=body, headers=headers)
            assert reply.status_code == 200, (name, reply.text)
            _check_against_schema(document, path, method, reply.json())


def test_the_examples_about_pre_sales_work(api: Api, shop: Shop) -> None:
    document = api.get("/openapi.json")
    examples, buyer, sku = examples_in(document), Buyer(api), shop.product()
    code = presale(shop, sku)
    coupon(shop, code="SAVE5")
    for example in examples["pay_deposit"]:
        reply = buyer.deposit(code, sku, example)
        _check_against_schema(document, "/api/presales/{campaign}/{sku}/deposit", "POST", reply)
    for example in examples["pay_balance"]:
        reply = buyer.balance(due(shop, buyer, code, sku), example)
        _check_against_schema(document, "/api/orders/{order_no}/balance", "POST", reply)


def test_the_examples_about_groups_work(api: Api, shop: Shop) -> None:
    document = api.get("/openapi.json")
    examples, campaign, group = examples_in(document), group_buy(shop), ""
    for example in examples["open_group"]:
        about = {name: example[name] for name in example.keys() - {"campaign", "sku"}}
        opened = Guest(api, shop.unique("ann")).open(campaign, **about)
        _check_against_schema(document, "/api/groups", "POST", opened)
        group = opened["id"]
    for name, path, status in (("join_group", "join", 201), ("leave_group", "leave", 200)):
        for example in examples[name]:
            bob = Guest(api, shop.unique("bob"))
            if name == "leave_group":
                bob.join(group)
            reply = bob.post(f"/api/groups/{group}/{path}", example, status)
            _check_against_schema(document, f"/api/groups/{{group}}/{path}", "POST", reply)
            if name == "join_group":
                bob.leave(group)


def _begin_payment(shop: Shop, order_no: str, payment: str) -> None:
    with writing(shop.resources.engine) as connection:
        order = row(shop, order_no)
        due = Due(order.total, "full", order.expire_at_ms)
        begun = booking.begin(connection, order, due, registry.chosen(shop.resources), "late")
        connection.execute(update(payments).where(payments.c.id == begun.id).values(id=payment))


def _name_quote(shop: Shop, shopper: str, token: str) -> None:
    """Give a shopper's quote the token of an example."""
    with writing(shop.resources.engine) as connection:
        connection.execute(update(quotes).where(quotes.c.shopper == shopper).values(token=token))


def test_the_examples_work(api: Api, shop: Shop) -> None:
    """Every example body is sent as it is documented, in an order in which each is possible."""
    document = api.get("/openapi.json")
    examples = examples_in(document)
    amy = mint(b"t" * 32, "amy", ttl_s=600)
    lasting = {"starts_at": shop.now_ms() - 1, "ends_at": shop.now_ms() + 3_600_000}
    for sku in ("lamp", "fan", "mug", "towel"):
        api.post("/products", {"sku": sku, "name": sku, "price": 99_000, "stock": 100}, 201)
    plan = [
        ("create_category", "POST", "/categories", 201),
        ("change_category", "PATCH", "/categories/kitchen", 200),
        ("create_member", "POST", "/members", 201),
        ("change_member", "PATCH", "/members/amy", 200),
        ("create_session", "POST", "/sessions", 201),
        ("create_coupon", "POST", "/coupons", 201),
        ("change_coupon", "PATCH", "/coupons/SAVE5", 200),
        ("claim_coupon", "POST", "/api/coupons/SAVE5/claim", 201),
        ("best_coupon", "POST", "/api/coupons/best", 200),
        ("make_coupon_codes", "POST", "/coupons/SAVE5/codes", 202),
        ("end_coupon", "POST", "/coupons/SAVE5/end", 200),
        ("change_session", "PATCH", "/sessions/evening", 200),
        ("import_categories", "POST", "/categories.csv", 200),
        ("import_members", "POST", "/members.csv", 200),
        ("import_products", "POST", "/products.csv", 200),
        ("create_product", "POST", "/products", 201),
        ("change_product", "PATCH", "/products/kettle", 200),
        ("create_campaign", "POST", "/campaigns", 201),
        ("add_item", "POST", "/campaigns/noon1121/items", 201),
        ("change_campaign", "PATCH", "/campaigns/noon1121", 200),
        ("change_stock", "POST", "/campaigns/noon1121/items/kettle/stock", 200),
        ("pause_campaign", "POST", "/campaigns/noon1121/pause", 200),
        ("resume_campaign", "POST", "/campaigns/noon1121/resume", 200),
        ("copy_campaign", "POST", "/campaigns/noon1121/copy", 201),
        ("check_campaign", "POST", "/campaigns/check", 200),
        ("try_campaign", "POST", "/campaigns/noon1122/quote", 200),
        ("publish_campaign", "POST", "/campaigns/noon1122/publish", 200),
        ("terminate_campaign", "POST", "/campaigns/noon1121/terminate", 200),
        ("quote", "POST", "/api/quote", 200),
        ("list_quote_options", "POST", "/api/quote/options", 200),
        ("quote_as", "POST", "/quote", 200),
        ("checkout", "POST", "/api/orders", 201),
        ("replace_cart", "PUT", "/api/cart", 200),
        ("add_cart_line", "POST", "/api/cart/lines", 200),
        ("merge_cart", "POST", "/api/cart/merge", 200),
        ("read_notices", "POST", "/api/notices/read", 200),
        ("create_webhook", "POST", "/webhooks", 201),
        ("create_operator", "POST", "/operators", 201),
        ("change_operator", "PATCH", "/operators/amy", 200),
    ]
    later = {*ELSEWHERE, *(name for name, *_ in OF_ORDERS)}
    assert {name for name, *_ in plan} == {name for name, given in examples.items() if given} - later
    for name, method, path, status in plan:
        if name == "try_campaign":
            # A copy has no window of its own yet.
            api.patch("/campaigns/noon1122", lasting)
        for example in examples[name]:
            if name == "checkout":
                _name_quote(shop, "amy", example["token"])
            body = {**example, **lasting} if name == "create_campaign" else example
            sent = {"content": body} if isinstance(body, str) else {"json": body}
            reply = api.send(method, path, key=amy if path[:5] == "/api/" else KEY, **sent)
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
        and re.fullmatch(
            re.sub(r"{\w+}", "[^/]+", each.public_path), path if path[:5] == "/api/" else f"/admin/api{path}"
        )
    )
    assert endpoint.public_path in document["paths"]
    assert endpoint.reply is not None
    TypeAdapter(endpoint.reply).validate_python(reply)


def _forget(shop: Shop, offer: str) -> None:
    """The example's offer ids are no test's own, and the session's Redis is shared."""
    from gateway import keys

    names = [keys.offer(offer), keys.operations(offer, 1), keys.clicks(offer), keys.buyers(offer, 1)]
    shop.resources.redis.delete(*names)
    shop.resources.redis.srem(keys.offers(keys.shard_of(offer)), offer)
