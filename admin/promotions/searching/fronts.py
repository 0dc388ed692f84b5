"""All that may still come of some lines, without what is dearer and leaves less for the coupon: worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from admin.promotions.searching.board import Board
from admin.promotions.searching.tables import Alone, Level, subsets

Outcome = tuple[int, int]
"""A score and what the coupon's lines cost, both compared with all lines alone at their best."""

MADE = 3
"""Steps that making one outcome counts for."""
_LARGEST = 7_000
"""Outcomes that one front may have at most."""


class Fronts:
    """The outcomes of the last levels. Levels from `first` on are few enough for that; maybe none are."""

    def __init__(self, board: Board, levels: Sequence[Level], alone: Alone) -> None:
        self._board = board
        self._levels = levels
        self._options = {place: options for place, options in alone.options.items() if len(options) > 1}
        self._loose = sum(board.bits[place] for place in self._options)
        self._known: dict[tuple[int, int], list[Outcome]] = {}
        self.first = len(levels) + 1
        ways = {place: len(options) for place, options in alone.options.items()}
        while self.first > 0 and _product(ways.values()) <= _LARGEST:
            self.first -= 1
            for place in levels[self.first - 1].stake.places if self.first else ():
                ways[place] += 1

    def of(self, number: int, left: int) -> list[Outcome]:
        """The outcomes of a level and all after it when some lines are left, the cheapest first."""
        alive = self._levels[number].alive if number < len(self._levels) else 0
        left &= alive | self._loose
        key = (number, left)
        if key not in self._known:
            self._known[key] = self._front(number, left)
        return self._known[key]

    def _front(self, number: int, left: int) -> list[Outcome]:
        if number < len(self._levels):
            level = self._levels[number]
            found = [
                (score + level.scores[part], bearing + level.bearings[part])
                for part in subsets(left & level.mask)
                if level.scores[part] != self._board.impossible
                for score, bearing in self.of(number + 1, left ^ part)
            ]
        else:
            place = next((place for place in self._options if self._board.bits[place] & left), None)
            if place is None:
                return [(0, 0)]
            after = self.of(number, left ^ self._board.bits[place])
            found = [
                (score + more, bearing + less) for more, less in self._apart(place) for score, bearing in after
            ]
        self._board.steps -= MADE * len(found)
        found.sort()
        kept: list[Outcome] = []
        most = -self._board.impossible
        for outcome in found:
            if outcome[1] > most:
                most = outcome[1]
                kept.append(outcome)
        return kept

    def _apart(self, place: int) -> list[Outcome]:
        """What the options of a line change compared with the best of each."""
        options = self._options[place]
        dearest = max(option.bearing for option in options)
        return [(option.score - options[0].score, option.bearing - dearest) for option in options]

    def retrace(self, number: int, left: int, outcome: Outcome) -> tuple[list[int], dict[int, int]]:
        """What the levels take and what the lines pick for an outcome of a front."""
        taken = []
        for later in range(number, len(self._levels)):
            level = self._levels[later]
            for part in subsets(left & level.mask):
                before = (outcome[0] - level.scores[part], outcome[1] - level.bearings[part])
                if before in self.of(later + 1, left ^ part):
                    taken.append(part)
                    left ^= part
                    outcome = before
                    break
        picked = {}
        for place in self._options:
            if not self._board.bits[place] & left:
                continue
            left ^= self._board.bits[place]
            for index, (more, less) in enumerate(self._apart(place)):
                before = (outcome[0] - more, outcome[1] - less)
                if before in self.of(len(self._levels), left):
                    picked[place] = index
                    outcome = before
                    break
        return taken, picked


def _product(numbers: Iterable[int]) -> int:
    found = 1
    for each in numbers:
        found *= each
    return found
