"""A real Redis Cluster on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis.crc import key_slot
from redis.exceptions import RedisError

from gateway import keys
from tests.conftest import wait_until
from tests.gateway.failover import Server

SLOTS = 16384
NODE_TIMEOUT_MS = 1000


class Cluster:
    """So many primaries with equal ranges of slots, each with so many replicas; `url` names the first two."""

    def __init__(self, folder: Path, *, primaries: int = 3, replicas: int = 0, **settings: Any) -> None:
        usual = {
            "save": '""',
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "cluster-enabled": "yes",
            "cluster-node-timeout": NODE_TIMEOUT_MS,
            "cluster-require-full-coverage": "no",
            "repl-diskless-sync-delay": 0,
            "repl-ping-replica-period": 1,
        }
        named = usual | {name.replace("_", "-"): value for name, value in settings.items()}
        self.primaries = [Server(folder, f"primary{number}", named) for number in range(primaries)]
        self.replicas = [Server(folder, f"replica{number}", named) for number in range(primaries * replicas)]
        self.url = f"redis+cluster://{','.join(f'127.0.0.1:{each.port}' for each in self.primaries[:2])}"

    @property
    def servers(self) -> list[Server]:
        """All of them."""
        return [*self.primaries, *self.replicas]

    def start(self) -> Cluster:
        for each in self.servers:
            each.start()
        for number, each in enumerate(self.primaries):
            first, last = SLOTS * number // len(self.primaries), SLOTS * (number + 1) // len(self.primaries) - 1
            ask(each, "CLUSTER", "ADDSLOTSRANGE", first, last)
            ask(each, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for each in self.servers[1:]:
            ask(each, "CLUSTER", "MEET", "127.0.0.1", self.primaries[0].port)
        wait_until(lambda: all(self.known_to(each) == len(self.servers) for each in self.servers), within_s=20)
        for number, each in enumerate(self.replicas):
            ask(each, "CLUSTER", "REPLICATE", node_id(self.primaries[number % len(self.primaries)]))
        wait_until(self.settled, within_s=20, what="a cluster that is whole")
        return self

    def known_to(self, server: Server) -> int:
        """How many servers one of them knows for good."""
        return sum("handshake" not in line for line in nodes(server))

    def settled(self) -> bool:
        """Every server says that the cluster is whole, and every replica follows."""
        with contextlib.suppress(RedisError):
            states = [b"cluster_state:ok" in ask(each, "CLUSTER", "INFO") for each in self.servers]
            links = [each.replication().get("master_link_status") == "up" for each in self.replicas]
            return all(states) and all(links)
        return False

    def owner(self, shard: int) -> Server:
        """Who has a shard; fails when nobody says so of itself within 20 s."""
        found: Server = wait_until(lambda: self._owner(shard), within_s=20, what=f"an owner of shard {shard}")
        return found

    def _owner(self, shard: int) -> Server | None:
        slot = slot_of(shard)
        for each in self.servers:
            with contextlib.suppress(RedisError):
                mine = next(line for line in nodes(each) if "myself" in line)
                for text in mine.split()[8:]:
                    first, _, last = text.partition("-")
                    if not text.startswith("[") and int(first) <= slot <= int(last or first):
                        return each
        return None

    def close(self) -> None:
        for each in self.servers:
            each.kill()


def ask(server: Server, *command: Any) -> Any:
    """What one server answers to one command."""
    with server.client as client:
        return client.execute_command(*command)


def node_id(server: Server) -> str:
    return str(ask(server, "CLUSTER", "MYID").decode())


def nodes(server: Server) -> list[str]:
    """A server's view of the cluster, a line for each."""
    return str(ask(server, "CLUSTER", "NODES").decode()).splitlines()


def slot_of(shard: int) -> int:
    return int(key_slot(keys.marks(shard).encode()))


def begin_move(shard: int, source: Server, target: Server) -> None:
    """Announce a slot's move: from now on its keys may be on either of them."""
    ask(target, "CLUSTER", "SETSLOT", slot_of(shard), "IMPORTING", node_id(source))
    ask(source, "CLUSTER", "SETSLOT", slot_of(shard), "MIGRATING", node_id(target))


def move_keys(shard: int, source: Server, target: Server, *, most: int = 10) -> int:
    """Move up to so many keys in one step; how many."""
    found = ask(source, "CLUSTER", "GETKEYSINSLOT", slot_of(shard), most)
    if found:
        ask(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *found)
    return len(found)


def end_move(shard: int, source: Server, target: Server) -> None:
    """The slot is the target's: told to both of them, the rest hears it from them."""
    for each in (target, source):
        ask(each, "CLUSTER", "SETSLOT", slot_of(shard), "NODE", node_id(target))


def move(shard: int, source: Server, target: Server) -> None:
    """Move a shard's slot as `redis-cli --cluster reshard` does."""
    begin_move(shard, source, target)
    while move_keys(shard, source, target):
        pass
    end_move(shard, source, target)


@contextmanager
def clustered(folder: Path, **given: Any) -> Iterator[Cluster]:
    """A cluster that runs, ended at the end of the block."""
    one = Cluster(folder, **given)
    try:
        yield one.start()
    finally:
        one.close()
