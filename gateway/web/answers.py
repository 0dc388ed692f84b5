"""What came of clicks, told to those who asked: from decisions to replies, a batch at a time."""

from __future__ import annotations

import logging
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from gateway.admission.admit import AdmitCall, Decision
from gateway.admission.batch import Lane
from gateway.admission.flight import Click
from gateway.admission.outcome import LETTERS
from gateway.receipts import ReceiptSigner
from gateway.settings import Settings
from gateway.web import replies
from gateway.web.replies import ALREADY_WON, HEADERS, WON, TicketWriter

log = logging.getLogger(__name__)

_OUTCOMES = {ord(letter): outcome for letter, outcome in LETTERS.items()}
_W, _A = b"WA"
WRITERS_MAX = 1024
"""Encoders of tickets that are kept, each of one offer."""


class Asker(Protocol):
    """Whoever waits for the reply to a click. Granian's protocol object is one, and ignores a client's going."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the reply. Nobody may change the headers."""


class Answers:
    """The teller of a worker's lanes."""

    def __init__(self, settings: Settings, signer: ReceiptSigner) -> None:
        self._signer = signer
        self._durable = settings.durability == "strict"
        self._timezone = ZoneInfo(settings.timezone)
        self._writers: dict[Lane, tuple[AdmitCall, TicketWriter]] = {}

    def tell(self, lane: Lane, clicks: list[Click], letters: bytes, details: list[Any]) -> None:
        """Tell each click what Redis decided: a letter of `LETTERS` and its detail (None where it has none)."""
        writer = self._writer(lane)
        for click, letter, detail in zip(clicks, letters, details, strict=True):
            asker: Asker = click[0]
            try:
                if letter == _W:
                    asker.response_bytes(201, HEADERS, writer.reply(WON, click[1], detail))
                elif letter == _A:
                    asker.response_bytes(200, HEADERS, writer.reply(ALREADY_WON, click[1], detail))
                else:
                    reply = self.refusal(lane, Decision(_OUTCOMES[letter], detail))
                    asker.response_bytes(reply.status, reply.headers, reply.body)
            except Exception:
                give_up(asker)

    def tell_all(self, lane: Lane, clicks: list[Click], decision: Decision) -> None:
        """Tell all clicks the same."""
        reply = self.refusal(lane, decision)
        for click in clicks:
            try:
                click[0].response_bytes(reply.status, reply.headers, reply.body)
            except Exception:
                give_up(click[0])

    def refusal(self, lane: Lane, decision: Decision) -> replies.Reply:
        """The reply to a click that won nothing."""
        return replies.refusal(decision, lane.offer, lane.clock.now_ms(), self._timezone)

    def _writer(self, lane: Lane) -> TicketWriter:
        """The encoder of the lane's tickets, made anew when the offer's terms changed."""
        known = self._writers.get(lane)
        if known is not None and known[0] is lane.call:
            return known[1]
        if len(self._writers) > WRITERS_MAX:
            self._writers.clear()
        writer = TicketWriter(lane.offer, self._signer, durable=self._durable, timezone=self._timezone)
        self._writers[lane] = (lane.call, writer)
        return writer

    def ticket_members(self, lane: Lane, shopper: bytes, ticket: bytes) -> bytes:
        """A ticket's JSON members, for answers other than a click's."""
        return self._writer(lane).members(shopper, ticket)


def give_up(asker: Asker) -> None:
    """For an `except` block: log the error, and answer that something went wrong here."""
    log.exception("a click could not be answered")
    asker.response_bytes(500, [("content-type", "text/plain")], b"Internal server error")
