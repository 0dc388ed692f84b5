"""From a decision to bytes: the one table of statuses, bodies and headers.

Replies that do not depend on the shopper are encoded once per offer and repeated.
"""

from __future__ import annotations

import math
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from gateway.admission.admit import Decision
from gateway.admission.outcome import Outcome
from gateway.offers import Offer
from gateway.receipts import ReceiptSigner
from gateway.times import iso

RETRY_BUSY_S = 1

HEADERS = [("content-type", "application/json"), ("cache-control", "no-store")]
"""The headers of most replies. Nobody may change them."""


class Reply:
    """One encoded answer. Its headers may be shared with other replies: nobody may change them."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: list[tuple[str, str]] = HEADERS) -> None:
        self.status = status
        self.body = body
        self.headers = headers


def plain(outcome: Outcome, *headers: tuple[str, str], **fields: Any) -> Reply:
    """A reply made of an outcome and some fields."""
    return Reply(outcome.status, orjson.dumps({"outcome": outcome.word, **fields}), [*HEADERS, *headers])


def retry_after(wait_ms: float) -> tuple[str, str]:
    """The header, in whole seconds, rounded up."""
    return ("retry-after", str(max(1, math.ceil(wait_ms / 1000))))


def rate_limited(wait_ms: int) -> Reply:
    """Too many clicks; says when to come back."""
    return plain(Outcome.RATE_LIMITED, retry_after(wait_ms), retry_after_ms=wait_ms)


BUSY = plain(Outcome.BUSY, retry_after(RETRY_BUSY_S * 1000))
UNAVAILABLE = plain(Outcome.UNAVAILABLE, retry_after(RETRY_BUSY_S * 1000))
NOT_FOUND = plain(Outcome.NOT_FOUND, detail="There is no such offer.")
NOT_ELIGIBLE = plain(Outcome.NOT_ELIGIBLE)
PAUSED = plain(Outcome.PAUSED)
KEY_CONFLICT = plain(Outcome.BAD_REQUEST, detail="This Idempotency-Key was used with another quantity.")


WON = b'{"outcome":"won",'
ALREADY_WON = b'{"outcome":"already_won",'


class TicketWriter:
    """Encodes the answers `won` and `already_won` of one offer; most of them differ in a few bytes only."""

    def __init__(self, offer: Offer, signer: ReceiptSigner, *, durable: bool, timezone: ZoneInfo) -> None:
        self._offer = offer.id.encode()
        self._signer = signer
        self._timezone = timezone
        middle = {"offer": offer.id, "sku": offer.card.get("sku", "")}
        self._middle = b'",' + orjson.dumps(middle)[1:-1] + b',"units":['
        self._currency = orjson.dumps(offer.card.get("currency", ""))
        self._durable = b"true" if durable else b"false"
        self._terms = self._signed = self._shown = b""

    def reply(self, beginning: bytes, shopper: bytes, ticket: bytes) -> bytes:
        """The body of the answer for one ticket; it begins with `WON` or `ALREADY_WON`."""
        return self.members(shopper, ticket, beginning, b"}")

    def members(self, shopper: bytes, ticket: bytes, beginning: bytes = b"", end: bytes = b"") -> bytes:
        """A ticket's fields as JSON members, between `beginning` and `end`."""
        order_no, units, slots, terms = ticket.split(b",", 3)
        if terms != self._terms:
            # The winners of one batch have these in common.
            self._terms = terms
            self._signed, self._shown = self._encode(terms)
        quantity = b"1"
        if slots != b"1":
            units = units.replace(b".", b",")
            quantity = b"%d" % (slots.count(b".") + 1)
        shopper_json = b'"' + shopper + b'"' if shopper.isalnum() else orjson.dumps(shopper.decode())
        receipt = self._signer.sign(self._offer, shopper_json, order_no, units, self._signed)
        parts = (
            beginning, b'"order_no":"', order_no, self._middle, units, b'],"quantity":', quantity, self._shown,
            receipt, b'"', end,
        )  # fmt: skip
        return b"".join(parts)

    def _encode(self, terms: bytes) -> tuple[bytes, bytes]:
        """The members of receipt and reply that follow from a ticket's price and instants."""
        price, pay_by_ms, won_at_ms, _ = terms.split(b",")
        signed = b'"price":%b,"currency":%b,"pay_by_ms":%b,"won_at_ms":%b' % (
            price,
            self._currency,
            pay_by_ms,
            won_at_ms,
        )
        pay_by = iso(int(pay_by_ms), self._timezone).encode()
        shown = b',"price":%b,"currency":%b,"pay_by":"%b","durable":%b,"receipt":"' % (
            price,
            self._currency,
            pay_by,
            self._durable,
        )
        return signed, shown


def refusal(decision: Decision, offer: Offer, now_ms: int, timezone: ZoneInfo) -> Reply:
    """The answer to a click that won nothing, for every outcome that Redis or the gate can give."""
    outcome, detail = decision
    match outcome:
        case Outcome.SOLD_OUT:
            fields: dict[str, Any] = {"left": detail}
            if offer.may_return_at_ms > now_ms:
                fields["may_return_at"] = iso(offer.may_return_at_ms, timezone)
            return plain(outcome, **fields)
        case Outcome.LIMIT_REACHED:
            return plain(outcome, limit=offer.limit, held=detail)
        case Outcome.NOT_STARTED:
            wait_ms = max(0, offer.starts_at_ms - now_ms)
            return plain(
                outcome,
                retry_after(wait_ms),
                starts_at=iso(offer.starts_at_ms, timezone),
                server_time=iso(now_ms, timezone),
            )
        case Outcome.ENDED:
            return plain(outcome, ended_at=iso(offer.ended_at_ms, timezone))
        case Outcome.RATE_LIMITED:
            return rate_limited(detail)
        case Outcome.UNKNOWN:
            return plain(outcome, settled_at=iso(detail, timezone))
        case Outcome.BAD_REQUEST:
            return KEY_CONFLICT
        case _:
            return _CONSTANT[outcome]


_CONSTANT = {
    Outcome.BUSY: BUSY,
    Outcome.UNAVAILABLE: UNAVAILABLE,
    Outcome.NOT_ELIGIBLE: NOT_ELIGIBLE,
    Outcome.PAUSED: PAUSED,
}
