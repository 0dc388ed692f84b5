"""Micro-batching: the clicks of one turn of the event loop on one offer bucket become one script call.

At most a few calls are under way per lane; meanwhile clicks gather into the next batch. So under load batches grow
by themselves, and a lone click waits for nobody. Where replicas must have every win, a batch is under way until
they have it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from gateway import keys
from gateway.admission.admit import AdmitCall, Decided, Decision, Whole, decode
from gateway.admission.audience import Judge
from gateway.admission.flight import Click, Flight
from gateway.admission.outcome import ELSEWHERE, LETTERS, Outcome
from gateway.admission.primary import Primary
from gateway.admission.shield import Shield
from gateway.admission.verdicts import Remedy, remedy_of
from gateway.errors import NotSent, Refused, ScriptContractError
from gateway.offers import Offer
from gateway.settings import Settings
from gateway.tokens import Shopper

log = logging.getLogger(__name__)

WORTH_ANOTHER = 128
"""So many clicks are sent beside a batch that is under way; fewer wait for it, as a call has its price."""

REPLY_GRACE_S = 0.1
"""How long after its deadline a batch's reply is still waited for: it may be on its way."""

BUSY = Decision(Outcome.BUSY)
UNAVAILABLE = Decision(Outcome.UNAVAILABLE)
NOT_ELIGIBLE = Decision(Outcome.NOT_ELIGIBLE)

_INDEX_OF_LETTER = {letter.encode(): outcome.index for letter, outcome in LETTERS.items()}
_HOLDS_TICKET = b"WA"
_RATE_LIMITED = ord("R")
_ELSEWHERE = ord(ELSEWHERE)


class Teller(Protocol):
    """Tells askers what came of their clicks, many at a time: a tight loop costs half of what single calls do."""

    def tell(self, lane: Lane, clicks: list[Click], letters: bytes, details: list[Any]) -> None:
        """Tell each click what Redis decided: a letter of `LETTERS` and its detail (None where it has none)."""

    def tell_all(self, lane: Lane, clicks: list[Click], decision: Decision) -> None:
        """Tell all clicks the same."""


class Gatehouse(Protocol):
    """What a lane needs of the gate it belongs to."""

    settings: Settings
    teller: Teller
    loop: asyncio.AbstractEventLoop

    def batch_done(self, clicks: int, seconds: float) -> None:
        """Count a batch."""

    def reload(self, lane: Lane, *, script: bool) -> None:
        """Read the lane's offer again (and load the script again), then call `resume`."""

    def want_winners(self, lane: Lane) -> None:
        """Fetch a copy of the offer's winners for the lane's shield."""

    def follow(self, lane: Lane, error: str) -> None:
        """The lane's slot is on its way to another server, or there: find out where, then call `resume`."""

    def gather(self, lane: Lane) -> None:
        """Look for units in the offer's other buckets, then call `gathered`."""

    def register(self, lane: Lane, shoppers: list[bytes], deadline_ms: int, then: Callable[[], None]) -> None:
        """Note clicks as unsettled for all workers, and call `then` when it is done or takes too long."""


class Lane:
    """The clicks on one offer bucket in one worker: queue, batches under way, shield, counts by outcome."""

    def __init__(self, gate: Gatehouse, primary: Primary, offer: Offer, judge: Judge | None) -> None:
        self._gate = gate
        self.primary = primary
        """Who has the bucket; clicks go to it."""
        self._queue: list[Click] = []
        self._scheduled = False
        self._in_flight = 0
        self._registering = 0
        self.apart: list[Click] = []
        self.lanes: tuple[Lane, ...] = ()
        """In the lane of an offer's first bucket: those of all, if there are several."""
        self._stalled = False
        self.spared = 0  # while the slot moves, what is done without: counts in SPARED
        self._queue_max = gate.settings.queue_max
        self._queue_wait_s = gate.settings.queue_wait_max_ms / 1000
        self.clock = primary.clock
        self.shield = Shield()
        self.counts = [0] * len(Outcome)
        self.used_s = time.monotonic()
        self.set_offer(offer, judge)

    def set_offer(self, offer: Offer, judge: Judge | None) -> None:
        """Take over an offer's terms, read from Redis."""
        self.offer = offer
        self.judge = judge
        self.id = offer.id.encode()
        self.shard = keys.shard_of(offer.id, offer.bucket)
        self.call = AdmitCall(
            offer.id,
            bucket=offer.bucket,
            version=offer.version,
            epoch=offer.epoch,
            run_id=self.primary.run_id,
            rate=self._gate.settings.rate_per_shopper,
            lease_ms=self._gate.settings.lease_ms,
            spared=self.spared,
        )

    def move(self, primary: Primary) -> None:
        """Another server has the bucket now: what is sent from now on goes there."""
        self.primary, self.clock = primary, primary.clock
        self.set_offer(self.offer, self.judge)

    @property
    def idle(self) -> bool:
        """Nothing is queued or under way."""
        return not (self._queue or self._in_flight or self._registering or self.apart)

    def home(self, shopper: bytes) -> Lane:
        """The lane of the bucket in which the shopper buys."""
        return self.lanes[keys.home_index(shopper, len(self.lanes))] if self.lanes else self

    def submit(self, asker: Any, shopper: Shopper, quantity: int, key: bytes) -> None:
        """Queue a click for the next batch. The teller tells `asker` what came of it, exactly once."""
        gate = self._gate
        eligible = True
        if self.judge is not None:
            eligible = self.judge(shopper, self.clock.now_ms())
        if shopper.demo and not self.offer.card.get("demo"):
            eligible = False
        until_s = time.monotonic() + self._queue_wait_s
        # Past the named tuple's own constructor, which is a Python function.
        click = tuple.__new__(Click, (asker, shopper.id, quantity, key, eligible, until_s))
        if len(self._queue) >= self._queue_max:
            self._answer_all([click], BUSY)
            return
        self._queue.append(click)
        if not self._scheduled:
            self._scheduled = True
            gate.loop.call_soon(self._flush)

    def resume(self) -> None:
        """Go on after a reload."""
        self._stalled = False
        self._flush()

    def _flush(self) -> None:
        self._scheduled = False
        settings = self._gate.settings
        while self._queue and not self._stalled and self._in_flight < settings.batches_in_flight_max:
            if self._in_flight and len(self._queue) < WORTH_ANOTHER:
                return
            clicks = self._queue[: settings.batch_max]
            del self._queue[: settings.batch_max]
            now_s = time.monotonic()
            if clicks[0].until_s < now_s:
                late = [click for click in clicks if click.until_s < now_s]
                self._answer_all(late, BUSY)
                clicks = [click for click in clicks if click.until_s >= now_s]
            if clicks:
                self._send(clicks, now_s)

    def _send(self, clicks: list[Click], now_s: float) -> None:
        gate, primary = self._gate, self.primary
        if primary.replication.replicas and not primary.replication.reachable(primary.run_id):
            # Nothing is sold of which nobody could be told.
            self._answer_all(clicks, UNAVAILABLE)
            return
        deadline_ms = primary.clock.now_ms() + gate.settings.click_timeout_ms
        _, shoppers, quantities, click_keys, eligible, _ = zip(*clicks, strict=True)
        command = self.call.encode(
            deadline_ms,
            shoppers,
            quantities if max(quantities) > 1 else 0,
            click_keys if self.offer.limit > 1 else 0,
            0 if all(eligible) else bytes(49 if yes else 48 for yes in eligible),
        )
        flight = Flight(clicks, now_s, deadline_ms, primary)
        try:
            primary.wire.send(command, partial(self._on_reply, flight))
        except NotSent:
            self._answer_all(clicks, UNAVAILABLE)
            return
        self._in_flight += 1
        flight.timer = gate.loop.call_later(
            gate.settings.click_timeout_ms / 1000 + REPLY_GRACE_S, self._on_timeout, flight
        )

    def _on_timeout(self, flight: Flight) -> None:
        """No reply in time. The connection goes with it, so a late reply cannot be taken for another's."""
        self._answer_unknown(flight.unload(), flight.deadline_ms)
        flight.primary.wire.drop("Redis did not answer a batch in time")

    def _on_reply(self, flight: Flight, reply: Any) -> None:
        if flight.timer is not None:
            flight.timer.cancel()
        received_s = time.monotonic()
        self._gate.batch_done(len(flight.clicks), received_s - flight.asked_s)
        if isinstance(reply, Exception):
            self._on_problem(flight, reply)
        else:
            try:
                said = decode(reply, len(flight.clicks))
            except ScriptContractError:
                log.exception("offer %s: unreadable reply", self.offer.id)
                self._answer_unknown(flight.unload(), flight.deadline_ms)
            else:
                flight.primary.clock.learn(said.now_ms, flight.asked_s, received_s)
                if isinstance(said, Whole):
                    self._on_whole(flight, said)
                else:
                    self._on_decided(flight, said)
                    return
        self._land()

    def _set_apart(self, flight: Flight, decided: Decided) -> Decided:
        """Let the clicks wait for which other buckets may have units."""
        if not self.apart:
            self._gate.gather(self)
        clicks, said = flight.clicks, decided.letters
        self.apart += [click for click, letter in zip(clicks, said, strict=True) if letter == _ELSEWHERE]
        stay = [index for index, letter in enumerate(said) if letter != _ELSEWHERE]
        flight.clicks = [clicks[index] for index in stay]
        letters = bytes(said[index] for index in stay)
        return decided._replace(letters=letters, details=[decided.details[index] for index in stay])

    def gathered(self, decision: Decision | None) -> None:
        """Ask again for the clicks that waited for other buckets, before all others; or answer them."""
        clicks, self.apart = self.apart, []
        if decision is None:
            self._queue[:0] = clicks
            self._flush()
        else:
            self._answer_all(clicks, decision)

    def _land(self) -> None:
        """A batch is not under way any more."""
        self._in_flight -= 1
        if self._queue:
            self._flush()

    def _on_decided(self, flight: Flight, decided: Decided) -> None:
        """Learn from what was decided, then tell it."""
        if _ELSEWHERE in decided.letters:
            decided = self._set_apart(flight, decided)
        self._learn(flight, decided)
        if flight.primary.replication.replicas and (b"W" in decided.letters or b"A" in decided.letters):
            self._confirm(flight, decided)
            return
        # The next batch goes first: Redis works on it while the replies to this one are written.
        self._land()
        self._gate.teller.tell(self, flight.unload(), decided.letters, decided.details)

    def _learn(self, flight: Flight, decided: Decided) -> None:
        """Learn what holds for everybody."""
        counts = self.counts
        for letter, index in _INDEX_OF_LETTER.items():
            if letter in decided.letters:
                counts[index] += decided.letters.count(letter)
        shield = self.shield
        shield.learn(decided, flight.asked_s, self.offer.starts_at_ms)
        if shield.wanted_sequence is not None:
            self._gate.want_winners(self)
        if b"R" in decided.letters:
            for click, code, wait_ms in zip(flight.clicks, decided.letters, decided.details, strict=True):
                if code == _RATE_LIMITED:
                    shield.throttle(click.shopper, flight.asked_s + wait_ms / 1000)

    def _confirm(self, flight: Flight, decided: Decided) -> None:
        """Tell refusals now, and tickets when the replicas have them; unconfirmed in time they are unknown."""
        told, letters = flight.unload(), decided.letters
        won = [index for index, letter in enumerate(letters) if letter in _HOLDS_TICKET]
        lost = [index for index, letter in enumerate(letters) if letter not in _HOLDS_TICKET]

        def tell(those: list[int]) -> None:
            if not those:
                return
            details = [decided.details[index] for index in those]
            self._gate.teller.tell(
                self, [told[index] for index in those], bytes(letters[index] for index in those), details
            )

        def on_told(copied: bool) -> None:
            if copied:
                tell(won)
            else:
                for index in won:
                    self.counts[_INDEX_OF_LETTER[letters[index : index + 1]]] -= 1
                self._answer_unknown([told[index] for index in won], flight.deadline_ms)
            self._land()

        tell(lost)
        until_s = flight.asked_s + self._gate.settings.click_timeout_ms / 1000
        flight.primary.replication.confirm(flight.primary.run_id, flight.asked_s, until_s, on_told)

    def _on_whole(self, flight: Flight, whole: Whole) -> None:
        match whole.word:
            case "STALE":
                self.spared = min(self.spared, 1)  # units may have come back
                self._put_back(flight, partial(self._gate.reload, self, script=False))
            case "LATE":
                self._answer_all(flight.unload(), BUSY)
            case _:
                # FENCED: this Redis run is not approved yet. MISSING: the offer is gone.
                log.warning("offer %s: %s", self.offer.id, whole.word.lower())
                self._answer_all(flight.unload(), UNAVAILABLE)
                self._stalled = True
                self._gate.reload(self, script=False)

    def _on_problem(self, flight: Flight, problem: Exception) -> None:
        refused = isinstance(problem, Refused)
        remedy = remedy_of(str(problem), clustered=flight.primary.clustered) if refused else None
        if remedy is None:
            log.warning("offer %s: %s", self.offer.id, problem)
            self._answer_unknown(flight.unload(), flight.deadline_ms)
        elif remedy is Remedy.RELOAD:
            self._put_back(flight, partial(self._gate.reload, self, script=True))
        elif remedy is Remedy.FOLLOW:
            self._put_back(flight, partial(self._gate.follow, self, str(problem)))
        else:
            log.warning("offer %s: %s", self.offer.id, problem)
            self._answer_all(flight.unload(), UNAVAILABLE)
            flight.primary.refused(str(problem), remedy)

    def _put_back(self, flight: Flight, then: Callable[[], None]) -> None:
        """Put clicks that were certainly not decided back in front, and go on when the gate has done something."""
        self._queue[:0] = flight.unload()
        if not self._stalled:
            self._stalled = True
            then()

    def _answer_all(self, clicks: list[Click], decision: Decision) -> None:
        if clicks:
            self.counts[decision.outcome.index] += len(clicks)
            self._gate.teller.tell_all(self, clicks, decision)

    def _answer_unknown(self, clicks: list[Click], deadline_ms: int) -> None:
        """Say that nobody knows, once every worker can be asked until when."""
        decision = Decision(Outcome.UNKNOWN, deadline_ms)
        shoppers = [click.shopper for click in clicks]
        if not shoppers or self.clock.now_ms() > deadline_ms:
            # Settled already: whoever asks is told what came of it.
            self._answer_all(clicks, decision)
            return

        def then() -> None:
            self._registering -= 1
            self._answer_all(clicks, decision)

        self._registering += 1
        self._gate.register(self, shoppers, deadline_ms, then)

    def fail_queued(self, decision: Decision) -> None:
        """Answer everything that waits, for an offer that cannot be reloaded."""
        clicks, self._queue = self._queue, []
        self._answer_all(clicks, decision)
