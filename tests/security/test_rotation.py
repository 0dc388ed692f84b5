"""Given a secret that is rotated, what the old one signed is good until it is taken off the list."""

from __future__ import annotations

import time

import pytest

from admin.errors import BadSignature, Unauthenticated
from admin.payments.providers.signing import CallbackSigner
from admin.security import actor_of, shopper_of
from gateway.errors import ReceiptError
from gateway.receipts import ReceiptSigner
from gateway.settings import Settings
from gateway.tokens import TokenVerifier, mint

OLD, NEW = "old-" + "0" * 40, "new-" + "1" * 40


def settings(list_of_secrets: str) -> Settings:
    names = ("SECKILL_TOKEN_SECRET", "SECKILL_SIGNING_SECRET", "SECKILL_ADMIN_KEY")
    return Settings.from_env(dict.fromkeys(names, list_of_secrets))


BEFORE, MEANWHILE, AFTER = settings(OLD), settings(f"{NEW},{OLD}"), settings(NEW)


def takes_token(given: Settings, token: str) -> bool:
    verifier = TokenVerifier(given.token_secret, token_max_bytes=4096, cache_max=8)
    try:
        return shopper_of(f"Bearer {token}", verifier).id == b"amy"
    except Unauthenticated:
        return False


def test_tokens() -> None:
    old = mint(BEFORE.token_secret[0], "amy", ttl_s=60)
    new = mint(MEANWHILE.token_secret[0], "amy", ttl_s=60)
    assert [takes_token(each, old) for each in (BEFORE, MEANWHILE, AFTER)] == [True, True, False]
    assert [takes_token(each, new) for each in (BEFORE, MEANWHILE, AFTER)] == [False, True, True]


def receipt(given: Settings) -> str:
    terms = b'"price":1,"pay_by_ms":2,"won_at_ms":3'
    return ReceiptSigner(given.signing_secrets).sign(b"noon-kettle", b'"amy"', b"n1", b"1", terms).decode()


def takes_receipt(given: Settings, text: str) -> bool:
    try:
        return bool(ReceiptSigner(given.signing_secrets).verify(text)["order_no"] == "n1")
    except ReceiptError:
        return False


def test_receipts() -> None:
    old, new = receipt(BEFORE), receipt(MEANWHILE)
    assert old != new
    assert [takes_receipt(each, old) for each in (BEFORE, MEANWHILE, AFTER)] == [True, True, False]
    assert [takes_receipt(each, new) for each in (BEFORE, MEANWHILE, AFTER)] == [False, True, True]


def test_receipts_hang_on_the_admin_key_only_without_a_secret_of_their_own() -> None:
    # Given a shop without a signing secret, a rotated admin key keeps old receipts good while it is on the list.
    plain = Settings.from_env({"SECKILL_ADMIN_KEY": OLD})
    rotated = Settings.from_env({"SECKILL_ADMIN_KEY": f"{NEW},{OLD}"})
    assert takes_receipt(rotated, receipt(plain))
    assert not takes_receipt(Settings.from_env({"SECKILL_ADMIN_KEY": NEW}), receipt(plain))


def test_admin_keys_are_told_apart_in_the_audit_log() -> None:
    keys = MEANWHILE.admin_key
    old, new = actor_of(f"Bearer {OLD}", keys), actor_of(f"Bearer {NEW}", keys)
    assert old is not None
    assert new is not None
    assert old != new
    assert OLD not in old
    assert actor_of(f"Bearer {OLD}", AFTER.admin_key) is None


def test_callbacks_of_payments() -> None:
    body = b'{"id": "c1"}'
    sent = CallbackSigner(BEFORE.signing_secrets).sign(body, 1000)
    CallbackSigner(MEANWHILE.signing_secrets).verify(sent, body, 1000)
    with pytest.raises(BadSignature):
        CallbackSigner(AFTER.signing_secrets).verify(sent, body, 1000)


@pytest.mark.parametrize("secret", [OLD.encode(), NEW.encode()])
def test_one_secret_signs_each_thing_with_another_key(secret: bytes) -> None:
    # A receipt is no token although both come of one secret, and is refused as one also by its type.
    token = mint(secret, "amy", ttl_s=60, now_s=int(time.time()))
    with pytest.raises(ReceiptError):
        ReceiptSigner((secret,)).verify(token)
    as_settings = settings(secret.decode())
    assert not takes_token(as_settings, receipt(as_settings))
