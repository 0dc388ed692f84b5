"""An offer with several buckets, and the commands on them called as gateways and control plane call them."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from redis import Redis

from gateway import buckets, keys, offers, scripts
from gateway.buckets import Transfer
from tests.lua.calling import Reply, Sale, call


class Divided:
    """One offer that is divided; `sales` are its buckets by number."""

    def __init__(self, client: Redis, offer_id: str, *, stock: int, count: int = 3, **terms: Any) -> None:
        self.client = client
        self.id = offer_id
        self.count = count
        self.epoch = keys.FIRST_EPOCH
        run_id = offers.run_id(client)
        self.sales = {
            number: Sale(client, offer_id, run_id=run_id, bucket=number) for number in keys.bucket_numbers(count)
        }
        self.run_id = run_id
        assert self.first.set_terms(seed=stock, buckets=count, **terms) == "CREATED"

    def as_seen_by(self, client: Redis) -> Divided:
        """The same over another connection."""
        other = copy.copy(self)
        other.client = client
        other.sales = {number: replace(sale, client=client) for number, sale in self.sales.items()}
        return other

    @property
    def first(self) -> Sale:
        """The first bucket."""
        return self.sales[0]

    def admit(self, bucket: int, *shoppers: str, **args: Any) -> Reply:
        """One batch of clicks in a bucket."""
        return self.sales[bucket].admit(*shoppers, **args)

    def call(self, name: str, bucket: int, **args: Any) -> list[Any]:
        """A command on one bucket."""
        named = self.sales[bucket].named()
        return call(self.client, name, {key: named[key] for key in scripts.load(name).keys}, args)

    def give(self, source: int, dest: int, wanted: int, **args: Any) -> list[Any]:
        """Take units off a bucket for another."""
        usual = {"run_id": self.run_id, "epoch": self.epoch, "dest": dest, "wanted": wanted}
        return self.call("give", source, **(usual | args))

    def receive(self, transfer: Transfer, **args: Any) -> list[Any]:
        """Add them there."""
        usual = {
            "run_id": self.run_id,
            "epoch": self.epoch,
            "source": transfer.source,
            "number": transfer.number,
            "units": transfer.units,
        }
        return self.call("receive", transfer.dest, **(usual | args))

    def close(self, transfer: Transfer) -> str:
        """Strike the transfer out."""
        return str(self.call("close", transfer.source, dest=transfer.dest, number=transfer.number)[0])

    def start(self, source: int, dest: int, wanted: int) -> Transfer:
        """Begin a transfer."""
        word, number, units = self.give(source, dest, wanted)
        assert word == "GIVEN"
        return Transfer(source, dest, number, units.decode())

    def move(self, source: int, dest: int, wanted: int) -> Transfer:
        """A whole transfer."""
        transfer = self.start(source, dest, wanted)
        assert self.receive(transfer)[0] == "RECEIVED"
        assert self.close(transfer) == "CLOSED"
        return transfer

    def mark_dry(self, bucket: int, left: int = 0, *, lasts_ms: int, **args: Any) -> str:
        """Say of a bucket that all together have so many left."""
        usual = {"epoch": self.epoch, "sequence": self.sales[bucket].number("sequence")}
        return str(self.call("mark_dry", bucket, left=left, lasts_ms=lasts_ms, **(usual | args))[0])

    def freeze(self, bucket: int, operation_id: str, target: int) -> list[Any]:
        """Take units of a cut off sale."""
        return self.call("freeze", bucket, operation_id=operation_id, target=target, epoch=self.epoch)

    def unfreeze(self, bucket: int, operation_id: str) -> list[Any]:
        """Give up a cut."""
        return self.call("unfreeze", bucket, operation_id=operation_id, epoch=self.epoch)

    def read(self) -> list[buckets.Bucket]:
        """All buckets as Redis has them."""
        found = buckets.read_all(self.client, self.id, self.epoch, self.count)
        assert None not in found
        return [bucket for bucket in found if bucket is not None]

    def left(self) -> list[int]:
        """What is left in each bucket."""
        return [bucket.left for bucket in self.read()]

    def numbers(self, bucket: int) -> list[int]:
        """Every number that may be sold from a bucket now."""
        sale = self.sales[bucket]
        text: Any = self.client.hget(sale.named()["offer"], "ranges") or b""
        fresh = [(sale.number("next_unit"), sale.number("unit_top")), *buckets.ranges_of(text.decode())]
        return sorted([number for first, last in fresh for number in range(first, last + 1)] + sale.zset("freed"))

    def off_sale(self, bucket: int) -> list[int]:
        """Every number that a cut has taken off sale in a bucket."""
        sale = self.sales[bucket]
        text: Any = self.client.hget(sale.named()["offer"], "retired_ranges") or b""
        parts = buckets.ranges_of(text.decode())
        return sorted([n for first, last in parts for n in range(first, last + 1)] + sale.zset("retired"))

    def held(self, bucket: int) -> list[int]:
        """Every number that a shopper of a bucket holds."""
        records: Any = self.client.hvals(self.sales[bucket].named()["buyers"])
        tickets = [ticket for record in records for ticket in record.split(b"|")]
        return sorted(int(unit) for ticket in tickets for unit in ticket.split(b",")[1].split(b"."))

    def moving(self) -> list[int]:
        """Every number that is in no bucket, because it is on its way."""
        parts = [part for each in buckets.on_the_way(self.read()) for part in buckets.ranges_of(each.units)]
        return [number for first, last in parts for number in range(first, last + 1)]

    def check(self, *, allotted: int | None = None) -> None:
        """No number is in two places, none is lost, and every count is that of the numbers."""
        everywhere = self.moving()
        for number, sale in self.sales.items():
            here, held = self.numbers(number), self.held(number)
            assert sale.number("left") == len(here), f"bucket {number} counts what is left in it"
            assert sale.number("stock") == len(here) + len(held), f"bucket {number} counts what it has"
            assert sale.number("freed") == len(sale.zset("freed"))
            everywhere += here + held + self.off_sale(number)
        top = self.first.number("unit_cap") if allotted is None else allotted
        assert sorted(everywhere) == list(range(1, top + 1))
