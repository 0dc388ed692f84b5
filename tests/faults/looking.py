"""What is there when all is quiet: the operators' list of orders, everybody's own view, and Redis itself.

Redis is read by its documented key names; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis import Redis

from tests.faults.client import ask, mint
from tests.faults.sale import Offer, Sale
from tests.faults.stack import Stack

SHARD = "sk1:{s0}:"
GROUP = "order-writers"
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
    next_unit: int
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
    raw: dict[bytes, bytes] = redis.hgetall(f"{SHARD}offer:{offer.id}:0")
    kept = {name.decode(): value.decode() for name, value in raw.items()}
    epoch = kept.get("epoch", "1")
    buyers: dict[bytes, bytes] = redis.hgetall(f"{SHARD}buyers:{offer.id}:0:{epoch}")
    freed = redis.zrange(f"{SHARD}freed:{offer.id}:0:{epoch}", 0, -1)
    return OfferEnd(
        offer,
        *(int(kept.get(name, -1)) for name in ("stock", "left", "next_unit", "freed")),
        freed=[int(unit) for unit in freed],
        tickets={shopper.decode(): tickets(record.decode()) for shopper, record in buyers.items()},
    )


def backlog(redis: Redis) -> tuple[int, int]:
    """Entries that a writer was given and has not settled, and entries that nobody was given yet."""
    stream = f"{SHARD}stream"
    if not redis.exists(stream):
        return 0, 0
    groups: Any = redis.xinfo_groups(stream)
    group = next((each for each in groups if each["name"] == GROUP.encode()), None)
    if group is None:
        return 0, int(redis.xlen(stream))
    last = group["last-delivered-id"].decode()
    return int(group["pending"]), len(redis.xrange(stream, min=f"({last}", count=1000))


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
        for number, fields in redis.xrange(f"{SHARD}dead"):
            end.dead.append({"id": number.decode()} | {k.decode(): v.decode() for k, v in fields.items()})
        issued, committed = redis.hmget(f"{SHARD}counters", "issued", "committed")
        end.issued, end.committed = int(issued or 0), int(committed or 0)
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
