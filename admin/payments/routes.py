"""Callbacks of payment providers over HTTP."""

from __future__ import annotations

from pydantic import BaseModel, Field

from admin.payments import webhook
from admin.payments.providers.interface import Signed
from admin.payments.providers.sandbox import SandboxCallback
from admin.payments.providers.signing import AGE_MAX_S, HEADER
from admin.routing import Body, Call, Endpoint


class Received(BaseModel):
    """The callback is genuine."""

    repeated: bool = Field(description="it was dealt with before, and changed nothing now")


def _receive(call: Call) -> Received:
    first = webhook.receive(call.resources, call.path["provider"], Signed(dict(call.headers), call.raw))
    return Received(repeated=not first)


_EXAMPLE = {
    "id": "callback-1",
    "payment": "pay_1",
    "reference": "sandbox-pay_1",
    "state": "settled",
    "amount": 9900,
    "currency": "CNY",
}

ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/payments/{provider}/webhook",
        "receive_callback",
        "A provider tells what became of a payment",
        _receive,
        Received,
        body=Body((SandboxCallback,), {"settled": _EXAMPLE}),
        problems=(401, 404, 409),
        caller="anybody",
        headers={
            HEADER: 't=<epoch s>,v1=<hex HMAC-SHA256 of "<t>.<body>">; refused when more than '
            f"{AGE_MAX_S} s away from the server's clock"
        },
    ),
)
