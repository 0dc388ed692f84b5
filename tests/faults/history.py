"""What shoppers and operators asked and heard, in their own words and by their own clock.

Every operation is invoked, and later ends: `ok` (somebody heard a definite answer) or `info` (nobody knows:
no answer, `unknown`, a server error). An operation without an end is `info` too.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

NO_ANSWER = "no answer"

TOLD = frozenset({"won", "already_won"})
"""Outcomes that hand out a ticket."""
FINAL = frozenset({"sold_out", "limit_reached", "not_started", "ended", "paused", "not_eligible"})
"""Outcomes that a winner must not hear."""
NOT_SOLD = FINAL | {
    "rate_limited",
    "busy",
    "unavailable",
    "not_found",
    "bad_request",
    "unauthenticated",
    "too_large",
}
"""Outcomes that say: certainly nothing was sold by this click."""
OPEN = frozenset({NO_ANSWER, "unknown", "server error"})
"""Outcomes after which nobody knows."""


def now_ms() -> float:
    """The harness's clock: epoch ms."""
    return time.time() * 1000


@dataclass
class Op:
    """One operation of a shopper: `click`, `pay` or `cancel`."""

    shopper: str
    offer: str
    verb: str = "click"
    quantity: int = 1
    key: str = ""
    order_no: str = ""
    invoked_ms: float = 0.0
    replied_ms: float | None = None
    status: int = 0
    outcome: str = NO_ANSWER
    reply: dict[str, Any] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether nobody knows what it did."""
        return self.outcome in OPEN


@dataclass
class Act:
    """One operation of an operator: `pause`, `resume`, `terminate` or `stock`. `ok` is None when nobody knows."""

    verb: str
    offer: str
    invoked_ms: float
    replied_ms: float | None = None
    ok: bool | None = None
    delta: int = 0
    status: int = 0


@dataclass
class History:
    """All operations in the order of their invocation. Any thread may add."""

    ops: list[Op] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def invoke(self, op: Op) -> Op:
        """Write down that an operation begins now."""
        op.invoked_ms = now_ms()
        with self._lock:
            self.ops.append(op)
        return op

    def reply(self, op: Op, status: int, said: Any) -> Op:
        """Write down how it ended."""
        op.replied_ms = now_ms()
        op.status = status
        op.reply = said if isinstance(said, dict) else {}
        if op.verb == "click":
            op.outcome = str(op.reply.get("outcome") or ("server error" if status else NO_ANSWER))
        elif 200 <= status < 300:
            op.outcome = "done"
        elif status == 0:
            op.outcome = NO_ANSWER
        else:
            op.outcome = "server error" if status >= 500 else "refused"
        return op

    def number(self) -> int:
        """A number that was not given before."""
        return next(self._numbers)

    def outcomes(self) -> Counter[str]:
        """How clicks ended."""
        return Counter(op.outcome for op in self.ops if op.verb == "click")

    def told(self) -> list[Op]:
        """Clicks that handed out a ticket."""
        return [op for op in self.ops if op.verb == "click" and op.outcome in TOLD]
