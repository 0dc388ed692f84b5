"""A good assignment of many lines, found by improving one step at a time; it need not be the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from admin.promotions.campaign import Campaign
from admin.promotions.pricing import Assignment
from admin.promotions.searching.board import Board, Spent, code_of
from admin.promotions.searching.stakes import Gifts, Stake

MOVED = 24
"""Steps that looking at one move counts for."""

Part = tuple[int, int, int]
"""What a campaign changes: the total before the coupon, what the coupon's lines cost, the value of its gifts."""


class Descent:
    """Moves lines between campaigns as long as the score falls, a line or all lines of a campaign at a time."""

    def __init__(self, board: Board, stakes: Mapping[str, Stake], gifts: Gifts) -> None:
        self._board = board
        self._stakes = stakes
        self._gifts = gifts
        self._joined: dict[int, Campaign | None] = {}
        self._masks: dict[str, int] = {}
        self._cost = 0
        self._bearing = 0
        self._rest = 0
        self._score = 0

    def improve(self, start: Assignment, wide: Sequence[Stake]) -> list[Assignment]:
        """Assignments that are each better than the one before, by sums over campaigns, until steps run out."""
        found: list[Assignment] = []
        try:
            if not self._set(start):
                return found
            self._descend()
            found.append(self._assignment())
            for stake in wide:
                before, score = self._assignment(), self._score
                if self._gather(stake):
                    self._descend()
                    if self._score < score:
                        found.append(self._assignment())
                        continue
                self._set(before)
        except Spent:
            found.append(self._assignment())
        return found

    def _part(self, code: str, mask: int) -> Part | None:
        row = self._stakes[code].row(mask)
        if row is None:
            return None
        cost, bearing, grants = row
        return cost, bearing, self._gifts.value(code, grants) if grants else 0

    def _set(self, assignment: Assignment) -> bool:
        """Start from an assignment; False when the sums refuse it."""
        board = self._board
        board.spend(MOVED // 2 * len(self._stakes))
        self._joined = {place: assignment[place] for place in board.places}
        self._masks = dict.fromkeys(self._stakes, 0)
        for place, campaign in self._joined.items():
            if campaign is not None:
                self._masks[campaign.code] |= board.bits[place]
        self._cost = sum(place.price * place.quantity for place in board.pricing.places if place.counts)
        self._bearing = sum(board.bearing.values())
        self._rest = sum(weights[code_of(self._joined[place])] for place, weights in board.weights.items())
        for code, mask in self._masks.items():
            part = self._part(code, mask)
            if part is None:
                return False
            self._cost += part[0]
            self._bearing += part[1]
            self._rest -= part[2] * board.gift_unit
        self._score = self._scored(self._cost, self._bearing, self._rest)
        return True

    def _scored(self, cost: int, bearing: int, rest: int) -> int:
        return ((cost - self._board.off(bearing)) << self._board.shift) + rest

    def _assignment(self) -> Assignment:
        return tuple(self._joined.get(place, campaign) for place, campaign in enumerate(self._board.default))

    def _gather(self, stake: Stake) -> bool:
        """Move all lines that may into one campaign."""
        wanted = list(self._assignment())
        for place in stake.places:
            wanted[place] = stake.campaign
        return self._set(tuple(wanted))

    def _descend(self) -> None:
        board = self._board
        moved = True
        while moved:
            moved = False
            for place in board.places:
                for campaign in board.choices[place]:
                    if code_of(campaign) != code_of(self._joined[place]) and self._move(place, campaign):
                        moved = True

    def _move(self, place: int, campaign: Campaign | None) -> bool:
        """Move a line if that is better."""
        board = self._board
        board.spend(MOVED)
        bit = board.bits[place]
        before = code_of(self._joined[place])
        after = code_of(campaign)
        masks = {code: self._masks[code] ^ bit for code in (before, after) if code is not None}
        cost, bearing = self._cost, self._bearing
        rest = self._rest + board.weights[place][after] - board.weights[place][before]
        for code, mask in masks.items():
            new, old = self._part(code, mask), self._part(code, self._masks[code])
            if new is None or old is None:
                return False
            cost += new[0] - old[0]
            bearing += new[1] - old[1]
            rest -= (new[2] - old[2]) * board.gift_unit
        score = self._scored(cost, bearing, rest)
        if score >= self._score:
            return False
        self._cost, self._bearing, self._rest, self._score = cost, bearing, rest, score
        self._masks |= masks
        self._joined[place] = campaign
        return True
