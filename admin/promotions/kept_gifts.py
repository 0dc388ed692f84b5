"""Which gifts of an order the units that stay still earn, by the rule under which they were given."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from admin.promotions.campaign import Campaign
from admin.promotions.effects import Grant, Group, Line
from admin.promotions.pricing import effect_of


@dataclass(slots=True)
class _Right:
    """A right to so many picks among some products; `options` says how many pieces a pick of each is."""

    options: Mapping[str, int]
    room: int


@dataclass(frozen=True, slots=True)
class KeptUnits:
    """Units of one product that stay, at its base price then. `line` is the order's."""

    line: int
    sku: str
    quantity: int
    price: int


def not_earned(
    campaign: Campaign, units: Sequence[KeptUnits], gifts: Mapping[str, int], prices: Mapping[str, int]
) -> dict[str, int]:
    """Pieces by SKU that a campaign would not give with the units that stay.

    Where the shopper may pick, those gifts count as earned that are worth the most.

    Args:
        campaign: as it was when the order was priced.
        units: that joined it and stay.
        gifts: pieces by SKU that it gave and that stay.
        prices: base price of a piece, by SKU.
    """
    lines = tuple(
        Line(each.line, each.sku, each.quantity, each.price, campaign.items.get(each.sku))
        for each in units
        if each.quantity
    )
    grants = effect_of(campaign, Group(lines)).grants if lines else ()
    covered = _covered(_rights(grants), gifts, prices)
    return {sku: pieces - covered[sku] for sku, pieces in gifts.items() if pieces > covered[sku]}


def _rights(grants: Sequence[Grant]) -> list[_Right]:
    rights = []
    for grant in grants:
        if grant.choose is None:
            rights += [_Right({option.sku: option.quantity}, grant.times) for option in grant.options]
        else:
            options = {option.sku: option.quantity for option in grant.options}
            rights.append(_Right(options, grant.choose * grant.times))
    # Rights to one product first: nothing else could be had for them.
    return sorted(rights, key=lambda right: len(right.options))


def _covered(rights: Sequence[_Right], gifts: Mapping[str, int], prices: Mapping[str, int]) -> dict[str, int]:
    """How many pieces of each gift the rights cover, the dearest products first.

    One that finds no room moves another to a right that is free for it, so a dear product never takes the only
    right of a cheap one without need.
    """
    taken: list[dict[str, int]] = [{} for _ in rights]
    covered = dict.fromkeys(gifts, 0)
    for sku in sorted(gifts, key=lambda each: (-prices[each], each)):
        while covered[sku] < gifts[sku]:
            path = _way(rights, taken, sku)
            if path is None:
                break
            covered[sku] += _take(rights, taken, path, gifts[sku] - covered[sku])
        covered[sku] = min(covered[sku], gifts[sku])
    return covered


_Way = list[tuple[str, int]]
"""Products and the rights that they go to; each one makes room for the one before."""


def _way(rights: Sequence[_Right], taken: Sequence[Mapping[str, int]], sku: str) -> _Way | None:
    """The shortest way to room for a product."""
    waiting: deque[_Way] = deque([(sku, place)] for place, right in enumerate(rights) if sku in right.options)
    seen = {way[0][1] for way in waiting}
    while waiting:
        way = waiting.popleft()
        place = way[-1][1]
        if rights[place].room > 0:
            return way
        for other, picks in taken[place].items():
            if not picks:
                continue
            for elsewhere, right in enumerate(rights):
                # It must not be fewer pieces there.
                if elsewhere not in seen and right.options.get(other, 0) >= rights[place].options[other]:
                    seen.add(elsewhere)
                    waiting.append([*way, (other, elsewhere)])
    return None


def _take(rights: Sequence[_Right], taken: Sequence[dict[str, int]], way: _Way, wanted: int) -> int:
    """Let as many picks as possible go a way; the pieces of its first product that are covered by them."""
    first, right = way[0]
    each = rights[right].options[first]
    picks = min(rights[way[-1][1]].room, -(-wanted // each))
    for (_, place), (other, _) in pairwise(way):
        picks = min(picks, taken[place][other])
    for (_, place), (other, _) in pairwise(way):
        taken[place][other] -= picks
    for sku, place in way:
        taken[place][sku] = taken[place].get(sku, 0) + picks
    rights[way[-1][1]].room -= picks
    return picks * each
