"""Every Redis key name, in one place.

Keys that one script touches share the shard's hash tag, so that they live in one slot of a cluster.

=============================  ======  ===========================================================
key                            type    what it holds
=============================  ======  ===========================================================
``offers(shard)``              set     ids of the offers whose first bucket lives on the shard
``stream(shard)``              stream  winners, one entry per decided batch
``dead(shard)``                stream  winners that could not be written, with the reason
``filed(shard)``               set     digests of the winners in ``dead``, so that each is there once
``counters(shard)``            hash    issued, committed, dead: units of work since the beginning
``offer(shard, id, bucket)``   hash    terms, window, stock, sequence, epoch, approved run id
``buyers(…, epoch)``           hash    shopper → tickets
``freed(…, epoch)``            zset    unit numbers that came back and may be sold again
``retired(…, epoch)``          zset    freed numbers that a cut took away, reused by a top-up
``operations(…, epoch)``       hash    stock operation id → its result, so each applies once
``transfers(…, epoch)``        hash    numbers of units that went to other buckets or came from them
``rate(…, parity)``            hash    clicks per shopper in one window; "" holds the window number
``clicks(…)``                  hash    clicks by outcome, reported by the gateways once a second
``built(…, part, attempt)``    as its  what recovery builds, until it takes its place; expires
``unsettled(…)``               zset    shopper → until when a click answered `unknown` is open, epoch ms
``marks(shard)``               string  counts the writes by which gateways ask whether replicas keep up
``reminders()``                stream  due reminders, for the shop's mailer
``reminded()``                 zset    ids of reminders that the stream was given → when, epoch ms
=============================  ======  ===========================================================
"""

from zlib import crc32

SCHEMA = 1
"""Version of the data behind these names; part of every key."""

ORDER_GROUP = "order-writers"
"""The consumer group that reads every shard's stream."""

FIRST_EPOCH = 1


_TAGS = ("s163", "s32", "s50", "s162", "s33", "s51", "s161", "s30", "s52", "s160", "s31", "s53")
"""The shards' hash tags: the slot of each lies in the middle of its twelfth of all slots, in this order.

So any number of primaries with equal ranges of slots serve about equally many shards. One server has all of them: a
shop that grows into a cluster moves slots, and no key changes its name.
"""

SHARDS = len(_TAGS)

BUCKETS = (1, 2, 3, 4, 6, 12)
"""How many buckets an offer may have: so many lie on shards at equal distances."""


def shard_of(offer: str, bucket: int = 0) -> int:
    """The shard that holds a bucket of an offer. A bucket's number is its distance from the offer's first shard."""
    return (crc32(offer.encode()) + bucket) % SHARDS


def bucket_numbers(buckets: int) -> range:
    """The numbers of an offer's buckets: far from each other, so that they lie on different primaries."""
    return range(0, SHARDS, SHARDS // buckets)


def home_bucket(shopper: bytes, buckets: int) -> int:
    """The number of the bucket in which a shopper buys; the same for as long as the offer has so many buckets."""
    return home_index(shopper, buckets) * (SHARDS // buckets)


def home_index(shopper: bytes, buckets: int) -> int:
    """The place of a shopper's bucket among all buckets of the offer."""
    return crc32(shopper) % buckets


def shards() -> range:
    """Every shard."""
    return range(SHARDS)


def _shard(shard: int, name: str) -> str:
    return f"sk{SCHEMA}:{{{_TAGS[shard]}}}:{name}"


def offers(shard: int) -> str:
    """Set of offer ids."""
    return _shard(shard, "offers")


def stream(shard: int) -> str:
    """Stream of winners."""
    return _shard(shard, "stream")


def dead(shard: int) -> str:
    """Stream of winners that could not be written."""
    return _shard(shard, "dead")


def filed(shard: int) -> str:
    """Set of digests of the winners that were ever filed as dead letters."""
    return _shard(shard, "filed")


def counters(shard: int) -> str:
    """Hash of running totals: issued, committed, dead."""
    return _shard(shard, "counters")


def compared(shard: int) -> str:
    """Hash with one field: run_id, the run on which every offer of the ledger was last named in `offers`."""
    return _shard(shard, "compared")


def offer(offer_id: str, bucket: int = 0) -> str:
    """Hash of an offer bucket's terms and stock."""
    return _shard(shard_of(offer_id, bucket), f"offer:{offer_id}:{bucket}")


def buyers(offer_id: str, epoch: int, bucket: int = 0) -> str:
    """Hash of shopper → tickets."""
    return _shard(shard_of(offer_id, bucket), f"buyers:{offer_id}:{bucket}:{epoch}")


def freed(offer_id: str, epoch: int, bucket: int = 0) -> str:
    """Sorted set of unit numbers that came back."""
    return _shard(shard_of(offer_id, bucket), f"freed:{offer_id}:{bucket}:{epoch}")


def retired(offer_id: str, epoch: int, bucket: int = 0) -> str:
    """Sorted set of freed unit numbers that a cut took off sale."""
    return _shard(shard_of(offer_id, bucket), f"retired:{offer_id}:{bucket}:{epoch}")


def operations(offer_id: str, epoch: int, bucket: int = 0) -> str:
    """Hash of applied stock operations."""
    return _shard(shard_of(offer_id, bucket), f"operations:{offer_id}:{bucket}:{epoch}")


def transfers(offer_id: str, epoch: int, bucket: int = 0) -> str:
    """Hash of transfers: those open to other buckets, the number of the last one to each and from each."""
    return _shard(shard_of(offer_id, bucket), f"transfers:{offer_id}:{bucket}:{epoch}")


def rate(offer_id: str, parity: int, bucket: int = 0) -> str:
    """Hash of clicks per shopper in the windows of one parity (even or odd)."""
    return _shard(shard_of(offer_id, bucket), f"rate:{offer_id}:{bucket}:{parity}")


def clicks(offer_id: str, bucket: int = 0) -> str:
    """Hash of clicks by outcome."""
    return _shard(shard_of(offer_id, bucket), f"clicks:{offer_id}:{bucket}")


def built(offer_id: str, part: str, attempt: str, bucket: int = 0) -> str:
    """What an attempt of recovery builds of a part (`buyers`, `freed`, …) before it is put in its place."""
    return _shard(shard_of(offer_id, bucket), f"built:{part}:{offer_id}:{bucket}:{attempt}")


def unsettled(offer_id: str, bucket: int = 0) -> str:
    """Sorted set of shoppers with a click whose outcome nobody knows yet."""
    return _shard(shard_of(offer_id, bucket), f"unsettled:{offer_id}:{bucket}")


def marks(shard: int) -> str:
    """Count of writes made only to be waited for."""
    return _shard(shard, "marks")


def reminders() -> str:
    """Stream of due reminders."""
    return f"sk{SCHEMA}:{{reminders}}:stream"


def reminded() -> str:
    """Sorted set of reminder ids that the stream was given."""
    return f"sk{SCHEMA}:{{reminders}}:given"
