"""The words that answer a click, their HTTP status, and the letters by which `admit.lua` says them."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """One word per click; the value is (word, HTTP status)."""

    WON = ("won", 201)
    ALREADY_WON = ("already_won", 200)
    SOLD_OUT = ("sold_out", 409)
    LIMIT_REACHED = ("limit_reached", 409)
    NOT_STARTED = ("not_started", 403)
    ENDED = ("ended", 410)
    PAUSED = ("paused", 403)
    NOT_ELIGIBLE = ("not_eligible", 403)
    RATE_LIMITED = ("rate_limited", 429)
    BUSY = ("busy", 503)
    UNAVAILABLE = ("unavailable", 503)
    UNKNOWN = ("unknown", 504)
    UNAUTHENTICATED = ("unauthenticated", 401)
    NOT_FOUND = ("not_found", 404)
    BAD_REQUEST = ("bad_request", 400)
    TOO_LARGE = ("too_large", 413)

    def __init__(self, word: str, status: int) -> None:
        self.word = word
        self.status = status
        # Position in tables of counts: an Enum member is slow to hash.
        self.index = len(type(self).__members__)


LETTERS = {
    "W": Outcome.WON,
    "A": Outcome.ALREADY_WON,
    "S": Outcome.SOLD_OUT,
    "L": Outcome.LIMIT_REACHED,
    "R": Outcome.RATE_LIMITED,
    "N": Outcome.NOT_STARTED,
    "E": Outcome.ENDED,
    "P": Outcome.PAUSED,
    "I": Outcome.NOT_ELIGIBLE,
    "K": Outcome.BAD_REQUEST,
}
"""What each letter of a decided batch means."""

ELSEWHERE = "M"
"""The letter that answers nobody: the bucket has too few, and others may have more."""

WITH_DETAIL = frozenset("WASLR")
"""Letters that are followed by a detail in the reply."""
