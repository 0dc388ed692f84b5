"""Whether an offer that Redis does not have was lost, and comes back by recovery, or never was."""

from __future__ import annotations

from collections.abc import Iterable

from gateway import keys
from gateway.admission.batch import Lane
from gateway.admission.durability import Command
from gateway.admission.outcome import Outcome
from gateway.admission.primary import Primary


async def is_lost(primary: Primary, offer_id: str, lanes: Iterable[Lane]) -> bool:
    """Whether it is lost, or may be. `lanes`: those of the offer, if this worker has known it.

    Raises:
        RedisProblem: Redis could not be asked.
    """
    if any(lane.offer.sold_at_ms or lane.counts[Outcome.WON.index] for lane in lanes):
        return True  # An offer that has sold is never removed.
    shard = keys.shard_of(offer_id)
    commands: list[Command] = [
        ("SISMEMBER", keys.offers(shard), offer_id),
        ("HGET", keys.compared(shard), "run_id"),
    ]
    commands += [("EXISTS", keys.offers(each)) for each in primary.shards]
    named, compared, *any_there = await primary.side.pipeline(commands)
    # Recovery names all offers before it brings the first one back, and then leaves the run's id; before that, a
    # server that has no offers may have lost them.
    all_named = compared == primary.side.run_id.encode() or any(any_there)
    return bool(named) or not all_named
