"""What a shopper holds, read so that it is true or not told at all."""

from __future__ import annotations

import time
from typing import NamedTuple

from gateway import keys
from gateway.admission.batch import Lane
from gateway.admission.gate import Gate
from gateway.errors import RedisProblem

CONFIRM_WITHIN_S = 0.5


class Held(NamedTuple):
    """A shopper's record of tickets (None: no ticket), and until when a click is open, epoch ms (None: none is)."""

    record: bytes | None
    pending_until_ms: int | None


async def read(gate: Gate, lane: Lane, shopper: bytes) -> Held | None:
    """The shopper's tickets of the lane's offer; None when there is no such offer any more.

    Raises:
        RedisProblem: Redis could not be asked, has not been compared with the ledger since it came back, or
            a replica does not have the tickets yet.
    """
    lane = lane.home(shopper)
    offer, since_s = lane.offer, time.monotonic()
    # Time, then open clicks, then tickets: a click that is not open any more at that time is decided by then.
    primary = lane.primary
    instant, registered, (epoch, run_id), record = await primary.side.pipeline(
        [
            ("TIME",),
            ("ZSCORE", keys.unsettled(offer.id, offer.bucket), shopper),
            ("HMGET", keys.offer(offer.id, offer.bucket), "epoch", "run_id"),
            ("HGET", keys.buyers(offer.id, offer.epoch, offer.bucket), shopper),
        ]
    )
    now_ms = int(instant[0]) * 1000 + int(instant[1]) // 1000
    pending_until_ms = gate.unsettled.until_ms(offer.id, shopper, registered, now_ms)
    if epoch is None or int(epoch) != offer.epoch:
        # The offer is gone, or recovery has moved the tickets to another key.
        again = await gate.read_again(lane)
        return await read(gate, again, shopper) if again else None
    if run_id != primary.side.run_id.encode():
        problem = "the offer waits until Redis has been compared with the ledger"
    elif record and primary.replication.replicas and not await primary.confirmed(since_s, CONFIRM_WITHIN_S):
        problem = "a replica of Redis does not have the ticket yet"
    else:
        return Held(record, pending_until_ms)
    if pending_until_ms is None:
        raise RedisProblem(problem)
    return Held(None, pending_until_ms)
