"""What every product costs one by one, for lists sorted by that, kept for a few kinds of shoppers.

The first prices of a process are those of the whole catalogue. Later ones are made from some that are known: only
products that changed, or that a campaign holds which is on now and was not then or the other way round, are priced.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from admin.promotions.alone import Alone
from admin.promotions.campaign import Campaign
from admin.promotions.index import CampaignIndex
from admin.quotes.book import Listing
from admin.storefront.lineup import Lineup, short_of

KINDS_MAX = 4
"""Kinds of shoppers whose prices are kept; those of a hundred thousand products take some 15 MB."""
MOVED_MAX = 1000
"""With more prices that changed than this, sorting anew costs less than moving each."""

Key = tuple[int, str]


@dataclass(slots=True, eq=False)
class Prices:
    """The price of one unit of every product, by SKU, in one state of the shop for one kind of shoppers.

    `open` are the campaigns that one unit may join by default, with what of their limits that depends on.
    """

    listings: Mapping[str, Listing]
    index: CampaignIndex
    kind: tuple[object, ...]
    open: Mapping[str, tuple[Campaign, int | None]]
    by_sku: Mapping[str, int]
    _orders: dict[int, list[Key]] = field(default_factory=dict)

    def order(self, sign: int) -> list[Key]:
        """Products in order of their price times `sign`, then of their SKU."""
        if sign not in self._orders:
            self._orders[sign] = sorted((sign * price, sku) for sku, price in self.by_sku.items())
        return self._orders[sign]

    def follow(self, before: Prices, changed: Iterable[str]) -> None:
        """Take the orders of prices that differ only in some products."""
        moved = [sku for sku in changed if before.by_sku.get(sku) != self.by_sku.get(sku)]
        if len(moved) > MOVED_MAX:
            return
        # Somebody else may ask for another order of these at the same time.
        for sign, known in list(before._orders.items()):
            order = known.copy()
            for sku in moved:
                if sku in before.by_sku:
                    del order[bisect_left(order, (sign * before.by_sku[sku], sku))]
                if sku in self.by_sku:
                    insort(order, (sign * self.by_sku[sku], sku))
            self._orders[sign] = order


class Pricelists:
    """The prices that a process keeps, the newest first."""

    def __init__(self) -> None:
        self._kept: list[Prices] = []
        self._dearest: tuple[Mapping[str, Listing], int] = ({}, 0)
        self._making = threading.Lock()

    def get(self, alone: Alone, listings: Mapping[str, Listing], lineup: Lineup) -> Prices:
        """Prices for whoever asks."""
        dearest = self._highest(listings)
        index, kind = alone.world.index, lineup.kind(alone.judge, alone.world, dearest)
        with self._making:
            for each in self._kept:
                if each.listings is listings and each.index is index and each.kind == kind:
                    self._keep(each)
                    return each
            basis = next((each for each in self._kept if each.kind == kind), next(iter(self._kept), None))
            made = _made(alone, listings, lineup, dearest, kind, basis)
            if basis is not None and basis.kind == kind:
                self._kept.remove(basis)
            self._keep(made)
            return made

    def _highest(self, listings: Mapping[str, Listing]) -> int:
        known, dearest = self._dearest
        if known is not listings:
            dearest = max((each.product.price for each in listings.values()), default=0)
            self._dearest = listings, dearest
        return dearest

    def _keep(self, prices: Prices) -> None:
        self._kept = [prices, *(each for each in self._kept if each is not prices)][:KINDS_MAX]


def _made(
    alone: Alone,
    listings: Mapping[str, Listing],
    lineup: Lineup,
    dearest: int,
    kind: tuple[object, ...],
    basis: Prices | None,
) -> Prices:
    world = alone.world
    opened = {
        each.code: (each, short_of(world.left.get(each.code), dearest))
        for each in lineup.on
        if alone.judge.closed(each) is None and each.type is not None and not each.type.own_button
    }
    changed = None if basis is None else _changed(basis, listings, opened)
    if basis is None or changed is None:
        by_sku = alone.prices(each.product for each in listings.values())
        return Prices(listings, world.index, kind, opened, by_sku)
    by_sku = dict(basis.by_sku)
    for sku in changed:
        by_sku.pop(sku, None)
    by_sku |= alone.prices(listings[sku].product for sku in changed if sku in listings)
    made = Prices(listings, world.index, kind, opened, by_sku)
    made.follow(basis, changed)
    return made


def _changed(
    basis: Prices, listings: Mapping[str, Listing], opened: Mapping[str, tuple[Campaign, int | None]]
) -> set[str] | None:
    """Products that may cost something else now; None when these are so many that all may as well be priced."""
    changed: set[str] = set()
    if basis.listings is not listings:
        known = basis.listings
        changed |= {sku for sku, each in listings.items() if known.get(sku) is not each}
        changed |= {sku for sku in known if sku not in listings}
    categories: set[str] = set()
    for code in basis.open.keys() | opened.keys():
        versions = [each for each in (basis.open.get(code), opened.get(code)) if each is not None]
        if len(versions) == 2 and versions[0][0] is versions[1][0] and versions[0][1] == versions[1][1]:
            continue
        for campaign, _ in versions:
            if campaign.scope == "all":
                return None
            changed.update(campaign.items)
            categories |= campaign.categories
    if categories:
        changed |= {sku for sku, each in listings.items() if not categories.isdisjoint(each.product.categories)}
    return changed if len(changed) < len(listings) // 2 else None
