"""One worker's way to Redis: a lane for every offer it knows, their look-ups, backlog, and what it reports."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from gateway import keys, scripts
from gateway.admission.admit import SPARED
from gateway.admission.audience import judge_of
from gateway.admission.batch import BUSY, UNAVAILABLE, Lane, Teller
from gateway.admission.connections import Connections
from gateway.admission.durability import Command
from gateway.admission.gathering import gather, read_buckets
from gateway.admission.lost import is_lost
from gateway.admission.outcome import Outcome
from gateway.admission.primary import Primary
from gateway.admission.unsettled import Unsettled
from gateway.admission.verdicts import Remedy, remedy_of
from gateway.admission.winners import Winners
from gateway.errors import RedisProblem, Refused
from gateway.offers import Offer
from gateway.settings import Settings

log = logging.getLogger(__name__)

OFFER_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,119}")
LOOKUPS_MAX = 256
"""Offers being looked up at once; above it an unknown id is answered `busy`."""

TICK_S = 0.25
POLL_S = 0.01
LOOK_EVERY_TICKS = 20
REPORT_EVERY_TICKS = 4
LANE_IDLE_S = 600
NOTES_MAX = 1000
"""Lanes, idle ones among them, for which it is looked when units may come back; all that refuse always are."""
START_WAIT_S = 1.0
REGISTER_WITHIN_S = 0.1
"""So long an `unknown` waits for its registration."""
FOLLOW_AFTER_S = 0.02
"""How soon clicks are sent again that met a slot on its way from one server of a cluster to another."""


class Gate(Connections):
    """Everything between a checked click and Redis, for one worker."""

    def __init__(self, settings: Settings, on_batch: Callable[[int, float], None], teller: Teller) -> None:
        super().__init__(settings)
        self.teller = teller
        self.unsettled = Unsettled(self)
        self.lanes: dict[str, Lane] = {}
        """The lane of each offer's first bucket; it knows those of the others."""
        self._winners = Winners(self.all_lanes, settings.winners_max)
        self.backlog = 0
        self.batch_done = on_batch
        self._timezone = ZoneInfo(settings.timezone)
        self._lookups: dict[str, asyncio.Task[Lane | None]] = {}
        self._reported: dict[Lane, list[int]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and keep watch; waits a moment for Redis, as clicks come once this returns.

        `problems()` tells whether it can sell.
        """
        self.loop = asyncio.get_running_loop()
        await self.connect()
        self._ticking = asyncio.create_task(self._tick(), name="gate watch")
        for _ in range(int(START_WAIT_S / POLL_S)):
            if not self.problems() and all(primary.side.ready for primary in self.primaries):
                break
            await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """Let every queued click and batch finish, report the last counts, disconnect."""
        polls = int((self.settings.click_timeout_ms / 1000 + 1) / POLL_S)
        for _ in range(polls):
            if all(lane.idle for lane in self.all_lanes()):
                break
            await asyncio.sleep(POLL_S)
        if self._ticking is not None:
            self._ticking.cancel()
        with contextlib.suppress(RedisProblem):
            await self._report_clicks()
        for task in self._tasks:
            task.cancel()
        await self.disconnect()

    def problems(self) -> list[str]:
        """Why this worker cannot sell right now; empty when it can."""
        return super().problems() + self._congested()

    def problems_of(self, shard: int) -> list[str]:
        """Why nothing of this shard can be sold right now; empty when it can."""
        return super().problems_of(shard) + self._congested()

    def _congested(self) -> list[str]:
        if self.backlog > self.settings.backlog_max:
            return [f"{self.backlog} winners wait for the order writer"]
        return []

    def use_run(self, primary: Primary) -> None:
        """Clicks on this primary's shards go to another server process from now on."""
        for lane in self.all_lanes():
            if lane.primary is primary:
                lane.set_offer(lane.offer, lane.judge)

    def move(self, shard: int, primary: Primary) -> None:
        """A shard has another primary from now on."""
        for lane in self.all_lanes():
            if lane.shard == shard:
                lane.move(primary)

    def all_lanes(self) -> list[Lane]:
        """The lanes of all buckets of all offers that this worker knows."""
        return [each for lane in self.lanes.values() for each in lane.lanes or (lane,)]

    async def lane(self, offer_id: str) -> Lane | None:
        """The lane of an offer, looked up in Redis when this worker does not know it; None: no such offer.

        Raises:
            RedisProblem: Redis could not be asked, or too many look-ups are under way.
        """
        lane = self.lanes.get(offer_id)
        if lane is not None:
            return lane
        if not OFFER_ID.fullmatch(offer_id):
            return None
        lookup = self._lookups.get(offer_id)
        if lookup is None:
            if len(self._lookups) >= LOOKUPS_MAX:
                raise RedisProblem("too many unknown offers are being looked up")
            lookup = self._lookups[offer_id] = self.loop.create_task(self._read_lane(offer_id))
            lookup.add_done_callback(lambda _: self._lookups.pop(offer_id, None))
        return await asyncio.shield(lookup)

    async def _read_lane(self, offer_id: str) -> Lane | None:
        found = await self._read_terms(offer_id)
        lane = self.lanes.get(offer_id)
        if not found:
            await self._not_lost(offer_id)
            self._forget(offer_id)
            return None
        judge = judge_of(found[0].card.get("audience", {}), self._timezone)
        if lane is not None and lane.offer.buckets != found[0].buckets:
            self._forget(offer_id)
            lane = None
        if lane is None:
            places = [self.primary_of(keys.shard_of(offer_id, offer.bucket)) for offer in found]
            made = [Lane(self, primary, offer, judge) for primary, offer in zip(places, found, strict=True)]
            lane = self.lanes[offer_id] = made[0]
            if len(made) > 1:
                lane.lanes = tuple(made)
        else:
            for each, offer in zip(lane.lanes or (lane,), found, strict=True):
                each.set_offer(offer, judge)
        return lane

    def _forget(self, offer_id: str) -> None:
        lane = self.lanes.pop(offer_id, None)
        for each in (lane.lanes or (lane,)) if lane is not None else ():
            each.fail_queued(UNAVAILABLE)

    async def _read_terms(self, offer_id: str) -> list[Offer]:
        """Each bucket of the offer as Redis has it now; empty when there is no such offer.

        Raises:
            RedisProblem: Redis could not be asked, or lacks some of the buckets.
        """
        first = await self._read_hashes(offer_id, [0])
        if not first or first[0].buckets == 1:
            return first
        found = await self._read_hashes(offer_id, keys.bucket_numbers(first[0].buckets))
        if len(found) < first[0].buckets:
            raise RedisProblem(f"Redis has lost buckets of {offer_id}")
        return found

    async def _read_hashes(self, offer_id: str, numbers: Iterable[int]) -> list[Offer]:
        hashes = await self.pipeline(
            [(keys.shard_of(offer_id, number), ("HGETALL", keys.offer(offer_id, number))) for number in numbers]
        )
        return [Offer.from_hash(dict(zip(flat[::2], flat[1::2], strict=True))) for flat in hashes if flat]

    async def _not_lost(self, offer_id: str) -> None:
        """Raises RedisProblem when Redis may have lost an offer that it does not have, or cannot be asked."""
        lane = self.lanes.get(offer_id)
        known = (lane.lanes or (lane,)) if lane is not None else ()
        primary = self.primary_of(keys.shard_of(offer_id))
        if OFFER_ID.fullmatch(offer_id) and await is_lost(primary, offer_id, known):
            raise RedisProblem(f"Redis has lost offers, {offer_id} may be one of them")

    async def read_again(self, lane: Lane) -> Lane | None:
        """The lane with its offer's terms as Redis has them now; None when the offer is gone.

        Raises:
            RedisProblem: Redis could not be asked.
        """
        return await self._read_lane(lane.offer.id)

    async def read_offer(self, offer_id: str) -> Offer | None:
        """The offer as Redis has it now, with all its buckets.

        Raises:
            RedisProblem: Redis could not be asked, or may have lost the offer.
        """
        found = await self._read_hashes(offer_id, [0])
        if not found:
            await self._not_lost(offer_id)
            return None
        if found[0].buckets == 1:
            return found[0]
        (parts,) = await read_buckets(self, found)
        return found[0].together(parts)

    # What lanes ask for.

    def register(self, lane: Lane, shoppers: list[bytes], deadline_ms: int, then: Callable[[], None]) -> None:
        """Note clicks as unsettled for all workers, and call `then` when it is done or takes too long."""
        registering = self._spawn(self.unsettled.register(lane.offer.id, lane.offer.bucket, shoppers, deadline_ms))

        async def wait() -> None:
            await asyncio.wait([registering], timeout=REGISTER_WITHIN_S)
            then()

        self._spawn(wait())

    def reload(self, lane: Lane, *, script: bool) -> None:
        """Read the lane's offer again (and load the script again), then let the lane go on."""
        self._spawn(self._reload(lane, script))

    async def _reload(self, lane: Lane, script: bool) -> None:
        try:
            if script:
                await lane.primary.side.request("SCRIPT", "LOAD", scripts.load("admit").source)
            await self._read_lane(lane.offer.id)
        except RedisProblem as problem:
            log.warning("offer %s cannot be read: %s", lane.offer.id, problem)
            lane.fail_queued(UNAVAILABLE)
        finally:
            lane.resume()

    def follow(self, lane: Lane, error: str) -> None:
        """The lane's slot is on its way to another server, or there: find out where, then let the lane go on."""
        self._spawn(self._follow(lane, error))

    async def _follow(self, lane: Lane, error: str) -> None:
        try:
            if not error.startswith(("ASK", "TRYAGAIN")):
                await self.looked_around()
            elif lane.spared < len(SPARED) - 1:
                # Keys that are nowhere yet are not missed.
                self._spare(lane, lane.spared + 1)
                return
            # The lane's keys are on two servers: nothing helps but to wait a little.
            await asyncio.sleep(FOLLOW_AFTER_S)
        finally:
            lane.resume()

    def _spare(self, lane: Lane, step: int) -> None:
        if lane.spared != step:
            lane.spared = step
            lane.set_offer(lane.offer, lane.judge)

    def want_winners(self, lane: Lane) -> None:
        """Fetch a copy of the offer's winners for the lane's shield."""
        lane.shield.wanted_sequence = None
        name = f"winners {lane.offer.id} {lane.offer.bucket}"
        if not any(task.get_name() == name for task in self._tasks):
            self._spawn(self._winners.copy(lane), name)

    def gather(self, lane: Lane) -> None:
        """Look for units in the offer's other buckets, then call the lane's `gathered`."""
        self._spawn(self._gather(lane))

    async def _gather(self, lane: Lane) -> None:
        decision = None
        try:
            async with asyncio.timeout(self.settings.queue_wait_max_ms / 1000):
                await gather(self, lane)
        except TimeoutError:
            decision = BUSY
        except RedisProblem as problem:
            log.warning("offer %s: units of other buckets cannot be had: %s", lane.offer.id, problem)
            decision = UNAVAILABLE
        lane.gathered(decision)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str | None = None) -> asyncio.Task[None]:
        task = self.loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Watch.

    async def _tick(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(TICK_S)
            ticks += 1
            work: list[Callable[[], Awaitable[None]]] = [self._read_backlogs]
            for primary in self.primaries:
                doubts = ticks % REPORT_EVERY_TICKS == 0 and primary.doubtful
                if ticks % LOOK_EVERY_TICKS == 0 or doubts or primary.alarmed:
                    work.append(partial(self._look_again, primary))
            if ticks % REPORT_EVERY_TICKS == 0:
                for lane in self.all_lanes():
                    self._spare(lane, 0)
                work += [self._report_clicks, self._note_returns]
                self._drop_idle_lanes()
            for each in work:
                try:
                    await each()
                except RedisProblem as problem:
                    log.debug("watch: %s", problem)

    async def _look_again(self, primary: Primary) -> None:
        with self._reconnecting(primary):
            await primary.look_again()

    @contextlib.contextmanager
    def _reconnecting(self, primary: Primary) -> Iterator[None]:
        """Give the side connection up when a reply says that nothing can succeed on it."""
        try:
            yield
        except Refused as problem:
            if remedy_of(str(problem), clustered=primary.clustered) is Remedy.RECONNECT:
                primary.side.retire(str(problem))
            raise

    async def _read_backlogs(self) -> None:
        for primary in list(self.primaries):
            try:
                with self._reconnecting(primary):
                    await self._read_backlog(primary)
            except RedisProblem as problem:
                log.debug("watch: %s", problem)
        self.backlog = sum(primary.backlog for primary in self.primaries)

    async def _read_backlog(self, primary: Primary) -> None:
        sent_s = time.monotonic()
        commands: list[Command] = [("TIME",)]
        commands += [("HMGET", keys.counters(shard), "issued", "committed") for shard in primary.shards]
        instant, *counters = await primary.side.pipeline(commands)
        primary.clock.learn(int(instant[0]) * 1000 + int(instant[1]) // 1000, sent_s, time.monotonic())
        primary.backlog = sum(int(issued or 0) - int(committed or 0) for issued, committed in counters)

    async def _report_clicks(self) -> None:
        """Add what happened since the last report to the offers' counts in Redis."""
        commands: list[tuple[int, Command]] = []
        now_s = time.monotonic()
        for lane in self.all_lanes():
            before = self._reported.get(lane) or [0] * len(Outcome)
            if lane.counts == before:
                continue
            lane.used_s = now_s
            for outcome in Outcome:
                more = lane.counts[outcome.index] - before[outcome.index]
                if more:
                    counts = keys.clicks(lane.offer.id, lane.offer.bucket)
                    commands.append((lane.shard, ("HINCRBY", counts, outcome.word, more)))
            self._reported[lane] = lane.counts.copy()
        await self.pipeline(commands)

    async def _note_returns(self) -> None:
        """Take over when unpaid units may come back: it is noted without a new version. Idle lanes tell it, too."""
        lanes = sorted(self.all_lanes(), key=lambda lane: lane.shield.lease is None)
        refusing = sum(lane.shield.lease is not None for lane in lanes)
        del lanes[max(refusing, NOTES_MAX) :]
        instants = await self.pipeline(
            [
                (lane.shard, ("HGET", keys.offer(lane.offer.id, lane.offer.bucket), "may_return_at_ms"))
                for lane in lanes
            ]
        )
        for lane, instant in zip(lanes, instants, strict=True):
            may_return_at_ms = int(instant or 0)
            if may_return_at_ms != lane.offer.may_return_at_ms:
                lane.offer = replace(lane.offer, may_return_at_ms=may_return_at_ms)

    def _drop_idle_lanes(self) -> None:
        now_s = time.monotonic()
        for offer_id, lane in list(self.lanes.items()):
            lanes = lane.lanes or (lane,)
            if all(each.idle and now_s - each.used_s > LANE_IDLE_S for each in lanes):
                del self.lanes[offer_id]
                for each in lanes:
                    self._reported.pop(each, None)
