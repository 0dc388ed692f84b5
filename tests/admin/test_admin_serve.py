"""Given the sidecar as a process, it serves, survives the loss of Redis, and stops when told."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from grouping import a_group_row
from sqlalchemy import insert, select

from admin import migrations
from admin.campaigns import publishing, stock
from admin.catalog.tables import products
from admin.groups.tables import groups
from admin.resources import Resources
from gateway import offers as published
from gateway.errors import SettingsError
from gateway.orders.database import now_ms, open_engine, reading, writing
from gateway.orders.tables import offers
from gateway.settings import Settings
from tests.conftest import RedisServer, free_port, wait_until

KEY = "k" * 32
CAMPAIGN = {
    "type": "seckill",
    "name": "Sale",
    "starts_at": "2020-01-01T00:00:00Z",
    "ends_at": "2100-01-01T00:00:00Z",
    "rule": {"price": 9900},
}


class Sidecar:
    """The sidecar as a process, on one database and Redis, whenever it is started."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}/admin/api"
        self.environ = {
            **os.environ,
            "SECKILL_DATABASE_URL": database_url,
            "SECKILL_REDIS_URL": redis_url,
            "SECKILL_ADMIN_KEY": KEY,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        code = (
            "import sys; from admin.serve import run; from gateway.settings import Settings;"
            f"sys.exit(run(Settings.from_env(), '127.0.0.1', {self.port}))"
        )
        self.process = subprocess.Popen([sys.executable, "-c", code], env=self.environ, start_new_session=True)
        wait_until(lambda: _status(self, "/readyz") == 200, within_s=30, what="the sidecar")

    def kill(self) -> None:
        """As `kill -9` of the whole group does: main process and worker at once."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def sidecar(tmp_path: Path, own_redis: RedisServer) -> Iterator[Sidecar]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(url)
    started = Sidecar(url, own_redis.url)
    started.start()
    yield started
    started.kill()


def _status(sidecar: Sidecar, path: str) -> int:
    try:
        return httpx.get(f"{sidecar.base}{path}").status_code
    except httpx.TransportError:
        return 0


def test_it_serves_and_stops_cleanly(sidecar: Sidecar) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"sku": "kettle", "name": "Kettle", "price": 1}
    with httpx.Client(base_url=sidecar.base, headers=headers) as client:
        assert client.post("/products", json=body).status_code == 201
        # A body over the limit is read to its end, so the connection stays usable.
        assert client.post("/products", content=b"x" * 5_000_000).status_code == 413
        assert client.get("/products/kettle").status_code == 200
    assert sidecar.process is not None
    sidecar.process.send_signal(signal.SIGTERM)
    assert sidecar.process.wait(timeout=20) == 0


def test_an_open_stream_ends_when_it_is_told_to_stop(sidecar: Sidecar) -> None:
    engine = open_engine(sidecar.environ["SECKILL_DATABASE_URL"])
    with writing(engine) as connection:
        connection.execute(insert(groups).values(**a_group_row("g1", now_ms(connection))))
    engine.dispose()
    events = f"http://127.0.0.1:{sidecar.port}/api/groups/g1/events"
    with httpx.stream("GET", events, timeout=30) as reply:
        assert reply.status_code == 200
        lines = reply.iter_lines()
        assert next(lines).startswith("data: ")
        assert sidecar.process is not None
        sidecar.process.send_signal(signal.SIGTERM)
        assert not any(lines), "it ends as it should, and is not cut off"
    assert sidecar.process.wait(timeout=10) == 0


def test_a_broken_request_leaves_the_server_well(sidecar: Sidecar) -> None:
    host, port = sidecar.base.split("/")[2].split(":")
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
    assert _status(sidecar, "/healthz") == 200


def test_it_waits_for_a_redis_that_went_away(sidecar: Sidecar, own_redis: RedisServer) -> None:
    own_redis.kill()
    wait_until(lambda: _status(sidecar, "/readyz") == 503, what="the loss to be seen")
    assert _status(sidecar, "/healthz") == 200
    own_redis.start()
    wait_until(lambda: _status(sidecar, "/readyz") == 200, within_s=15, what="the return to be seen")


def test_it_does_not_start_without_a_key() -> None:
    from admin.serve import run

    with pytest.raises(SettingsError, match="SECKILL_ADMIN_KEY"):
        run(Settings.from_env({}), "127.0.0.1", 1)


def test_killed_in_the_middle_it_finishes_what_it_began(sidecar: Sidecar) -> None:
    """Given campaigns being made and topped up, when everything is killed, then each is whole after a restart."""
    headers = {"Authorization": f"Bearer {KEY}"}
    answered: list[str] = []

    def operate() -> None:
        with httpx.Client(base_url=sidecar.base, headers=headers, timeout=20) as client:
            for number in itertools.count():
                code = f"sale{number}"
                body = {**CAMPAIGN, "code": code, "items": [{"sku": "kettle", "stock": 100}]}
                client.post("/campaigns", json=body).raise_for_status()
                change = {"delta": 7 if number % 2 else -7, "operation_id": code}
                client.post(f"/campaigns/{code}/items/kettle/stock", json=change).raise_for_status()
                answered.append(code)

    product = {"sku": "kettle", "name": "Kettle", "price": 10_000, "stock": 10**9}
    httpx.post(f"{sidecar.base}/products", json=product, headers=headers).raise_for_status()
    operator = threading.Thread(target=lambda: _until_killed(operate))
    operator.start()
    wait_until(lambda: len(answered) >= 10, within_s=30, what="ten campaigns")
    sidecar.kill()
    operator.join()
    sidecar.start()
    wait_until(lambda: _unfinished(sidecar) == 0, what="the publisher to finish")
    resources = Resources.open(Settings.from_env(sidecar.environ))
    with reading(resources.engine) as connection:
        rows = connection.execute(select(offers)).all()
        product_row = connection.execute(select(products)).one()
    assert {row.campaign for row in rows} >= set(answered)
    for row in rows:
        found = published.read(resources.redis, row.id)
        assert found is not None
        assert (found.stock, found.left, found.version) == (row.stock, row.stock, row.version)
        if row.campaign in answered:
            assert row.stock in {93, 107}
    assert product_row.reserved == sum(row.stock for row in rows)
    resources.close()


def _until_killed(operate: Callable[[], None]) -> None:
    with contextlib.suppress(httpx.TransportError):
        operate()


def _unfinished(sidecar: Sidecar) -> int:
    resources = Resources.open(Settings.from_env(sidecar.environ))
    try:
        return len(publishing.unpublished(resources, 10)) + len(stock.pending(resources, 10))
    finally:
        resources.close()
