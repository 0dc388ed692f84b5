"""The click, `POST /seckill/{offer}`: from what the request says to the reply, on any server interface.

Everything here runs once per click, so it looks at no more than it must: one dictionary look-up for the offer, and
no object that a refusal does not need.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

import orjson

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
from gateway.web.replies import Reply, TicketWriter
from gateway.web.shedding import Shedding

KEY_CHARACTERS_MAX = 64
QUANTITY_MAX = 1_000_000_000
WWW_AUTHENTICATE = ("www-authenticate", "Bearer")

HeaderValues = Callable[[str], list[str]]
"""All values of a header by its lower-case name."""

_WON = (Outcome.WON, Outcome.ALREADY_WON)


class Clicks:
    """Answers clicks, for one worker."""

    def __init__(
        self, settings: Settings, gate: Gate, tokens: TokenVerifier, signer: ReceiptSigner, shedding: Shedding
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._tokens = tokens
        self._signer = signer
        self._shedding = shedding
        self._limits = LocalLimits(settings.rate_per_ip, settings.rate_total, settings.trusted_proxies)
        self._trusts_proxies = bool(settings.trusted_proxies)
        self._durable = settings.durability == "strict"
        self._timezone = ZoneInfo(settings.timezone)
        self._writers: dict[Lane, tuple[AdmitCall, TicketWriter]] = {}
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
        self, offer_id: str, authorization: bytes, body: bytes, peer: str, header: HeaderValues
    ) -> Reply:
        """The reply to a click whose body is within its limit: token, offer, body, then the rest.

        Args:
            offer_id: the path's last part.
            authorization: the header, empty when absent.
            body: the whole body.
            peer: the peer's address and port.
            header: for the headers that few clicks need.
        """
        if self._shedding.on and self._shedding.refuses():
            # Before every other check, as it has to cost next to nothing: whoever asks again hears the rest.
            self.counts[Outcome.BUSY.index] += 1
            return replies.BUSY
        try:
            shopper = self._tokens.verify(authorization, time.time())
        except TokenError as error:
            self.counts[Outcome.UNAUTHENTICATED.index] += 1
            return replies.plain(Outcome.UNAUTHENTICATED, WWW_AUTHENTICATE, detail=f"{error.reason}.")
        gate = self._gate
        lane = gate.lanes.get(offer_id)
        if lane is None:
            try:
                lane = await gate.lane(offer_id)
            except RedisProblem:
                self.counts[Outcome.UNAVAILABLE.index] += 1
                return replies.UNAVAILABLE
            if lane is None:
                self.counts[Outcome.NOT_FOUND.index] += 1
                return replies.NOT_FOUND
        quantity, key = 1, b""
        if body or lane.offer.limit > 1:
            try:
                quantity, key = self._read_demand(body, header, lane)
            except ValueError as error:
                lane.counts[Outcome.BAD_REQUEST.index] += 1
                return replies.plain(Outcome.BAD_REQUEST, detail=str(error))
        refusal = self._refusal_without_redis(lane, shopper.id, peer, header)
        if refusal is not None:
            return refusal
        decision = await lane.submit(shopper, quantity, key)
        if decision.outcome in _WON:
            return self._writer(lane).reply(decision.outcome, shopper.id, decision.detail)
        return replies.refusal(decision, lane.offer, gate.clock.now_ms(), self._timezone)

    def _refusal_without_redis(self, lane: Lane, shopper: bytes, peer: str, header: HeaderValues) -> Reply | None:
        """The answer of the local limits, of a gate that cannot sell, or of the shield; None to go on."""
        gate = self._gate
        if self._limits.active:
            hops = header("x-forwarded-for") if self._trusts_proxies else None
            wait_ms = self._limits.wait_ms(peer, ",".join(hops) if hops else None)
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

    def _read_demand(self, body: bytes, header: HeaderValues, lane: Lane) -> tuple[int, bytes]:
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
        keys = header("idempotency-key")
        if len(keys) != 1 or not 1 <= len(keys[0]) <= KEY_CHARACTERS_MAX:
            raise ValueError(
                "This offer sells several to a shopper: send one Idempotency-Key header of"
                f" 1 to {KEY_CHARACTERS_MAX} characters, a new one for every purchase."
            )
        return quantity, to_base64url(self._key_digest.digest(keys[0].encode())[:16])

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
