"""Gateways that look for units in other buckets, one Redis command at a time: any of them may be the last."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Sequence
from types import SimpleNamespace
from typing import Any

from redis import Redis
from redis.client import Pipeline

from gateway import buckets
from gateway.admission.gathering import gather
from gateway.offers import Offer


class Command:
    """One command of a gateway; its reply comes when the test sends it to Redis."""

    def __init__(self, parts: tuple[Any, ...]) -> None:
        self.parts = parts

    def __await__(self) -> Generator[Command, Any, Any]:
        return (yield self)


class Stepping:
    """What a gateway sees of one Redis, where nothing happens until the test lets it."""

    def __init__(self, run_id: str, lease_ms: int) -> None:
        self.settings = SimpleNamespace(lease_ms=lease_ms)
        self.side = SimpleNamespace(run_id=run_id)
        self.replication = SimpleNamespace(replicas=0)

    def primary_of(self, shard: int) -> Stepping:
        del shard
        return self

    def problems_of(self, shard: int) -> list[str]:
        del shard
        return []

    async def pipeline(self, commands: Sequence[tuple[int, tuple[Any, ...]]]) -> list[Any]:
        # On a cluster, several servers answer one after the other.
        return [await Command(command) for _, command in commands]


class Gatherer:
    """A gateway that gathers for clicks on one bucket. `seen`: what all together had left while it did."""

    def __init__(self, gate: Stepping, offer: Offer, wanted: list[int]) -> None:
        self.bucket = offer.bucket
        self.seen: set[int] = set()
        self.marked: int | None = None
        lane = SimpleNamespace(offer=offer, apart=[SimpleNamespace(quantity=each) for each in wanted])
        self._work: Coroutine[Any, Any, None] = gather(gate, lane)  # type: ignore[arg-type]
        self._next: Command = self._work.send(None)

    def step(self, client: Redis, shas: dict[str, str]) -> bool:
        """Send one command; False when the gatherer is through. `shas` names the commands by SHA."""
        parts = self._next.parts
        reply = client.execute_command(*parts)
        if parts[0] == "EVALSHA" and shas[parts[1]] == "mark_dry" and reply == [b"MARKED"]:
            self.marked = int(parts[-2])
        try:
            self._next = self._work.send(reply)
        except StopIteration:
            return False
        return True

    def die(self) -> None:
        """Never send the next command."""
        self._work.close()


class Crash(Exception):
    """The control plane was killed."""


class Mortal:
    """A client that is killed before or after its n-th call of Redis."""

    def __init__(self, client: Redis, calls: int, *, after: bool) -> None:
        self._client = client
        self._calls = calls
        self._after = after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._mortal(found) if name in {"evalsha", "hget", "info"} else found

    def pipeline(self, **given: Any) -> Pipeline:
        made = self._client.pipeline(**given)
        made.execute = self._mortal(made.execute)  # type: ignore[method-assign]
        return made

    def _mortal(self, call: Any) -> Any:
        def wrapped(*args: Any, **given: Any) -> Any:
            self._calls -= 1
            if self._calls == 0 and not self._after:
                raise Crash
            reply = call(*args, **given)
            if self._calls == 0:
                raise Crash
            return reply

        return wrapped


def left_in_all(found: list[buckets.Bucket]) -> int:
    """What is left in all buckets and on its way."""
    return sum(each.left for each in found) + sum(each.size for each in buckets.on_the_way(found))
