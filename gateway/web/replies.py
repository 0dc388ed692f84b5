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

JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")
RETRY_BUSY_S = 1

Message = dict[str, Any]


class Reply:
    """One encoded answer, as the two messages that ASGI wants."""

    __slots__ = ("body", "start")

    def __init__(self, outcome: Outcome, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        self.start: Message = {
            "type": "http.response.start",
            "status": outcome.status,
            "headers": [JSON, NO_STORE, (b"content-length", b"%d" % len(body)), *headers],
        }
        self.body: Message = {"type": "http.response.body", "body": body}


def plain(outcome: Outcome, *headers: tuple[bytes, bytes], **fields: Any) -> Reply:
    """A reply made of an outcome and some fields."""
    return Reply(outcome, orjson.dumps({"outcome": outcome.word, **fields}), *headers)


def retry_after(wait_ms: float) -> tuple[bytes, bytes]:
    """The header, in whole seconds, rounded up."""
    return (b"retry-after", b"%d" % max(1, math.ceil(wait_ms / 1000)))


def rate_limited(wait_ms: int) -> Reply:
    """Too many clicks; says when to come back."""
    return plain(Outcome.RATE_LIMITED, retry_after(wait_ms), retry_after_ms=wait_ms)


BUSY = plain(Outcome.BUSY, retry_after(RETRY_BUSY_S * 1000))
UNAVAILABLE = plain(Outcome.UNAVAILABLE, retry_after(RETRY_BUSY_S * 1000))
NOT_FOUND = plain(Outcome.NOT_FOUND, detail="There is no such offer.")
NOT_ELIGIBLE = plain(Outcome.NOT_ELIGIBLE)
PAUSED = plain(Outcome.PAUSED)
KEY_CONFLICT = plain(Outcome.BAD_REQUEST, detail="This Idempotency-Key was used with another quantity.")


class TicketWriter:
    """Encodes the answers `won` and `already_won` of one offer; most of them differ in a few bytes only."""

    def __init__(self, offer: Offer, signer: ReceiptSigner, *, durable: bool, timezone: ZoneInfo) -> None:
        self._offer = offer.id.encode()
        self._epoch = offer.epoch
        self._signer = signer
        self._timezone = timezone
        middle = {"offer": offer.id, "sku": offer.card.get("sku", "")}
        self._middle = orjson.dumps(middle)[1:-1]
        self._currency = orjson.dumps(offer.card.get("currency", ""))
        self._durable = b"true" if durable else b"false"
        self._starts: dict[tuple[int, int], Message] = {}
        self._terms: tuple[bytes, bytes] = (b"", b"")

    def reply(self, outcome: Outcome, shopper: bytes, ticket: bytes) -> tuple[Message, Message]:
        """Both messages of the answer for one ticket."""
        body = b'{"outcome":"%b",%b}' % (outcome.word.encode(), self.members(shopper, ticket))
        start = self._starts.get((outcome.status, len(body)))
        if start is None:
            start = self._starts[outcome.status, len(body)] = Reply(outcome, body).start
        return start, {"type": "http.response.body", "body": body}

    def members(self, shopper: bytes, ticket: bytes) -> bytes:
        """A ticket's fields as JSON members."""
        order_no, units, slots, price, pay_by_ms, won_at_ms, _ = ticket.split(b",")
        units = units.replace(b".", b",")
        receipt = self._signer.sign(
            self._offer,
            self._epoch,
            orjson.dumps(shopper.decode()),
            order_no,
            units,
            b'"price":%b,"currency":%b,"pay_by_ms":%b,"won_at_ms":%b'
            % (price, self._currency, pay_by_ms, won_at_ms),
        )
        pay_by = iso(int(pay_by_ms), self._timezone).encode()
        return (
            b'"order_no":"%b",%b,"units":[%b],"quantity":%d,"price":%b,"currency":%b,"pay_by":"%b","durable":%b,'
            b'"receipt":"%b"'
        ) % (
            order_no,
            self._middle,
            units,
            slots.count(b".") + 1,
            price,
            self._currency,
            pay_by,
            self._durable,
            receipt,
        )


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
