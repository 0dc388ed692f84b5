"""Receipts over HTTP."""

from __future__ import annotations

from admin.receipts import service
from admin.receipts.service import ReceiptInput, Verdict
from admin.routing import Body, Call, Endpoint


def _verify(call: Call) -> Verdict:
    return service.verify(call.resources, call.read(ReceiptInput))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/receipts/verify",
        "verify_receipt",
        "Whether a receipt is genuine, what it says, and what became of it",
        _verify,
        Verdict,
        body=Body((ReceiptInput,), {"not_genuine": {"receipt": "e30.e30.e30"}}),
        caller="anybody",
    ),
)
