"""A real gateway as a shop runs it, and a shopper's program that talks to it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from gateway.tokens import mint
from tests.conftest import free_port, wait_until

TOKEN_SECRET = "0123456789abcdef0123456789abcdef"
ADMIN_KEY = "operators-0123456789abcdef012345"
LEASE_MS = 200

_RUN = """
import sys
from gateway.settings import Settings
from gateway.web.serve import run
sys.exit(run(Settings.from_env(), "127.0.0.1", int(sys.argv[1]), int(sys.argv[2])))
"""


def token(sub: str = "amy", **claims: Any) -> str:
    """A shopper's token; `claims` as `mint` takes them."""
    return mint(TOKEN_SECRET.encode(), sub, **({"ttl_s": 600} | claims))


def bearer(sub: str = "amy", **claims: Any) -> dict[str, str]:
    """The header that carries a shopper's token."""
    return {"authorization": f"Bearer {token(sub, **claims)}"}


class Gateway:
    """One `gateway.web.serve.run` in processes of its own."""

    def __init__(self, folder: Path, redis_url: str, *, workers: int = 1, **settings: str) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.workers_wanted = workers
        self.log_path = folder / f"gateway-{self.port}.log"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SECKILL_")}
        usual = {
            "redis_url": redis_url,
            "token_secret": TOKEN_SECRET,
            "admin_key": ADMIN_KEY,
            "metrics_bind": f"127.0.0.1:{self.metrics_port}",
            "rate_per_ip": "off",
            "rate_per_shopper": "off",
        }
        environ |= {f"SECKILL_{name.upper()}": value for name, value in (usual | settings).items()}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _RUN, str(self.port), str(workers)],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.client = httpx.Client(base_url=self.url, timeout=10, verify=False)

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self.log_path.read_text()

    def until_ready(self) -> Gateway:
        """Wait until every worker can sell."""
        wait_until(lambda: self.status("/readyz") == 200, within_s=20, what=f"the gateway ({self.log_path})")
        if self.workers_wanted > 1:
            wait_until(
                lambda: self.metrics().get("seckill_workers_ready") == self.workers_wanted, what="all workers"
            )
        return self

    def status(self, path: str) -> int:
        """The status of a path; 0 when nobody answers."""
        try:
            return self.client.get(path).status_code
        except httpx.TransportError:
            assert self.process.poll() is None, self.log
            return 0

    def click(
        self, offer: str, sub: str = "amy", *, key: str = "", quantity: Any = None, **given: Any
    ) -> httpx.Response:
        """One click."""
        headers = bearer(sub) | ({"idempotency-key": key} if key else {}) | given.pop("headers", {})
        if quantity is not None:
            given["json"] = {"quantity": quantity}
        return self.client.post(f"/seckill/{offer}", headers=headers, **given)

    def spread(self, offer: str, sub: str, count: int, **given: Any) -> list[httpx.Response]:
        """Clicks of one shopper, each on a connection of its own, so that all workers get some."""
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=self.url, timeout=10, verify=False, limits=limits) as client:
            return [client.post(f"/seckill/{offer}", headers=bearer(sub), **given) for _ in range(count)]

    def outcome(self, offer: str, sub: str = "amy", **given: Any) -> str:
        """The word that answers one click."""
        return str(self.click(offer, sub, **given).json()["outcome"])

    def get(self, path: str, sub: str = "", **given: Any) -> httpx.Response:
        """Read something, as a shopper when named."""
        return self.client.get(path, headers=(bearer(sub) if sub else {}) | given.pop("headers", {}), **given)

    def raw(self, request: bytes, *, replies: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
        """Bytes on one connection, and so many replies read back: status, headers, body."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            stream = connection.makefile("rb")
            return [read_reply(stream) for _ in range(replies)]

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # gone meanwhile
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def metrics(self) -> dict[str, float]:
        """Every sample of `/metrics` by its name with labels."""
        text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", verify=False).text
        return {name: float(value) for name, value in re.findall(r"^([a-z]\S*) (\S+)$", text, re.MULTILINE)}

    def stop(self, number: int = signal.SIGTERM, *, within_s: float = 20) -> tuple[int, float]:
        """Ask it to stop; its exit code and how many seconds it took."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(within_s)
        return self.process.returncode, time.monotonic() - started

    def close(self) -> None:
        """Leave nothing behind."""
        self.client.close()
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def read_reply(stream: Any) -> tuple[int, dict[str, str], bytes]:
    """One HTTP reply with a Content-Length."""
    status = stream.readline().decode("latin-1")
    if not status:
        raise ConnectionError("the connection was closed instead of answered")
    headers = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(status.split()[1]), headers, stream.read(int(headers.get("content-length", 0)))
