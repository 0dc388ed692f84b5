"""Given the sidecar's own description of itself, nothing opens without the right key or token."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
import pytest

from gateway.tokens import mint
from tests.security.deployment import Deployment
from tests.security.scenario import ADDRESS

METHODS = {"get", "post", "put", "patch", "delete"}


def operations(shop: Deployment, *, public: bool) -> list[tuple[str, str, str]]:
    """(method, path with made-up names, the scheme that opens it), of those that are public or not."""
    document = shop.ask("GET", "/admin/api/openapi.json").json()
    found = []
    for path, each in document["paths"].items():
        for method, about in each.items():
            schemes = [name for choice in about["security"] for name in choice]
            if method in METHODS and bool(schemes) != public:
                # The session of an operator is another way to what a key opens.
                found.append(
                    (method.upper(), re.sub(r"{\w+}", "x1", path), "".join(schemes).removesuffix("session"))
                )
    assert len(found) > (2 if public else 25)
    return found


def open_to_guests(shop: Deployment) -> set[tuple[str, str]]:
    """(method, path) of what may also be asked without any token."""
    document = shop.ask("GET", "/admin/api/openapi.json").json()
    return {
        (method.upper(), re.sub(r"{\w+}", "x1", path))
        for path, each in document["paths"].items()
        for method, about in each.items()
        if {} in about["security"]
    }


def wrong_credentials(shop: Deployment, scheme: str) -> dict[str, str]:
    """What does not open an operation, by why."""
    token, foreign = shop.token("amy"), mint(b"f" * 32, "amy", ttl_s=600)
    wrong = {
        "nothing": "",
        "another scheme": f"Basic {shop.admin_key}",
        "a key of the right length": f"Bearer {'0' * len(shop.admin_key)}",
        "half a key": f"Bearer {shop.admin_key[:-1]}",
        "two keys": f"Bearer {shop.admin_key},{shop.admin_key}",
        "a foreign token": f"Bearer {foreign}",
        "a token that is over": f"Bearer {mint(shop.token_secret.encode(), 'amy', ttl_s=-1)}",
        "the token secret": f"Bearer {shop.token_secret}",
        "the signing secret": f"Bearer {shop.signing_secret}",
        "letters of other alphabets": "Bearer \xff\xfe",
    }
    # A shopper opens nothing of the operators', and the operators' key is no shopper.
    return wrong | ({"a shopper": f"Bearer {token}"} if scheme == "key" else {"a key": f"Bearer {shop.admin_key}"})


def test_every_operation_asks_who_it_is(deployment: Deployment) -> None:
    bodies: set[bytes] = set()
    guests = open_to_guests(deployment)
    for method, path, scheme in operations(deployment, public=False):
        for why, authorization in wrong_credentials(deployment, scheme).items():
            if why == "nothing" and (method, path) in guests:
                continue
            headers = {"Authorization": authorization.encode("latin-1")} if authorization else {}
            reply = deployment.ask(method, path, {}, headers=headers)
            assert reply.status_code == 401, (method, path, why, reply.text)
            assert reply.headers["www-authenticate"] == "Bearer"
            assert reply.headers["cache-control"] == "no-store"
            bodies.add(reply.content)
    # What is told does not depend on what is there.
    assert len(bodies) < 15


def test_what_guests_may_ask_is_known(deployment: Deployment) -> None:
    assert open_to_guests(deployment) == {
        ("POST", "/api/quote"),
        ("POST", "/api/quote/options"),
        ("GET", "/api/products"),
        ("GET", "/api/products/x1"),
        ("GET", "/api/campaigns/x1"),
        ("GET", "/api/presales/x1/x1"),
        ("GET", "/api/sessions"),
        ("GET", "/api/flash-sales"),
        ("GET", "/api/campaigns"),
        ("GET", "/api/categories"),
        ("GET", "/c/x1"),
        ("GET", "/api/coupons"),
        ("GET", "/api/groups"),
        ("GET", "/api/groups/x1"),
        ("GET", "/api/groups/x1/events"),
    }


def test_what_is_public_is_known(deployment: Deployment) -> None:
    assert {(method, path) for method, path, _ in operations(deployment, public=True)} == {
        ("GET", "/admin/api/healthz"),
        ("GET", "/admin/api/readyz"),
        ("GET", "/admin/api/openapi.json"),
        ("POST", "/api/payments/x1/webhook"),
        ("POST", "/api/receipts/verify"),
    }


@pytest.mark.parametrize(
    "path",
    [
        "/admin/api/",
        "/admin/api/orders/",
        "/admin/api//orders",
        "/admin//api/orders",
        "//admin/api/orders",
        "/admin/api/../api/orders",
        "/admin/api/%2e%2e/api/orders",
        "/admin/%61pi/orders",
        "/ADMIN/API/orders",
        "/admin/api/orders%00",
        "/admin/api/orders;x=1",
        "/admin/api/healthz/../orders",
        "/admin/api/healthz%2f..%2forders",
        "/api/../admin/api/orders",
        "/admin/api\\orders",
        "/x/admin/api/orders",
    ],
)
def test_no_spelling_of_a_path_leads_past(deployment: Deployment, path: str) -> None:
    # The client would tidy the path, so it is sent as it is.
    target = httpx.URL(deployment.admin_url, raw_path=path.encode())
    for authorization in ("", f"Bearer {deployment.token('amy')}"):
        headers = {"Authorization": authorization} if authorization else {}
        with httpx.Client() as client:
            reply = client.send(httpx.Request("GET", target, headers=headers))
        to_the_door = reply.status_code == 303 and "/admin/login?" in reply.headers["location"]
        assert to_the_door or reply.status_code in (400, 401, 404), reply.text


def test_a_method_in_another_dress_changes_nothing(deployment: Deployment) -> None:
    for header in ("X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL"):
        headers = {header: "/admin/api/healthz" if "URL" in header else "GET"}
        assert deployment.ask("GET", "/admin/api/orders", headers=headers).status_code == 401
    assert deployment.ask("HEAD", "/admin/api/orders").status_code == 401
    assert deployment.ask("OPTIONS", "/admin/api/orders").status_code == 401


def test_a_shopper_sees_and_touches_only_their_own(deployment: Deployment) -> None:
    offer = deployment.campaign("private", stock=5)
    ticket = deployment.win(offer, "amy")
    order = f"/api/orders/{ticket['order_no']}"
    before = deployment.shop("amy", "GET", order)
    tries: list[tuple[str, str, Any]] = [
        ("GET", order, None),
        ("PUT", f"{order}/address", ADDRESS),
        ("POST", f"{order}/pay", {}),
        ("POST", f"{order}/cancel", {}),
        ("POST", f"{order}/refund", {}),
    ]
    for method, path, body in tries:
        for sub in ("bob", "Amy", "amy ", "amy\u200b", "%61my"):
            reply = deployment.ask(method, path, body, bearer=deployment.token(sub))
            assert reply.status_code == 404, (method, path, sub, reply.text)
            assert "amy" not in reply.text
    assert deployment.shop("bob", "GET", "/api/orders")["items"] == []
    assert deployment.shop("bob", "GET", f"/seckill/{offer}/mine")["tickets"] == []
    assert deployment.shop("amy", "GET", order) == before


def test_a_receipt_is_no_token_and_a_token_no_receipt(deployment: Deployment) -> None:
    receipt = deployment.win(deployment.campaign("proof", stock=5), "amy")["receipt"]
    assert deployment.ask("GET", "/api/orders", bearer=receipt).status_code == 401
    assert deployment.ask("POST", "/seckill/proof-proof-thing", bearer=receipt).status_code == 401
    said = deployment.ask("POST", "/api/receipts/verify", {"receipt": deployment.token("amy")}).json()
    assert said["genuine"] is False


def test_a_callback_must_be_signed(deployment: Deployment) -> None:
    ticket = deployment.win(deployment.campaign("callback", stock=5), "amy")
    body = {
        "id": "c1",
        "payment": "pay_1",
        "reference": "r1",
        "state": "settled",
        "amount": 9900,
        "currency": "CNY",
    }
    forged = f"t={int(time.time())},v1={'0' * 64}"
    as_operator = {"Authorization": f"Bearer {deployment.admin_key}"}
    for headers in ({}, {"X-Seckill-Signature": forged}, {"X-Seckill-Signature": "x"}, as_operator):
        reply = deployment.ask("POST", "/api/payments/sandbox/webhook", body, headers=headers)
        assert reply.status_code == 401, reply.text
    assert deployment.shop("amy", "GET", f"/api/orders/{ticket['order_no']}")["status"] == "pending"
