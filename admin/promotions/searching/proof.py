"""Going through assignments, leaving out what cannot be better than the best that is known."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from operator import neg

from admin.promotions.pricing import Assignment
from admin.promotions.searching.board import NODE, Board
from admin.promotions.searching.fronts import Fronts
from admin.promotions.searching.tables import Alone, Level, assigned

TRIED = 5
"""Steps that looking at one set of one campaign counts for."""
LOOKED = 3
"""Steps that looking at one outcome counts for."""
DUG = 5_000
"""Steps after which it looks up what may come of the last lines instead of trying it out each time."""
PRICED = 12 * NODE
"""Steps that pricing a whole cart counts for."""


class Proof:
    """Looks through what campaigns may take, level by level, then through what lines do alone.

    `best` is the best assignment so far, `score` its score; `least` ends as a total that none can be below.
    """

    def __init__(
        self,
        board: Board,
        levels: Sequence[Level],
        tables: Sequence[dict[int, int]],
        alone: Alone,
        *,
        sure: bool,
        known: tuple[Assignment, int],
    ) -> None:
        self.best, self.score = known
        self._board = board
        self._levels = levels
        self._tables = tables
        self._alone = alone
        self._sure = sure
        self._taken = [0] * len(levels)
        self._picked: dict[int, int] = {}
        self._total = board.cost(self.score)
        self._open: int | None = None
        self._loose = [place for place in board.places if len(alone.options[place]) > 1]
        self._dug = board.steps - DUG
        self._gifts = alone.gifts + sum(level.gifts for level in levels)

    @cached_property
    def _fronts(self) -> Fronts:
        return Fronts(self._board, self._levels, self._alone)

    @property
    def least(self) -> int:
        """A total that none can be below."""
        return self._total if self._open is None else min(self._total, self._open)

    @property
    def proved(self) -> bool:
        """Whether nothing was left unseen that could be better."""
        return self._open is None

    def run(self, score: int, bearing: int) -> None:
        """Look through everything: `score` of all lines alone, and at most what the coupon's lines cost then."""
        self._level(0, self._board.everything, score, bearing)

    def _level(self, number: int, left: int, score: int, bearing: int) -> None:
        if self._sure and self._board.steps < self._dug and number >= self._fronts.first:
            self._look_up(number, left, score, bearing)
            return
        if number == len(self._levels):
            self._lines(0, left, score, bearing)
            return
        board, level = self._board, self._levels[number]
        following = self._tables[number + 1]
        alive = self._levels[number + 1].alive if number + 1 < len(self._levels) else 0
        shift, half, lowest = board.shift, board.half, board.lowest
        parts = level.parts(left)
        found = []
        limit = self._total
        for part in parts:
            above = score + level.scores[part]
            bound = above + following[(left ^ part) & alive]
            hoped = bearing + level.bearings[part]
            low = lowest((bound + half) >> shift, hoped)
            if low <= limit:
                found.append((low, bound, part, above, hoped))
        board.steps -= TRIED * len(parts)
        found.sort()
        for low, bound, part, above, hoped in found:
            self._taken[number] = part
            if self._worse(low, bound, hoped):
                continue
            if board.steps <= 0:
                self._leave(low)
                continue
            self._level(number + 1, left & ~part, above, hoped)
        self._taken[number] = 0

    def _look_up(self, number: int, left: int, score: int, bearing: int) -> None:
        """Find the best that may come of the lines that are left, from outcomes in order of cost."""
        board, off, shift = self._board, self._board.off, self._board.shift
        front = self._fronts.of(number, left)
        if not front.scores:
            return
        # Where the coupon takes nothing off, nothing is better than the best without a coupon, which is known.
        first = bisect_left(front.spent, board.threshold - bearing, key=neg)
        most = board.dearest(self._total, bearing - front.spent[-1])
        last = bisect_left(front.scores, ((most + 1) << shift) - board.half - score)
        found = None
        board.steps -= LOOKED * (1 + max(0, last - first))
        for place in range(first, last):
            reached = score + front.scores[place] - (off(bearing - front.spent[place]) << shift)
            if reached < self.score:
                self.score, found = reached, place
        self._total = board.cost(self.score)
        if found is not None:
            taken, picked = self._fronts.retrace(number, left, front.outcomes[found])
            self.best = assigned(board, self._levels, [*self._taken[:number], *taken], self._alone, picked)

    def _lines(self, position: int, left: int, score: int, bearing: int) -> None:
        """Go through what the lines do alone that are left, those with several options first."""
        board = self._board
        while position < len(self._loose) and not left & board.bits[self._loose[position]]:
            position += 1
        if position == len(self._loose):
            self._judge(score, bearing)
            return
        place = self._loose[position]
        options = self._alone.options[place]
        dearest = max(option.bearing for option in options)
        board.steps -= TRIED * len(options)
        for index, option in enumerate(options):
            bound = score + option.score - options[0].score
            hoped = bearing + option.bearing - dearest
            low = board.lowest(board.cost(bound), hoped)
            self._picked[place] = index
            if self._worse(low, bound, hoped):
                continue
            if board.steps <= 0:
                self._leave(low)
                continue
            self._lines(position + 1, left, bound, hoped)
        self._picked[place] = 0

    def _worse(self, low: int, bound: int, hoped: int) -> bool:
        """Whether nothing below can be better than the best; `low` is the least total it can have."""
        if low != self._total:
            return low > self._total
        board = self._board
        if board.lowest(board.cost(bound) + 1, hoped) > low:
            # Only what costs exactly as much can have this total, and of that the bound is the best.
            return board.rest(bound) >= board.rest(self.score)
        return -self._gifts * board.gift_unit >= board.rest(self.score)

    def _leave(self, low: int) -> None:
        self._open = low if self._open is None else min(low, self._open)

    def _judge(self, score: int, bearing: int) -> None:
        board = self._board
        if self._sure:
            score -= board.off(bearing) << board.shift
            if score < self.score:
                self.score, self.best = score, self._assignment()
        else:
            board.steps -= PRICED
            assignment = self._assignment()
            exact = board.judge(assignment)
            if exact is not None and exact < self.score:
                self.score, self.best = exact, assignment
        self._total = board.cost(self.score)

    def _assignment(self) -> Assignment:
        return assigned(self._board, self._levels, self._taken, self._alone, self._picked)
