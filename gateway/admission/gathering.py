"""Units for a bucket that has too few: from the other buckets of its offer, or the certainty that they have none.

Every step may be the last of a worker that is killed, and several workers may do the same at once: what a step did
is written down in Redis, and whoever comes next goes on from there.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from gateway import buckets, keys, scripts
from gateway.admission.batch import Lane
from gateway.admission.connections import Connections
from gateway.admission.durability import Command
from gateway.admission.verdicts import Remedy, remedy_of
from gateway.buckets import Bucket, Transfer
from gateway.errors import RedisProblem, Refused
from gateway.offers import Offer

CONFIRM_WITHIN_S = 0.5
AGAIN_AFTER_S = 0.02
"""How soon a bucket is asked again that is on its way from one server of a cluster to another."""


async def read_buckets(gate: Connections, offers: list[Offer]) -> list[list[Bucket | None]]:
    """For each of some offers all its buckets, None where Redis lacks one. Not all at one moment.

    Raises:
        RedisProblem: Redis could not be asked.
    """
    places = [(offer, number) for offer in offers for number in keys.bucket_numbers(offer.buckets)]
    commands: list[tuple[int, Command]] = []
    for offer, number in places:
        shard = keys.shard_of(offer.id, number)
        commands.append((shard, ("HMGET", keys.offer(offer.id, number), *buckets.FIELDS)))
        commands.append((shard, ("HGETALL", keys.transfers(offer.id, offer.epoch, number))))
    replies = await gate.pipeline(commands)
    found = iter(
        buckets.read_bucket(number, row, dict(zip(flat[::2], flat[1::2], strict=True)))
        for (_, number), row, flat in zip(places, replies[::2], replies[1::2], strict=True)
    )
    return [[next(found) for _ in range(offer.buckets)] for offer in offers]


async def gather(gate: Connections, lane: Lane) -> None:
    """Return when it is worth asking the lane's bucket again for the clicks that it had too few units for.

    Then units have come, or it is marked dry, or others were faster: whoever is answered so again comes back here.

    Raises:
        RedisProblem: a bucket cannot be asked, may not sell, or has not been copied by its replicas.
    """
    while True:
        try:
            return await _gather(gate, lane)
        except Refused as refusal:
            if remedy_of(str(refusal), clustered=lane.primary.clustered) is not Remedy.FOLLOW:
                raise
        # A slot is on its way to another server: what has begun goes on when it is there.
        await asyncio.sleep(AGAIN_AFTER_S)


async def _gather(gate: Connections, lane: Lane) -> None:
    offer, moved = lane.offer, False
    while wishes := [click.quantity for click in lane.apart]:
        found = await _read_open(gate, offer)
        if found is None:
            return  # The lane finds out by itself that it is in another epoch.
        under_way = buckets.open_transfers(found)
        for transfer in under_way:
            await _finish(gate, offer, transfer)
        if under_way:
            continue
        here = next(bucket for bucket in found if bucket.number == offer.bucket)
        in_all = sum(bucket.left for bucket in found)
        wanted = sum(quantity for quantity in wishes if quantity <= in_all)
        if not wanted:
            await _mark_dry(gate, offer, here, found)
            return
        if here.left >= (min(wishes) if moved else min(wanted, in_all)):
            return
        fullest = max((bucket for bucket in found if bucket is not here), key=lambda bucket: bucket.left)
        await _move(gate, offer, fullest, here, max(wanted - here.left, fullest.left // 2))
        moved = True


async def _read_open(gate: Connections, offer: Offer) -> list[Bucket] | None:
    """All buckets; None when one is in another epoch, or gone.

    Raises:
        RedisProblem: one may not sell right now, so nobody can say what is left in it.
    """
    (rows,) = await read_buckets(gate, [offer])
    found = [bucket for bucket in rows if bucket is not None and bucket.epoch == offer.epoch]
    for bucket in found:
        shard = keys.shard_of(offer.id, bucket.number)
        problems = gate.problems_of(shard)
        if not problems and bucket.run_id != gate.primary_of(shard).side.run_id:
            problems = ["it waits until Redis has been compared with the ledger"]
        if problems:
            raise RedisProblem(f"bucket {bucket.number} may not sell: {problems[0]}")
    return found if len(found) == len(rows) else None


async def _move(gate: Connections, offer: Offer, source: Bucket, dest: Bucket, wanted: int) -> None:
    """Move units from one bucket to another."""
    word, *told = await _call(
        gate,
        offer,
        source.number,
        "give",
        ("offer", "freed", "transfers"),
        {
            "run_id": gate.primary_of(keys.shard_of(offer.id, source.number)).side.run_id,
            "epoch": offer.epoch,
            "dest": dest.number,
            "wanted": wanted,
        },
    )
    if word in {"GIVEN", "OPEN"}:
        await _finish(gate, offer, Transfer(source.number, dest.number, told[0], told[1].decode()))
    elif word == "FENCED":
        raise RedisProblem(f"bucket {source.number} may not sell any more")


async def _finish(gate: Connections, offer: Offer, transfer: Transfer) -> None:
    """Bring a transfer that is written down at its source to its end."""
    # What one server may forget the other must not have: so each step is copied before the next.
    await _copied(gate, offer, transfer.source)
    word, *_ = await _call(
        gate,
        offer,
        transfer.dest,
        "receive",
        ("offer", "freed", "transfers"),
        {
            "run_id": gate.primary_of(keys.shard_of(offer.id, transfer.dest)).side.run_id,
            "epoch": offer.epoch,
            "source": transfer.source,
            "number": transfer.number,
            "units": transfer.units,
        },
    )
    if word not in {"RECEIVED", "REPEATED"}:
        raise RedisProblem(f"bucket {transfer.dest} cannot take units: {word.lower()}")
    await _copied(gate, offer, transfer.dest)
    await _call(
        gate,
        offer,
        transfer.source,
        "close",
        ("transfers",),
        {"dest": transfer.dest, "number": transfer.number},
    )


async def _copied(gate: Connections, offer: Offer, bucket: int) -> None:
    """Wait until the replicas that may have to take over have what is in a bucket now.

    Raises:
        RedisProblem: they do not in time.
    """
    primary = gate.primary_of(keys.shard_of(offer.id, bucket))
    if primary.replication.replicas and not await primary.confirmed(time.monotonic(), CONFIRM_WITHIN_S):
        raise RedisProblem(f"a replica does not have what bucket {bucket} has given or got")


async def _mark_dry(gate: Connections, offer: Offer, here: Bucket, found: list[Bucket]) -> None:
    """Let the bucket refuse for a while what all together cannot give, if nothing moves."""
    again = await _read_open(gate, offer)
    left = None if again is None else buckets.all_left(found, again)
    if left is None:
        return
    await _call(
        gate,
        offer,
        here.number,
        "mark_dry",
        ("offer",),
        {
            "epoch": offer.epoch,
            "sequence": here.sequence,
            "left": left,
            "lasts_ms": gate.settings.lease_ms,
        },
    )


async def _call(
    gate: Connections, offer: Offer, bucket: int, name: str, wanted: tuple[str, ...], args: dict[str, Any]
) -> list[Any]:
    """Run a command on one bucket; its reply with the word as text."""
    script, shard = scripts.load(name), keys.shard_of(offer.id, bucket)
    named = {
        "offer": keys.offer(offer.id, bucket),
        "freed": keys.freed(offer.id, offer.epoch, bucket),
        "transfers": keys.transfers(offer.id, offer.epoch, bucket),
    }
    values = script.ordered({key: named[key] for key in wanted}, args)
    command: Command = ("EVALSHA", script.sha, len(script.keys), *values)
    try:
        (reply,) = await gate.pipeline([(shard, command)])
    except Refused as refusal:
        if not str(refusal).startswith("NOSCRIPT"):
            raise
        _, reply = await gate.pipeline([(shard, ("SCRIPT", "LOAD", script.source)), (shard, command)])
    return script.read(reply)
