"""The Redis that `seckill up` runs: its configuration, its address, and a leftover of an earlier run.

Every write is on disk before it is answered. Nothing secret is on a command line: the server reads a
configuration file with mode 0600.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis.exceptions import RedisError

from admin.up import addresses
from admin.up.errors import CannotStart
from admin.up.redis_server import Server
from gateway import store

SOCKET_PATH_BYTES_MAX = 100
"""The kernels' limits are 104 and 108 bytes, with a closing zero."""

PING_WITHIN_S = 1.0
LEFTOVER_STOPS_WITHIN_S = 30.0
MULTI_PART_FROM = (7, 0)

_LINE = re.compile(r'^(\S+) "?(.*?)"?$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class EmbeddedRedis:
    """The server program, its folder, and how it is reached: a socket, or a loopback port with a password."""

    server: Server
    folder: Path
    port: int = 0
    password: str = ""

    @property
    def configuration(self) -> Path:
        """The file that the server reads."""
        return self.folder / "redis.conf"

    @property
    def command(self) -> list[str]:
        """How to start it."""
        return [self.server.program, str(self.configuration)]

    @property
    def url(self) -> str:
        """What clients connect to; with a password inside when there is one."""
        return _url(self.folder, self.port, self.password)

    def write_configuration(self) -> None:
        """Write the file anew, so that a moved folder and a newer program both find what they need."""
        values = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "pidfile": str(_pidfile_of(self.folder)),
            "logfile": "",
            "daemonize": "no",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "aof-load-truncated": "yes",
            "maxmemory-policy": "noeviction",
        }
        if self.port:
            values["requirepass"] = self.password
        else:
            values |= {"unixsocket": str(_socket_of(self.folder)), "unixsocketperm": "600"}
        text = "".join(f"{name} {_quoted(value)}\n" for name, value in values.items())
        with contextlib.suppress(FileNotFoundError):
            self.configuration.unlink()
        descriptor = os.open(self.configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)

    def answers(self) -> bool:
        """Whether it has loaded its data and answers."""
        try:
            with contextlib.closing(store.connect(self.url, timeout_s=PING_WITHIN_S)) as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False


def prepare(server: Server, folder: Path) -> EmbeddedRedis:
    """Choose the address and write the configuration; no leftover may be running.

    Raises:
        CannotStart: the data was written by a newer kind of server, which this one would silently ignore.
    """
    if server.version < MULTI_PART_FROM and (folder / "appendonlydir").is_dir():
        raise CannotStart(
            f"{folder} was written by Redis 7 or newer and {server} would not see it: install a newer redis-server"
        )
    if _can_hold_socket(folder):
        redis = EmbeddedRedis(server, folder)
    else:
        port = addresses.reserve("127.0.0.1", 0, "embedded Redis").port
        redis = EmbeddedRedis(server, folder, port, secrets.token_urlsafe(32))
    redis.write_configuration()
    return redis


def stop_leftover(folder: Path) -> int | None:
    """Stop a Redis that an earlier run left on the folder; return its process id, or None if there was none.

    Raises:
        CannotStart: it is there and does not stop.
    """
    pid = _pid_of_leftover(folder)
    if pid is None:
        return None
    deadline = time.monotonic() + LEFTOVER_STOPS_WITHIN_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)  # it closes its append-only file and leaves
    while _runs(pid):
        if time.monotonic() > deadline:
            raise CannotStart(f"a Redis of an earlier run (process {pid}) does not stop; stop it by hand")
        time.sleep(0.02)
    return pid


def _pid_of_leftover(folder: Path) -> int | None:
    """Ask at the address of the last configuration; a server that does not answer is known by its folder."""
    try:
        text = (folder / "redis.conf").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    last = {name: _unquoted(value) for name, value in _LINE.findall(text)}
    port = int(last.get("port") or 0)
    url = _url(folder, port, last.get("requirepass", ""))
    with (
        contextlib.suppress(RedisError, OSError),
        contextlib.closing(store.connect(url, timeout_s=PING_WITHIN_S)) as client,
    ):
        works_in: Any = client.config_get("dir")
        if Path(works_in["dir"]).resolve() == folder.resolve():
            info: Any = client.info("server")
            return int(info["process_id"])
    return _pid_by_file(folder)


def _pid_by_file(folder: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        pid = int(_pidfile_of(folder).read_text())
        program = Path(f"/proc/{pid}/comm").read_text()
        if Path(f"/proc/{pid}/cwd").resolve() == folder.resolve() and "-server" in program:
            return pid
    return None


def _runs(pid: int) -> bool:
    """Whether the process is there and not a zombie that nobody has collected."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except OSError:  # no /proc here: it took the signal, so it is there
        return not Path("/proc/self").exists()
    return state not in {"Z", "X"}


def _url(folder: Path, port: int, password: str) -> str:
    if port:
        return f"redis://:{password}@127.0.0.1:{port}/0"
    return f"unix://{quote(str(_socket_of(folder)))}?db=0"


def _can_hold_socket(folder: Path) -> bool:
    path = _socket_of(folder)
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        return False
    path.unlink(missing_ok=True)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
    except OSError:
        return False
    path.unlink(missing_ok=True)
    return True


def _socket_of(folder: Path) -> Path:
    return folder / "redis.sock"


def _pidfile_of(folder: Path) -> Path:
    return folder / "redis.pid"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquoted(value: str) -> str:
    return value.replace('\\"', '"').replace("\\\\", "\\")
