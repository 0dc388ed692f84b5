"""Which servers of a Redis Cluster are primaries, and which shards each of them has.

Every server that is known is asked, and for each slot the claim of the newest configuration counts: a server that
was cut off from the others goes on naming the primary it knew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import hiredis
from redis.crc import key_slot

from gateway import keys
from gateway.errors import NotSent
from gateway.redis_url import Address, ClusterPlace, tls_of
from gateway.resp import pack

ANSWER_WITHIN_S = 0.5
OTHERS_WITHIN_S = 0.1
"""How long after the first answer the other servers are waited for."""

_UNFIT = {"fail", "handshake", "noaddr", "nofailover"}
_SHARD_OF_SLOT = {key_slot(keys.marks(shard).encode()): shard for shard in keys.shards()}


@dataclass(slots=True)
class Node:
    """A primary. `shards`: those whose slots it has. `promotable`: replicas that could take its place now."""

    address: Address
    shards: tuple[int, ...] = ()
    promotable: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Primaries that have a shard, and every server there is, primary or replica."""

    primaries: list[Node]
    servers: list[Address] = field(default_factory=list)

    def by_shard(self) -> dict[int, Node]:
        """Who has a shard; one that nobody has is missing."""
        return {shard: node for node in self.primaries for shard in node.shards}


class _Claims:
    """What has been read of the servers' views so far."""

    def __init__(self) -> None:
        self.address: dict[str, Address] = {}
        self.owner: dict[int, tuple[int, str]] = {}
        self.replicas: dict[str, set[str]] = {}

    def take(self, asked: Address, line: str) -> None:
        """One line of `CLUSTER NODES`, as the server at `asked` sees it."""
        node, where, flags, primary, _, _, epoch, _, *slots = line.split()
        marks = set(flags.split(","))
        address = _address(where, asked)
        if address is None or "handshake" in marks or "noaddr" in marks:
            return
        self.address[node] = address
        if primary != "-":
            following = self.replicas.setdefault(primary, set())
            if not marks & _UNFIT:
                following.add(node)
        for slot in slots:
            if slot.startswith("["):  # on its way from or to another server
                continue
            first, _, last = slot.partition("-")
            for each, shard in _SHARD_OF_SLOT.items():
                if int(first) <= each <= int(last or first):
                    claim = (int(epoch), node)
                    self.owner[shard] = max(self.owner.get(shard, claim), claim)


def read(views: Iterable[tuple[Address, str]]) -> Layout:
    """The layout that servers tell.

    Args:
        views: whom was asked, and its reply to `CLUSTER NODES`.
    """
    claims = _Claims()
    for asked, text in views:
        for line in text.splitlines():
            claims.take(asked, line)
    nodes: dict[str, Node] = {}
    for shard, (_, name) in sorted(claims.owner.items()):
        node = nodes.setdefault(name, Node(claims.address[name]))
        node.shards += (shard,)
        node.promotable = len(claims.replicas.get(name, ()))
    return Layout(list(nodes.values()), list(dict.fromkeys(claims.address.values())))


def _address(where: str, asked: Address) -> Address | None:
    """Read ``ip:port@bus[,hostname[,…]]``; a server that has not heard of its own address has none there."""
    place, _, more = where.partition("@")
    host, _, port = place.rpartition(":")
    names = more.split(",")[1:]
    if names and names[0] and "=" not in names[0]:
        host = names[0]
    return (host or asked[0], int(port)) if int(port) else None


async def survey(place: ClusterPlace, known: Iterable[Address]) -> Layout:
    """Ask every server.

    Args:
        place: where to begin, and how to sign in.
        known: servers that were heard of since.

    Raises:
        NotSent: none of them answers, or the slots of no shard are anybody's.
    """
    asking = {
        address: asyncio.ensure_future(_ask(place, address)) for address in dict.fromkeys((*known, *place.seeds))
    }
    waiting = list(asking.values())
    try:
        await asyncio.wait(waiting, timeout=ANSWER_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if not all(each.done() for each in waiting):
            found = any(each.done() and each.exception() is None for each in waiting)
            await asyncio.wait(waiting, timeout=OTHERS_WITHIN_S if found else ANSWER_WITHIN_S)
    finally:
        for each in waiting:
            each.cancel()
    done = {address: each for address, each in asking.items() if each.done()}
    views = [(address, each.result()) for address, each in done.items() if each.exception() is None]
    if not views:
        errors = "; ".join(str(error) for each in done.values() if (error := each.exception()) is not None)
        raise NotSent(f"no server of the cluster answers{': ' if errors else ''}{errors}")
    return require_primaries(read(views))


def require_primaries(layout: Layout) -> Layout:
    """The layout, if somebody has a shard.

    Raises:
        NotSent: nobody has.
    """
    if not layout.primaries:
        raise NotSent("CLUSTERDOWN: no server of the cluster has the slots: give them to its primaries")
    return layout


async def _ask(place: ClusterPlace, address: Address) -> str:
    """One server's view of the cluster, over a connection of its own."""
    commands: list[tuple[str, ...]] = [("CLUSTER", "NODES")]
    if place.password:
        commands.insert(0, ("AUTH", *((place.username,) if place.username else ()), place.password))
    reader, writer = await asyncio.open_connection(*address, ssl=tls_of(place.url_of(address)))
    try:
        writer.write(b"".join(pack(*command) for command in commands))
        parser = hiredis.Reader()
        replies: list[Any] = []
        while len(replies) < len(commands):
            data = await reader.read(65536)
            if not data:
                raise NotSent(f"{address[0]}:{address[1]} closed the connection")
            parser.feed(data)
            while (reply := parser.gets()) is not False:
                replies.append(reply)
    finally:
        writer.transport.abort()
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            raise NotSent(f"{address[0]}:{address[1]} refuses: {reply}")
    return str(replies[-1].decode())
