"""The thread that samples watched sales once a second, and the streams that tell of them.

A sale is sampled once, whoever watches. What the ledger says of it is read again at most a tenth of the time, so
that a large campaign never keeps the database busy. Samples outlive their watchers for a while: who comes back
sees what happened meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from admin.errors import NotFound, Unavailable
from admin.live import counting, ledger
from admin.live.counting import Counts
from admin.live.ledger import Sale
from admin.live.models import Live, LiveHealth, LiveOffer, LiveOrders, LivePoint, LiveSale, LiveWinner
from admin.resources import Resources
from admin.streaming import Streaming, Topic, framed

ALL = ""
"""The topic of all sales."""
HISTORY = 120
"""Points that are kept: as many seconds."""
SMOOTHED = 4
"""Gateways report once a second, each at its own instant: rates are of so many samples together."""
TOO_SHORT_S = 0.5
"""From looks that nearly coincide no rate can be told."""
LINGER_S = 120.0
"""A sale is sampled for so long after the last one looked."""
TOPICS_MAX = 32


class Watched(Topic):
    """One sale, or all of them, with what was sampled lately."""

    def __init__(self, loop: asyncio.AbstractEventLoop, code: str) -> None:
        super().__init__(loop)
        self.code = code
        self.seen_s = time.monotonic()
        self.latest: Live | None = None
        self.history: deque[LivePoint] = deque(maxlen=HISTORY)
        self.counts: deque[Counts] = deque(maxlen=SMOOTHED)
        self.sales: list[Sale] = []
        self.orders: LiveOrders | None = None
        self.winners: list[LiveWinner] = []
        self.rest_until_s = 0.0
        self.database_away = False

    def greeting(self) -> bytes:
        """The latest sample with the history before it."""
        full = self.in_full()
        return b"" if full is None else framed(full.model_dump_json().encode())

    def in_full(self) -> Live | None:
        """The same as a model."""
        latest = self.latest
        return None if latest is None else latest.model_copy(update={"history": list(self.history)})


class LiveWatching(Streaming):
    """All streams about sales of one process, and the samples that feed them."""

    name = "watching of sales"
    interval_s = 1.0
    streams_max = 200

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._writer_seen_s = time.monotonic()

    def topic(self, name: str) -> Watched:
        """The sale of a code, which is sampled from now on; in the event loop.

        Raises:
            Unavailable: too many sales are watched.
        """
        found = self.topics.get(name)
        if found is None:
            if len(self.topics) >= TOPICS_MAX:
                raise Unavailable("too many sales are watched at once: close some", code="too_many_streams")
            found = self.topics[name] = Watched(asyncio.get_running_loop(), name)
        assert isinstance(found, Watched)
        found.seen_s = time.monotonic()
        return found

    def left(self, name: str) -> None:
        """The last watcher has gone: the samples go on for a while."""
        self.topic(name)

    def sample(self, topic: Watched) -> Live:
        """Look at a sale, and tell its watchers.

        Raises:
            NotFound: there is no such seckill.
        """
        self._read_ledger(topic)
        offers = [offer for sale in topic.sales for offer in sale.offers]
        counts, self._writer_seen_s = counting.count(self._resources.redis, offers, self._writer_seen_s)
        topic.counts.append(counts)
        at = self._resources.iso(time.time_ns() // 1_000_000)
        live = _live(topic, counts, at)
        topic.latest = live
        topic.history.append(LivePoint(at=at, clicks=live.rates, held=live.held))
        topic.in_loop(partial(topic.publish, live.model_dump_json().encode()))
        return live

    def round(self) -> None:
        """Sample every sale that is watched, or was lately."""
        for name, topic in list(self.topics.items()):
            assert isinstance(topic, Watched)
            if not topic.watchers and time.monotonic() - topic.seen_s > LINGER_S:
                topic.in_loop(partial(self._forget, name, topic))
                continue
            try:
                self.sample(topic)
            except NotFound:
                topic.in_loop(partial(self._forget, name, topic))
            if self.stopping:
                break

    def _forget(self, name: str, topic: Watched) -> None:
        if self.topics.get(name) is topic and not topic.watchers:
            self.topics.pop(name)

    def _read_ledger(self, topic: Watched) -> None:
        began_s = time.monotonic()
        if began_s < topic.rest_until_s:
            return
        try:
            if topic.code == ALL:
                topic.sales = ledger.sales(self._resources)
            else:
                topic.sales = [ledger.sale(self._resources, topic.code)]
                topic.orders = ledger.sums(self._resources, topic.code)
                topic.winners = ledger.winners(self._resources, _sold_last(topic))
            topic.database_away = False
        except SQLAlchemyError:
            topic.database_away = True
        finished_s = time.monotonic()
        topic.rest_until_s = finished_s + 9 * (finished_s - began_s)


def _sold_last(topic: Watched) -> list[str]:
    sold = topic.counts[-1].offers if topic.counts else {}
    offers = [offer for sale in topic.sales for offer in sale.offers]
    return sorted(offers, key=lambda offer: -sold[offer].sold_at_ms if offer in sold else 0)


def _live(topic: Watched, counts: Counts, at: str) -> Live:
    rates = _rates(topic)
    lines = {offer: _offer(offer, *about, counts) for sale in topic.sales for offer, about in sale.offers.items()}
    one = topic.sales[0] if topic.code != ALL and topic.sales else None
    away = topic.database_away
    ledger_health = LiveHealth(part="ledger", ok=not away, reason="database_away" if away else None)
    by_outcome: dict[str, float] = {}
    for each in rates.values():
        for outcome, rate in each.items():
            by_outcome[outcome] = round(by_outcome.get(outcome, 0) + rate, 1)
    return Live(
        code=one.code if one else None,
        name=one.name if one else None,
        state=one.state if one else None,
        starts_at=one.starts_at if one else None,
        ends_at=one.ends_at if one else None,
        at=at,
        rates=by_outcome,
        held=sum(line.held or 0 for line in lines.values()),
        stock=sum(line.stock or 0 for line in lines.values()),
        offers=list(lines.values()) if one else [],
        orders=topic.orders if one else None,
        winners=topic.winners if one else None,
        writer=counts.writer,
        health=[*counts.health, ledger_health],
        sales=[] if one else [_among_all(sale, lines, rates) for sale in topic.sales],
        history=[],
    )


def _offer(offer: str, sku: str, name: str, counts: Counts) -> LiveOffer:
    found = counts.offers.get(offer)
    return LiveOffer(
        offer=offer,
        sku=sku,
        name=name,
        stock=found.stock if found else None,
        held=found.held if found else None,
        left=found.left if found else None,
        clicks=dict(counts.clicks.get(offer, {})),
    )


def _among_all(sale: Sale, lines: Mapping[str, LiveOffer], rates: Mapping[str, Mapping[str, float]]) -> LiveSale:
    mine = [lines[offer] for offer in sale.offers]
    return LiveSale(
        code=sale.code,
        name=sale.name,
        state=sale.state,
        starts_at=sale.starts_at,
        ends_at=sale.ends_at,
        stock=sum(line.stock or 0 for line in mine),
        held=sum(line.held or 0 for line in mine),
        left=sum(line.left or 0 for line in mine),
        rate=round(sum(sum(rates.get(offer, {}).values()) for offer in sale.offers), 1),
    )


def _rates(topic: Watched) -> dict[str, dict[str, float]]:
    """Clicks per second by offer and outcome, over the samples that are kept."""
    oldest, newest = topic.counts[0], topic.counts[-1]
    passed_s = newest.at_s - oldest.at_s
    if passed_s <= TOO_SHORT_S:
        return {}
    found: dict[str, dict[str, float]] = {}
    for offer, clicks in newest.clicks.items():
        # An offer that came in between has no earlier count.
        before = oldest.clicks.get(offer, clicks)
        grown = {name: number - before.get(name, 0) for name, number in clicks.items()}
        found[offer] = {name: more / passed_s for name, more in grown.items() if more > 0}
    return found
