"""The Lua commands called as the gateway calls them, and their replies read back."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

import msgpack
from redis import Redis

from gateway import keys, offers, scripts
from gateway.orders.message import Ticket

HOUR_MS = 3_600_000
_order_numbers = itertools.count(1)


def redis_now_ms(client: Redis) -> int:
    """Redis time, epoch ms."""
    seconds, microseconds = client.time()  # type: ignore[misc]
    return int(seconds) * 1000 + int(microseconds) // 1000


def call(client: Redis, name: str, named: dict[str, str], args: dict[str, Any]) -> list[Any]:
    """Run a command; its reply has the shape that its header promises."""
    script = scripts.load(name)
    reply = script.call(client, named, args)
    promised = script.words[reply[0]]
    if not promised or not promised[-1].endswith("*"):
        assert len(reply) == 1 + len(promised), f"{name} answered {reply}, its header says {promised}"
    return reply


@dataclass
class Reply:
    """What `admit` said. `details` has one element per click, None where the letter has none."""

    word: str
    now_ms: int
    sequence: int = 0
    left: int = 0
    lease_ms: int = 0
    letters: str = ""
    details: list[Any] = field(default_factory=list)

    def ticket(self, index: int = 0) -> Ticket:
        """The ticket of one click."""
        return Ticket.parse(self.details[index])

    @property
    def units(self) -> list[int]:
        """All units won by this batch, in order."""
        won = (index for index, letter in enumerate(self.letters) if letter == "W")
        return [unit for index in won for unit in self.ticket(index).units]


@dataclass
class Sale:
    """One offer on sale and how to click on it."""

    client: Redis
    id: str
    version: int = 1
    epoch: int = keys.FIRST_EPOCH
    run_id: str = ""
    bucket: int = 0

    @classmethod
    def open(cls, client: Redis, offer_id: str, *, stock: int, **terms: Any) -> Sale:
        """Publish an offer that runs, unless `terms` say otherwise."""
        sale = cls(client, offer_id, run_id=offers.run_id(client))
        assert sale.set_terms(seed=stock, **terms) == "CREATED"
        return sale

    def terms(self, **changed: Any) -> offers.Terms:
        """Terms of a running offer with some of them changed."""
        now = redis_now_ms(self.client)
        usual = {
            "offer": self.id,
            "version": self.version,
            "epoch": self.epoch,
            "state": "open",
            "starts_at_ms": now - HOUR_MS,
            "ends_at_ms": now + HOUR_MS,
            "price": 9900,
            "limit": 1,
            "pay_within_ms": 900_000,
            "card": {"name": "Kettle"},
        }
        return offers.Terms(**(usual | changed))  # type: ignore[arg-type]

    def set_terms(self, *, seed: int | None = None, lease_ms: int = 1, **changed: Any) -> str:
        """Publish terms; with the version given, this sale goes on with it."""
        terms = self.terms(**changed)
        word = offers.publish(self.client, terms, seed=seed, lease_ms=lease_ms)
        self.version = max(self.version, terms.version)
        return word

    def named(self) -> dict[str, str]:
        """Every key of the offer's bucket by the name that headers use."""
        shard = keys.shard_of(self.id, self.bucket)
        return {
            "offer": keys.offer(self.id, self.bucket),
            "buyers": keys.buyers(self.id, self.epoch, self.bucket),
            "freed": keys.freed(self.id, self.epoch, self.bucket),
            "retired": keys.retired(self.id, self.epoch, self.bucket),
            "operations": keys.operations(self.id, self.epoch, self.bucket),
            "transfers": keys.transfers(self.id, self.epoch, self.bucket),
            "even": keys.rate(self.id, 0, self.bucket),
            "odd": keys.rate(self.id, 1, self.bucket),
            "stream": keys.stream(shard),
            "dead": keys.dead(shard),
            "filed": keys.filed(shard),
            "counters": keys.counters(shard),
            "offers": keys.offers(shard),
            "clicks": keys.clicks(self.id, self.bucket),
        }

    def admit(
        self,
        *shoppers: str | bytes,
        quantities: list[int] | int = 0,
        click_keys: list[str] | int = 0,
        eligible: str | int = 0,
        order_numbers: list[str] | None = None,
        rate_limit: int = 0,
        window_ms: int = 1000,
        lease_ms: int = 200,
        **args: Any,
    ) -> Reply:
        """One batch of clicks."""
        script = scripts.load("admit")
        numbers = order_numbers or [f"no{next(_order_numbers)}" for _ in shoppers]
        usual = {
            "run_id": self.run_id,
            "version": self.version,
            "epoch": self.epoch,
            "deadline_ms": redis_now_ms(self.client) + 5000,
            "rate_limit": rate_limit,
            "window_ms": window_ms,
            "lease_ms": lease_ms,
            "clicks": msgpack.packb((shoppers, numbers, quantities, click_keys, eligible), use_bin_type=False),
        }
        named = self.named()
        reply = call(self.client, "admit", {key: named[key] for key in script.keys}, usual | args)
        if reply[0] != "DECIDED":
            return Reply(reply[0], reply[1])
        _, now_ms, sequence, left, lease, letters, *details = reply
        following = iter(details)
        each = [next(following) if script.letters[letter] else None for letter in letters.decode()]
        assert next(following, None) is None, "more details than letters that carry one"
        assert len(letters) == len(shoppers)
        return Reply(reply[0], now_ms, sequence, left, lease, letters.decode(), each)

    def adjust(
        self, delta: int, operation_id: str = "", *, lease_ms: int = 0, epoch: int | None = None
    ) -> list[Any]:
        """One stock operation of an offer with one bucket, without waiting for its hold."""
        named = self.named()
        reply = call(
            self.client,
            "adjust_stock",
            {key: named[key] for key in scripts.load("adjust_stock").keys},
            {
                "operation_id": operation_id or f"op{next(_order_numbers)}",
                "delta": delta,
                "epoch": self.epoch if epoch is None else epoch,
                "lease_ms": lease_ms,
                "allot": 0,
                "first": 0,
            },
        )
        # Only several buckets have to know where the new numbers begin.
        return reply[:-1] if reply[0] in {"APPLIED", "REPEATED"} else reply

    def release(
        self, shopper: str | bytes, order_no: str, *units: int, lease_ms: int = 0, epoch: int | None = None
    ) -> list[Any]:
        """Give units of an order back for sale."""
        named = self.named()
        return call(
            self.client,
            "release",
            {key: named[key] for key in scripts.load("release").keys},
            {
                "order_no": order_no,
                "shopper": shopper,
                "epoch": self.epoch if epoch is None else epoch,
                "units": ".".join(map(str, units)),
                "lease_ms": lease_ms,
            },
        )

    def free(self, *numbers: int) -> None:
        """Give units back, whoever holds them."""
        wanted = set(numbers)
        for shopper, record in self.client.hgetall(self.named()["buyers"]).items():  # type: ignore[union-attr]
            for ticket in map(Ticket.parse, record.split(b"|")):
                if held := wanted & set(ticket.units):
                    self.release(shopper, ticket.order_no, *held)
                    wanted -= held
        assert not wanted, "nobody holds that unit"

    def number(self, name: str) -> int:
        """One number of the offer's hash."""
        return int(self.client.hget(self.named()["offer"], name) or 0)  # type: ignore[arg-type]

    def record(self, shopper: str) -> list[Ticket]:
        """The shopper's tickets as Redis has them."""
        record: Any = self.client.hget(self.named()["buyers"], shopper)
        return [Ticket.parse(part) for part in record.split(b"|")] if record else []

    def zset(self, name: str) -> list[int]:
        """The numbers of `freed` or `retired`."""
        return [int(number) for number in self.client.zrange(self.named()[name], 0, -1)]  # type: ignore[union-attr]

    def streamed(self) -> list[tuple[bytes, bytes]]:
        """(shopper, ticket) of every winner that the stream carries for this offer."""
        found = []
        for _, fields in self.client.xrange(self.named()["stream"]):  # type: ignore[union-attr]
            if fields[b"offer"].decode() == self.id:
                flat = msgpack.unpackb(fields[b"winners"], raw=True)
                assert int(fields[b"count"]) * 2 == len(flat)
                found += [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
        return found

    def everything(self) -> dict[str, Any]:
        """All that Redis holds of this offer, to see that nothing has changed."""
        named = self.named()
        held: dict[str, Any] = {
            name: self.client.hgetall(named[name]) for name in ("offer", "buyers", "operations", "even", "odd")
        }
        return held | {"freed": self.zset("freed"), "retired": self.zset("retired"), "stream": self.streamed()}

    def wait_for_window(self, window_ms: int, *, parity: int | None = None, within_ms: int) -> None:
        """Until Redis time is in the first `within_ms` of a rate window (even or odd when told)."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            now = redis_now_ms(self.client)
            if now % window_ms < within_ms and parity in (None, now // window_ms % 2):
                return
        raise AssertionError("no such window came")


def set_offer(sale: Sale, terms: offers.Terms, *, lease_ms: int) -> list[Any]:
    """Terms of an offer that exists, as the command takes them and without waiting for its hold."""
    shown = ("state", "starts_at_ms", "ends_at_ms", "price", "limit", "pay_within_ms")
    fields = {name: str(getattr(terms, name)) for name in shown} | {"card": "{}"}
    return call(
        sale.client,
        "set_offer",
        {name: sale.named()[name] for name in ("offer", "offers")},
        {
            "id": sale.id,
            "bucket": 0,
            "version": terms.version,
            "epoch": sale.epoch,
            "run_id": sale.run_id,
            "stock": "",
            "lease_ms": lease_ms,
            "terms": msgpack.packb([part for pair in fields.items() for part in pair], use_bin_type=False),
            "buckets": 1,
            "first": 1,
            "unit_cap": 0,
        },
    )
