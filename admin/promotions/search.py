"""The cheapest assignment of campaigns to lines, found by steps that are counted, not timed.

Campaigns that share no line do not concern each other, and a line whose campaigns take no notice of other lines
needs no search. What is left is solved part by part: exactly where the tables are small enough, else by
improving what is known. A coupon, or stock for which campaigns compete, ties the parts together; then they are
gone through in order, leaving out what cannot be better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from admin.promotions.campaign import Campaign
from admin.promotions.pricing import Assignment, Pricing
from admin.promotions.searching.board import Board, Choices, Spent
from admin.promotions.searching.descent import Descent
from admin.promotions.searching.proof import Proof
from admin.promotions.searching.stakes import NOTHING, Gifts, Row, Stake
from admin.promotions.searching.tables import Alone, Level, arrange, assigned, lay, least, retrace

_Rows = dict[int, list[tuple[Campaign | None, Row]]]
VAST = 1 << 70
"""More than any gifts are worth, minor units."""
TABLES = 3
"""Quarters of all steps that tables may take."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best assignment that was found. `proved` says that none is better, `gap` how much lower one could be.

    Minor units.
    """

    assignment: Assignment
    total: int
    proved: bool
    gap: int


def best(pricing: Pricing, default: Assignment, choices: Choices) -> Found:
    """The assignment with the smallest total among all that lose no add-on which the default has.

    `choices` has what each line may join, in order of rank. Of equal totals the one with the larger base value of
    gifts wins, then the one with fewer lines changed, then the first by rank.
    """
    board = Board(pricing, default, choices)
    if not board.places:
        return Found(default, board.start_total, True, 0)
    search = _Search(board)
    try:
        search.prepare()
    except Spent:
        total = board.start_total
        return Found(default, total, False, total)
    return search.run()


class _Search:
    """One search: lines that need no other, groups of campaigns with tables, and campaigns too wide for that."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._gifts = Gifts(board)
        self._stakes = _stakes(board, sure=self._gifts.sure)
        self._rows: _Rows = {place: [(None, NOTHING)] for place in board.places}
        self._fixed: list[Stake] = []
        self._levels: list[Level] = []
        self._tables: list[dict[int, int]] = []
        self._wide: list[Stake] = []

    def prepare(self) -> None:
        """Judge all sets of lines that there is room for.

        Raises:
            Spent: not even single lines could be judged.
        """
        board, gifts = self._board, self._gifts
        linked = [stake for stake in self._stakes.values() if not self._each_alone(stake)]
        self._fixed = [stake for stake in self._stakes.values() if stake.settled and stake not in linked]
        for stake in self._fixed:
            stake.row(0)
        ordered: list[Stake] = []
        room = board.steps * TABLES // 4
        for part in sorted(_connected(linked), key=_sets):
            arranged = arrange(part, room)
            if arranged is None:
                self._wide += part
                continue
            ordered += arranged[0]
            room -= arranged[1]
        for stake in ordered:
            stake.tabulate()
        gifts.compete(list(self._stakes.values()))
        board.scale(VAST if self._wide else sum(map(gifts.most, self._stakes.values())))
        self._alone = Alone(board, gifts, self._rows)
        self._levels = lay(board, ordered, self._alone, gifts)
        self._tables = least(board, self._levels)
        self._score, self._bearing = self._base()

    def _each_alone(self, stake: Stake) -> bool:
        """Whether its lines need no other; then what it makes of each is noted."""
        if not stake.mask:
            return True
        if not stake.independent:
            return False
        rows = [(place, stake.alone(place)) for place in stake.places]
        if (len(rows) > 1 or stake.settled) and any(row is not None and row[2] for _, row in rows):
            return False
        for place, row in rows:
            if row is not None:
                self._rows[place].append((stake.campaign, row))
        return True

    def _base(self) -> tuple[int, int]:
        """The score of every free line alone, and the most that the coupon's lines may cost then."""
        board, gifts = self._board, self._gifts
        cost = sum(place.price * place.quantity for place in board.pricing.places if place.counts)
        score = board.pack(cost, 0, 0)
        bearing = sum(board.bearing.values())
        for stake in self._fixed:
            row = stake.row(0)
            if row is None:
                score += board.impossible
                continue
            changed, less, grants = row
            score += board.pack(changed, gifts.value(stake.campaign.code, grants) if grants else 0, 0)
            bearing += less
        for options in self._alone.options.values():
            score += options[0].score
            bearing += max(option.bearing for option in options)
        return score, bearing

    def run(self) -> Found:
        """The best assignment that the steps suffice for."""
        board = self._board
        root = self._tables[0][self._levels[0].alive] if self._levels else 0
        if self._score + root >= board.impossible >> 1:
            total = board.start_total
            return Found(board.default, total, False, total)
        taken = retrace(self._levels, self._tables)
        least_cost = self._score + root
        start = assigned(board, self._levels, taken, self._alone, {})
        if self._wide:
            return self._descend(start, least_cost)
        if self._gifts.sure and board.coupon is None:
            return self._found(start, least_cost, 0, proved=True)
        known = (board.default, board.start)
        score = board.judge(start)
        if score is not None and score < board.start:
            known = (start, score)
        proof = Proof(board, self._levels, self._tables, self._alone, sure=self._gifts.sure, known=known)
        proof.run(self._score, self._bearing)
        return self._found(proof.best, proof.score, proof.least, proved=proof.proved)

    def _found(self, assignment: Assignment, score: int, lowest: int, *, proved: bool) -> Found:
        total = self._board.cost(score)
        return Found(assignment, total, proved, 0 if proved else max(0, total - max(0, lowest)))

    def _descend(self, start: Assignment, score: int) -> Found:
        """Improve what is known of campaigns that are too wide."""
        board = self._board
        cost = board.cost(score)
        for stake in self._wide:
            # More lines never get less in all.
            cost -= stake.most()
        wide = {place for stake in self._wide for place in stake.places}
        mixed = tuple(
            before if place in wide else after
            for place, (before, after) in enumerate(zip(board.default, start, strict=True))
        )
        descent = Descent(board, self._stakes, self._gifts)
        best, known = board.default, board.start
        for each in descent.improve(mixed, self._wide):
            found = board.judge(each)
            if found is not None and found < known:
                best, known = each, found
        return self._found(best, known, board.lowest(cost, self._bearing), proved=False)


def _stakes(board: Board, *, sure: bool) -> dict[str, Stake]:
    """All campaigns that a line may join or has joined, by code."""
    campaigns: dict[str, Campaign] = {}
    settled: dict[str, list[int]] = {}
    for place, campaign in enumerate(board.default):
        if campaign is not None and place not in board.bits and board.pricing.places[place].counts:
            campaigns[campaign.code] = campaign
            settled.setdefault(campaign.code, []).append(place + 1)
    for place in board.places:
        campaigns |= {each.code: each for each in board.choices[place] if each is not None}
    stakes = {
        code: Stake(board, campaign, tuple(settled.get(code, ())), sure=sure)
        for code, campaign in campaigns.items()
    }
    for place in board.places:
        for each in board.choices[place]:
            if each is not None:
                stakes[each.code].admit(place)
    return stakes


def _connected(stakes: Sequence[Stake]) -> list[list[Stake]]:
    """Campaigns in groups that share no line with each other."""
    groups: list[tuple[int, list[Stake]]] = []
    for stake in stakes:
        mask, together = stake.mask, [stake]
        apart = []
        for each in groups:
            if each[0] & stake.mask:
                mask |= each[0]
                together = each[1] + together
            else:
                apart.append(each)
        groups = [*apart, (mask, together)]
    return [together for _, together in groups]


def _sets(stakes: Sequence[Stake]) -> int:
    return sum(1 << len(stake.places) for stake in stakes)
