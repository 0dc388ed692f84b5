"""Given callbacks of a payment provider, only genuine, fresh ones take effect, and each once."""

from __future__ import annotations

import hmac
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
from buying import Shopper, an_order, expire, money, row
from sidecar import KEY, OTHER_KEY, Api, Shop, fields_of
from sqlalchemy import func, select

from admin.payments.providers import registry
from admin.payments.providers.sandbox import Sandbox
from admin.payments.providers.signing import AGE_MAX_S, HEADER, CallbackSigner
from admin.payments.tables import payment_callbacks, payments
from gateway.orders.database import reading

SECRETS = (KEY.encode(), OTHER_KEY.encode())


@pytest.fixture
def waiting(api: Api, shop: Shop) -> dict[str, Any]:
    """What the provider would say of a payment that it has not decided yet."""
    order_no = an_order(shop)
    Shopper(api).post(f"/{order_no}/pay", {"sandbox": "late"}, 202)
    with reading(shop.resources.engine) as connection:
        payment = connection.execute(select(payments).where(payments.c.order_no == order_no)).one()
    return {
        "order_no": order_no,
        "id": f"callback of {payment.id}".replace(" ", "-"),
        "payment": payment.id,
        "reference": f"sandbox-{payment.id}",
        "state": "settled",
        "amount": 9900,
        "currency": "CNY",
    }


def call(
    api: Api, said: dict[str, Any], *, secrets: tuple[bytes, ...] = SECRETS, ago_s: int = 0, **about: Any
) -> httpx.Response:
    body = orjson.dumps({name: value for name, value in said.items() if name != "order_no"})
    signature = CallbackSigner(secrets).sign(body, int(time.time()) - ago_s)
    headers = {HEADER: about.get("signature", signature)}
    path = f"/api/payments/{about.get('provider', 'sandbox')}/webhook"
    return api.send("POST", path, key=None, content=about.get("body", body), headers=headers)


def test_a_genuine_callback_settles_once_however_often_it_comes(
    api: Api, shop: Shop, waiting: dict[str, Any]
) -> None:
    assert call(api, waiting).json() == {"repeated": False}
    paid = row(shop, waiting["order_no"])
    assert paid.status == "paid"
    assert [call(api, waiting).json() for _ in range(2)] == [{"repeated": True}] * 2
    # The same news under another id changes nothing either.
    assert call(api, {**waiting, "id": "another"}).json() == {"repeated": False}
    assert row(shop, waiting["order_no"]) == paid
    assert money(shop, waiting["order_no"]) == (9900, 0)


def test_parallel_callbacks_settle_once(api: Api, shop: Shop, waiting: dict[str, Any]) -> None:
    expire(shop, waiting["order_no"])
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: call(api, waiting).json(), range(8)))
    assert sorted(each["repeated"] for each in replies) == [False] + [True] * 7
    assert money(shop, waiting["order_no"]) == (9900, 9900)


def test_what_is_forged_or_stale_is_refused(api: Api, shop: Shop, waiting: dict[str, Any]) -> None:
    forged: tuple[dict[str, Any], ...] = (
        {"signature": ""},
        {"signature": "t=1,v1=00"},
        {"signature": f"t={'9' * 12},v1={'0' * 64}"},
        {"secrets": (b"f" * 32,)},
        {"ago_s": AGE_MAX_S + 5},
        {"ago_s": -AGE_MAX_S - 5},
        {"body": b'{"payment": "mine"}'},
    )
    for about in forged:
        reply = call(api, waiting, **about)
        assert (reply.status_code, reply.json()["type"]) == (401, "urn:seckill:problem:bad_signature"), about
    assert row(shop, waiting["order_no"]).status == "pending"


def test_every_signing_secret_verifies(api: Api, shop: Shop, waiting: dict[str, Any]) -> None:
    assert call(api, waiting, secrets=SECRETS[1:], ago_s=AGE_MAX_S - 30).status_code == 200


def test_a_provider_can_sign_by_what_the_documents_say(api: Api, waiting: dict[str, Any]) -> None:
    body = orjson.dumps({name: value for name, value in waiting.items() if name != "order_no"})
    key = hkdf(SECRETS[0], salt=b"seckill", info=b"webhooks")
    now = int(time.time())
    tag = hmac.new(key, f"{now}.".encode() + body, "sha256").hexdigest()
    headers = {"X-Seckill-Signature": f"t={now},v1={tag}"}
    path = "/api/payments/sandbox/webhook"
    assert api.send("POST", path, key=None, content=body, headers=headers).json() == {"repeated": False}


def hkdf(secret: bytes, *, salt: bytes, info: bytes) -> bytes:
    """32 bytes by RFC 5869."""
    extracted = hmac.new(salt, secret, "sha256").digest()
    return hmac.new(extracted, info + b"\x01", "sha256").digest()


def test_what_nobody_knows_may_be_sent_again(api: Api, shop: Shop, waiting: dict[str, Any]) -> None:
    assert call(api, waiting, provider="nobody").status_code == 404
    unknown = {**waiting, "payment": "pay_unknown"}
    assert [call(api, unknown).status_code for _ in range(2)] == [404, 404]
    # The callback was not used up by it.
    assert call(api, waiting).json() == {"repeated": False}
    with reading(shop.resources.engine) as connection:
        assert connection.execute(select(func.count()).select_from(payment_callbacks)).scalar_one() == 1


def test_a_provider_speaks_only_of_its_own_payments(
    api: Api, shop: Shop, waiting: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._KINDS, "other", Sandbox)
    assert call(api, waiting, provider="other").status_code == 404
    assert row(shop, waiting["order_no"]).status == "pending"


def test_a_callback_about_other_money_is_refused(api: Api, shop: Shop, waiting: dict[str, Any]) -> None:
    for change in ({"amount": 1}, {"currency": "JPY"}):
        reply = call(api, {**waiting, **change})
        assert (reply.status_code, reply.json()["amount"]) == (409, 9900)
    assert row(shop, waiting["order_no"]).status == "pending"
    reply = call(api, {**waiting, "amount": -1, "more": 1})
    assert fields_of(reply.json()) == {"amount": "too_small", "more": "unknown_field"}
    assert call(api, waiting, body=b"{").status_code == 400


def test_a_refusal_then_money_is_money(api: Api, shop: Shop, waiting: dict[str, Any]) -> None:
    call(api, {**waiting, "id": "no", "state": "refused"})
    assert row(shop, waiting["order_no"]).status == "pending"
    assert Shopper(api).get(f"/{waiting['order_no']}")["payments"][0]["state"] == "refused"
    call(api, waiting)
    assert row(shop, waiting["order_no"]).status == "paid"
    # A refusal after the money changes nothing.
    call(api, {**waiting, "id": "late no", "state": "refused"} | {"id": "late-no"})
    assert Shopper(api).get(f"/{waiting['order_no']}")["payments"][0]["state"] == "settled"


def test_the_provider_that_takes_no_new_payments_may_still_call_back(
    settings: Any, portal: Any, shop: Shop, waiting: dict[str, Any]
) -> None:
    with Api(replace(settings, payment_provider="none"), portal) as later:
        assert call(later, waiting).status_code == 200
    assert row(shop, waiting["order_no"]).status == "paid"
