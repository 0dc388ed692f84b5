"""One server that a worker sells from: its connections, its clock, and whether it may sell.

Three connections, so that nothing slow stands in front of a click: one for clicks, one for the rest, and one that
waits for replicas. All lead to the same server process, or the older ones are given up.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable

from gateway import keys, scripts, sentinels
from gateway.admission.clock import RedisClock
from gateway.admission.durability import Command, Durability, look
from gateway.admission.replication import Replication
from gateway.admission.verdicts import SLOT_ERRORS, Remedy
from gateway.errors import Refused, ScriptContractError
from gateway.settings import Settings
from gateway.wire import Wire

log = logging.getLogger(__name__)


class Primary:
    """`wire` for clicks, `side` for the rest, `marking` for `WAIT`. `blocked`: why this Redis may not sell."""

    def __init__(
        self, settings: Settings, url: str, on_run: Callable[[Primary], None], *, clustered: bool = False
    ) -> None:
        """`on_run` is called when clicks go to another server process than before."""
        self.settings = settings
        self.clustered = clustered
        self.shards: tuple[int, ...] = tuple(keys.shards())
        """Which it has."""
        self.promotable: int | None = None
        """Replicas that a cluster could make the primary now; sentinels are asked with each connection."""
        self.clock = RedisClock()
        self.wire = Wire(url, self._set_up)
        self.side = Wire(url, self._set_up_other)
        self.marking = Wire(url, self._set_up_other)
        self.replication = Replication(self.marking, self._alarm)
        self.run_id = ""
        self.backlog = 0
        """Winners that wait for the order writer on its shards, as read last."""
        self.alarmed = False
        """Something says that what is known of this Redis is out of date: look again soon."""
        self.blocked: list[str] = ["Redis has not been checked yet"]
        self._refusal = ""
        self._on_run = on_run
        self._wires = (self.wire, self.side, self.marking)

    async def connect(self) -> None:
        """Connect in the background; `problems` tells how it goes."""
        for wire in self._wires:
            await wire.start()

    async def disconnect(self) -> None:
        """Close all connections."""
        for wire in self._wires:
            await wire.stop()

    def serve(self, shards: tuple[int, ...], promotable: int) -> None:
        """Take over what a cluster says of this server."""
        self.shards = self.replication.shards = shards
        self.promotable = promotable

    def problems(self) -> list[str]:
        """Why nothing can be sold here right now; empty when it can."""
        problems = list(self.blocked)
        away = [wire.problem for wire in (self.wire, self.side) if not wire.ready]
        if away:
            problems.insert(0, f"no connection to Redis: {away[0]}")
        elif self.replication.replicas and not self.marking.ready:
            problems.append(f"no connection to ask for replicas: {self.marking.problem}")
        if self._refusal:
            problems.append(f"Redis refuses to sell: {self._refusal}")
        return problems

    def _alarm(self) -> None:
        self.alarmed = True

    @property
    def doubtful(self) -> bool:
        """Whether to look at Redis every second: it may not sell, or others have to copy what it sells."""
        return bool(self.blocked or self._refusal or self.replication.replicas)

    def refused(self, error: str, remedy: Remedy) -> None:
        """Redis answered a batch with an error that means "not executed"; the lane has answered its clicks."""
        if remedy is Remedy.RECONNECT:
            self.wire.retire(error)
        else:
            self._refusal = error.partition(" script: ")[0]
            self._alarm()

    async def confirmed(self, since_s: float, within_s: float) -> bool:
        """Whether the replicas have what the side connection has just read or written.

        Args:
            since_s: monotonic time before it was.
            within_s: how long to wait for them.
        """
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        until_s = time.monotonic() + within_s
        self.replication.confirm(
            self.side.run_id, since_s, until_s, lambda told: None if answer.done() else answer.set_result(told)
        )
        return await answer

    async def _set_up(self, wire: Wire) -> None:
        """Make a new connection for clicks usable: script loaded, run known, clock set, durability checked."""
        sent_s = time.monotonic()
        loading: Command = ("SCRIPT", "LOAD", scripts.load("admit").source)
        sha, info, instant = await wire.while_setting_up([loading, ("INFO", "server"), ("TIME",)])
        run_id = _read_run_id(info)
        if sha != scripts.load("admit").sha.encode() or not run_id or len(instant) != 2:
            raise ScriptContractError("the server does not answer like Redis")
        self.clock.learn(int(instant[0]) * 1000 + int(instant[1]) // 1000, sent_s, time.monotonic())
        await self._try(wire)
        promotable = wire.survey.promotable if wire.survey is not None else self.promotable
        self.judge(await look(wire.while_setting_up, self.settings, promotable))
        self._refusal = ""
        self._meet(wire, run_id)
        if run_id != self.run_id:
            self.run_id = run_id
            self._on_run(self)

    async def _try(self, wire: Wire) -> None:
        """Call the script so that it refuses as late: an error shows that Redis would refuse every click.

        Raises:
            Refused: it would.
        """
        script = scripts.load("admit")
        named = [keys.marks(self.shards[0])] * len(script.keys)
        try:
            await wire.while_setting_up(
                [("EVALSHA", script.sha, len(script.keys), *named, *[0] * len(script.args))]
            )
        except Refused as error:
            # In a cluster that says something about one slot only.
            if not (self.clustered and str(error).partition(" ")[0] in SLOT_ERRORS):
                raise

    async def _set_up_other(self, wire: Wire) -> None:
        (info,) = await wire.while_setting_up([("INFO", "server")])
        run_id = _read_run_id(info)
        if not run_id:
            raise ScriptContractError("the server does not answer like Redis")
        self._meet(wire, run_id)

    def _meet(self, newest: Wire, run_id: str) -> None:
        """All connections lead to one server process: give those up that lead to another than the newest does."""
        newest.run_id = run_id
        for wire in self._wires:
            if wire is not newest and wire.ready and wire.run_id != run_id:
                wire.retire("Redis is another process now")

    def judge(self, found: Durability) -> None:
        """Take over whether this Redis keeps what it says."""
        for reason in found.reasons:
            if reason not in self.blocked:
                log.error("not selling: %s", reason)
        self.alarmed = False
        self.blocked = found.reasons
        self.replication.replicas = found.replicas

    async def look_again(self) -> None:
        """Check durability once more, and with sentinels whether this is still the primary.

        Raises:
            RedisProblem: Redis or the sentinels could not be asked.
        """
        promotable = self.promotable
        if self.side.place is not None and self.side.survey is not None:
            found = await sentinels.survey(self.side.place)
            promotable = found.promotable
            for wire in self._wires:
                if wire.survey is not None and wire.survey.primary != found.primary:
                    wire.retire("the sentinels name another primary")
        self.judge(await look(self.side.pipeline, self.settings, promotable))
        if self._refusal:
            await self.side.request("INCR", keys.marks(self.shards[0]))
            self._refusal = ""


def _read_run_id(info: bytes) -> str:
    """The server's run id out of its INFO, or nothing."""
    match = re.search(rb"^run_id:(\w+)", info, re.MULTILINE)
    return match[1].decode() if match else ""
