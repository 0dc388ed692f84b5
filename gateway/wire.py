"""A Redis connection for the click path: commands are written at once, replies come back by callback, in order.

It does less than redis-py's asyncio client, and so costs a fraction of it: no pool, no lock, no task per command.
A connection is lost as a whole: everything still unanswered is told so, and is never matched with the replies of
a later connection. With sentinels, each new connection begins by asking them where the primary is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import hiredis

from gateway import sentinels
from gateway.errors import NotSent, OutcomeUnknown, RedisProblem, Refused
from gateway.redis_url import options_of, require_known_scheme, sentinel_place, sign_in, tls_of
from gateway.resp import pack

log = logging.getLogger(__name__)

Callback = Callable[[Any], None]
"""Called once per command with the reply, or with a `RedisProblem` when there is none."""

CONNECT_TIMEOUT_S = 2.0
COMMAND_TIMEOUT_S = 2.0
RECONNECT_FIRST_S = 0.02
RECONNECT_MAX_S = 0.25
UNANSWERED_MAX = 10_000


class _Protocol(asyncio.Protocol):
    def __init__(self, lost: Callable[[_Protocol], None]) -> None:
        self.waiting: deque[Callback] = deque()
        self.transport: asyncio.Transport | None = None
        self.retired = False
        self.unasked = ""
        """What Redis said before it was asked anything: why it hangs up."""
        self._reader = hiredis.Reader(replyError=_redis_error)
        self._lost = lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        waiting = self.waiting
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                if not waiting:
                    # Too many clients, or protected mode. Replies cannot be matched with commands any more.
                    self.unasked = str(reply).partition(". ")[0]
                    self.abort()
                    return
                waiting.popleft()(reply)
        except hiredis.ProtocolError:
            log.exception("redis answered out of protocol")
            self.abort()
        if self.retired and not waiting:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        # It may be lost before anybody has written on it, and a write on a closed transport raises.
        self.transport = None
        self._lost(self)
        problem = OutcomeUnknown(self.unasked or "the connection to Redis was lost before the answer came")
        while self.waiting:
            self.waiting.popleft()(problem)

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


def _redis_error(text: str) -> Refused:
    return Refused(text)


class Wire:
    """One connection to Redis that keeps itself open. `set_up` runs on each new one before it is `ready`."""

    def __init__(self, url: str, set_up: Callable[[Wire], Awaitable[None]] | None = None) -> None:
        require_known_scheme(url)
        self._url = url
        self.place = sentinel_place(url)
        """Where the sentinels are, None for a URL that leads to Redis itself."""
        self._options: dict[str, Any] = {}
        if self.place is not None:
            names = ("username", "password", "db")
            self._options = {name: getattr(self.place, name) for name in names}
        else:
            self._options = options_of(url)
        self._set_up = set_up
        self._protocol: _Protocol | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self.ready = False
        self.problem = "not connected to Redis yet"
        self.survey: sentinels.Survey | None = None
        """What the sentinels said when this connection was made."""
        self.run_id = ""
        """The server process at the other end, as far as `set_up` has asked for it."""
        self.opened_s = 0.0
        """Monotonic time since which this connection is ready."""

    async def start(self) -> None:
        """Connect in the background; `ready` and `problem` tell how it goes."""
        self._keeper = asyncio.create_task(self._keep(), name="redis connection")

    async def stop(self) -> None:
        """Close the connection and stop keeping it."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self.drop("stopped")

    def send(self, command: bytes, callback: Callback) -> None:
        """Write an encoded command; `callback` gets its reply.

        Raises:
            NotSent: there is no usable connection, and `callback` will not be called.
        """
        protocol = self._protocol
        if protocol is None or not self.ready or len(protocol.waiting) >= UNANSWERED_MAX:
            raise NotSent(self.problem)
        protocol.waiting.append(callback)
        protocol.transport.write(command)  # type: ignore[union-attr]

    async def request(self, *parts: bytes | str | int) -> Any:
        """Send one command and wait for its reply, up to `COMMAND_TIMEOUT_S`.

        Raises:
            NotSent, Refused, OutcomeUnknown: no reply, an error reply, or time ran out.
        """
        return (await self.pipeline([parts]))[0]

    async def pipeline(self, commands: list[tuple[bytes | str | int, ...]], *, raising: bool = True) -> list[Any]:
        """Send several commands in one write and wait for all replies; errors as `request` raises them.

        Unless `raising`, an error reply stands among the others.
        """
        if not self.ready:
            raise NotSent(self.problem)
        return await self._exchange(commands, raising=raising)

    def drop(self, reason: str) -> None:
        """Give the connection up: what is unanswered becomes unknown, and a new one is made."""
        self.ready = False
        self.problem = reason
        if self._protocol is not None:
            self._protocol.abort()

    def retire(self, reason: str) -> None:
        """Send nothing more, let what is under way be answered, then connect anew."""
        self.ready = False
        self.problem = reason
        protocol = self._protocol
        if protocol is not None:
            protocol.retired = True
            if not protocol.waiting:
                protocol.abort()

    async def _exchange(self, commands: list[tuple[bytes | str | int, ...]], *, raising: bool = True) -> list[Any]:
        protocol = self._protocol
        if protocol is None or protocol.transport is None:
            raise NotSent((protocol and protocol.unasked) or self.problem)
        if not commands:
            return []
        done: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        replies: list[Any] = []

        def collect(reply: Any) -> None:
            replies.append(reply)
            if len(replies) == len(commands) and not done.done():
                done.set_result(replies)

        protocol.waiting.extend([collect] * len(commands))
        protocol.transport.write(b"".join(pack(*parts) for parts in commands))
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                await done
        except TimeoutError:
            self.drop("Redis did not answer in time")
            raise OutcomeUnknown("Redis did not answer in time") from None
        for reply in replies:
            if isinstance(reply, OutcomeUnknown) or (raising and isinstance(reply, Exception)):
                raise reply
        return replies

    def _on_lost(self, protocol: _Protocol) -> None:
        if protocol is self._protocol:
            self._protocol = None
            self.ready = False
            self.problem = protocol.unasked or self.problem or "the connection to Redis was lost"
            self._wanted.set()

    async def _keep(self) -> None:
        delay_s = RECONNECT_FIRST_S
        while True:
            self._wanted.clear()
            try:
                # Not `wait_for`: a cancellation that comes together with an error gets lost in it.
                async with asyncio.timeout(CONNECT_TIMEOUT_S * 2):
                    await self._open()
            except (OSError, TimeoutError, RedisProblem) as error:
                reason = str(error) or type(error).__name__
                if reason != self.problem:
                    log.warning("redis connection: %s", reason)
                self.drop(reason)
                self._protocol = None
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RECONNECT_MAX_S)
                continue
            delay_s = RECONNECT_FIRST_S
            await self._wanted.wait()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        options = self._options

        def protocol() -> _Protocol:
            return _Protocol(self._on_lost)

        if self.place is not None:
            self.survey = await sentinels.survey(self.place)
            connecting = loop.create_connection(protocol, *self.survey.primary)
        elif "path" in options:
            connecting = loop.create_unix_connection(protocol, options["path"])
        else:
            connecting = loop.create_connection(
                protocol, options.get("host", "localhost"), options.get("port", 6379), ssl=tls_of(self._url)
            )
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, self._protocol = await connecting
        greeting: list[tuple[bytes | str | int, ...]] = []
        greeting += sign_in(options.get("username"), options.get("password"))
        if options.get("db"):
            greeting.append(("SELECT", options["db"]))
        greeting.append(("CLIENT", "SETNAME", "seckill-gateway"))
        if self.survey is not None:
            greeting.append(("ROLE",))
        said = await self._exchange(greeting)
        if self.survey is not None and said[-1][0] != b"master":
            host, port = self.survey.primary
            raise NotSent(f"Redis at {host}:{port} is a replica now; waiting for the sentinels to name another")
        if self._set_up is not None:
            await self._set_up(self)
        if self._protocol is None:
            raise NotSent("the connection to Redis was lost while it was set up")
        self.problem = ""
        self.opened_s = time.monotonic()
        self.ready = True

    async def while_setting_up(self, commands: list[tuple[bytes | str | int, ...]]) -> list[Any]:
        """For `set_up` only: a pipeline on a connection that is not `ready` yet."""
        return await self._exchange(commands)
