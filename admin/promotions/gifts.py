"""Which gifts a cart gets: the shopper's picks, else the first in list order that are in stock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from admin.promotions.effects import Gift, Grant
from admin.promotions.world import World


@dataclass(slots=True)
class Given:
    """What one campaign gives: pieces by SKU in the order they were granted, and what it could not give."""

    pieces: dict[str, int] = field(default_factory=dict)
    left_off: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, sku: str, why: str) -> None:
        """Note once that something is not given."""
        if (sku, why) not in self.left_off:
            self.left_off.append((sku, why))


def give(grants: Sequence[Grant], picks: Sequence[str] | None, stock: dict[str, int], world: World) -> Given:
    """Gifts of one campaign. `stock` is what is free of each product; what is given is taken out of it."""
    given = Given()
    if picks is None:
        for grant in grants:
            _give_first(grant, given, stock, world)
    else:
        _give_picks(grants, picks, given, stock, world)
    return given


def _give_first(grant: Grant, given: Given, stock: dict[str, int], world: World) -> None:
    wanted = len(grant.options) if grant.choose is None else min(grant.choose, len(grant.options))
    times = grant.times
    while times > 0:
        found = [option for option in grant.options if _available(option, stock, world)][:wanted]
        if len(found) < wanted:
            for option in grant.options:
                if option not in found and not _available(option, stock, world):
                    given.refuse(option.sku, "out_of_stock")
        if not found:
            return
        # As often as all of these last; then the list is looked through again.
        rounds = min(times, *(stock[option.sku] // option.quantity for option in found))
        for option in found:
            _take(option, rounds, given, stock)
        times -= rounds


def _give_picks(
    grants: Sequence[Grant], picks: Sequence[str], given: Given, stock: dict[str, int], world: World
) -> None:
    # How many picks each grant still allows: of each option, or of all together.
    room = [
        {option.sku: grant.times for option in grant.options}
        if grant.choose is None
        else grant.choose * grant.times
        for grant in grants
    ]
    for sku in picks:
        offered = False
        for place, grant in enumerate(grants):
            option = next((each for each in grant.options if each.sku == sku), None)
            if option is None:
                continue
            offered = True
            left = room[place]
            allowed = left if isinstance(left, int) else left[sku]
            if allowed <= 0:
                continue
            if not _available(option, stock, world):
                given.refuse(sku, "out_of_stock")
                break
            if isinstance(left, int):
                room[place] = left - 1
            else:
                left[sku] -= 1
            _take(option, 1, given, stock)
            break
        else:
            given.refuse(sku, "too_many" if offered else "not_an_option")


def _available(option: Gift, stock: dict[str, int], world: World) -> bool:
    return option.sku in world.products and stock.get(option.sku, 0) >= option.quantity


def _take(option: Gift, times: int, given: Given, stock: dict[str, int]) -> None:
    stock[option.sku] -= option.quantity * times
    given.pieces[option.sku] = given.pieces.get(option.sku, 0) + option.quantity * times
