"""A peer at work: its server on the gateway's core, and a Redis of its own with the gateway's Redis settings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import redis

from loadtest.deployment import Deployment, answers
from loadtest.errors import ApiError
from loadtest.operators_api import now_ms
from loadtest.peers.books import Book, read_tickets
from loadtest.peers.goals import target
from loadtest.peers.kinds import SCRIPT, Kind
from loadtest.processes import Usage, free_port
from loadtest.scrape import Counters
from loadtest.stack import PRICE, SALE_LENGTH_MS, Cores, redis_command

RATE_PER_SHOPPER = 5
WINDOW_MS = 1000
"""The gateway's default limit per shopper."""

PAY_WITHIN_MS = 900_000
SETTINGS = {
    "PEER_RATE": str(RATE_PER_SHOPPER),
    "PEER_WINDOW_MS": str(WINDOW_MS),
    # Nobody hears sold_out without being looked up among the winners: what the gateway promises too.
    "PEER_SOLD_OUT_MS": "0",
}
"""What every peer is started with, besides its port, its Redis and the secret of the tokens."""

REST_POLL_S = 0.1
REST_WITHIN_S = 30.0
FINISH_WITHIN_S = 10.0


class PeerStack(Deployment):
    """A running peer of one durability; a context manager."""

    def __init__(
        self,
        kind: Kind,
        folder: Path,
        cores: Cores,
        *,
        durability: str,
        secret: str,
    ) -> None:
        super().__init__(target(kind.name, durability), folder)
        self.kind = kind
        self.durability = durability
        self._cores = cores
        port = free_port()
        self.gateway_url = f"http://127.0.0.1:{port}"
        self._environ = {
            **SETTINGS,
            "PEER_SCRIPT": str(SCRIPT),
            "PEER_PORT": str(port),
            "PEER_SECRET": secret,
            "PEER_REDIS": str(self.folder / "redis.sock"),
            **kind.settings,
        }
        self._opened: dict[str, int] = {}

    def _start(self) -> None:
        place = self.folder / "redis.sock"
        self._redis = self._serve("redis", redis_command(self.folder, self.durability), self._cores.others)
        self._redis.wait_ready(place.exists)
        # Untyped: the client's types allow for replies that these commands never give.
        self._client: Any = redis.Redis(unix_socket_path=str(place), decode_responses=True)
        command = self.kind.command(self.folder, self._environ)
        self._server = self._serve(self.kind.name, command, self._cores.gateway)
        self._server.wait_ready(lambda: answers(f"{self.gateway_url}/counters"))

    def open_offer(self, offer: str, stock: int) -> None:
        """Put an offer on sale at once, under the id that it has elsewhere."""
        begin_ms = now_ms() - 1000
        terms = {
            "state": "open",
            "starts_at_ms": begin_ms,
            "ends_at_ms": begin_ms + SALE_LENGTH_MS,
            "price": PRICE,
            "pay_within_ms": PAY_WITHIN_MS,
            "left": stock,
            "next_unit": 1,
        }
        self._opened[offer] = self.counters().outcomes.get("won", 0)
        self._client.hset(f"{{{offer}}}", mapping=terms)

    def close_offer(self, offer: str, stock: int) -> Book:
        """What was sold, and what the peer says that it sold; the offer is gone then."""
        tag = f"{{{offer}}}"
        left = self._client.hget(tag, "left")
        buyers = self._client.hgetall(f"{tag}:buyers")
        entries = self._client.xrange(f"{tag}:stream")
        wins = self.counters().outcomes.get("won", 0) - self._opened.pop(offer)
        self._client.unlink(tag, f"{tag}:buyers", f"{tag}:stream")
        queued = [(fields["shopper"], fields["ticket"]) for _, fields in entries]
        return Book(offer, stock, int(left or 0), wins, read_tickets(buyers.items()), read_tickets(queued))

    def usage(self) -> tuple[Usage, Usage]:
        """What server and Redis have used so far."""
        return self._server.usage(), self._redis.usage()

    def counters(self) -> Counters:
        """The clicks answered so far, once no click is under way.

        Raises:
            ApiError: the totals do not come to rest.
        """
        end = time.monotonic() + REST_WITHIN_S
        before: dict[str, int] | None = None
        while time.monotonic() < end:
            # A server that still has clicks to answer answers this one after them.
            found = httpx.get(f"{self.gateway_url}/counters", timeout=FINISH_WITHIN_S, trust_env=False).json()
            if found == before:
                return Counters(found, 0, 0, 0, 0)
            before = found
            time.sleep(REST_POLL_S)
        raise ApiError(f"{self.gateway_url}/counters did not come to rest within {REST_WITHIN_S} s", 200, before)
