"""The run of Redis on which each bucket of an offer may sell: it is open when that is its server's run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redis import Redis

from gateway import keys, offers, scripts, store

Runs = Mapping[int, str]
"""Shard → run id of the Redis process that has it."""


def now(client: Redis) -> Runs:
    """The runs there are now.

    Raises:
        redis.RedisError: a server cannot be reached.
    """
    return store.run_ids(client, keys.shards())


def wanted(offer: str, buckets: int, runs: Runs) -> list[bytes]:
    """The run of each bucket's server."""
    return [runs[keys.shard_of(offer, bucket)].encode() for bucket in keys.bucket_numbers(buckets)]


def approved(client: Redis, wanted: Sequence[tuple[str, int]]) -> list[list[bytes | None]]:
    """For each of some offers with so many buckets: the run that each bucket was approved for.

    Raises:
        redis.RedisError: a server cannot be reached.
    """
    pipeline = client.pipeline(transaction=False)
    for offer, buckets in wanted:
        for bucket in keys.bucket_numbers(buckets):
            pipeline.hget(keys.offer(offer, bucket), "run_id")
    replies = iter(pipeline.execute() if wanted else ())
    return [[next(replies) for _ in keys.bucket_numbers(buckets)] for _, buckets in wanted]


def any_open(approved: Sequence[bytes | None], wanted: Sequence[bytes]) -> bool:
    """Whether one of an offer's buckets may sell, by what `approved` and `wanted` have told."""
    return any(run == each for run, each in zip(approved, wanted, strict=True))


def close(client: Redis, offer: str, buckets: int, run_id: str = "") -> None:
    """Let no bucket of an offer sell; `run_id` is what stands there from now on, and no Redis has it.

    Raises:
        redis.RedisError: some may be closed; ask again.
    """
    for bucket in keys.bucket_numbers(buckets):
        epoch = client.hget(keys.offer(offer, bucket), "epoch")
        if epoch is not None:
            scripts.load("approve_run").call(
                client, {"offer": keys.offer(offer, bucket)}, {"epoch": epoch, "run_id": run_id}
            )


def open_on(offer: offers.Offer, runs: Runs) -> bool:
    """Whether every bucket of an offer may sell on these runs."""
    return [each.encode() for each in offer.run_ids] == wanted(offer.id, offer.buckets, runs)
