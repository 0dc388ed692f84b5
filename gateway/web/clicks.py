"""The click, `POST /seckill/{offer}`: from what the request says to the reply, on any server interface.

Everything here runs once per click, so it looks at no more than it must: one dictionary look-up for the offer, and
no object that a refusal does not need.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import orjson

from gateway.admission.batch import Lane
from gateway.admission.gate import Gate
from gateway.admission.outcome import Outcome
from gateway.admission.rates import LocalLimits
from gateway.crypto import HmacSha256, to_base64url
from gateway.errors import RedisProblem, TokenError
from gateway.settings import Settings
from gateway.tokens import TokenVerifier
from gateway.web import replies
from gateway.web.answers import Answers, Asker
from gateway.web.replies import Reply
from gateway.web.shedding import Shedding

KEY_CHARACTERS_MAX = 64
QUANTITY_MAX = 1_000_000_000
WWW_AUTHENTICATE = ("www-authenticate", "Bearer")

HeaderValues = Callable[[str], list[str]]
"""All values of a header by its lower-case name."""


class Waiting:
    """An asker for those who can wait: its reply is a future's result."""

    __slots__ = ("reply",)

    def __init__(self) -> None:
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Take the reply; too late when whoever waited has gone."""
        if not self.reply.done():
            self.reply.set_result(Reply(status, body, headers))


class Clicks:
    """Answers clicks, for one worker."""

    def __init__(
        self, settings: Settings, gate: Gate, tokens: TokenVerifier, answers: Answers, shedding: Shedding
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._tokens = tokens
        self._answers = answers
        self._shedding = shedding
        self._limits = LocalLimits(settings.rate_per_ip, settings.rate_total, settings.trusted_proxies)
        self._trusts_proxies = bool(settings.trusted_proxies)
        # Keys are stored as digests: any 64 characters become a fixed, separator-free text.
        self._key_digest = HmacSha256(b"idempotency key")
        self._too_large = replies.plain(
            Outcome.TOO_LARGE, detail=f"A click's body may have {settings.body_max_bytes} bytes."
        )
        self._cut_off = replies.plain(Outcome.BAD_REQUEST, detail="The body ended before its Content-Length.")
        self.counts = [0] * len(Outcome)
        """Clicks answered before they reached a lane, by outcome."""
        self.answered_locally = 0

    def cut_off(self) -> Reply:
        """The answer to a click whose body ended before its declared length, if anybody still reads it."""
        self.counts[Outcome.BAD_REQUEST.index] += 1
        return self._cut_off

    def too_large(self) -> Reply:
        """The answer to a body beyond `body_max_bytes`; it comes before every other check."""
        self.counts[Outcome.TOO_LARGE.index] += 1
        return self._too_large

    async def answer(
        self, offer_id: str, query: str, authorization: bytes, body: bytes, peer: str, header: HeaderValues
    ) -> Reply:
        """The reply to a click; arguments as for `take`. The offer is looked up if this worker does not know it."""
        asker = Waiting()
        while not self.take(asker, offer_id, query, authorization, body, peer, header):
            try:
                lane = await self._gate.lane(offer_id)
            except RedisProblem:
                self.counts[Outcome.UNAVAILABLE.index] += 1
                return replies.UNAVAILABLE
            if lane is None:
                self.counts[Outcome.NOT_FOUND.index] += 1
                return replies.NOT_FOUND
        return await asker.reply

    def take(
        self,
        asker: Asker,
        offer_id: str,
        query: str,
        authorization: bytes,
        body: bytes,
        peer: str,
        header: HeaderValues,
    ) -> bool:
        """Take a click whose body is within its limit: token, offer, body, then the rest.

        Args:
            asker: is told the reply, now or when Redis has decided.
            offer_id: the path's last part.
            query: what follows the path's question mark; a click has none.
            authorization: the header, empty when absent.
            body: the whole body.
            peer: the peer's address and port.
            header: for the headers that few clicks need.

        Returns:
            False, with nothing told or counted, when this worker does not know the offer yet.
        """
        if self._shedding.on and self._shedding.refuses():
            # Before every other check, as it has to cost next to nothing: whoever asks again hears the rest.
            self.counts[Outcome.BUSY.index] += 1
            _tell(asker, replies.BUSY)
            return True
        try:
            shopper = self._tokens.verify(authorization, time.time())
        except TokenError as error:
            self.counts[Outcome.UNAUTHENTICATED.index] += 1
            _tell(asker, replies.plain(Outcome.UNAUTHENTICATED, WWW_AUTHENTICATE, detail=f"{error.reason}."))
            return True
        lane = self._gate.lanes.get(offer_id)
        if lane is None:
            return False
        if lane.lanes:
            lane = lane.home(shopper.id)
        quantity, key = 1, b""
        if body or query or lane.offer.limit > 1:
            try:
                quantity, key = self._read_demand(query, body, header, lane)
            except ValueError as error:
                lane.counts[Outcome.BAD_REQUEST.index] += 1
                _tell(asker, replies.plain(Outcome.BAD_REQUEST, detail=str(error)))
                return True
        refusal = self._refusal_without_redis(lane, shopper.id, peer, header)
        if refusal is None:
            lane.submit(asker, shopper, quantity, key)
        else:
            asker.response_bytes(refusal.status, refusal.headers, refusal.body)
        return True

    def _refusal_without_redis(self, lane: Lane, shopper: bytes, peer: str, header: HeaderValues) -> Reply | None:
        """The answer of the local limits, of a gate that cannot sell, or of the shield; None to go on."""
        gate = self._gate
        if self._limits.active:
            hops = header("x-forwarded-for") if self._trusts_proxies else None
            wait_ms = self._limits.wait_ms(peer, ",".join(hops) if hops else None)
            if wait_ms:
                lane.counts[Outcome.RATE_LIMITED.index] += 1
                return replies.rate_limited(wait_ms)
        if lane.primary.blocked:
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
            reply = self._answers.refusal(lane, lease.decision)
            if lease.decision.outcome is not Outcome.NOT_STARTED:  # that one tells the time
                lease.reply = reply
            return reply
        wait_ms = shield.throttled_ms(shopper)
        if wait_ms:
            self.answered_locally += 1
            lane.counts[Outcome.RATE_LIMITED.index] += 1
            return replies.rate_limited(wait_ms)
        return None

    def _read_demand(self, query: str, body: bytes, header: HeaderValues, lane: Lane) -> tuple[int, bytes]:
        """How many the shopper wants, and the digest of the click's key where the offer needs one.

        Raises:
            ValueError: with a sentence for the shopper's program.
        """
        if query:
            # Else somebody who asks for two that way would be sold one.
            raise ValueError('A click has no query parameters: send the quantity as JSON, {"quantity": 1}.')
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
        keys = header("idempotency-key")
        if len(keys) != 1 or not 1 <= len(keys[0]) <= KEY_CHARACTERS_MAX:
            raise ValueError(
                "This offer sells several to a shopper: send one Idempotency-Key header of"
                f" 1 to {KEY_CHARACTERS_MAX} characters, a new one for every purchase."
            )
        return quantity, to_base64url(self._key_digest.digest(keys[0].encode())[:16])


def _tell(asker: Asker, reply: Reply) -> None:
    asker.response_bytes(reply.status, reply.headers, reply.body)
