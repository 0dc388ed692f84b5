"""One deployment as an operator of several machines runs it: each role a process, each way between them a proxy."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from tests.conftest import free_port, need, wait_until
from tests.faults.client import ask
from tests.faults.databases import Database, Postgres, Sqlite
from tests.faults.processes import SECKILL, Role, clean_environment, seckill
from tests.faults.proxy import Way, Ways

READY_WITHIN_S = 40.0
TAKEOVER_MS = 1000
MIN_PAY_WINDOW_S = 1


class Stack:
    """Redis, gateway, order writer, sidecar, database; a second order writer when asked for."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        *,
        workers: int = 2,
        settings: dict[str, str] | None = None,
        preload: dict[str, dict[str, str]] | None = None,
        redis_binary: str = "",
    ) -> None:
        """`settings` go to every role; `preload` gives variables to single ones (by role)."""
        self.folder = folder
        self.database = database
        self.ways = Ways()
        self.redis_port, self.gateway_port, self.admin_port = free_port(), free_port(), free_port()
        self.token_secret, self.admin_key = secrets.token_hex(32), secrets.token_hex(32)
        self.gateway_url = f"http://127.0.0.1:{self.gateway_port}"
        self.admin_url = f"http://127.0.0.1:{self.admin_port}"
        self._settings = settings or {}
        self._preload = preload or {}
        target = ("127.0.0.1", self.redis_port)
        self.redis_ways = {
            name: self.ways.open(f"{name}-redis", target, redis=True)
            for name in ("gateway", "writer", "writer2", "admin")
        }
        self.database_ways: dict[str, Way] = {}
        if isinstance(database, Postgres):
            self.database_ways = {
                name: self.ways.open(f"{name}-database", ("127.0.0.1", database.port), redis=False)
                for name in ("writer", "writer2", "admin")
            }
        self.redis_role = self._make_redis(redis_binary)
        self.roles = {
            "gateway": self._role("gateway", *self._listen(self.gateway_port), "--workers", str(workers)),
            "writer": self._role("writer"),
            "writer2": self._role("writer", name="writer2"),
            "admin": self._role("admin", *self._listen(self.admin_port)),
        }

    @property
    def gateway(self) -> Role:
        return self.roles["gateway"]

    @staticmethod
    def _listen(port: int) -> tuple[str, ...]:
        return ("--host", "127.0.0.1", "--port", str(port))

    def _make_redis(self, binary: str) -> Role:
        binary = binary or shutil.which("redis-server") or shutil.which("valkey-server") or need("redis-server")
        (self.folder / "redis").mkdir()
        given = {
            "port": self.redis_port,
            "bind": "127.0.0.1",
            "dir": self.folder / "redis",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "maxmemory-policy": "noeviction",
        }
        flat = [str(part) for name, value in given.items() for part in (f"--{name}", value)]
        environ = clean_environment() | self._preload.get("redis", {})
        return Role("redis", [binary, *flat], environ, self.folder / "redis.log")

    def _role(self, command: str, *arguments: str, name: str | None = None) -> Role:
        name = name or command
        return Role(name, [*SECKILL, command, *arguments], self.environ(name), self.folder / f"{name}.log")

    def environ(self, role: str, *, direct: bool = False) -> dict[str, str]:
        """The settings of a role; `direct` goes past the proxies."""
        way = None if direct else self.redis_ways.get(role)
        database_way = None if direct else self.database_ways.get(role)
        return (
            clean_environment()
            | {
                "SECKILL_REDIS_URL": f"redis://127.0.0.1:{way.port if way else self.redis_port}/0",
                "SECKILL_DATABASE_URL": self.database.url(database_way.port if database_way else None),
                "SECKILL_TOKEN_SECRET": self.token_secret,
                "SECKILL_ADMIN_KEY": self.admin_key,
                "SECKILL_METRICS_BIND": "127.0.0.1:0",
                "SECKILL_RATE_PER_IP": "off",
                "SECKILL_RATE_PER_SHOPPER": "20/s",
                "SECKILL_PAYMENT_PROVIDER": "sandbox",
                "SECKILL_MIN_PAY_WINDOW_S": str(MIN_PAY_WINDOW_S),
                "SECKILL_WRITER_TAKEOVER_MS": str(TAKEOVER_MS),
                "SECKILL_SHUTDOWN_TIMEOUT_S": "5",
            }
            | self._settings
            | self._preload.get(role, {})
        )

    def start(self) -> Stack:
        """Start everything but the second writer and wait until it sells."""
        self.start_redis()
        if not self.database.migrated:
            self.migrate()
        for name in ("gateway", "writer", "admin"):
            self.roles[name].start()
        self.until_ready()
        return self

    def migrate(self) -> None:
        """Bring the database to the newest schema."""
        done = seckill("migrate", environ=self.environ("admin", direct=True))
        assert done.returncode == 0, done.stderr

    def start_redis(self) -> None:
        """Start Redis and wait until it has read its file. An end in the middle of a command is cut off."""
        self.redis_role.start()
        wait_until(self.redis_answers, within_s=20, what=f"Redis\n{self.redis_role.tail(5)}")

    def redis_answers(self) -> bool:
        try:
            with self.redis() as client:
                return bool(client.ping())
        except RedisConnectionError:
            self.redis_role.start()
            return False
        except RedisError as error:
            if "LOADING" in str(error):
                return False
            raise

    @contextmanager
    def redis(self) -> Iterator[Redis]:
        """A plain look at Redis, past all proxies."""
        client = Redis(port=self.redis_port, socket_timeout=5, socket_connect_timeout=2)
        try:
            yield client
        finally:
            client.close()

    def until_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Wait until gateway and sidecar can do their work."""
        wait_until(lambda: not self.not_ready(), within_s=within_s, what=f"readiness {self.not_ready()}")

    def not_ready(self) -> dict[str, Any]:
        """Who cannot do its work, and what it says."""
        found = {}
        for name, url in (("gateway", self.gateway_url), ("admin", f"{self.admin_url}/admin/api")):
            status, said = ask(f"{url}/readyz", within_s=2)
            if status != 200:
                found[name] = said or status
        return found

    def heal(self) -> None:
        """Make everything run again, on ways that lose nothing, with room for everything."""
        for way in [*self.redis_ways.values(), *self.database_ways.values()]:
            way.set_weather()
        for role in (self.redis_role, *self.roles.values()):
            role.signal_all(signal.SIGCONT)
        self.database.start()
        self.unlimit_redis_files()
        self.start_redis()
        with self.redis() as client:
            client.config_set("maxmemory", 0)
        for name in ("gateway", "writer", "admin"):
            self.roles[name].start()

    def limit_redis_files(self, spare_bytes: int) -> None:
        """The disk of Redis is full soon."""
        process = self.redis_role.process
        if process is None:
            return
        sizes = [path.stat().st_size for path in (self.folder / "redis").rglob("*.aof")]
        size = max(sizes, default=0) + spare_bytes
        subprocess.run(["prlimit", f"--pid={process.pid}", f"--fsize={size}:unlimited"], check=False)

    def unlimit_redis_files(self) -> None:
        """The disk of Redis has room again."""
        process = self.redis_role.process
        if process is not None:
            command = ["prlimit", f"--pid={process.pid}", "--fsize=unlimited:unlimited"]
            subprocess.run(command, check=False, stderr=subprocess.DEVNULL)

    def aof(self) -> Path:
        """The append-only file that Redis writes now."""
        return max((self.folder / "redis").rglob("*.aof"), key=lambda path: path.stat().st_mtime_ns)

    def close(self) -> None:
        """End everything at once."""
        for role in (*self.roles.values(), self.redis_role):
            with contextlib.suppress(Exception):
                role.signal_all(signal.SIGCONT)
            role.kill()
        self.ways.close()

    def logs(self, lines: int = 25) -> str:
        """The end of every role's log."""
        return "\n".join(f"--- {role.name}\n{role.tail(lines)}" for role in (*self.roles.values(), self.redis_role))


@cache
def _template() -> Path:
    """An empty ledger of the newest schema, made once; making one takes longer than copying it."""
    path = Path(tempfile.mkdtemp(prefix="seckill-faults-")) / "ledger.db"
    done = seckill("migrate", environ=clean_environment() | {"SECKILL_DATABASE_URL": f"sqlite:///{path}"})
    assert done.returncode == 0, done.stderr
    return path


@contextmanager
def standing(folder: Path, kind: str = "sqlite", **given: Any) -> Iterator[Stack]:
    """A deployment that sells, ended at the end of the block."""
    database: Database = Postgres() if kind == "postgres" else Sqlite(folder, _template())
    stack = None
    try:
        stack = Stack(folder, database, **given)
        yield stack.start()
    finally:
        if stack is not None:
            stack.close()
        database.close()
