"""A whole system whose Redis is a cluster, and what each of its primaries has done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from loadtest.processes import Server, free_port
from loadtest.stack import Cores, Stack, redis_command

SLOTS = 16_384
PORT_MAX = 55_535
"""A server of a cluster listens on the port 10,000 above its own, too."""
WHOLE_WITHIN_S = 20.0
UNCOUNTED = {"info", "cluster|nodes", "config|get", "ping"}
"""Commands by which somebody looks at a server, us among them."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one primary has done so far: script calls, all commands (those inside of scripts too), CPU seconds."""

    scripts: int
    commands: int
    cpu_s: float

    def since(self, earlier: Work) -> Work:
        """What was added since an earlier reading."""
        return Work(self.scripts - earlier.scripts, self.commands - earlier.commands, self.cpu_s - earlier.cpu_s)


class ClusterStack(Stack):
    """A stack on so many primaries with equal ranges of slots; an offer's stock lies in so many `buckets`."""

    def __init__(
        self,
        name: str,
        folder: Path,
        cores: Cores,
        *,
        primaries: int,
        buckets: int,
        durability: str,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self._redis_ports = [_port() for _ in range(primaries)]
        places = ",".join(f"127.0.0.1:{port}" for port in self._redis_ports)
        given = {"SECKILL_REDIS_URL": f"redis+cluster://{places}", "SECKILL_BUCKETS": str(buckets)}
        super().__init__(name, folder, cores, durability=durability, extra=given | dict(extra or {}))

    def _start_redis(self) -> None:
        servers = []
        for number, port in enumerate(self._redis_ports):
            folder = self.folder / f"redis{number}"
            folder.mkdir()
            command = redis_command(folder, self._durability)
            command += ["--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes"]
            servers.append(self._serve(f"redis{number}", command, self._cores.others))
        for server, port in zip(servers, self._redis_ports, strict=True):
            server.wait_ready(lambda at=port: _answers(at))  # type: ignore[misc]
        self.redis = servers[0]
        self._join(servers)

    def _join(self, servers: list[Server]) -> None:
        count = len(self._redis_ports)
        for number, port in enumerate(self._redis_ports):
            first, last = SLOTS * number // count, SLOTS * (number + 1) // count - 1
            _ask(port, "CLUSTER", "ADDSLOTSRANGE", first, last)
            _ask(port, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number:
                _ask(port, "CLUSTER", "MEET", "127.0.0.1", self._redis_ports[0])

        def whole() -> bool:
            told = [_ask(port, "CLUSTER", "INFO") for port in self._redis_ports]
            return all(b"cluster_state:ok" in each and b"cluster_known_nodes:%d\r" % count in each for each in told)

        servers[0].wait_ready(whole, within_s=WHOLE_WITHIN_S)

    def work(self) -> list[Work]:
        """What each primary has done so far."""
        return [_work(port) for port in self._redis_ports]


def _port() -> int:
    while (port := free_port()) > PORT_MAX:
        pass
    return port


def _ask(port: int, *command: Any) -> Any:
    with Redis(port=port, socket_timeout=5.0) as client:
        return client.execute_command(*command)


def _answers(port: int) -> bool:
    try:
        return bool(_ask(port, "PING"))
    except RedisConnectionError:
        return False


def _work(port: int) -> Work:
    with Redis(port=port, socket_timeout=5.0) as client:
        commands: Any = client.info("commandstats")
        cpu: Any = client.info("cpu")
    calls = {name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in commands.items()}
    counted = sum(number for name, number in calls.items() if name not in UNCOUNTED)
    return Work(calls.get("evalsha", 0), counted, cpu["used_cpu_user"] + cpu["used_cpu_sys"])
