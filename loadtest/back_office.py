"""What the back office says about offers, read over the operators' API into the form that checks judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from loadtest.checks import OfferFacts, Order
from loadtest.errors import ApiError
from loadtest.operators_api import OperatorsApi, instant_ms

POLL_S = 0.25

Progress = Callable[[int, int], None]
"""Told (units in orders, units given out) while the writer catches up."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Where an offer comes from: its campaign and its item."""

    offer: str
    code: str
    sku: str
    limit: int
    starts_at_ms: int
    ends_at_ms: int


def listings(api: OperatorsApi, offers: Iterable[str]) -> dict[str, Listing]:
    """Find the campaigns of offers.

    Raises:
        ApiError: no campaign has such an offer.
    """
    wanted = set(offers)
    found: dict[str, Listing] = {}
    codes = [each["code"] for each in api.campaigns() if each["type"] == "seckill"]
    for code in codes:
        if not any(offer.startswith(f"{code}-") for offer in wanted):
            continue
        campaign = api.campaign(code)
        for item in campaign["items"]:
            offer = f"{code}-{item['sku']}"
            if offer in wanted:
                found[offer] = Listing(
                    offer,
                    code,
                    item["sku"],
                    campaign["rule"]["limit_per_shopper"],
                    instant_ms(campaign["starts_at"]),
                    instant_ms(campaign["ends_at"]),
                )
    missing = wanted - set(found)
    if missing:
        raise ApiError(f"no campaign sells {', '.join(sorted(missing))}", 404, None)
    return found


def stock_and_left(api: OperatorsApi, listing: Listing) -> tuple[int, int]:
    """Units on sale and units free now, as Redis has them.

    Raises:
        ApiError: the report lacks the offer, or was made without asking Redis.
    """
    report = api.report(listing.code)
    for line in report["offers"] if report["live"] else ():
        if line["offer"] == listing.offer:
            return int(line["stock"]), int(line["left"])
    raise ApiError(f"the report of {listing.code} does not tell about {listing.offer}", 200, report)


def facts(api: OperatorsApi, listing: Listing) -> OfferFacts:
    """Everything the checks want to know about one offer, now."""
    stock, left = stock_and_left(api, listing)
    orders = tuple(
        Order(
            each["order_no"],
            each["shopper"],
            tuple(each["units"]),
            tuple(each["units_released"]),
            each["price"],
            each["status"],
        )
        for each in api.orders(listing.offer)
    )
    return OfferFacts(listing.offer, stock, left, listing.limit, listing.starts_at_ms, listing.ends_at_ms, orders)


def settled_facts(
    api: OperatorsApi, listing: Listing, *, known: set[str], within_s: float, progress: Progress
) -> OfferFacts:
    """The facts once the writer has caught up: every known order is listed and the books agree.

    After `within_s` the facts as they are then; the checks name what is missing.
    """
    end = time.monotonic() + within_s
    while True:
        found = facts(api, listing)
        progress(found.held, found.stock - found.left)
        listed = {each.order_no for each in found.orders}
        if (known <= listed and found.held == found.stock - found.left) or time.monotonic() > end:
            return found
        time.sleep(POLL_S)
