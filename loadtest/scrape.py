"""What the gateway counts about itself, read from its metrics endpoint."""

from __future__ import annotations

import time
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from loadtest.errors import ApiError

SETTLE_WITHIN_S = 10.0
POLL_S = 0.6
"""Longer than workers take to hand over their totals, so that two equal readings mean rest."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals of all workers. `backlog` is a level: winners that the writer has not settled yet."""

    outcomes: dict[str, int]
    local: int
    batches: int
    batch_clicks: int
    backlog: int

    @property
    def clicks(self) -> int:
        """Clicks answered in all."""
        return sum(self.outcomes.values())

    def since(self, earlier: Counters) -> Counters:
        """What was added since an earlier reading."""
        grown = {word: count - earlier.outcomes.get(word, 0) for word, count in self.outcomes.items()}
        return Counters(
            {word: count for word, count in grown.items() if count},
            self.local - earlier.local,
            self.batches - earlier.batches,
            self.batch_clicks - earlier.batch_clicks,
            self.backlog,
        )


def read(text: str) -> Counters:
    """Read the exposition format."""
    outcomes: dict[str, int] = {}
    totals: dict[str, int] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "seckill_clicks_total":
                outcomes[sample.labels["outcome"]] = round(sample.value)
            elif not sample.labels:
                totals[sample.name] = round(sample.value)
    return Counters(
        outcomes,
        totals.get("seckill_clicks_local_total", 0),
        totals.get("seckill_batch_clicks_count", 0),
        totals.get("seckill_batch_clicks_sum", 0),
        totals.get("seckill_backlog", 0),
    )


def scrape(url: str) -> Counters:
    """Ask a gateway's metrics endpoint."""
    reply = httpx.get(f"{url}/metrics", timeout=10.0, trust_env=False)
    if reply.status_code != 200:
        raise ApiError(f"GET {url}/metrics", reply.status_code, reply.text)
    try:
        return read(reply.text)
    except (ValueError, KeyError) as error:
        raise ApiError(f"GET {url}/metrics", reply.status_code, reply.text) from error


def at_rest(url: str) -> Counters:
    """The totals once workers have handed over what they counted and no click is under way.

    Raises:
        ApiError: the totals do not come to rest.
    """
    end = time.monotonic() + SETTLE_WITHIN_S
    before = scrape(url)
    while time.monotonic() < end:
        time.sleep(POLL_S)
        now = scrape(url)
        if now.clicks == before.clicks:
            return now
        before = now
    raise ApiError(f"{url}/metrics did not come to rest within {SETTLE_WITHIN_S} s", 200, None)
