"""Giving units to a shopper who was told that they won, where neither Redis nor the ledger has the order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from redis import Redis

from gateway import keys, offers, scripts
from gateway.orders.message import Ticket


class Seating(StrEnum):
    """What became of a seat."""

    SEATED = "SEATED"
    REPEATED = "REPEATED"
    TAKEN = "TAKEN"
    TOO_FEW = "TOO_FEW"
    OVER_LIMIT = "OVER_LIMIT"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Seat:
    """What became of it, and the shopper's ticket if there is one now."""

    outcome: Seating
    ticket: Ticket | None = None


def seat(client: Redis, offer: str, epoch: int, shopper: bytes, ticket: Ticket, *, any_unit: bool = False) -> Seat:
    """Give a shopper the units of a ticket, or as many others, once per order; the order writer writes it.

    The caller makes sure that the ledger does not know the order.

    Args:
        client: Redis.
        offer: the offer.
        epoch: its epoch in the ledger.
        shopper: who has won.
        ticket: what they were told; its slots do not matter.
        any_unit: whether other units will do.

    Raises:
        redis.RedisError: it may have happened or not; ask again.
    """
    terms = f"{ticket.price},{ticket.pay_by_ms},{ticket.won_at_ms},{ticket.key}"
    word, *rest = scripts.load("seat").call(
        client,
        {
            "offer": keys.offer(offer),
            "buyers": keys.buyers(offer, epoch),
            "freed": keys.freed(offer, epoch),
            "stream": keys.stream(keys.shard_of(offer)),
            "counters": keys.counters(keys.shard_of(offer)),
        },
        {
            "run_id": offers.run_id(client),
            "epoch": epoch,
            "shopper": shopper,
            "order_no": ticket.order_no,
            "units": "" if any_unit else ".".join(map(str, sorted(ticket.units))),
            "quantity": ticket.quantity,
            "terms": terms,
        },
    )
    if word in {"FENCED", "STALE", "MISSING"}:
        return Seat(Seating.CLOSED)
    outcome = Seating(word)
    return Seat(outcome, Ticket.parse(rest[0]) if outcome in {Seating.SEATED, Seating.REPEATED} else None)
