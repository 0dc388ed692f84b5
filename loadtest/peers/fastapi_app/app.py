"""The usual way in Python: FastAPI under uvicorn, PyJWT, redis-py's asyncio client with hiredis.

``python -m loadtest.peers.fastapi_app.app`` serves on ``PEER_PORT``. One worker, uvloop, httptools.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Annotated, Any

import jwt
import orjson
import uvicorn
from fastapi import FastAPI, Header, Response
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import NoScriptError, RedisError

POOL_SIZE = 1024
STATUS = {
    "won": 201,
    "already_won": 200,
    "sold_out": 409,
    "rate_limited": 429,
    "closed": 403,
    "not_found": 404,
    "unauthenticated": 401,
    "unavailable": 503,
}
_WORDS = {"W": "won", "A": "already_won", "S": "sold_out", "R": "rate_limited", "C": "closed", "M": "not_found"}
_PREFIX = "Bearer "
_HEADERS = {"cache-control": "no-store"}


class Shop:
    """What one worker knows."""

    def __init__(self) -> None:
        self._secret = os.environ["PEER_SECRET"]
        self._rate = os.environ["PEER_RATE"]
        self._window_ms = int(os.environ["PEER_WINDOW_MS"])
        self._sold_out_s = int(os.environ["PEER_SOLD_OUT_MS"]) / 1000
        self._script = Path(os.environ["PEER_SCRIPT"]).read_bytes()
        self._sha = hashlib.sha1(self._script).hexdigest()
        # Above the pool's size clicks wait for a connection, as opening more only costs both sides.
        pool = BlockingConnectionPool.from_url(
            f"unix://{os.environ['PEER_REDIS']}", max_connections=POOL_SIZE, timeout=10, decode_responses=True
        )
        self._redis = Redis(connection_pool=pool)
        self._sold_out_until_s: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def reply(self, outcome: str, **fields: Any) -> Response:
        """An answer, counted."""
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        body = orjson.dumps({"outcome": outcome, **fields})
        return Response(body, STATUS[outcome], _HEADERS, "application/json")

    async def click(self, offer: str, authorization: Annotated[str, Header()] = "") -> Response:
        """Answer one click."""
        if not authorization.startswith(_PREFIX):
            return self.reply("unauthenticated")
        try:
            claims = jwt.decode(
                authorization[len(_PREFIX) :],
                self._secret,
                algorithms=["HS256"],
                options={"require": ["exp", "sub"]},
            )
        except jwt.InvalidTokenError:
            return self.reply("unauthenticated")
        if time.monotonic() < self._sold_out_until_s.get(offer, 0.0):
            return self.reply("sold_out", left=0)
        try:
            decided = await self._take(offer, claims["sub"])
        except RedisError:
            return self.reply("unavailable")
        outcome = _WORDS[decided[0]]
        if outcome == "sold_out":
            self._sold_out_until_s[offer] = time.monotonic() + self._sold_out_s
            return self.reply(outcome, left=0)
        if outcome not in {"won", "already_won"}:
            return self.reply(outcome)
        order_no, unit, price, pay_by_ms = decided[1:].split(",")
        return self.reply(
            outcome,
            order_no=order_no,
            offer=offer,
            units=[int(unit)],
            quantity=1,
            price=int(price),
            pay_by_ms=int(pay_by_ms),
        )

    async def _take(self, offer: str, shopper: str) -> str:
        tag = f"{{{offer}}}"
        rates = f"{tag}:rates:{time.time_ns() // 1_000_000 // self._window_ms}"
        keys = (tag, f"{tag}:buyers", rates, f"{tag}:stream")
        values = (offer, shopper, self._rate, str(self._window_ms))
        try:
            decided = await self._redis.evalsha(self._sha, len(keys), *keys, *values)
        except NoScriptError:
            decided = await self._redis.eval(self._script.decode(), len(keys), *keys, *values)
        return str(decided)

    async def counters(self) -> dict[str, int]:
        """Clicks answered, by outcome."""
        return self.counts


def make() -> FastAPI:
    """The app."""
    shop = Shop()
    app = FastAPI(openapi_url=None)
    app.add_api_route("/seckill/{offer}", shop.click, methods=["POST"])
    app.add_api_route("/counters", shop.counters)
    return app


def main() -> None:
    """Serve until told to stop."""
    uvicorn.run(
        make(),
        host="127.0.0.1",
        port=int(os.environ["PEER_PORT"]),
        loop="uvloop",
        http="httptools",
        backlog=4096,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
