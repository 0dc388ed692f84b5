"""Receipts over HTTP."""

from __future__ import annotations

from admin.receipts import redeeming, service
from admin.receipts.redeeming import Redeemed
from admin.receipts.service import ReceiptInput, Verdict
from admin.routing import Body, Call, Endpoint


def _verify(call: Call) -> Verdict:
    return service.verify(call.resources, call.read(ReceiptInput))


def _redeem(call: Call) -> Redeemed:
    return redeeming.redeem(call.resources, call.read(ReceiptInput), shopper=call.shopper)


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
    Endpoint(
        "POST",
        "/api/receipts/redeem",
        "redeem_receipt",
        "The units of a receipt whose order was lost, if nobody else has them",
        _redeem,
        Redeemed,
        body=Body((ReceiptInput,)),
        problems=(404, 409, 503),
        caller="shopper",
    ),
)
