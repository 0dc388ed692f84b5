"""Which servers of a Redis Cluster are primaries, and which shards each of them has.

Every server that is known is asked, and for each slot the claim of the newest configuration counts: a server that
was cut off from the others goes on naming the primary it knew.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import hiredis
from redis.crc import key_slot

from gateway import keys
from gateway.asking import exchange, first_answers
from gateway.errors import NotSent, ScriptContractError
from gateway.redis_url import Address, ClusterPlace, sign_in, tls_of

_UNFIT = {"fail", "handshake", "noaddr", "nofailover"}


class Primary(NamedTuple):
    """A server with slots. `shards`: what it has. `promotable`: replicas that could take its place now."""

    address: Address
    shards: tuple[int, ...]
    promotable: int


class Layout:
    """What the servers' views say together."""

    def __init__(self, views: Iterable[tuple[Address, str]]) -> None:
        """`views`: whom was asked, and its reply to `CLUSTER NODES`."""
        self._address: dict[str, Address] = {}
        self._claims: list[tuple[int, int, int, str]] = []
        self._replicas: dict[str, set[str]] = {}
        for asked, text in views:
            for line in text.splitlines():
                self._take(asked, line)

    @property
    def servers(self) -> list[Address]:
        """Every server there is, primary or replica."""
        return list(dict.fromkeys(self._address.values()))

    def owner(self, slot: int) -> Address | None:
        """Who has a slot."""
        name = self._owner(slot)
        return self._address[name] if name else None

    def primaries(self) -> list[Primary]:
        """Those that have a shard."""
        shards: dict[str, tuple[int, ...]] = {}
        for shard in keys.shards():
            name = self._owner(slot_of(keys.marks(shard)))
            if name:
                shards[name] = (*shards.get(name, ()), shard)
        return [
            Primary(self._address[name], those, len(self._replicas.get(name, ()))) for name, those in shards.items()
        ]

    def _owner(self, slot: int) -> str | None:
        claims = [(epoch, name) for first, last, epoch, name in self._claims if first <= slot <= last]
        return max(claims)[1] if claims else None

    def _take(self, asked: Address, line: str) -> None:
        """One line of `CLUSTER NODES`, as the server at `asked` sees it."""
        node, where, flags, primary, _, _, epoch, _, *slots = line.split()
        marks = set(flags.split(","))
        address = _address(where, asked)
        if address is None or "handshake" in marks or "noaddr" in marks:
            return
        self._address[node] = address
        if primary != "-" and not marks & _UNFIT:
            self._replicas.setdefault(primary, set()).add(node)
        for slot in slots:
            if slot.startswith("["):  # on its way from or to another server
                continue
            first, _, last = slot.partition("-")
            self._claims.append((int(first), int(last or first), int(epoch), node))


@cache
def slot_of(key: str) -> int:
    """The slot of a key; only its hash tag counts."""
    return int(key_slot(key.encode()))


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
        NotSent: none of them answers.
        ScriptContractError: what they say is no reply to `CLUSTER NODES`.
    """
    tls = tls_of(place.url_of(place.seeds[0]))
    asking = {
        address: asyncio.ensure_future(_ask(place, address, tls))
        for address in dict.fromkeys((*known, *place.seeds))
    }
    await first_answers(asking.values())
    done = {address: each for address, each in asking.items() if each.done()}
    views = [(address, each.result()) for address, each in done.items() if each.exception() is None]
    if not views:
        errors = "; ".join(str(error) for each in done.values() if (error := each.exception()) is not None)
        raise NotSent(f"no server of the cluster answers{': ' if errors else ''}{errors}")
    try:
        return Layout(views)
    except ValueError as error:
        raise ScriptContractError(f"the servers do not answer like a Redis Cluster: {error}") from None


async def _ask(place: ClusterPlace, address: Address, tls: ssl.SSLContext | None) -> str:
    """One server's view of the cluster, over a connection of its own."""
    replies = await exchange(address, [*sign_in(place.username, place.password), ("CLUSTER", "NODES")], tls)
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            raise NotSent(f"{address[0]}:{address[1]} refuses: {reply}")
    return str(replies[-1].decode())
