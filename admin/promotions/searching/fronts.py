"""All that may still come of some lines, without what is dearer and leaves less for the coupon: worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from admin.promotions.searching.board import Board
from admin.promotions.searching.tables import Alone, Level

MADE = 1
"""Steps that making one outcome counts for."""
LARGEST = 7_000
"""Outcomes that one front may have at most."""


@dataclass(frozen=True, slots=True)
class Front:
    """Outcomes, from the cheapest to the one that leaves most for the coupon, as three lists of equal length.

    Scores are compared with all lines alone at their best. `spent` is how much less the coupon's lines cost than
    they could. `outcomes` has both in one number, so that adding two outcomes is one addition.
    """

    outcomes: list[int]
    scores: list[int]
    spent: list[int]


class Fronts:
    """The outcomes of the last levels. Levels from `first` on are few enough for that; maybe none are."""

    def __init__(self, board: Board, levels: Sequence[Level], alone: Alone) -> None:
        self._board = board
        self._levels = levels
        self._options = {place: options for place, options in alone.options.items() if len(options) > 1}
        loose = sum(board.bits[place] for place in self._options)
        self._open = [*(level.alive | loose for level in levels), loose]
        # What is spent is never less than 0: a line alone without any campaign spends nothing.
        self._bits = sum(board.bearing.values()).bit_length() + 1
        self._known: list[dict[int, Front]] = [{} for _ in self._open]
        self._changes = [
            {part: (score << self._bits) - level.bearings[part] for part, score in level.scores.items()}
            for level in levels
        ]
        self.first = len(levels) + 1
        ways = {place: len(options) for place, options in alone.options.items()}
        while self.first > 0 and _product(ways.values()) <= LARGEST:
            self.first -= 1
            for place in levels[self.first - 1].stake.places if self.first else ():
                ways[place] += 1

    def of(self, number: int, left: int) -> Front:
        """The outcomes of a level and all after it when some lines are left."""
        left &= self._open[number]
        known = self._known[number]
        found = known.get(left)
        if found is None:
            found = known[left] = self._front(number, left)
        return found

    def _front(self, number: int, left: int) -> Front:
        if number == len(self._levels):
            return self._apart_front(left)
        later, still = self._known[number + 1], self._open[number + 1]
        changes = self._changes[number]
        found: list[int] = []
        for part in self._levels[number].parts(left):
            rest = left & ~part
            after = later.get(rest & still) or self.of(number + 1, rest)
            change = changes[part]
            found += [outcome + change for outcome in after.outcomes]
        return self._thinned(found)

    def _apart_front(self, left: int) -> Front:
        place = next((place for place in self._options if self._board.bits[place] & left), None)
        if place is None:
            return Front([0], [0], [0])
        after = self.of(len(self._levels), left ^ self._board.bits[place])
        return self._thinned([outcome + change for change in self._apart(place) for outcome in after.outcomes])

    def _thinned(self, found: list[int]) -> Front:
        """Without outcomes that another is as good as."""
        self._board.steps -= MADE * len(found)
        found.sort()
        outcomes, spent = [], []
        every = (1 << self._bits) - 1
        least = every
        for outcome in found:
            less = outcome & every
            if less < least:
                least = less
                outcomes.append(outcome)
                spent.append(less)
        return Front(outcomes, [outcome >> self._bits for outcome in outcomes], spent)

    def _apart(self, place: int) -> list[int]:
        """What the options of a line change compared with the best of each."""
        options = self._options[place]
        dearest = max(option.bearing for option in options)
        return [((option.score - options[0].score) << self._bits) + dearest - option.bearing for option in options]

    def retrace(self, number: int, left: int, outcome: int) -> tuple[list[int], dict[int, int]]:
        """What the levels take and what the lines pick for an outcome of a front."""
        taken = []
        for later in range(number, len(self._levels)):
            changes = self._changes[later]
            for part in self._levels[later].parts(left):
                if outcome - changes[part] in self.of(later + 1, left ^ part).outcomes:
                    taken.append(part)
                    left ^= part
                    outcome -= changes[part]
                    break
        picked = {}
        for place in self._options:
            if self._board.bits[place] & left:
                left ^= self._board.bits[place]
                for index, change in enumerate(self._apart(place)):
                    if outcome - change in self.of(len(self._levels), left).outcomes:
                        picked[place] = index
                        outcome -= change
                        break
        return taken, picked


def _product(numbers: Iterable[int]) -> int:
    found = 1
    for each in numbers:
        found *= each
    return found
