"""The click, `POST /seckill/{offer}`, answered in front of routing.

Everything here runs once per click, so it looks at no more than it must: one pass over the headers, one dictionary
look-up for the offer, and no object that a refusal does not need. What is not a click goes on to `rest`.
"""

from __future__ import annotations

import time
from zoneinfo import ZoneInfo

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admission.admit import AdmitCall
from gateway.admission.batch import Lane
from gateway.admission.gate import Gate
from gateway.admission.outcome import Outcome
from gateway.admission.rates import LocalLimits
from gateway.crypto import HmacSha256, to_base64url
from gateway.errors import RedisProblem, TokenError
from gateway.receipts import ReceiptSigner
from gateway.settings import Settings
from gateway.tokens import TokenVerifier
from gateway.web import replies
from gateway.web.bodies import BodyTooLarge, read_body
from gateway.web.replies import Reply, TicketWriter

PREFIX = "/seckill/"
KEY_CHARACTERS_MAX = 64
QUANTITY_MAX = 1_000_000_000
WWW_AUTHENTICATE = (b"www-authenticate", b"Bearer")

_WON = (Outcome.WON, Outcome.ALREADY_WON)


class HotPath:
    """The ASGI app in front of everything."""

    def __init__(
        self, settings: Settings, gate: Gate, tokens: TokenVerifier, signer: ReceiptSigner, rest: ASGIApp
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._tokens = tokens
        self._signer = signer
        self._rest = rest
        self._limits = LocalLimits(settings.rate_per_ip, settings.rate_total, settings.trusted_proxies)
        self._trusts_proxies = bool(settings.trusted_proxies)
        self._durable = settings.durability == "strict"
        self._timezone = ZoneInfo(settings.timezone)
        self._writers: dict[Lane, tuple[AdmitCall, TicketWriter]] = {}
        # Keys are stored as digests: any 64 characters become a fixed, separator-free text.
        self._key_digest = HmacSha256(b"idempotency key")
        self.counts = [0] * len(Outcome)
        """Clicks answered before they reached a lane, by outcome."""
        self.answered_locally = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a click, or hand anything else on."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(PREFIX):
            await self._rest(scope, receive, send)
            return
        authorization = b""
        length = b"0"
        chunked = False
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"content-length":
                length = value
            elif name == b"transfer-encoding":
                chunked = True
        body = b""
        if length != b"0" or chunked:
            try:
                body = await read_body(receive, length, self._settings.body_max_bytes)
            except BodyTooLarge:
                limit = f"A click's body may have {self._settings.body_max_bytes} bytes."
                await self._refuse(send, replies.plain(Outcome.TOO_LARGE, detail=limit), Outcome.TOO_LARGE)
                return
        try:
            shopper = self._tokens.verify(authorization, time.time())
        except TokenError as error:
            reply = replies.plain(Outcome.UNAUTHENTICATED, WWW_AUTHENTICATE, detail=f"{error.reason}.")
            await self._refuse(send, reply, Outcome.UNAUTHENTICATED)
            return
        gate = self._gate
        lane = gate.lanes.get(scope["path"][9:])
        if lane is None:
            try:
                lane = await gate.lane(scope["path"][9:])
            except RedisProblem:
                await self._refuse(send, replies.UNAVAILABLE, Outcome.UNAVAILABLE)
                return
            if lane is None:
                await self._refuse(send, replies.NOT_FOUND, Outcome.NOT_FOUND)
                return
        quantity, key = 1, b""
        if body or lane.offer.limit > 1:
            try:
                quantity, key = self._read_demand(scope, body, lane)
            except ValueError as error:
                reply = replies.plain(Outcome.BAD_REQUEST, detail=str(error))
                await self._refuse(send, reply, Outcome.BAD_REQUEST, lane)
                return
        refusal = self._refusal_without_redis(scope, lane, shopper.id)
        if refusal is not None:
            await send(refusal.start)
            await send(refusal.body)
            return
        decision = await lane.submit(shopper, quantity, key)
        if decision.outcome in _WON:
            start, finish = self._writer(lane).reply(decision.outcome, shopper.id, decision.detail)
            await send(start)
            await send(finish)
            return
        reply = replies.refusal(decision, lane.offer, gate.clock.now_ms(), self._timezone)
        await send(reply.start)
        await send(reply.body)

    def _refusal_without_redis(self, scope: Scope, lane: Lane, shopper: bytes) -> Reply | None:
        """The answer of the local limits, of a gate that cannot sell, or of the shield; None to go on."""
        gate = self._gate
        if self._limits.active:
            wait_ms = self._limits.wait_ms(*self._caller(scope))
            if wait_ms:
                lane.counts[Outcome.RATE_LIMITED.index] += 1
                return replies.rate_limited(wait_ms)
        if gate.blocked:
            lane.counts[Outcome.UNAVAILABLE.index] += 1
            return replies.UNAVAILABLE
        if gate.backlog > self._settings.backlog_max:
            lane.counts[Outcome.BUSY.index] += 1
            return replies.BUSY
        shield = lane.shield
        lease = shield.lease
        if lease is not None and lease.covers(shopper):
            self.answered_locally += 1
            lane.counts[lease.decision.outcome.index] += 1
            known: Reply | None = lease.reply
            if known is not None:
                return known
            reply = replies.refusal(lease.decision, lane.offer, gate.clock.now_ms(), self._timezone)
            if lease.decision.outcome is not Outcome.NOT_STARTED:  # that one tells the time
                lease.reply = reply
            return reply
        wait_ms = shield.throttled_ms(shopper)
        if wait_ms:
            self.answered_locally += 1
            lane.counts[Outcome.RATE_LIMITED.index] += 1
            return replies.rate_limited(wait_ms)
        return None

    async def _refuse(self, send: Send, reply: Reply, outcome: Outcome, lane: Lane | None = None) -> None:
        counts = self.counts if lane is None else lane.counts
        counts[outcome.index] += 1
        await send(reply.start)
        await send(reply.body)

    def _caller(self, scope: Scope) -> tuple[str, bytes | None]:
        """The peer's address, and the hops a proxy names if proxies are trusted at all."""
        client = scope.get("client")
        forwarded: list[bytes] = []
        if self._trusts_proxies:
            forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return (client[0] if client else ""), (b",".join(forwarded) if forwarded else None)

    def _read_demand(self, scope: Scope, body: bytes, lane: Lane) -> tuple[int, bytes]:
        """How many the shopper wants, and the digest of the click's key where the offer needs one.

        Raises:
            ValueError: with a sentence for the shopper's program.
        """
        quantity = 1
        if body:
            try:
                demand = orjson.loads(body)
            except ValueError:
                raise ValueError('The body must be empty or JSON such as {"quantity": 1}.') from None
            if not isinstance(demand, dict):
                raise ValueError('The body must be an object such as {"quantity": 1}.')
            for name in demand:
                if name != "quantity":
                    raise ValueError(f"Unknown field {name[:40]!r}; the only one is quantity.")
            quantity = demand.get("quantity", 1)
            if type(quantity) is not int or not 1 <= quantity <= QUANTITY_MAX:
                raise ValueError(f"quantity must be a whole number from 1 to {QUANTITY_MAX}.")
        if lane.offer.limit == 1:
            return quantity, b""
        keys = [value for name, value in scope["headers"] if name == b"idempotency-key"]
        if len(keys) != 1 or not 1 <= len(keys[0]) <= KEY_CHARACTERS_MAX:
            raise ValueError(
                "This offer sells several to a shopper: send one Idempotency-Key header of"
                f" 1 to {KEY_CHARACTERS_MAX} characters, a new one for every purchase."
            )
        return quantity, to_base64url(self._key_digest.digest(keys[0])[:16])

    def _writer(self, lane: Lane) -> TicketWriter:
        """The encoder of the lane's tickets, made anew when the offer's terms changed."""
        known = self._writers.get(lane)
        if known is not None and known[0] is lane.call:
            return known[1]
        if len(self._writers) > len(self._gate.lanes):
            self._writers.clear()
        writer = TicketWriter(lane.offer, self._signer, durable=self._durable, timezone=self._timezone)
        self._writers[lane] = (lane.call, writer)
        return writer

    def ticket_members(self, lane: Lane, shopper: bytes, ticket: bytes) -> bytes:
        """A ticket's JSON members, for answers other than a click's."""
        return self._writer(lane).members(shopper, ticket)
