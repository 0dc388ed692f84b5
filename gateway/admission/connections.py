"""One worker's connections to Redis: which server has which shard.

One server has all shards, always. In a cluster each primary has some, and they move: when slots are moved, when a
replica takes a primary's place. The servers are asked every few seconds, and at once when a reply or a lost
connection says that something has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from gateway import cluster, keys
from gateway.admission.durability import Command
from gateway.admission.primary import Primary
from gateway.errors import NotSent, RedisProblem, Refused
from gateway.redis_url import Address, cluster_place
from gateway.settings import Settings

log = logging.getLogger(__name__)

SURVEY_EVERY_S = 2.0
SURVEY_AGAIN_S = 0.1
"""How soon the servers are asked again while one of them is away."""
LEAVE_AFTER_S = 1.0
"""So long after a click's deadline a server that has no shard any more keeps its connections."""


class Connections:
    """The primaries that a worker sells from."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.primaries: list[Primary] = []
        self._place = cluster_place(settings.redis_url)
        self._by_address: dict[Address, Primary] = {}
        self._of: dict[int, Primary] = {}
        self._servers: list[Address] = []
        self._unknown = "the cluster has not been asked yet"
        self._wanted = asyncio.Event()
        self._surveyed = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        if self._place is None:
            self.primaries = [Primary(settings, settings.redis_url, self.use_run)]
            self._of = dict.fromkeys(keys.shards(), self.primaries[0])

    async def connect(self) -> None:
        """Connect in the background; `problems` tells how it goes."""
        for primary in self.primaries:
            await primary.connect()
        if self._place is not None:
            self._watching = asyncio.create_task(self._watch(), name="cluster watch")

    async def disconnect(self) -> None:
        """Close all connections."""
        for task in (*self._leaving, *([self._watching] if self._watching else ())):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for primary in self.primaries:
            await primary.disconnect()

    def primary_of(self, shard: int) -> Primary:
        """Who has a shard.

        Raises:
            NotSent: nobody is known to.
        """
        try:
            return self._of[shard]
        except KeyError:
            raise NotSent(self._unknown) from None

    def problems(self) -> list[str]:
        """Why this worker can sell nothing right now; empty when it can sell something."""
        if len(self._of) < keys.SHARDS:
            return [f"no connection to Redis: {self._unknown}"]
        found = [primary.problems() for primary in self.primaries]
        return [problem for problems in found for problem in problems] if all(found) else []

    def problems_of(self, shard: int) -> list[str]:
        """Why nothing of this shard can be sold right now; empty when it can."""
        primary = self._of.get(shard)
        return primary.problems() if primary else [f"no connection to Redis: {self._unknown}"]

    def now_ms(self, offer_id: str) -> int:
        """Redis time where an offer lies, epoch ms."""
        primary = self._of.get(keys.shard_of(offer_id))
        return primary.clock.now_ms() if primary else int(time.time() * 1000)

    def use_run(self, primary: Primary) -> None:
        """Clicks on this primary's shards go to another server process from now on."""

    def move(self, shard: int, primary: Primary) -> None:
        """A shard has another primary from now on."""

    async def pipeline(self, commands: Sequence[tuple[int, Command]]) -> list[Any]:
        """Ask several shards at once, over connections that no click waits for; replies in order.

        Raises:
            RedisProblem: one of them could not be asked, or answered with an error.
        """
        if self._place is None:
            return await self.primaries[0].side.pipeline([command for _, command in commands])
        groups: dict[Primary, list[int]] = defaultdict(list)
        for place, (shard, _) in enumerate(commands):
            groups[self.primary_of(shard)].append(place)
        asking = (
            primary.side.pipeline([commands[place][1] for place in places], raising=False)
            for primary, places in groups.items()
        )
        replies: list[Any] = [None] * len(commands)
        for (primary, places), found in zip(groups.items(), await asyncio.gather(*asking), strict=True):
            for place, reply in zip(places, found, strict=True):
                refused = isinstance(reply, Refused)
                replies[place] = await self._followed(primary, reply, *commands[place]) if refused else reply
        return replies

    async def _followed(self, before: Primary, refusal: Refused, shard: int, command: Command) -> Any:
        """The reply to a command of whoever has its slot now, or is about to get it.

        Raises:
            RedisProblem: it was refused for another reason, or where it is cannot be asked.
        """
        word, _, where = str(refusal).partition(" ")
        target: Primary | None = None
        if word == "ASK":
            host, _, port = where.rpartition(" ")[2].rpartition(":")
            target = self._by_address.get((host, int(port)))
        elif word == "MOVED":
            if self.primary_of(shard) is before:
                await self.looked_around()
            target = self.primary_of(shard)
        if target is None or target is before:
            self.look_around()
            raise refusal
        # Whoever has the slot already takes no notice of the first of them.
        return (await target.side.pipeline([("ASKING",), command]))[1]

    # A cluster's servers.

    def look_around(self) -> None:
        """Ask the cluster's servers soon who has which shard."""
        self._wanted.set()

    async def looked_around(self) -> None:
        """Ask them now, and return when they have answered or cannot be reached."""
        self.look_around()
        await self._surveyed.wait()

    async def _watch(self) -> None:
        while True:
            settled = self._of and all(primary.wire.ready for primary in self.primaries)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SURVEY_EVERY_S if settled else SURVEY_AGAIN_S):
                    await self._wanted.wait()
            self._wanted.clear()
            surveyed, self._surveyed = self._surveyed, asyncio.Event()
            await self._survey()
            surveyed.set()

    async def _survey(self) -> None:
        assert self._place is not None
        try:
            layout = await cluster.survey(self._place, self._servers)
        except (OSError, RedisProblem) as problem:
            if self._unknown != str(problem):
                log.warning("cluster: %s", problem)
            self._unknown = str(problem)
            return
        await self._take(layout)

    async def _take(self, layout: cluster.Layout) -> None:
        self._servers = layout.servers
        for node in layout.primaries():
            primary = self._by_address.get(node.address)
            if primary is None:
                url = self._place.url_of(node.address)  # type: ignore[union-attr]
                primary = self._by_address[node.address] = Primary(self.settings, url, self.use_run, clustered=True)
                primary.serve(node.shards, node.promotable)
                self.primaries.append(primary)
                await primary.connect()
            primary.serve(node.shards, node.promotable)
            for shard in node.shards:
                before = self._of.get(shard)
                if before is not primary:
                    self._of[shard] = primary
                    log.info("shard %d is at %s:%d", shard, *node.address)
                    self.move(shard, primary)
        missing = set(keys.shards()) - set(self._of)
        if missing:
            self._unknown = f"CLUSTERDOWN: no server of the cluster has the slots of {len(missing)} shards"
        for address, primary in list(self._by_address.items()):
            if primary not in self._of.values():
                del self._by_address[address]
                self.primaries.remove(primary)
                task = asyncio.create_task(self._leave(primary))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)

    async def _leave(self, primary: Primary) -> None:
        """Let what is under way be answered, then close the connections."""
        try:
            await asyncio.sleep(self.settings.click_timeout_ms / 1000 + LEAVE_AFTER_S)
        finally:
            await primary.disconnect()
