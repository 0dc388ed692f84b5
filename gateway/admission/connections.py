"""One worker's connections to Redis: where they lead, and whether what is there may sell.

Three, so that nothing slow stands in front of a click: one for clicks, one for everything else, one that waits
for replicas. All lead to the same server process, or the older ones are given up.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time

from gateway import keys, scripts, sentinels
from gateway.admission.clock import RedisClock
from gateway.admission.durability import Command, Durability, look
from gateway.admission.replication import Replication
from gateway.admission.verdicts import Remedy
from gateway.errors import ScriptContractError
from gateway.settings import Settings
from gateway.wire import Wire

log = logging.getLogger(__name__)


def _trial() -> Command:
    """A call of the script that it refuses as late: an error shows that Redis would refuse every click."""
    script = scripts.load("admit")
    return ("EVALSHA", script.sha, len(script.keys), *[keys.marks(0)] * len(script.keys), *[0] * len(script.args))


class Connections:
    """`wire` for clicks, `side` for the rest, `marking` for `WAIT`. `blocked`: why this Redis may not sell."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = RedisClock()
        self.wire = Wire(settings.redis_url, self._set_up)
        self.side = Wire(settings.redis_url, self._set_up_other)
        self.marking = Wire(settings.redis_url, self._set_up_other)
        self.replication = Replication(self.marking, self._alarm)
        self.run_id = ""
        self.alarmed = False
        """Something says that what is known of this Redis is out of date: look again soon."""
        self.blocked: list[str] = ["Redis has not been checked yet"]
        self._refusal = ""
        self._wires = (self.wire, self.side, self.marking)

    async def connect(self) -> None:
        """Connect in the background; `problems` tells how it goes."""
        for wire in self._wires:
            await wire.start()

    async def disconnect(self) -> None:
        """Close all connections."""
        for wire in self._wires:
            await wire.stop()

    def problems(self) -> list[str]:
        """Why this worker cannot sell right now; empty when it can."""
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

    def use_run(self, run_id: str) -> None:
        """Clicks go to this server process from now on."""
        self.run_id = run_id

    def refused(self, error: str, remedy: Remedy) -> None:
        """Redis answered a batch with an error that means "not executed"; the lane has answered its clicks."""
        if remedy is Remedy.RECONNECT:
            self.wire.retire(error)
        else:
            self._refusal = error.partition(" script: ")[0]
            self._alarm()

    async def confirmed(self, since_s: float, within_s: float) -> bool:
        """Whether the replicas have what the side connection has just read.

        Args:
            since_s: monotonic time before it was read.
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
        sha, info, instant, _ = await wire.while_setting_up([loading, ("INFO", "server"), ("TIME",), _trial()])
        run_id = _read_run_id(info)
        if sha != scripts.load("admit").sha.encode() or not run_id or len(instant) != 2:
            raise ScriptContractError("the server does not answer like Redis")
        self.clock.learn(int(instant[0]) * 1000 + int(instant[1]) // 1000, sent_s, time.monotonic())
        promotable = wire.survey.promotable if wire.survey is not None else None
        self.judge(await look(wire.while_setting_up, self.settings, promotable))
        self._refusal = ""
        self._meet(wire, run_id)
        if run_id != self.run_id:
            self.use_run(run_id)

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
        promotable = None
        if self.side.place is not None and self.side.survey is not None:
            found = await sentinels.survey(self.side.place)
            promotable = found.promotable
            for wire in self._wires:
                if wire.survey is not None and wire.survey.primary != found.primary:
                    wire.retire("the sentinels name another primary")
        self.judge(await look(self.side.pipeline, self.settings, promotable))
        if self._refusal:
            await self.side.request("INCR", keys.marks(0))
            self._refusal = ""


def _read_run_id(info: bytes) -> str:
    """The server's run id out of its INFO, or nothing."""
    match = re.search(rb"^run_id:(\w+)", info, re.MULTILINE)
    return match[1].decode() if match else ""
