"""A blocking client of a Redis Cluster that looks like a client of one server.

All keys of a command lie in one slot. So it goes to the server that has the slot of its first key; a pipeline is
divided by servers. What meets a slot on its way from one server to another follows it. Unlike redis-py's own client
of clusters it connects when it is first used, raises nothing but `redis.RedisError`, and sends nothing again that
may have run.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from redis import ConnectionPool, Redis
from redis.client import Pipeline
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway import cluster, keys
from gateway.redis_url import Address, ClusterPlace

T = TypeVar("T")

FOLLOW_FOR_S = 2.0
"""So long a command is tried again that meets a slot on its way."""
FOLLOW_EVERY_S = 0.02
ASK_WITHIN_S = 0.5
POLL_S = 0.05
"""How often streams of several slots are looked at: no command can wait for them together."""

_EVERYWHERE = {"PING", "SCRIPT LOAD"}
_SLOT_ERRORS = (MovedError, AskError, TryAgainError, ClusterDownError)
_KEY = keys.marks(0).partition("{")[0] + "{"
"""How every key begins."""

Command = tuple[tuple[Any, ...], dict[str, Any]]
"""Its words, and how its reply is read."""


def _slot_in(words: tuple[Any, ...]) -> int | None:
    """The slot of a command's first key, None for one without."""
    for word in words[1:]:
        if isinstance(word, str) and word.startswith(_KEY):
            return cluster.slot_of(word.partition("}")[0] + "}")
        if isinstance(word, bytes) and word.startswith(_KEY.encode()):
            return cluster.slot_of(word.partition(b"}")[0].decode() + "}")
    return None


def _send(server: Redis, command: Command) -> Any:
    words, options = command
    return server.execute_command(*words, **options)  # type: ignore[no-untyped-call]


def _queue(pipeline: Pipeline, command: Command) -> None:
    words, options = command
    pipeline.execute_command(*words, **options)  # type: ignore[no-untyped-call]


class ClusterClient(Redis):
    """Sends each command to the server that has its keys; one without keys goes to the first shard's."""

    def __init__(self, place: ClusterPlace, options: dict[str, Any]) -> None:
        # The pool is never asked for a connection: each server has a client of its own.
        super().__init__(connection_pool=ConnectionPool.from_url(place.url_of(place.seeds[0]), **options))
        self._place = place
        self._options = options
        self._lock = threading.RLock()
        self._servers: dict[Address, Redis] = {}
        self._layout: cluster.Layout | None = None

    def servers(self) -> list[Redis]:
        """Every server that has a shard.

        Raises:
            redis.RedisError: no server of the cluster answers, or nobody has the slots.
        """
        return list(dict.fromkeys(self.servers_of(keys.shards()).values()))

    def servers_of(self, shards: Iterable[int]) -> dict[int, Redis]:
        """For each shard the server that has it now.

        Raises:
            redis.RedisError: no server of the cluster answers, or nobody has the slot.
        """
        marks = {shard: keys.marks(shard) for shard in shards}
        # What was known may be out of date: a server that has the slot no more says so.
        asking = self.pipeline(transaction=False)
        for key in marks.values():
            asking.exists(key)
        asking.execute()
        return {shard: self._owner(cluster.slot_of(key)) for shard, key in marks.items()}

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command where its keys are, and read the reply."""
        command = (args, options)
        slot = _slot_in(args)
        if slot is None and args[0] in _EVERYWHERE:
            return self._everywhere(command)
        if slot is None:
            slot = cluster.slot_of(keys.marks(0))
        return self.following(slot, lambda server: _send(server, command), command)

    def _everywhere(self, command: Command) -> Any:
        """Send a command to every server that has a shard; the reply of one, as long as one replies."""
        replies, errors = [], []
        for server in self.servers():
            try:
                replies.append(_send(server, command))
            except RedisError as error:
                self.forget()
                errors.append(error)
        if not replies:
            raise errors[0]
        return replies[0]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Commands that are sent together; in a transaction, all of one slot."""
        return _ClusterPipeline(self, transaction=transaction)

    def xreadgroup(  # type: ignore[override]
        self,
        groupname: str,
        consumername: str,
        streams: dict[Any, Any],
        count: int | None = None,
        block: int | None = None,
    ) -> Any:
        """Read streams of any slots; waits up to `block` ms for the first entry, by looking again and again."""
        end = time.monotonic() + (block or 0) / 1000
        while True:
            pipeline = self.pipeline(transaction=False)
            for key, position in streams.items():
                pipeline.xreadgroup(groupname, consumername, {key: position}, count=count)
            found = [stream for reply in pipeline.execute() for stream in reply or ()]
            if found or time.monotonic() >= end:
                return found
            time.sleep(POLL_S)

    def close(self) -> None:
        """Give all connections back."""
        super().close()
        with self._lock:
            for server in self._servers.values():
                server.close()

    # Where things are.

    def divided(self, slots: list[int]) -> dict[Redis, list[int]]:
        """Which of these slots, by their places in the list, which server has."""
        groups: dict[Redis, list[int]] = defaultdict(list)
        for place, slot in enumerate(slots):
            groups[self._owner(slot)].append(place)
        return groups

    def _owner(self, slot: int) -> Redis:
        with self._lock:
            if self._layout is None:
                self._layout = self._look_around()
            address = self._layout.owner(slot)
            if address is None:
                self._layout = None
                raise ClusterDownError(f"CLUSTERDOWN no server of the cluster has slot {slot}")
            return self._server_at(address)

    def _server_at(self, address: Address) -> Redis:
        server = self._servers.get(address)
        if server is None:
            server = self._servers[address] = Redis.from_url(self._place.url_of(address), **self._options)
        return server

    def _look_around(self) -> cluster.Layout:
        """Ask every server who has which slots."""
        views, errors = [], []
        limits = {"socket_timeout": ASK_WITHIN_S, "socket_connect_timeout": ASK_WITHIN_S}
        for address in dict.fromkeys((*self._servers, *self._place.seeds)):
            with Redis.from_url(self._place.url_of(address), **(self._options | limits)) as server:
                try:
                    views.append((address, _send(server, (("CLUSTER", "NODES"), {})).decode()))
                except RedisError as error:
                    errors.append(str(error))
        if not views:
            raise RedisConnectionError(f"no server of the cluster answers: {'; '.join(errors)}")
        try:
            layout = cluster.Layout(views)
        except ValueError as error:
            raise ResponseError(f"the servers do not answer like a Redis Cluster: {error}") from None
        for address in layout.servers:
            self._server_at(address)
        return layout

    def forget(self) -> None:
        """Ask anew who has which slots, before the next command."""
        with self._lock:
            self._layout = None

    def noticing(self, do: Callable[[], T]) -> T:
        """Do it; a lost connection says that another server may be the primary now."""
        try:
            return do()
        except (RedisConnectionError, RedisTimeoutError):
            self.forget()
            raise

    def following(self, slot: int, do: Callable[[Redis], T], command: Command | None = None) -> T:
        """Do something where a slot is, again and again while it is on its way.

        Args:
            slot: the slot.
            do: what to do with the server that has it.
            command: what `do` sends, if it is no more than that: a server can be asked to take it early.

        Raises:
            redis.RedisError: it was refused, or the slot has not arrived in time.
        """
        end = time.monotonic() + FOLLOW_FOR_S
        while True:
            try:
                return self.noticing(lambda: do(self._owner(slot)))
            except _SLOT_ERRORS as error:
                if isinstance(error, MovedError | ClusterDownError):
                    self.forget()
                elif isinstance(error, AskError) and command is not None:
                    with contextlib.suppress(*_SLOT_ERRORS):
                        return cast("T", self._ask(error, command))
                if time.monotonic() > end:
                    raise
            time.sleep(FOLLOW_EVERY_S)

    def _ask(self, error: AskError, command: Command) -> Any:
        """Send a command to the server that is about to get its slot."""
        with self._lock:
            server = self._server_at((error.host, error.port))
        pipeline = server.pipeline(transaction=False)
        _queue(pipeline, (("ASKING",), {}))
        _queue(pipeline, command)
        return self.noticing(pipeline.execute)[1]


class _ClusterPipeline(Pipeline):
    def __init__(self, client: ClusterClient, *, transaction: bool) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, None)
        self._client = client
        self._together = transaction

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send what was queued, server by server; replies in order."""
        queued: list[Command] = list(self.command_stack)
        self.reset()
        if not queued:
            return []
        replies = self._transaction(queued) if self._together else self._divided(queued)
        if raise_on_error:
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return replies

    def _transaction(self, queued: list[Command]) -> list[Any]:
        slots = {_slot_in(words) for words, _ in queued}
        slot = slots.pop() if len(slots) == 1 else None
        if slot is None:
            raise ResponseError("CROSSSLOT a transaction has keys, and they lie in one slot")

        def do(server: Redis) -> list[Any]:
            pipeline = server.pipeline(transaction=True)
            for command in queued:
                _queue(pipeline, command)
            return pipeline.execute()

        return self._client.following(slot, do)

    def _divided(self, queued: list[Command]) -> list[Any]:
        client = self._client
        replies: list[Any] = [None] * len(queued)
        keyed = []
        for place, (words, options) in enumerate(queued):
            if _slot_in(words) is None:
                replies[place] = client.execute_command(*words, **options)
            else:
                keyed.append(place)
        slots = [_slot_in(queued[place][0]) or 0 for place in keyed]
        for server, indexes in client.divided(slots).items():
            pipeline = server.pipeline(transaction=False)
            places = [keyed[index] for index in indexes]
            for place in places:
                _queue(pipeline, queued[place])
            told: list[Any] = client.noticing(lambda sent=pipeline: sent.execute(raise_on_error=False))  # type: ignore[misc]
            for place, reply in zip(places, told, strict=True):
                replies[place] = reply
        for place, reply in enumerate(replies):
            if isinstance(reply, _SLOT_ERRORS):
                client.forget()
                replies[place] = self._once_more(queued[place])
        return replies

    def _once_more(self, command: Command) -> Any:
        """The reply to a command that was certainly not executed, as its slot was elsewhere."""
        words, options = command
        try:
            return self._client.execute_command(*words, **options)
        except ResponseError as error:
            return error
