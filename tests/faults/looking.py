"""What is there when all is quiet: the operators' list of orders, everybody's own view, and Redis itself.

Redis is read by its key names; nothing is changed. An offer's buckets are looked at together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis import Redis

from gateway import keys
from tests.faults.client import ask, mint
from tests.faults.sale import Offer, Sale
from tests.faults.stack import Stack

ASKED_BESIDES = 150
"""Of those who know, about so many are asked for their tickets as well."""


@dataclass
class Ticket:
    """A ticket as Redis keeps it."""

    order_no: str
    units: list[int]
    price: int
    won_ms: int


@dataclass
class OfferEnd:
    """One offer at the end: as it was set up, as Redis has it, as the report shows it."""

    offer: Offer
    stock: int
    left: int
    fresh: list[int]
    """Numbers that were never issued, of all buckets."""
    freed_said: int
    freed: list[int]
    tickets: dict[str, list[Ticket]]
    report: dict[str, Any] = field(default_factory=dict)
    last_probe: str = ""


@dataclass
class End:
    """Everything at the end of a run. Orders are those of the operators' API, by order number."""

    offers: dict[str, OfferEnd] = field(default_factory=dict)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    mine: dict[tuple[str, str], tuple[str, list[str]]] = field(default_factory=dict)
    pending: int = 0
    undelivered: int = 0
    dead: list[dict[str, str]] = field(default_factory=list)
    issued: int = 0
    committed: int = 0
    reconcile: str = ""


def instant_ms(text: str) -> float:
    """An instant of the API in epoch ms."""
    return datetime.fromisoformat(text).timestamp() * 1000


def orders(sale: Sale, offer: Offer) -> list[dict[str, Any]] | None:
    """All orders of an offer; None when they cannot be read now."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        status, page = sale.operator("GET", f"/orders?offer={offer.id}&limit=500{cursor}")
        if status != 200:
            return None
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


def tickets(text: str) -> list[Ticket]:
    """The tickets of one buyer's record."""
    found = []
    for each in text.split("|"):
        if each:
            order_no, units, _slots, price, _pay_by, won, *_ = each.split(",")
            found.append(Ticket(order_no, [int(unit) for unit in units.split(".")], int(price), int(won)))
    return found


def offer_end(redis: Redis, offer: Offer) -> OfferEnd:
    """One offer as Redis has it."""
    end = OfferEnd(offer, stock=0, left=0, fresh=[], freed_said=0, freed=[], tickets={})
    for bucket in keys.bucket_numbers(int(redis.hget(keys.offer(offer.id), "buckets") or 1)):  # type: ignore[arg-type]
        raw: dict[bytes, bytes] = redis.hgetall(keys.offer(offer.id, bucket))  # type: ignore[assignment]
        kept = {name.decode(): value.decode() for name, value in raw.items()}
        epoch = int(kept.get("epoch", "1"))
        end.stock += int(kept.get("stock", -1))
        end.left += int(kept.get("left", -1))
        end.freed_said += int(kept.get("freed", -1))
        end.fresh += [*range(int(kept.get("next_unit", 1)), int(kept.get("unit_top", 0)) + 1), *_ranges(kept)]
        end.freed += [int(unit) for unit in redis.zrange(keys.freed(offer.id, epoch, bucket), 0, -1)]  # type: ignore[union-attr]
        buyers: dict[bytes, bytes] = redis.hgetall(keys.buyers(offer.id, epoch, bucket))  # type: ignore[assignment]
        for shopper, record in buyers.items():
            end.tickets.setdefault(shopper.decode(), []).extend(tickets(record.decode()))
    return end


def _ranges(kept: dict[str, str]) -> Iterator[int]:
    """The numbers of `ranges`, as `first-last,first-last`."""
    for text in filter(None, kept.get("ranges", "").split(",")):
        first, _, last = text.partition("-")
        yield from range(int(first), int(last) + 1)


def backlog(redis: Redis) -> tuple[int, int]:
    """Entries that a writer was given and has not settled, and entries that nobody was given yet; of all shards."""
    pending = undelivered = 0
    for stream in map(keys.stream, keys.shards()):
        if not redis.exists(stream):
            continue
        groups: Any = redis.xinfo_groups(stream)
        group = next((each for each in groups if each["name"] == keys.ORDER_GROUP.encode()), None)
        last = group["last-delivered-id"].decode() if group is not None else "0-0"
        pending += int(group["pending"]) if group is not None else 0
        undelivered += len(redis.xrange(stream, min=f"({last}", count=1000))  # type: ignore[arg-type]
    return pending, undelivered


def mine(stack: Stack, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, list[str]]]:
    """What each shopper is told about each offer."""

    def one(pair: tuple[str, str]) -> tuple[str, list[str]]:
        shopper, offer = pair
        for _ in range(20):
            status, said = ask(f"{stack.gateway_url}/seckill/{offer}/mine", token=mint(stack.token_secret, shopper))
            if status == 200:
                return str(said["outcome"]), sorted(str(each["order_no"]) for each in said["tickets"])
        return f"status {status}", []

    wanted = sorted(set(pairs))
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(wanted, pool.map(one, wanted), strict=True))


def look(stack: Stack, sale: Sale) -> End:
    """Everything at the end."""
    end = End()
    with stack.redis() as redis:
        for offer in sale.offers.values():
            end.offers[offer.id] = offer_end(redis, offer)
        end.pending, end.undelivered = backlog(redis)
        for shard in keys.shards():
            for number, fields in redis.xrange(keys.dead(shard)):  # type: ignore[union-attr]
                end.dead.append({"id": number.decode()} | {k.decode(): v.decode() for k, v in fields.items()})
            issued, committed = redis.hmget(keys.counters(shard), "issued", "committed")  # type: ignore[misc]
            end.issued, end.committed = end.issued + int(issued or 0), end.committed + int(committed or 0)
    for offer in sale.offers.values():
        end.orders |= {each["order_no"]: each for each in orders(sale, offer) or []}
        status, report = sale.operator("GET", f"/campaigns/{offer.campaign}/report")
        if status == 200:
            end.offers[offer.id].report = next((each for each in report["offers"] if each["offer"] == offer.id), {})
    clicks = [op for op in sale.history.ops if op.verb == "click"]
    unsure = {(op.shopper, op.offer) for op in clicks if op.open}
    others = {(op.shopper, op.offer) for op in clicks} - unsure
    end.mine = mine(stack, [*unsure, *sorted(others)[:: max(1, len(others) // ASKED_BESIDES)]])
    return end
