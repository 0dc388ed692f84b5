"""The least score of every rest of lines, campaign after campaign: exact where campaigns only add up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from admin.promotions.campaign import Campaign
from admin.promotions.pricing import Assignment
from admin.promotions.searching.board import Board
from admin.promotions.searching.stakes import Gifts, Row, Stake, judging


@dataclass(frozen=True, slots=True)
class Option:
    """What a free line may do by itself: score, change of what the coupon's lines cost, the campaign."""

    score: int
    bearing: int
    campaign: Campaign | None


class Alone:
    """What each free line does unless it joins a campaign that other lines join too.

    Of each line the option with the least score comes first, and then those that another total may make worth it.
    """

    def __init__(self, board: Board, gifts: Gifts, rows: dict[int, list[tuple[Campaign | None, Row]]]) -> None:
        self.options: dict[int, list[Option]] = {}
        self.gifts = 0
        """The most that gifts of lines alone can be worth."""
        for place in board.places:
            weights = board.weights[place]
            options = []
            dearest = 0
            for campaign, (cost, bearing, grants) in rows[place]:
                code = None if campaign is None else campaign.code
                value = gifts.value(code, grants) if code is not None and grants else 0
                dearest = max(value, dearest)
                options.append(Option(board.pack(cost, value, weights[code]), bearing, campaign))
            self.gifts += dearest
            options.sort(key=lambda each: each.score)
            if gifts.sure:
                options = _undominated(options) if board.coupon is not None else options[:1]
            self.options[place] = options


def _undominated(options: Sequence[Option]) -> list[Option]:
    """Those, in order of score, for which the coupon's lines cost more than for any before."""
    kept: list[Option] = []
    for each in options:
        if not kept or each.bearing > kept[-1].bearing:
            kept.append(each)
    return kept


class Level:
    """One campaign in the order of the search.

    `scores` and `bearings` are what its sets change compared with lines that stay alone at their best; sets that
    may not be are left out. `alive` are the lines that this campaign or a
    later one may take, `touched` those of them that an earlier one may have.
    """

    def __init__(self, stake: Stake, alive: int, touched: int, sets: Sets) -> None:
        self.stake = stake
        self.mask = stake.mask
        self.alive = alive
        self.touched = touched
        self.scores = sets.scores
        self.bearings = sets.bearings
        self.gifts = sets.gifts
        self._parts: dict[int, tuple[int, ...]] = {}

    def parts(self, left: int) -> tuple[int, ...]:
        """The sets that it may take of some lines."""
        within = left & self.mask
        found = self._parts.get(within)
        if found is None:
            scores = self.scores
            found = self._parts[within] = tuple([part for part in subsets(within) if part in scores])
        return found


def arrange(stakes: Sequence[Stake], room: int) -> tuple[list[Stake], int] | None:
    """An order of campaigns that keeps few lines open at a time, and the steps that it takes.

    None when those are more than there is room for.
    """
    waiting = list(stakes)
    ordered: list[Stake] = []
    steps = sum(judging(len(stake.places) // 2) << len(stake.places) for stake in stakes)
    done = 0
    while waiting and steps <= room:
        open_lines = 0
        for each in waiting:
            open_lines |= each.mask
        touched = open_lines & done
        pairs, _, number = min(
            (_pairs(stake.mask, touched), -len(stake.places), number) for number, stake in enumerate(waiting)
        )
        steps += pairs + len(waiting)
        stake = waiting.pop(number)
        ordered.append(stake)
        done |= stake.mask
    return None if steps > room else (ordered, steps)


def _pairs(mask: int, touched: int) -> int:
    """Pairs of a rest of lines and a set that a campaign takes of it. Of `touched` lines any may be gone."""
    both = (touched & mask).bit_count()
    result: int = 3**both << ((touched & ~mask).bit_count() + (mask & ~touched).bit_count())
    return result


def lay(board: Board, ordered: Sequence[Stake], alone: Alone, gifts: Gifts) -> list[Level]:
    """The levels of an order of campaigns whose rows are known."""
    levels: list[Level] = []
    alive = 0
    for number in range(len(ordered) - 1, -1, -1):
        stake = ordered[number]
        alive |= stake.mask
        done = 0
        for each in ordered[:number]:
            done |= each.mask
        levels.append(Level(stake, alive, alive & done, Sets(board, stake, alone, gifts)))
    return levels[::-1]


class Sets:
    """The sets of lines that a campaign may take, as a level has them. `gifts` is the most that any's are worth."""

    def __init__(self, board: Board, stake: Stake, alone: Alone, gifts: Gifts) -> None:
        self.scores: dict[int, int] = {}
        self.bearings: dict[int, int] = {}
        self.gifts = 0
        code = stake.campaign.code
        instead = {0: 0}
        spared = {0: 0}
        for place in stake.places:
            bit = board.bits[place]
            options = alone.options[place]
            more = board.weights[place][code] - options[0].score
            # While a line is open, the coupon may hope for the dearest that it can do alone.
            less = max(option.bearing for option in options)
            instead |= {mask | bit: score + more for mask, score in instead.items()}
            spared |= {mask | bit: bearing - less for mask, bearing in spared.items()}
        for mask, extra in instead.items():
            row = stake.rows[mask]
            if row is None:
                continue
            cost, bearing, grants = row
            value = gifts.value(code, grants) if grants else 0
            self.gifts = max(self.gifts, value)
            self.scores[mask] = board.pack(cost, value, extra)
            self.bearings[mask] = bearing + spared[mask]


def subsets(mask: int) -> Iterator[int]:
    """All subsets of a set, the set first and nothing last."""
    part = mask
    while part:
        yield part
        part = (part - 1) & mask
    yield 0


def least(board: Board, levels: Sequence[Level]) -> list[dict[int, int]]:
    """By level and rest of open lines: the least score of this campaign and all later ones.

    Raises:
        Spent: no step is left.
    """
    following: dict[int, int] = {0: 0}
    alive = 0
    tables = [following]
    for level in reversed(levels):
        scores = level.scores
        table = {}
        for taken in subsets(level.touched):
            rest = level.alive ^ taken
            parts = level.parts(rest)
            board.spend(len(parts))
            table[rest] = min(
                [scores[part] + following[(rest ^ part) & alive] for part in parts], default=board.impossible
            )
        tables.append(table)
        following, alive = table, level.alive
    return tables[::-1]


def retrace(levels: Sequence[Level], tables: Sequence[dict[int, int]]) -> list[int]:
    """The set that each campaign takes in the assignment with the least score."""
    taken = []
    rest = levels[0].alive if levels else 0
    for number, level in enumerate(levels):
        alive = levels[number + 1].alive if number + 1 < len(levels) else 0
        following = tables[number + 1]
        wanted = tables[number][rest]
        part = next(
            part for part in level.parts(rest) if level.scores[part] + following[(rest ^ part) & alive] == wanted
        )
        taken.append(part)
        rest = (rest ^ part) & alive
    return taken


def assigned(
    board: Board, levels: Sequence[Level], taken: Sequence[int], alone: Alone, picked: Mapping[int, int]
) -> Assignment:
    """An assignment: what each level takes, and which option each other line picked, the first if none."""
    found = list(board.default)
    for place in board.places:
        found[place] = alone.options[place][picked.get(place, 0)].campaign
    for level, part in zip(levels, taken, strict=True):
        for place in level.stake.places:
            if board.bits[place] & part:
                found[place] = level.stake.campaign
    return tuple(found)
