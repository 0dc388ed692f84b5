"""Receipts: a ticket, signed, so that a shopper or an auditor can prove it.

A receipt is base64url of a JSON object and the 16 bytes of its tag: keyed BLAKE2b (RFC 7693) under a key derived
from the signing secrets; the first secret signs, all verify. A tag by HMAC-SHA256 would cost three times as much,
and no program but ours can check either. Equal tickets have equal receipts, so a repeated click returns the same
bytes; nothing is in it that may change while the ticket stays, such as the epoch of the offer.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import Any

import orjson

from gateway.crypto import derive_key, from_base64url, to_base64url
from gateway.errors import ReceiptError

RECEIPT_MAX_BYTES = 65_536
TAG_BYTES = 16


class ReceiptSigner:
    """Signs and verifies receipts."""

    __slots__ = ("_keys",)

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        # Hash states that have taken their key, to be copied.
        self._keys = tuple(blake2b(key=derive_key(secret, "receipts"), digest_size=TAG_BYTES) for secret in secrets)

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
        said = b"".join(parts)
        tag = self._keys[0].copy()
        tag.update(said)
        return to_base64url(said + tag.digest())

    def verify(self, receipt: str) -> dict[str, Any]:
        """What a genuine receipt says.

        Raises:
            ReceiptError: it is not one of ours.
        """
        if len(receipt) > RECEIPT_MAX_BYTES or not receipt.isascii():
            raise ReceiptError("not a receipt")
        text = receipt.encode()
        try:
            whole = from_base64url(text)
        except ValueError:
            raise ReceiptError("not a receipt") from None
        said, tag = whole[:-TAG_BYTES], whole[-TAG_BYTES:]
        # One text for one receipt: the last character may have bits that decode to nothing.
        if to_base64url(whole) != text or not any(compare_digest(self._tag(key, said), tag) for key in self._keys):
            raise ReceiptError("the receipt's signature is not ours")
        ticket: dict[str, Any] = orjson.loads(said)
        return ticket

    @staticmethod
    def _tag(key: blake2b, said: bytes) -> bytes:
        state = key.copy()
        state.update(said)
        return state.digest()
