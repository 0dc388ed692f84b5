"""What a campaign makes of every set of free lines, in numbers that add up over campaigns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from admin.promotions.add_ons import Added, add
from admin.promotions.campaign import Campaign
from admin.promotions.effects import Effect, Grant, Group, Line
from admin.promotions.gifts import give
from admin.promotions.joined import Joined
from admin.promotions.pricing import effect_of
from admin.promotions.searching.board import Board

Row = tuple[int, int, tuple[Grant, ...]]
"""How a campaign changes the total before the coupon and what the coupon's lines cost, and the gifts it grants."""
NOTHING: Row = (0, 0, ())
_NONE_ADDED = Added()


def judging(lines: int) -> int:
    """Steps that judging a group of so many lines counts for."""
    return 24 + 2 * lines


class Stake:
    """One campaign: the free lines that may join it, the numbers of settled lines that do, and the add-ons chosen.

    `sure` says that chosen add-ons find stock whatever the other campaigns do. Where they may not, a row counts
    only those that have to stay: it is never dearer than what becomes of it.
    """

    def __init__(self, board: Board, campaign: Campaign, settled: tuple[int, ...], *, sure: bool) -> None:
        self.board = board
        self.campaign = campaign
        self.settled = settled
        self.mask = 0
        self.places: list[int] = []
        self.rows: dict[int, Row | None] = {}
        self._lines: dict[int, Line] = {number: board.pricing.line(campaign, number) for number in settled}
        self._kept = Counter(
            {(sku, quantity): times for (code, sku, quantity), times in board.kept.items() if code == campaign.code}
        )
        self._sure = sure
        self._wanted = [each for each in board.pricing.cart.add_ons if each.campaign == campaign.code]
        if not sure:
            owed = self._kept.copy()
            self._wanted = [each for each in self._wanted if _owes(owed, (each.sku, each.quantity))]
        stock = board.pricing.stock() if self._wanted else {}
        self._stock = {each.sku: stock.get(each.sku, 0) for each in self._wanted}
        self._limited = campaign.code in board.pricing.world.left

    def admit(self, place: int) -> None:
        """Let a free line join."""
        self.places.append(place)
        self.mask |= self.board.bits[place]
        self._lines[place + 1] = self.board.pricing.line(self.campaign, place + 1)

    @property
    def independent(self) -> bool:
        """Whether each line may be judged alone: nothing counts them together."""
        if self._limited or self._wanted or self._kept:
            return False
        promotion = self.campaign.type
        assert promotion is not None
        return promotion.additive or (len(self.places) == 1 and not self.settled)

    def row(self, mask: int) -> Row | None:
        """What it makes of some free lines and its settled ones; None when that may not be.

        Raises:
            Spent: no step is left.
        """
        if mask not in self.rows:
            self.rows[mask] = self._judge(self._group(mask))
        return self.rows[mask]

    def alone(self, place: int) -> Row | None:
        """What it makes of one free line by itself.

        Raises:
            Spent: no step is left.
        """
        row = self._judge((self._lines[place + 1],))
        if not self.settled:
            self.rows[self.board.bits[place]] = row
        return row

    def most(self) -> int:
        """What it takes off when all its lines join."""
        return effect_of(self.campaign, Group(self._group(self.mask))).discount

    def tabulate(self) -> None:
        """Find all rows.

        Raises:
            Spent: no step is left.
        """
        lines = self._lines
        sets = [(0, tuple(lines[number] for number in self.settled))]
        bits = self.board.bits
        for place in self.places:
            bit, line = bits[place], lines[place + 1]
            sets += [(mask | bit, (*before, line)) for mask, before in sets]
        for mask, group in sets:
            if mask not in self.rows:
                self.rows[mask] = self._judge(tuple(sorted(group, key=_number)) if self.settled else group)

    def _group(self, mask: int) -> tuple[Line, ...]:
        bits = self.board.bits
        numbers = (*self.settled, *(place + 1 for place in self.places if bits[place] & mask))
        return tuple(self._lines[number] for number in sorted(numbers))

    def _judge(self, lines: tuple[Line, ...]) -> Row | None:
        if not lines:
            return None if self._kept else NOTHING
        board = self.board
        board.spend(judging(len(lines)))
        group = Group(lines)
        effect = effect_of(self.campaign, group)
        cost = -effect.discount
        added = _NONE_ADDED
        if self._wanted:
            added = self._add(effect)
            if self._kept - Counter((entry.sku, entry.quantity) for entry in added.entries):
                return None
            cost += added.payable
        if not self._limited and board.coupon is None:
            return cost, 0, effect.grants
        joined = Joined(self.campaign, tuple([line.number for line in lines]), group, effect)
        if self._limited and board.pricing.over_limit(joined, added):
            return None
        return cost, self._bearing(joined) if board.coupon is not None else 0, effect.grants

    def _add(self, effect: Effect) -> Added:
        return add(self._wanted, {self.campaign.code: effect}, self.board.pricing.world, self._stock.copy())

    def _bearing(self, joined: Joined) -> int:
        """How much less the coupon's lines cost."""
        bearing = self.board.bearing
        if joined.effect.reached and not joined.campaign.coupons_allowed:
            return -sum(bearing.get(number, 0) for number in joined.numbers)
        if joined.effect.discount == 0:
            return 0
        inside = [number in bearing for number in joined.numbers]
        if all(inside):
            return -joined.effect.discount
        if not any(inside):
            return 0
        return -sum(off for off, bears in zip(joined.shares(), inside, strict=True) if bears)


def _number(line: Line) -> int:
    return line.number


def _owes(owed: Counter[tuple[str, int]], entry: tuple[str, int]) -> bool:
    owed[entry] -= 1
    return owed[entry] >= 0


class Gifts:
    """What granted gifts are worth at base price, as long as campaigns do not compete for their stock."""

    def __init__(self, board: Board) -> None:
        self._world = board.pricing.world
        self._picks = board.pricing.cart.gifts
        self._stock = board.pricing.stock()
        self._wanted: dict[str, dict[tuple[str, str], int]] = {}
        self._known: dict[tuple[str, tuple[Grant, ...]], int] = {}
        self.sure = not _add_ons_compete(board, self._wanted, self._stock)
        """Whether nothing depends on who is served first."""

    def compete(self, stakes: Sequence[Stake]) -> None:
        """See from all rows whether campaigns could want more of some gift together than there is."""
        for stake in stakes:
            most = _most_wanted(stake, self._picks.get(stake.campaign.code))
            for sku, pieces in most.items():
                self._wanted.setdefault(sku, {})[("gift", stake.campaign.code)] = pieces
        for sku, takers in self._wanted.items():
            if len(takers) > 1 and sum(takers.values()) > self._stock.get(sku, 0):
                self.sure = False

    def value(self, code: str, grants: tuple[Grant, ...]) -> int:
        """What a campaign's gifts are worth; when not `sure`, the most they could be worth."""
        key = (code, grants)
        if key not in self._known:
            picks = self._picks.get(code)
            self._known[key] = self._given(grants, picks) if self.sure else self._most(grants, picks)
        return self._known[key]

    def most(self, stake: Stake) -> int:
        """The most that the gifts of a campaign's rows are worth."""
        granted = (row[2] for row in stake.rows.values() if row is not None and row[2])
        return max((self.value(stake.campaign.code, grants) for grants in granted), default=0)

    def _price(self, sku: str) -> int:
        product = self._world.products.get(sku)
        return 0 if product is None else product.price

    def _given(self, grants: Sequence[Grant], picks: Sequence[str] | None) -> int:
        stock = {option.sku: self._stock.get(option.sku, 0) for grant in grants for option in grant.options}
        given = give(grants, picks, stock, self._world)
        return sum(self._price(sku) * pieces for sku, pieces in given.pieces.items())

    def _most(self, grants: Sequence[Grant], picks: Sequence[str] | None) -> int:
        values = [[self._price(option.sku) * option.quantity for option in grant.options] for grant in grants]
        if picks is None:
            return sum(
                grant.times * sum(sorted(worths, reverse=True)[: grant.choose])
                for grant, worths in zip(grants, values, strict=True)
            )
        dearest: dict[str, int] = {}
        for grant, worths in zip(grants, values, strict=True):
            for option, worth in zip(grant.options, worths, strict=True):
                dearest[option.sku] = max(worth, dearest.get(option.sku, 0))
        return sum(dearest.get(sku, 0) for sku in picks)


def _add_ons_compete(board: Board, wanted: dict[str, dict[tuple[str, str], int]], stock: dict[str, int]) -> bool:
    for each in board.pricing.cart.add_ons:
        takers = wanted.setdefault(each.sku, {})
        key = ("add_on", each.campaign)
        takers[key] = takers.get(key, 0) + each.quantity
    return any(len(takers) > 1 and sum(takers.values()) > stock.get(sku, 0) for sku, takers in wanted.items())


def _most_wanted(stake: Stake, picks: Sequence[str] | None) -> dict[str, int]:
    """The most pieces of each product that a campaign's rows could take."""
    most: dict[str, int] = {}
    for row in stake.rows.values():
        if row is None or not row[2]:
            continue
        for sku, pieces in _pieces(row[2], picks):
            most[sku] = max(pieces, most.get(sku, 0))
    return most


def _pieces(grants: Sequence[Grant], picks: Sequence[str] | None) -> Iterator[tuple[str, int]]:
    options = [(option, grant.times) for grant in grants for option in grant.options]
    for sku in {option.sku for option, _ in options}:
        if picks is None:
            yield sku, sum(option.quantity * times for option, times in options if option.sku == sku)
        else:
            yield sku, picks.count(sku) * max(option.quantity for option, _ in options if option.sku == sku)
