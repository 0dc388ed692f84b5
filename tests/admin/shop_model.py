"""What a small shop promises, as a few lines of Python without a database: the model that orders are held against.

Two goods, a gift, a group buy and a pre-sale, each with its limits. Money is minor units.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

POT, CUP, MUG, PAN, BOOK = "pot", "cup", "mug", "pan", "book"
PRICES = {POT: 1000, CUP: 300, MUG: 150, PAN: 800, BOOK: 2000}
POT_OFF = 400
CUPS_FOR_A_MUG = 3
COUPON_OFF = 50
GROUP_PRICE, GROUP_SIZE, GROUP_LIMIT = 500, 2, 2
DEPOSIT, CREDIT = 100, 200
OVER = {"cancelled", "expired", "refunded"}

Thing = tuple[str, str, str]
"""Kind, subject, owner, as the ledger of reservations names them."""


@dataclass(frozen=True)
class Limits:
    """How much there may be; kinds that are absent have no limit."""

    stock: dict[str, int]
    pots: int
    pots_each: int
    budget: int
    mugs: int
    coupons: int
    books: int


@dataclass
class Order:
    """One order. `held` is all that it holds but stock; `units` what it takes of each product."""

    flow: str
    shopper: str
    units: dict[str, int]
    total: int
    held: Counter[Thing]
    # Of the goods, unit by unit; and how many of these were paid back.
    prices: list[int]
    group: str = ""
    status: str = "pending"
    refunded: int = 0
    # Stock of paid orders has left; before that it is promised.
    stock_gone: bool = False
    deposit: int = 0
    # Money that came, and money that went back.
    paid: int = 0
    back: int = 0


@dataclass
class Bargain:
    """What a cart comes to: its price, what it takes of each product, and of what else can run out."""

    total: int
    units: dict[str, int]
    held: Counter[Thing]


@dataclass
class ShopModel:
    """The shop and all its orders."""

    limits: Limits
    forfeit: bool
    virtual: bool
    stock: dict[str, int] = field(init=False)
    orders: dict[str, Order] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stock = dict(self.limits.stock)

    # What is held.

    def held(self) -> Counter[Thing]:
        """Of everything but stock, by all orders that are not over."""
        found: Counter[Thing] = Counter()
        for order in self.orders.values():
            if order.status not in OVER:
                found += order.held
        return found

    def promised(self, sku: str) -> int:
        """Units that orders hold and have not paid for."""
        return sum(
            order.units.get(sku, 0)
            for order in self.orders.values()
            if order.status not in OVER and not order.stock_gone
        )

    def free(self, sku: str) -> int:
        """Units that somebody else may have."""
        return self.stock[sku] - self.promised(sku)

    # What things cost.

    def cart(self, shopper: str, pots: int, cups: int, *, coupon: bool) -> Bargain | None:
        """The price of a cart as it is now; None when it cannot be had."""
        held, limits = self.held(), self.limits
        takes: Counter[Thing] = Counter()
        if pots > self.free(POT) or cups > self.free(CUP) or not pots + cups:
            return None
        units = {sku: count for sku, count in ((POT, pots), (CUP, cups)) if count}
        total = PRICES[POT] * pots + PRICES[CUP] * cups
        mine: Thing = ("campaign_shopper", "half", shopper)
        if (
            pots
            and held["campaign", "half", ""] + pots <= limits.pots
            and held[mine] + pots <= limits.pots_each
            and held["budget", "half", ""] + POT_OFF * pots <= limits.budget
        ):
            total -= POT_OFF * pots
            takes += Counter({("campaign", "half", ""): pots, mine: pots, ("budget", "half", ""): POT_OFF * pots})
        if cups >= CUPS_FOR_A_MUG and held["campaign", "mugs", ""] < limits.mugs:
            takes["campaign", "mugs", ""] = 1
            if self.free(MUG):
                units[MUG] = 1
        own: Thing = ("coupon_shopper", "SAVE", shopper)
        if coupon and held["coupon", "SAVE", ""] < limits.coupons and not held[own]:
            total -= COUPON_OFF
            takes += Counter({("coupon", "SAVE", ""): 1, own: 1})
        return Bargain(total, units, takes)

    def seat(self, shopper: str, group: str | None) -> Bargain | None:
        """A seat in a group, or in a new one; None when it cannot be had."""
        held = self.held()
        mine: Thing = ("campaign_shopper", "together", shopper)
        if not self.free(PAN) or held[mine] >= GROUP_LIMIT:
            return None
        takes: Counter[Thing] = Counter({mine: 1})
        if group is not None:
            if self.groups[group] != "open" or held["seat", group, ""] >= GROUP_SIZE:
                return None
            if held["group_shopper", group, shopper]:
                return None
            takes += self.seat_of(group, shopper)
        return Bargain(GROUP_PRICE, {PAN: 1}, takes)

    def seat_of(self, group: str, shopper: str) -> Counter[Thing]:
        """What sitting in a group takes."""
        return Counter({("seat", group, ""): 1, ("group_shopper", group, shopper): 1})

    def book(self, books: int) -> Bargain | None:
        """A pre-sale order; None when it cannot be had."""
        if books > self.free(BOOK) or self.held()["campaign", "early", ""] + books > self.limits.books:
            return None
        total = (PRICES[BOOK] - CREDIT + DEPOSIT) * books
        return Bargain(total, {BOOK: books}, Counter({("campaign", "early", ""): books}))

    # What happens.

    def make(self, number: str, flow: str, shopper: str, bargain: Bargain, prices: list[int], group: str) -> None:
        """A new order; `prices` are of its goods, unit by unit."""
        order = Order(flow, shopper, bargain.units, bargain.total, bargain.held, prices, group)
        if flow == "presale":
            order.deposit = DEPOSIT * bargain.units[BOOK]
        self.orders[number] = order

    def pay(self, number: str) -> None:
        """All that is due now is paid."""
        order = self.orders[number]
        if order.flow == "presale" and order.status == "pending":
            order.status, order.paid = "deposit_paid", order.deposit
            return
        order.paid = order.total
        if order.flow != "group_buy":
            self._settle(order)
            return
        order.status = "awaiting_group"
        if len(self.seated(order.group)) == GROUP_SIZE:
            self._fill(order.group)

    def take_coupon(self, number: str) -> bool:
        """A coupon off the balance, if it may still be used."""
        order, held = self.orders[number], self.held()
        own: Thing = ("coupon_shopper", "SAVE", order.shopper)
        if held["coupon", "SAVE", ""] >= self.limits.coupons or held[own]:
            return False
        order.held += Counter({("coupon", "SAVE", ""): 1, own: 1})
        order.total -= COUPON_OFF
        return True

    def seated(self, group: str) -> list[Order]:
        """Orders of a group that are paid for and wait."""
        return [each for each in self.orders.values() if each.group == group and each.status == "awaiting_group"]

    def _fill(self, group: str) -> None:
        self.groups[group] = "full"
        for order in self.seated(group):
            self._settle(order)

    def _settle(self, order: Order) -> None:
        order.status, order.stock_gone = "paid", True
        for sku, count in order.units.items():
            self.stock[sku] -= count

    def end(self, number: str, status: str) -> None:
        """The order is over."""
        order = self.orders[number]
        order.status = status
        if order.group and self.groups[order.group] == "open":
            members = [each for each in self.orders.values() if each.group == order.group]
            if all(each.status in OVER for each in members):
                self.groups[order.group] = "closed"

    def deadline(self, group: str) -> None:
        """Nobody else may join."""
        waiting = self.seated(group)
        if self.virtual and waiting:
            self._fill(group)
        else:
            self.groups[group] = "failed"
        for number, order in self.orders.items():
            if order.group == group and order.status == "pending":
                self.end(number, "cancelled")
            elif order.group == group and order.status == "awaiting_group":
                self.pay_back(number, everything=True)

    def miss(self, number: str) -> None:
        """The balance was not paid."""
        if self.forfeit:
            self.end(number, "expired")
        else:
            self.pay_back(number, everything=True)

    def pay_back(self, number: str, count: int = 0, *, everything: bool = False) -> None:
        """The first units that are left come back, or all and the gift with them."""
        order = self.orders[number]
        pots = order.units.get(POT, 0)
        before = order.refunded
        order.refunded = len(order.prices) if everything else before + count
        if everything:
            # The gift comes back too: nothing is held back for it any more.
            order.back = max(order.back, min(order.paid, sum(order.prices)))
            self.end(number, "refunded")
            return
        cups = order.units.get(CUP, 0) - max(0, order.refunded - pots)
        unearned = PRICES[MUG] if MUG in order.units and cups < CUPS_FOR_A_MUG else 0
        order.back = max(order.back, sum(order.prices[: order.refunded]) - unearned)
        budget: Thing = ("budget", "half", "")
        if budget in order.held:
            order.held[budget] -= POT_OFF * (min(order.refunded, pots) - min(before, pots))
