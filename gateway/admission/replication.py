"""A win is told when every replica that could take the primary's place has it.

Redis tells how many replicas have everything that a connection has written (`WAIT`). So a connection that does
nothing else writes a small mark and waits for it: what was decided before the mark has then been copied too. One
mark serves all batches that were decided by then, so waiting for replicas costs round trips, not throughput, and
no click ever stands behind a `WAIT`.

The mark proves something about a batch only if it is written to the same server process, over a connection that
is older than the batch: then that process was the primary from before the decision until the proof.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from gateway import keys
from gateway.admission.verdicts import SLOT_ERRORS
from gateway.errors import NotSent, Refused
from gateway.resp import pack
from gateway.wire import Wire

WAIT_MIN_MS = 1
"""`WAIT 0` would wait for ever."""
SILENCE_S = 0.1
"""How long after its end the reply of a `WAIT` may come."""


class _Waiting(NamedTuple):
    run_id: str
    since_s: float
    until_s: float
    told: Callable[[bool], None]


class Replication:
    """Asks whether replicas have what was decided. `replicas`: how many must; 0 means that nobody has to ask."""

    def __init__(self, wire: Wire, alarm: Callable[[], None]) -> None:
        """`alarm` is called when something could not be confirmed."""
        self.replicas = 0
        self.shards: tuple[int, ...] = tuple(keys.shards())
        """Those of the server; the first of them has the mark."""
        self._turns = 0
        self._wire = wire
        self._alarm = alarm
        self._waiting: list[_Waiting] = []
        self._asking = False

    def reachable(self, run_id: str) -> bool:
        """Whether that server process can be asked."""
        return self._wire.ready and self._wire.run_id == run_id

    def confirm(self, run_id: str, since_s: float, until_s: float, told: Callable[[bool], None]) -> None:
        """Call `told` once: with True when the replicas have everything that is in Redis now.

        Args:
            run_id: the server process that decided.
            since_s: monotonic time before it was asked to.
            until_s: monotonic time at which the answer is False if there is none.
            told: gets the answer.
        """
        self._waiting.append(_Waiting(run_id, since_s, until_s, told))
        if not self._asking:
            self._ask()

    def _ask(self) -> None:
        now_s = time.monotonic()
        wire = self._wire
        fit: list[_Waiting] = []
        unfit: list[_Waiting] = []
        for each in self._waiting:
            provable = each.run_id == wire.run_id and wire.opened_s <= each.since_s and now_s < each.until_s
            (fit if provable else unfit).append(each)
        self._waiting = []
        if fit and not self._send(fit, min(each.until_s for each in fit) - now_s):
            unfit += fit
        if unfit:
            self._alarm()
        for each in unfit:
            each.told(False)

    def _send(self, asked: list[_Waiting], within_s: float) -> bool:
        """Write a mark and wait for its copies; False when there is no connection to do it on."""
        replies: list[Any] = []
        wanted = self.replicas
        wait_ms = max(WAIT_MIN_MS, int(within_s * 1000))

        def on_reply(reply: Any) -> None:
            silence.cancel()
            replies.append(reply)
            # A mark that was refused proves nothing: then `WAIT` speaks of an earlier one.
            copied = all(isinstance(each, int) for each in replies) and replies[-1] >= wanted
            refused = any(isinstance(each, Exception) for each in replies)
            self._answer(asked, copied, again=not refused or self._elsewhere(replies[0]))

        try:
            self._wire.send(pack("INCR", keys.marks(self.shards[0])), replies.append)
            self._wire.send(pack("WAIT", wanted, wait_ms), on_reply)
        except NotSent:
            return False
        silence = asyncio.get_running_loop().call_later(
            within_s + SILENCE_S, self._wire.drop, "Redis did not answer WAIT in time"
        )
        self._asking = True
        return True

    def _elsewhere(self, reply: Any) -> bool:
        """Whether the mark's slot is on its way to another server, and another shard can have the mark."""
        if not isinstance(reply, Refused) or str(reply).partition(" ")[0] not in SLOT_ERRORS:
            self._turns = 0
            return False
        self.shards = (*self.shards[1:], self.shards[0])
        self._turns += 1
        return self._turns < len(self.shards)

    def _answer(self, asked: list[_Waiting], copied: bool, *, again: bool) -> None:
        self._asking = False
        now_s = time.monotonic()
        if not copied:
            self._alarm()
        for each in asked:
            if again and not copied and now_s < each.until_s:
                self._waiting.append(each)
            else:
                each.told(copied)
        if self._waiting and not self._asking:
            self._ask()
