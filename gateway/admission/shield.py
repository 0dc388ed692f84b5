"""Refusals that are given without asking Redis, and the winners they must never be given to.

A refusal is only ever repeated: Redis said it, and for a lease's time (counted from before it was asked) this
worker says the same. A final refusal also needs an exact copy of the offer's winners, because a winner whose
reply was lost must hear `already_won`: without the copy, or above its bound, every click goes to Redis. Nobody
can win while a lease on a refusal runs, so the copy stays exact for as long as it is used.
"""

from __future__ import annotations

import time
from typing import Any

from gateway.admission.admit import Decided, Decision
from gateway.admission.outcome import Outcome

START_MARGIN_MS = 100
"""So close to the opening, `not_started` is not repeated but asked for."""

THROTTLED_MAX = 10_000
"""Shoppers remembered as over their rate limit, twice over."""

_HOLDS_FOR_ALL = {
    b"E": Decision(Outcome.ENDED),
    b"P": Decision(Outcome.PAUSED),
    b"S": Decision(Outcome.SOLD_OUT, 0),
    b"N": Decision(Outcome.NOT_STARTED),
}


class Lease:
    """A refusal that may be repeated until `until_s` (monotonic) to everybody but `winners`.

    From `renew_s` on, one click goes to Redis and brings the next lease before this one ends; so under load
    there is no moment in which everybody asks.
    """

    __slots__ = ("decision", "renew_s", "reply", "until_s", "winners")

    def __init__(self, decision: Decision, asked_s: float, lease_s: float, winners: frozenset[bytes]) -> None:
        self.decision = decision
        self.renew_s = asked_s + lease_s / 2
        self.until_s = asked_s + lease_s
        self.winners = winners
        # The encoded answer, kept by whoever encodes it first. It lives no longer than the lease.
        self.reply: Any = None

    def covers(self, shopper: bytes) -> bool:
        """Whether this refusal may be given to the shopper now, and need not be asked for again."""
        if shopper in self.winners:
            return False
        now_s = time.monotonic()
        if now_s >= self.renew_s:
            # Once only; if that click brings no new lease, this one runs out.
            self.renew_s = self.until_s
            return False
        return True


class Shield:
    """What one worker may answer on its own for one offer bucket."""

    __slots__ = ("_older", "_throttled", "_winners", "_winners_sequence", "lease", "wanted_sequence")

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self._winners: frozenset[bytes] = frozenset()
        self._winners_sequence = -1
        # The sequence for which a copy of the winners is needed, None when nothing is missing.
        self.wanted_sequence: int | None = None
        self._throttled: dict[bytes, float] = {}
        self._older: dict[bytes, float] = {}

    def learn(self, decided: Decided, asked_s: float, starts_at_ms: int) -> None:
        """Take over what a decided batch says of everybody. `asked_s`: monotonic time before the call."""
        refusal = _refusal(decided)
        if refusal is None:
            if b"W" in decided.letters:
                self.lease = None
            return
        lease_ms = decided.lease_ms
        winners: frozenset[bytes] = frozenset()
        if refusal.outcome is Outcome.NOT_STARTED:
            lease_ms = min(lease_ms, starts_at_ms - START_MARGIN_MS - decided.now_ms)
        if decided.sequence == self._winners_sequence:
            winners = self._winners
        elif decided.sequence > 0:
            self.lease = None
            self.wanted_sequence = decided.sequence
            return
        if lease_ms <= 0:
            self.lease = None
            return
        self.lease = Lease(refusal, asked_s, lease_ms / 1000, winners)

    def know_winners(self, winners: frozenset[bytes], sequence: int) -> None:
        """Take over a complete copy of the winners as of `sequence`."""
        self._winners = winners
        self._winners_sequence = sequence
        self.wanted_sequence = None

    @property
    def winners_count(self) -> int:
        """Winners in the copy."""
        return len(self._winners)

    def forget_winners(self) -> None:
        """Give the copy's memory back; clicks go to Redis again."""
        self.know_winners(frozenset(), -1)
        self.lease = None

    def throttle(self, shopper: bytes, until_s: float) -> None:
        """Remember that Redis found the shopper over the shared rate limit until then (monotonic)."""
        if len(self._throttled) >= THROTTLED_MAX:
            self._older, self._throttled = self._throttled, {}
        self._throttled[shopper] = until_s

    def throttled_ms(self, shopper: bytes) -> int:
        """Milliseconds for which the shopper is known to be over the limit; 0 when not."""
        if not self._throttled:
            return 0
        until_s = self._throttled.get(shopper) or self._older.get(shopper)
        if until_s is None:
            return 0
        wait_s = until_s - time.monotonic()
        return max(1, int(wait_s * 1000)) if wait_s > 0 else 0


def _refusal(decided: Decided) -> Decision | None:
    """What the batch says that holds for the next shopper too."""
    for letter, decision in _HOLDS_FOR_ALL.items():
        # While some are left, `sold_out` was about one click's quantity only.
        if letter in decided.letters and not (letter == b"S" and decided.left):
            return decision
    return None
