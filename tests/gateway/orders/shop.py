"""A shop to test the order writer in: offers in the ledger and in Redis, and shoppers who click."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack
from redis import Redis
from sqlalchemy import Connection, Engine, func, insert, select, update

from gateway import keys, offers, scripts, store
from gateway.orders import runs, tables
from gateway.orders.fence import FenceWatcher
from gateway.orders.ledger import Ledger
from gateway.orders.message import Entry, Ticket, Winner
from gateway.orders.stream import RawEntry, WinnersStreams
from gateway.orders.writer import WriterTeam
from gateway.settings import Settings

HOUR_MS = 3_600_000
ROOT = Path(__file__).parents[3]


class Shop:
    """One ledger and one Redis of its own."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self.engine = engine
        self.redis = store.connect(settings.redis_url)
        self._order_numbers = 0
        self._processes: list[subprocess.Popen[str]] = []

    def publish(
        self,
        offer: str,
        *,
        stock: int,
        limit: int = 1,
        pay_within_ms: int = HOUR_MS,
        seed: bool = True,
        buckets: int = 1,
    ) -> None:
        """Put an offer on sale; without `seed` only the ledger knows it."""
        now = int(time.time() * 1000)
        terms = offers.Terms(
            offer=offer,
            version=1,
            epoch=keys.FIRST_EPOCH,
            state="open",
            starts_at_ms=now - HOUR_MS,
            ends_at_ms=now + HOUR_MS,
            price=9900,
            limit=limit,
            pay_within_ms=pay_within_ms,
            card={"name": "Kettle", "currency": "TWD"},
            buckets=buckets,
        )
        with self.engine.begin() as connection:
            connection.execute(
                insert(tables.offers).values(
                    id=offer,
                    campaign="noon",
                    sku="kettle",
                    version=1,
                    published_version=1,
                    seeded=True,
                    state=terms.state,
                    starts_at_ms=terms.starts_at_ms,
                    ends_at_ms=terms.ends_at_ms,
                    price=terms.price,
                    limit_per_shopper=limit,
                    pay_within_ms=pay_within_ms,
                    stock=stock,
                    unit_cap=stock,
                    epoch=terms.epoch,
                    buckets=buckets,
                    card='{"name": "Kettle", "currency": "TWD"}',
                )
            )
        if seed:
            offers.publish(self.redis, terms, seed=stock, lease_ms=1)

    def click(
        self,
        offer: str,
        shoppers: list[str],
        *,
        quantity: int = 1,
        epoch: int = keys.FIRST_EPOCH,
        buckets: int = 1,
    ) -> dict[str, Ticket]:
        """One batch of clicks per bucket, decided by the real script; the tickets won."""
        won: dict[str, Ticket] = {}
        for bucket in keys.bucket_numbers(buckets):
            names = [name for name in shoppers if keys.home_bucket(name.encode(), buckets) == bucket]
            if names:
                won |= self._click(offer, bucket, names, quantity, epoch)
        return won

    def _click(self, offer: str, bucket: int, shoppers: list[str], quantity: int, epoch: int) -> dict[str, Ticket]:
        numbers = [self.order_no() for _ in shoppers]
        clicks = [shoppers, numbers, [quantity] * len(shoppers), numbers, 0]
        shard = keys.shard_of(offer, bucket)
        values = {
            "run_id": offers.run_id(self.redis, shard),
            "version": self.redis.hget(keys.offer(offer, bucket), "version") or 1,
            "epoch": epoch,
            "deadline_ms": int(time.time() * 1000) + HOUR_MS,
            "rate_limit": 0,
            "window_ms": 1000,
            "lease_ms": 1,
            "clicks": msgpack.packb(clicks, use_bin_type=False),
        }
        script = scripts.load("admit")
        reply = script.call(
            self.redis,
            {
                "offer": keys.offer(offer, bucket),
                "buyers": keys.buyers(offer, epoch, bucket),
                "freed": keys.freed(offer, epoch, bucket),
                "even": keys.rate(offer, 0, bucket),
                "odd": keys.rate(offer, 1, bucket),
                "stream": keys.stream(shard),
                "counters": keys.counters(shard),
            },
            values,
        )
        assert reply[0] == "DECIDED", reply
        named = dict(zip(script.words["DECIDED"], reply[1:], strict=False))
        letters = named["letters"].decode()
        details = iter(reply[1 + list(script.words["DECIDED"]).index("letters") + 1 :])
        won = {}
        for shopper, letter in zip(shoppers, letters, strict=True):
            detail = next(details) if script.letters[letter] else None
            if letter == "W":
                won[shopper] = Ticket.parse(detail)
        return won

    def order_no(self) -> str:
        """An order number that was not used before."""
        self._order_numbers += 1
        return f"ORDER{self._order_numbers:08d}"

    def sell(self, offer: str, count: int, *, batch: int = 100, prefix: str = "shopper") -> dict[str, Ticket]:
        """Sell one unit each to `count` new shoppers, so many clicks in a batch."""
        won: dict[str, Ticket] = {}
        names = [f"{prefix}-{number}" for number in range(count)]
        for start in range(0, count, batch):
            won |= self.click(offer, names[start : start + batch])
        assert len(won) == count
        return won

    def forge(
        self, offer: str, winners: list[tuple[bytes, bytes]], *, packed: bytes | None = None, **changed: int
    ) -> str:
        """Append an entry that no script wrote, counted as issued like a real one."""
        flat = [part for winner in winners for part in winner]
        fields = {
            "offer": offer,
            "bucket": 0,
            "epoch": keys.FIRST_EPOCH,
            "count": len(winners),
            "winners": packed or msgpack.packb(flat, use_bin_type=False),
        }
        shard = keys.shard_of(offer)
        self.redis.hincrby(keys.counters(shard), "issued", len(winners))
        return self.redis.xadd(keys.stream(shard), fields | changed).decode()

    def write(self, *, min_pay_window_ms: int = 0) -> None:
        """Write what the stream carries into the ledger, without a writer and without its chores."""
        ledger = Ledger(self.engine, min_pay_window_ms=min_pay_window_ms, currency="TWD")
        for shard in keys.shards():
            entries = [Entry.parse(entry_id, fields) for entry_id, fields in self.redis.xrange(keys.stream(shard))]
            assert not any(each.letters for each in ledger.write(shard, entries))

    @contextmanager
    def holding_offers(self) -> Iterator[Connection]:
        """Hold the ledger's offers as recovery does, until the end of the block."""
        with self.engine.begin() as connection:
            connection.execute(select(tables.offers.c.id).with_for_update())
            yield connection

    def orders(self) -> dict[str, tuple[str, str, tuple[int, ...]]]:
        """Order number → (offer, shopper, active units in order)."""
        with self.engine.connect() as connection:
            found = {
                row.order_no: (row.offer, row.shopper, ())
                for row in connection.execute(select(tables.orders)).all()
            }
            for row in connection.execute(
                select(tables.order_units).order_by(tables.order_units.c.order_no, tables.order_units.c.unit)
            ):
                offer, shopper, units = found[row.order_no]
                found[row.order_no] = (offer, shopper, (*units, row.unit))
        return found

    def order_count(self) -> int:
        with self.engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(tables.orders)).scalar_one()

    def set_ledger(self, offer: str, **values: int) -> None:
        """Change the ledger's row of an offer, as an operator's tool or recovery would."""
        with self.engine.begin() as connection:
            connection.execute(update(tables.offers).where(tables.offers.c.id == offer).values(**values))

    def counters(self) -> dict[str, int]:
        """Of all shards together."""
        total: Counter[str] = Counter()
        for shard in keys.shards():
            found = self.redis.hgetall(keys.counters(shard))
            total.update({name.decode(): int(count) for name, count in found.items()})
        return dict(total)

    def dead(self) -> list[dict[bytes, bytes]]:
        return [fields for shard in keys.shards() for _, fields in self.redis.xrange(keys.dead(shard))]

    def pending(self) -> int:
        return sum(
            self.redis.xpending(stream, keys.ORDER_GROUP)["pending"]
            for stream in map(keys.stream, keys.shards())
            if self.redis.exists(stream)
        )

    def pending_winners(self) -> int:
        """Winners in entries that were given to a writer and are not settled."""
        return sum(
            int(self.redis.xrange(stream, each["message_id"], each["message_id"])[0][1][b"count"])
            for stream in map(keys.stream, keys.shards())
            if self.redis.exists(stream)
            for each in self.redis.xpending_range(stream, keys.ORDER_GROUP, "-", "+", 100_000)
        )

    def backlog(self) -> int:
        counters = self.counters()
        return counters.get("issued", 0) - counters.get("committed", 0)

    def settled(self) -> bool:
        """Whether the writers have settled all that was ever issued."""
        return self.backlog() == 0 and self.pending() == 0

    def ledger(self) -> Ledger:
        """The orders, to be written without a writer."""
        return Ledger(self.engine, min_pay_window_ms=300_000, currency="TWD")

    def watcher(self) -> FenceWatcher:
        """Somebody who looks after the fence; to be closed."""
        return FenceWatcher(self.settings, self.engine, self.ledger())

    def approved(self, offer: str) -> bool:
        """Whether an offer may sell on the Redis that runs now."""
        found = offers.read(self.redis, offer)
        return found is not None and runs.open_on(found, runs.now(self.redis))

    @contextmanager
    def writer(self) -> Iterator[WriterTeam]:
        """Writers at work in threads of this process, stopped at the end."""
        writer = WriterTeam(self.settings, self.engine)
        thread = threading.Thread(target=writer.run, name="order-writer")
        thread.start()
        try:
            yield writer
        finally:
            writer.stop()
            thread.join(timeout=20)
            assert not thread.is_alive()

    def start_process(self) -> subprocess.Popen[str]:
        """A writer as a process of its own, to be killed."""
        code = "import sys; from gateway.orders import writer; from gateway.settings import Settings;"
        return self.start_python(code + "sys.exit(writer.run(Settings.from_env()))")

    def start_python(self, code: str) -> subprocess.Popen[str]:
        """A process of its own that runs `code` with this shop's settings."""
        environment = {
            "SECKILL_REDIS_URL": self.settings.redis_url,
            "SECKILL_DATABASE_URL": self.settings.database_url,
            "SECKILL_WRITER_TAKEOVER_MS": str(self.settings.writer_takeover_ms),
            "SECKILL_WRITER_BATCH": str(self.settings.writer_batch),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        """Leave no process and no connection behind."""
        for process in self._processes:
            process.kill()
            process.wait()
            process.stderr.close()
        self.redis.close()


def read_new(client: Redis, entries: int, *, consumer: str, shard: int = 0) -> list[RawEntry]:
    """What a consumer is given when it reads all streams, of the shard's."""
    streams = WinnersStreams(client, consumer)
    for each in streams:
        each.ensure_group()
    return [entry for each, found in streams.read_new(entries, 1) if each.shard == shard for entry in found]


def entry(offer: str, winners: list[tuple[str, str]], *, number: int = 1, epoch: int = 1) -> Entry:
    """An entry for the ledger alone."""
    return Entry(
        f"{number}-0",
        offer,
        0,
        epoch,
        tuple(Winner(shopper.encode(), ticket.encode()) for shopper, ticket in winners),
    )


def ticket(order_no: str, units: str, slots: str = "1", *, price: int = 9900) -> str:
    """A ticket's text."""
    return f"{order_no},{units},{slots},{price},1700000900000,1700000000000,"
