"""Which campaigns are on between two instants, so that a shopper need not be held against all of them each time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from admin.promotions.campaign import Campaign
from admin.promotions.choosing import Judge
from admin.promotions.index import CampaignIndex
from admin.promotions.world import Left, World


@dataclass(frozen=True, slots=True)
class Lineup:
    """Campaigns that are on in [`from_ms`, `until_ms`). The `picky` ones are not open to everybody; of the
    `rationed` ones each shopper may have so much.
    """

    from_ms: int
    until_ms: int | None
    on: tuple[Campaign, ...]
    picky: tuple[Campaign, ...]
    rationed: tuple[Campaign, ...]

    def holds(self, now_ms: int) -> bool:
        """Whether an instant lies in between."""
        return self.from_ms <= now_ms and (self.until_ms is None or now_ms < self.until_ms)

    def kind(self, judge: Judge, world: World, dearest: int) -> tuple[object, ...]:
        """What tells shoppers with different prices apart: what is open to them that is not to all, and what of
        limits one unit depends on. `dearest` is the highest base price.
        """
        return (
            self.from_ms,
            frozenset(each.code for each in self.picky if judge.closed(each) is None),
            frozenset(
                (each.code, short_of(world.left[each.code], dearest))
                for each in self.limited(world)
                if judge.closed(each) is None
            ),
        )

    def limited(self, world: World) -> Iterator[Campaign]:
        """Campaigns of which something may be used up."""
        for code in world.left:
            campaign = world.index.get(code)
            if campaign is not None:
                yield campaign


def short_of(left: Left | None, dearest: int) -> int | None:
    """What of the limits of an open campaign one unit depends on: a budget, minor units, that may be too small for
    it. None when there is enough for any unit, so that prices need not be made anew with every order.
    """
    budget = None if left is None else left.budget
    return None if budget is None or budget >= dearest else budget


class Lineups:
    """The newest lineup."""

    def __init__(self) -> None:
        self._index: CampaignIndex | None = None
        self._lineup = Lineup(0, 0, (), (), ())
        self._making = threading.Lock()

    def at(self, index: CampaignIndex, now_ms: int) -> Lineup:
        """The lineup of an index at an instant."""
        with self._making:
            if self._index is not index or not self._lineup.holds(now_ms):
                self._lineup = lineup(index.all(), now_ms)
                self._index = index
            return self._lineup


def lineup(campaigns: Iterable[Campaign], now_ms: int) -> Lineup:
    """The campaigns that are on at an instant, and since and until when just these are."""
    on = []
    from_ms, until_ms = 0, None
    for each in campaigns:
        if each.broken is not None or each.draft or each.terminated:
            continue
        for turn in (each.starts_at_ms, each.ends_at_ms):
            if turn <= now_ms:
                from_ms = max(from_ms, turn)
            elif until_ms is None or turn < until_ms:
                until_ms = turn
        if each.running(now_ms):
            on.append(each)
    picky = tuple(each for each in on if each.audience.kind != "everyone" or each.channels or each.stores)
    rationed = tuple(each for each in on if each.per_shopper is not None)
    return Lineup(from_ms, until_ms, tuple(on), picky, rationed)
