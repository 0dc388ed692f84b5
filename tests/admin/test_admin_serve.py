"""Given the sidecar as a process, it serves, survives the loss of Redis, and stops when told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from admin import migrations
from gateway.errors import SettingsError
from gateway.settings import Settings
from tests.conftest import RedisServer, free_port, wait_until

KEY = "k" * 32


@pytest.fixture
def process(tmp_path: Path, own_redis: RedisServer) -> Any:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(url)
    port = free_port()
    code = (
        "import sys; from admin.serve import run; from gateway.settings import Settings;"
        f"sys.exit(run(Settings.from_env(), '127.0.0.1', {port}))"
    )
    environ = {
        **os.environ,
        "SECKILL_DATABASE_URL": url,
        "SECKILL_REDIS_URL": own_redis.url,
        "SECKILL_ADMIN_KEY": KEY,
    }
    started = subprocess.Popen([sys.executable, "-c", code], env=environ, start_new_session=True)
    started.base = f"http://127.0.0.1:{port}/admin/api"  # type: ignore[attr-defined]
    wait_until(lambda: _status(started, "/readyz") == 200, within_s=30, what="the sidecar")
    yield started
    if started.poll() is None:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def _status(process: Any, path: str) -> int:
    try:
        return httpx.get(f"{process.base}{path}").status_code
    except httpx.TransportError:
        return 0


def test_it_serves_and_stops_cleanly(process: Any) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"sku": "kettle", "name": "Kettle", "price": 1}
    with httpx.Client(base_url=process.base, headers=headers) as client:
        assert client.post("/products", json=body).status_code == 201
        # A body over the limit is read to its end, so the connection stays usable.
        assert client.post("/products", content=b"x" * 5_000_000).status_code == 413
        assert client.get("/products/kettle").status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def test_a_broken_request_leaves_the_server_well(process: Any) -> None:
    host, port = process.base.split("/")[2].split(":")
    for request in (
        b"GET /admin/api/products HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 65_536 + b"\r\n\r\n",
        b"\xff\xfe\x00\x01\r\n\r\n",
        b"POST /admin/api/products HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
            assert not answer.startswith(b"HTTP/1.1 5"), answer
    assert _status(process, "/healthz") == 200


def test_it_waits_for_a_redis_that_went_away(process: Any, own_redis: RedisServer) -> None:
    own_redis.kill()
    wait_until(lambda: _status(process, "/readyz") == 503, what="the loss to be seen")
    assert _status(process, "/healthz") == 200
    own_redis.start()
    wait_until(lambda: _status(process, "/readyz") == 200, within_s=15, what="the return to be seen")


def test_it_does_not_start_without_a_key() -> None:
    from admin.serve import run

    with pytest.raises(SettingsError, match="SECKILL_ADMIN_KEY"):
        run(Settings.from_env({}), "127.0.0.1", 1)
