"""A primary, replicas and sentinels on loopback, as a shop runs them on several machines."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from tests.conftest import free_port, need, wait_until

SERVICE = "seckill"
DOWN_AFTER_MS = 1000
FAILOVER_TIMEOUT_MS = 1500
QUORUM = 2


class Server:
    """One Redis or one sentinel, that can be killed, frozen and started again under the same address."""

    def __init__(self, folder: Path, name: str, settings: dict[str, Any], *, sentinel: bool = False) -> None:
        self.name = name
        self.port = free_port()
        self._folder = folder / name
        self._folder.mkdir()
        self._sentinel = sentinel
        self._password = settings.get("requirepass")
        self._process: subprocess.Popen[bytes] | None = None
        # A file, as sentinels write into it what they and their servers have become.
        self._config = self._folder / "redis.conf"
        given = {"port": self.port, "bind": "127.0.0.1", "dir": self._folder} | settings
        given["logfile"] = self._folder / "redis.log"
        lines = [f"{key} {value}" for key, values in given.items() for value in _listed(values)]
        self._config.write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> Redis:
        return Redis(port=self.port, password=self._password, socket_timeout=2, socket_connect_timeout=2)

    def start(self) -> Server:
        binary = shutil.which("redis-server") or shutil.which("valkey-server") or need("redis-server")
        mode = ["--sentinel"] if self._sentinel else []
        # Python ignores SIGXFSZ; so does Redis then, and hears of a full disk as an error.
        self._process = subprocess.Popen([binary, str(self._config), *mode], restore_signals=False)
        wait_until(self._answers, what=self.name)
        return self

    def _answers(self) -> bool:
        with self.client as client:
            try:
                return bool(client.ping())
            except RedisConnectionError:
                return False
            except RedisError as error:
                if "LOADING" in str(error) or "MASTERDOWN" in str(error):
                    return False
                raise

    def send_signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def limit_files(self, size_bytes: int) -> None:
        """No file may grow beyond this size: the disk is full."""
        assert self._process is not None
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It runs no more, and nobody is told: no connection ends."""
        self.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send_signal(signal.SIGCONT)

    def replication(self) -> dict[str, Any]:
        with self.client as client:
            found: dict[str, Any] = client.info("replication")  # type: ignore[assignment]
            return found

    def run_id(self) -> str:
        with self.client as client:
            return str(client.info("server")["run_id"])  # type: ignore[index]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class Deployment:
    """One primary, `replicas`, `sentinels`; `url` leads to the sentinels."""

    def __init__(
        self,
        folder: Path,
        *,
        replicas: int = 2,
        sentinels: int = 3,
        min_replicas: int = 1,
        max_lag_s: int = 2,
        password: str = "",
    ) -> None:
        usual = {
            "save": '""',
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "min-replicas-to-write": min_replicas,
            "min-replicas-max-lag": max_lag_s,
            "repl-diskless-sync-delay": 0,
            "repl-ping-replica-period": 1,
        }
        self.servers = [Server(folder, f"redis{number}", usual) for number in range(1 + replicas)]
        primary = self.servers[0].port
        for replica in self.servers[1:]:
            with replica._config.open("a") as config:
                config.write(f"replicaof 127.0.0.1 {primary}\n")
        watching: dict[str, Any] = {
            "sentinel": [
                f"monitor {SERVICE} 127.0.0.1 {primary} {QUORUM if sentinels > 1 else 1}",
                f"down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
                f"failover-timeout {SERVICE} {FAILOVER_TIMEOUT_MS}",
            ]
        }
        signing_in = {"requirepass": password} if password else {}
        self.sentinels = [
            Server(folder, f"sentinel{number}", signing_in | watching, sentinel=True) for number in range(sentinels)
        ]
        places = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        self.url = f"redis+sentinel://{places}/{SERVICE}/0" + (f"?sentinel_password={password}" if password else "")

    def start(self) -> Deployment:
        for each in self.servers:
            each.start()
        wait_until(lambda: self._following() == len(self.servers) - 1, what="every replica")
        for each in self.sentinels:
            each.start()
        wait_until(self._watched, within_s=30, what="sentinels that know each other and every replica")
        return self

    def _following(self) -> int:
        info = self.servers[0].replication()
        return sum(isinstance(each, dict) and each.get("state") == "online" for each in info.values())

    def _watched(self) -> bool:
        for each in self.sentinels:
            with each.client as client:
                state: Any = client.sentinel_master(SERVICE)
                if state["num-slaves"] != len(self.servers) - 1:
                    return False
                if state["num-other-sentinels"] != len(self.sentinels) - 1:
                    return False
        return True

    def primary(self) -> Server:
        """The server that a sentinel names and that agrees to be it; fails when there is none within 20 s."""
        found: Server = wait_until(self._find_primary, within_s=20, what="a new primary")
        return found

    def _find_primary(self) -> Server | None:
        named = []
        for each in self.sentinels:
            with each.client as client, contextlib.suppress(RedisError):
                named.append(client.sentinel_get_master_addr_by_name(SERVICE)[1])  # type: ignore[index]
        for server in self.servers:
            if server.port in named:
                with contextlib.suppress(RedisError):
                    if server.replication()["role"] == "master":
                        return server
        return None

    def close(self) -> None:
        for each in [*self.sentinels, *self.servers]:
            each.kill()


@contextmanager
def deployed(folder: Path, **given: Any) -> Iterator[Deployment]:
    """A deployment that runs, ended at the end of the block."""
    one = Deployment(folder, **given)
    try:
        yield one.start()
    finally:
        one.close()
