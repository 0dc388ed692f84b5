"""Receipts: a ticket, signed, so that a shopper or an auditor can prove it.

A receipt is a compact JWS (HS256, `typ` `receipt`) under a key derived from the signing secrets; the first
secret signs, all verify. Equal tickets have equal receipts, so a repeated click returns the same bytes; nothing is
in it that may change while the ticket stays, such as the epoch of the offer.
"""

from __future__ import annotations

from typing import Any

import orjson

from gateway.crypto import HmacSha256, derive_key, from_base64url, to_base64url
from gateway.errors import ReceiptError

_HEADER = to_base64url(b'{"alg":"HS256","typ":"receipt"}')
_PREFIX = _HEADER + b"."
RECEIPT_MAX_BYTES = 65_536


class ReceiptSigner:
    """Signs and verifies receipts."""

    __slots__ = ("_keys",)

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        self._keys = tuple(HmacSha256(derive_key(secret, "receipts")).after(_PREFIX) for secret in secrets)

    def sign(self, offer: bytes, shopper_json: bytes, order_no: bytes, units: bytes, terms: bytes) -> bytes:
        """Sign one ticket. On the click path, so every part comes encoded.

        Args:
            offer: the offer's id.
            shopper_json: the shopper's id as a JSON string.
            order_no: the order's number.
            units: unit numbers joined by commas.
            terms: ``"price":…,"pay_by_ms":…,"won_at_ms":…`` as JSON members.
        """
        # `join` takes a third of the time of `%`.
        parts = (
            b'{"offer":"', offer, b'","shopper":', shopper_json, b',"order_no":"', order_no,
            b'","units":[', units, b"],", terms, b"}",
        )  # fmt: skip
        payload = to_base64url(b"".join(parts))
        return b"".join((_PREFIX, payload, b".", self._keys[0].signature(payload)))

    def verify(self, receipt: str) -> dict[str, Any]:
        """What a genuine receipt says.

        Raises:
            ReceiptError: it is not one of ours.
        """
        if len(receipt) > RECEIPT_MAX_BYTES or not receipt.isascii():
            raise ReceiptError("not a receipt")
        signed, _, signature = receipt.encode().rpartition(b".")
        payload = signed[len(_PREFIX) :]
        if not signed.startswith(_PREFIX) or not any(key.signed(payload, signature) for key in self._keys):
            raise ReceiptError("the receipt's signature is not ours")
        try:
            said: dict[str, Any] = orjson.loads(from_base64url(payload))
        except ValueError:
            raise ReceiptError("not a receipt") from None
        return said
