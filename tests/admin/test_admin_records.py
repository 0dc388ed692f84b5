"""Given a plain record, a second one under its key is refused, and the reply names the field to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sidecar import Api

WINDOW = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2036-01-01T00:00:00Z"}
RECORDS: dict[str, tuple[str, dict[str, Any]]] = {
    "products": ("sku", {"name": "Kettle", "price": 100}),
    "categories": ("id", {"name": "Kitchen"}),
    "members": ("shopper", {"level": 1}),
    "sessions": ("id", {"name": "Noon", "starts": "12:00", "ends": "14:00"}),
    "coupons": ("code", {"name": "Five", "kind": "amount", "amount_off": 500, **WINDOW}),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_key_is_taken_once(api: Api, unique: Callable[[str], str], kind: str) -> None:
    key, about = RECORDS[kind]
    body = {key: unique("same"), **about}
    assert api.send("POST", f"/{kind}", json=body).status_code == 201
    reply = api.send("POST", f"/{kind}", json=body)
    assert reply.status_code == 409
    problem = reply.json()
    assert (problem["type"], problem["field"]) == (f"urn:seckill:problem:{key}_taken", key)
    assert body[key] in problem["detail"]
