"""Giving units to a shopper who was told that they won, where neither Redis nor the ledger has the order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from redis import Redis

from gateway import buckets, keys, offers, scripts
from gateway.errors import OfferError
from gateway.orders.message import Ticket

FETCHES = 2 * keys.SHARDS
"""Most steps in which units of other buckets are brought to a winner's."""


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


def seat(
    client: Redis, offer: str, count: int, epoch: int, shopper: bytes, ticket: Ticket, *, any_unit: bool = False
) -> Seat:
    """Give a shopper the units of a ticket, or as many others, once per order; the order writer writes it.

    The caller makes sure that the ledger does not know the order.

    Args:
        client: Redis.
        offer: the offer.
        count: how many buckets it has.
        epoch: its epoch in the ledger.
        shopper: who has won.
        ticket: what they were told; its slots do not matter.
        any_unit: whether other units will do. They may come from other buckets.

    Raises:
        redis.RedisError: it may have happened or not; ask again.
    """
    bucket = keys.home_bucket(shopper, count)
    run_id = offers.run_id(client, keys.shard_of(offer, bucket))
    found = _seat(client, offer, bucket, epoch, run_id, shopper, ticket, any_unit=any_unit)
    for _ in range(FETCHES if any_unit else 0):
        if found.outcome is not Seating.TOO_FEW or not _fetch(client, offer, count, epoch, bucket, ticket.quantity):
            break
        found = _seat(client, offer, bucket, epoch, run_id, shopper, ticket, any_unit=any_unit)
    return found


def _seat(
    client: Redis,
    offer: str,
    bucket: int,
    epoch: int,
    run_id: str,
    shopper: bytes,
    ticket: Ticket,
    *,
    any_unit: bool,
) -> Seat:
    shard = keys.shard_of(offer, bucket)
    word, *rest = scripts.load("seat").call(
        client,
        {
            "offer": keys.offer(offer, bucket),
            "buyers": keys.buyers(offer, epoch, bucket),
            "freed": keys.freed(offer, epoch, bucket),
            "stream": keys.stream(shard),
            "counters": keys.counters(shard),
        },
        {
            "run_id": run_id,
            "epoch": epoch,
            "shopper": shopper,
            "order_no": ticket.order_no,
            "units": "" if any_unit else ".".join(map(str, sorted(ticket.units))),
            "quantity": ticket.quantity,
            "terms": f"{ticket.price},{ticket.pay_by_ms},{ticket.won_at_ms},{ticket.key}",
        },
    )
    if word in {"FENCED", "STALE", "MISSING"}:
        return Seat(Seating.CLOSED)
    outcome = Seating(word)
    return Seat(outcome, Ticket.parse(rest[0]) if outcome in {Seating.SEATED, Seating.REPEATED} else None)


def _fetch(client: Redis, offer: str, count: int, epoch: int, bucket: int, wanted: int) -> bool:
    """Bring units to a bucket from the fullest other one; False when no other has any."""
    found = [each for each in buckets.read_all(client, offer, epoch, count) if each is not None]
    if len(found) < count:
        return False
    try:
        if buckets.on_the_way(found):
            return buckets.finish_all(client, offer, found) > 0
        fullest = max((each for each in found if each.number != bucket), key=lambda each: each.left, default=None)
        if fullest is None or not fullest.left:
            return False
        scripts.load("give").call(
            client,
            {
                "offer": keys.offer(offer, fullest.number),
                "freed": keys.freed(offer, epoch, fullest.number),
                "transfers": keys.transfers(offer, epoch, fullest.number),
            },
            {
                "run_id": offers.run_id(client, keys.shard_of(offer, fullest.number)),
                "epoch": epoch,
                "dest": bucket,
                "wanted": wanted,
            },
        )
    except OfferError:
        return False
    return True
