"""Callbacks of payment providers, and looks at refunds before they are asked for, over HTTP."""

from __future__ import annotations

from pydantic import BaseModel, Field

from admin.orders.ownership import RECEIPT_HEADER
from admin.payments import listing, previewing, webhook
from admin.payments.choosing import RefundInput
from admin.payments.listing import RefundFilter, RefundPage
from admin.payments.previewing import RefundPreview
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

_BY_QUANTITY = {"by_quantity": {"lines": [{"line": 1, "quantity": 1}]}, "everything": {}}

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
    Endpoint(
        "POST",
        "/api/orders/{order_no}/refund/preview",
        "preview_my_refund",
        "What would come back, before asking for it",
        previewing.own_preview,
        RefundPreview,
        body=Body((RefundInput,), _BY_QUANTITY, optional=True),
        problems=(404, 409),
        caller="shopper",
        headers=RECEIPT_HEADER,
    ),
    Endpoint(
        "POST",
        "/admin/api/orders/{order_no}/refund/preview",
        "preview_refund",
        "What a refund would pay back",
        previewing.preview,
        RefundPreview,
        body=Body((RefundInput,), _BY_QUANTITY, optional=True),
        problems=(404, 409),
        role="viewer",
    ),
    Endpoint(
        "GET",
        "/admin/api/refunds",
        "list_refunds",
        "Refunds of all orders, the latest first",
        listing.page,
        RefundPage,
        query=RefundFilter,
    ),
)
