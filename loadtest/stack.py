"""A whole system for one benchmark: private Redis and database, gateway and sidecar, by their real commands."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest import scrape
from loadtest.deployment import Deployment, answers
from loadtest.machine import redis_binary
from loadtest.operators_api import Item, OperatorsApi, now_ms
from loadtest.processes import Usage, free_port, seckill_command
from loadtest.scrape import Counters
from loadtest.tokens import Mint

PRODUCT = "kettle"
PRODUCT_STOCK = 10**9
BASE_PRICE = 19_900
PRICE = 9_900
SALE_LENGTH_MS = 6 * 3600 * 1000

LIMITS = {
    # On, so that their cost is in the figures, and out of reach of one generator.
    "SECKILL_RATE_PER_IP": "100000000/s",
    # The writer catches up after the measurements.
    "SECKILL_BACKLOG_MAX": "100000000",
    # Closed loops keep as many clicks waiting as they have connections.
    "SECKILL_LAG_MAX_MS": "100000",
    "SECKILL_LOG_LEVEL": "warning",
}
FSYNC_OF = {"strict": "always", "relaxed": "everysec"}


def redis_command(folder: Path, durability: str) -> list[str]:
    """What starts a Redis of one durability, on ``redis.sock`` in `folder`; the same for gateway and peers."""
    options = {
        "port": "0",
        "unixsocket": str(folder / "redis.sock"),
        "dir": str(folder),
        "save": "",
        "appendonly": "yes",
        "appendfsync": FSYNC_OF[durability],
        "no-appendfsync-on-rewrite": "no",
        # A rewrite in the middle of a short run would be in the figures of that one run only.
        "auto-aof-rewrite-percentage": "0",
        "maxmemory-policy": "noeviction",
    }
    return [redis_binary(), *(part for name, value in options.items() for part in (f"--{name}", value))]


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the gateway and the core of all else; None where there is nothing to choose."""

    gateway: int | None
    others: int | None


class Stack(Deployment):
    """A running system of one durability; a context manager."""

    def __init__(
        self,
        name: str,
        folder: Path,
        cores: Cores,
        *,
        durability: str,
        extra: Mapping[str, str] | None = None,
        workers: int = 1,
    ) -> None:
        super().__init__(name, folder)
        self._cores = cores
        self._durability = durability
        self._workers = workers
        self._campaigns = 0
        metrics_port, gateway_port, admin_port = free_port(), free_port(), free_port()
        self.gateway_url = f"http://127.0.0.1:{gateway_port}"
        self.metrics_url = f"http://127.0.0.1:{metrics_port}"
        self._admin_url = f"http://127.0.0.1:{admin_port}"
        self.secret, key = secrets.token_hex(32), secrets.token_hex(32)
        self._environ = {
            **LIMITS,
            "SECKILL_REDIS_URL": f"unix://{self.folder / 'redis.sock'}",
            "SECKILL_DATABASE_URL": f"sqlite:///{self.folder / 'ledger.db'}",
            "SECKILL_TOKEN_SECRET": self.secret,
            "SECKILL_ADMIN_KEY": key,
            "SECKILL_DURABILITY": durability,
            "SECKILL_METRICS_BIND": f"127.0.0.1:{metrics_port}",
            **(extra or {}),
        }
        self.mint = Mint(self.secret.encode())
        self.api = OperatorsApi.at(self._admin_url, key)
        self._ports = gateway_port, admin_port

    def _start(self) -> None:
        self._start_redis()
        self._run("migrate")
        gateway_port, admin_port = (str(port) for port in self._ports)
        admin = self._serve("admin", [seckill_command(), "admin", "--port", admin_port], self._cores.others)
        command = [seckill_command(), "gateway", "--port", gateway_port, "--workers", str(self._workers)]
        self.gateway = self._serve("gateway", command, self._cores.gateway)
        admin.wait_ready(lambda: answers(f"{self._admin_url}/admin/api/readyz"))
        self.gateway.wait_ready(lambda: answers(f"{self.gateway_url}/readyz"))
        self.api.create_product(PRODUCT, price=BASE_PRICE, stock=PRODUCT_STOCK)

    def _start_redis(self) -> None:
        self.redis = self._serve("redis", redis_command(self.folder, self._durability), self._cores.others)
        self.redis.wait_ready((self.folder / "redis.sock").exists)

    def create_offer(self, stock: int) -> str:
        """Put a new offer on sale at once; its id."""
        self._campaigns += 1
        code = f"{self.name}{self._campaigns}"
        item = Item(PRODUCT, stock, PRICE)
        begin_ms = now_ms() - 1000
        offers = self.api.create_campaign(code, [item], starts_at_ms=begin_ms, ends_at_ms=begin_ms + SALE_LENGTH_MS)
        return offers[0]

    def usage(self) -> tuple[Usage, Usage]:
        """What gateway and Redis have used so far."""
        return self.gateway.usage(), self.redis.usage()

    def counters(self) -> Counters:
        """What the gateway counted so far, once no click is under way."""
        return scrape.at_rest(self.metrics_url)

    def write_orders(self, *, within_s: float) -> tuple[int, float]:
        """Run the order writer until nothing waits; (orders that had waited, seconds it took).

        Raises:
            StartError: the writer ended by itself or did not finish in time.
        """
        waiting = scrape.scrape(self.metrics_url).backlog
        begun = time.monotonic()
        writer = self._serve("writer", [seckill_command(), "writer"], self._cores.gateway)
        writer.wait_ready(lambda: scrape.scrape(self.metrics_url).backlog == 0, within_s=within_s)
        took_s = time.monotonic() - begun
        self._servers.remove(writer)
        writer.stop()
        return waiting, took_s

    def stop(self) -> None:
        """Stop everything, Redis last."""
        self.api.close()
        super().stop()
