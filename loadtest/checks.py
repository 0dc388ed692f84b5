"""The promises of a sale, checked from the outside: what the back office says against what clients heard.

Every check is a pure function of one offer's facts and the clients' story about it; it returns one sentence
per breach. Nothing here knows how the gateway works.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from loadtest.ledger import LOST, STATUS_OF_OUTCOME, Ledger, Operation, Reply, Ticket

ACTIVE_STATES = frozenset({"pending", "paid", "shipped", "completed", "refunding"})
FINAL_REFUSALS = frozenset({"sold_out", "ended", "paused", "not_eligible", "not_started", "limit_reached"})
"""What a winner who clicks again must never hear."""

UNSETTLED = frozenset({LOST, "unknown"})
"""Answers after which a click may or may not have won."""

TERMINATE_WITHIN_MS = 1000
"""How long after a terminate was answered a worker may still sell."""

STALE_REFUSAL_MS = 1000
"""How long after a top-up a refusal may still be out of date."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the back office lists it. `units` are held now, `released` were given back."""

    order_no: str
    shopper: str
    units: tuple[int, ...]
    released: tuple[int, ...]
    price: int
    status: str

    @property
    def active(self) -> bool:
        """Whether it still holds units."""
        return self.status in ACTIVE_STATES

    @property
    def ticket(self) -> tuple[str, tuple[int, ...], int]:
        """What its winner was told, to be compared."""
        return self.order_no, tuple(sorted(self.units + self.released)), self.price


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """One offer as the back office has it after the writer caught up. `left` is Redis' word on free units."""

    id: str
    stock: int
    left: int
    limit: int
    starts_at_ms: int
    ends_at_ms: int
    orders: tuple[Order, ...]
    gaps: bool = False
    """Whether numbers may be left out: every bucket of an offer has its own."""

    @property
    def held(self) -> int:
        """Units in active orders."""
        return sum(len(each.units) for each in self.orders)

    @property
    def released_any(self) -> bool:
        """Whether any unit ever came back, after which an early refusal proves nothing."""
        return any(each.released or not each.active for each in self.orders)


@dataclass(frozen=True, slots=True)
class Story:
    """What clients know about one offer. Clocks may differ from the servers' by the tolerance, ms."""

    replies: tuple[Reply, ...]
    operations: tuple[Operation, ...]
    clock_tolerance_ms: int = 250

    @classmethod
    def about(cls, offer: str, ledger: Ledger, *, clock_tolerance_ms: int = 250) -> Story:
        """The part of a ledger that concerns one offer, in the order in which it was heard."""
        replies = sorted((r for r in ledger.replies if r.offer == offer), key=lambda r: r.heard_at_ms)
        return cls(tuple(replies), tuple(o for o in ledger.operations if o.offer == offer), clock_tolerance_ms)

    @property
    def clicks(self) -> Iterable[Reply]:
        """Replies to clicks."""
        return (each for each in self.replies if each.kind == "click")

    def wins(self) -> list[tuple[Reply, Ticket]]:
        """Every ticket that anybody was shown, by a click or by asking."""
        return [(reply, ticket) for reply in self.replies for ticket in reply.tickets]


def units_once(facts: OfferFacts, story: Story) -> list[str]:
    """No unit number is held twice, none lies above the cap, and without returns none is left out."""
    held = Counter(unit for order in facts.orders for unit in order.units)
    cap = max([facts.stock, *(each.stock for each in story.operations if each.stock is not None)])
    breaches = [f"unit {unit} is held {count} times" for unit, count in held.items() if count > 1]
    breaches += [f"unit {unit} is above the cap {cap}" for unit in held if not 1 <= unit <= cap]
    if facts.held > facts.stock:
        breaches.append(f"{facts.held} units are held of a stock of {facts.stock}")
    if not facts.released_any and not facts.gaps:
        breaches += [f"unit {unit} was skipped" for unit in range(1, len(held) + 1) if unit not in held]
    return breaches


def limit_per_shopper(facts: OfferFacts, story: Story) -> list[str]:
    """Nobody holds more units than the offer allows."""
    del story
    held: Counter[str] = Counter()
    for order in facts.orders:
        held[order.shopper] += len(order.units)
    return [f"{shopper} holds {n} of at most {facts.limit}" for shopper, n in held.items() if n > facts.limit]


def every_win_is_an_order(facts: OfferFacts, story: Story) -> list[str]:
    """Each ticket that a client was shown is exactly one order with its number, units, price and shopper."""
    orders: dict[str, list[Order]] = defaultdict(list)
    for order in facts.orders:
        orders[order.order_no].append(order)
    breaches = []
    for (order_no, shopper), ticket in {(t.order_no, r.shopper): t for r, t in story.wins()}.items():
        match orders.get(order_no, []):
            case [order]:
                told = (order_no, tuple(sorted(ticket.units)), ticket.price)
                if told != order.ticket or shopper != order.shopper:
                    breaches.append(f"{shopper} was told {told}; the order is {order.ticket} of {order.shopper}")
            case found:
                breaches.append(f"{shopper} won {order_no}, of which there are {len(found)} orders")
    return breaches


def every_order_was_won(facts: OfferFacts, story: Story) -> list[str]:
    """Each order was told to its shopper, or that shopper has a click without a final answer."""
    told = {ticket.order_no for _, ticket in story.wins()}
    unsettled = {each.shopper for each in story.clicks if each.outcome in UNSETTLED}
    return [
        f"{order.order_no} of {order.shopper} was told to nobody"
        for order in facts.orders
        if order.order_no not in told and order.shopper not in unsettled
    ]


def same_ticket_again(facts: OfferFacts, story: Story) -> list[str]:
    """Whoever won and clicks again (same key, where keys count) gets that very ticket, never a refusal."""
    given_back = {each.order_no for each in facts.orders if not each.active or each.released}
    first: dict[tuple[str, str], tuple[int, Ticket]] = {}
    breaches = []
    for reply in story.clicks:
        claim = (reply.shopper, reply.key if facts.limit > 1 else "")
        known = first.get(claim)
        for ticket in reply.tickets:
            if known is None:
                known = first[claim] = (reply.heard_at_ms, ticket)
            elif (ticket.order_no, ticket.units, ticket.price) != (
                known[1].order_no,
                known[1].units,
                known[1].price,
            ) and known[1].order_no not in given_back:
                breaches.append(f"{reply.shopper} won {known[1].order_no} and later was given {ticket.order_no}")
        if known is not None and known[1].order_no not in given_back:
            again = reply.sent_at_ms > known[0]
            if again and (reply.outcome in FINAL_REFUSALS or reply.outcome == "won"):
                breaches.append(f"{reply.shopper} won {known[1].order_no} and later heard {reply.outcome}")
    return breaches


def nobody_sent_away(facts: OfferFacts, story: Story) -> list[str]:
    """Sold is the smaller of stock and demand: nobody heard "none left" of a stock that was not used up."""
    unsold = facts.stock - facts.held
    if unsold <= 0 or facts.released_any:
        return []
    settled_ms = _last_raise_ms(story.operations) + STALE_REFUSAL_MS
    return [
        f"{each.shopper} heard sold_out, and {unsold} units were never sold"
        for each in story.clicks
        if each.outcome == "sold_out" and each.left == 0 and each.sent_at_ms > settled_ms
    ]


def _last_raise_ms(operations: tuple[Operation, ...]) -> int:
    raised_ms, stock = 0, None
    for each in sorted(operations, key=lambda each: each.at_ms):
        if each.stock is not None:
            if stock is not None and each.stock > stock:
                raised_ms = each.at_ms
            stock = each.stock
    return raised_ms


def inside_the_window(facts: OfferFacts, story: Story) -> list[str]:
    """Nothing is won before the start, after the end or after a terminate; inside, nobody hears otherwise."""
    stops = [each.at_ms for each in story.operations if each.name == "terminated"]
    closed_ms = min([facts.ends_at_ms + story.clock_tolerance_ms, *(at + TERMINATE_WITHIN_MS for at in stops)])
    open_ms = facts.starts_at_ms - story.clock_tolerance_ms
    breaches = []
    for each in story.clicks:
        if each.outcome == "won" and each.heard_at_ms < open_ms:
            breaches.append(f"{each.shopper} won {facts.starts_at_ms - each.heard_at_ms} ms before the start")
        if each.outcome == "won" and each.sent_at_ms > closed_ms:
            breaches.append(f"{each.shopper} clicked {each.sent_at_ms - closed_ms} ms after the sale and won")
        late = facts.starts_at_ms + story.clock_tolerance_ms
        if each.outcome == "not_started" and each.sent_at_ms > late:
            breaches.append(f"{each.shopper} heard not_started {each.sent_at_ms - late} ms into the sale")
        early = facts.ends_at_ms - story.clock_tolerance_ms
        if each.outcome == "ended" and not stops and each.heard_at_ms < early:
            breaches.append(f"{each.shopper} heard ended {early - each.heard_at_ms} ms before the end")
    return breaches


def answers_from_the_table(facts: OfferFacts, story: Story) -> list[str]:
    """Every click got an outcome of the contract, with its status."""
    del facts
    odd = Counter(
        (each.outcome, each.status)
        for each in story.clicks
        if STATUS_OF_OUTCOME.get(each.outcome, -1) != each.status
    )
    return [f"{count} × {outcome} with status {status}" for (outcome, status), count in odd.items()]


def asking_tells_the_truth(facts: OfferFacts, story: Story) -> list[str]:
    """Whoever asked last heard `none` exactly if there is no order, unless a later or unsettled click won."""
    orders: dict[str, int] = Counter(each.shopper for each in facts.orders if each.active)
    last: dict[str, Reply] = {}
    for reply in story.replies:
        last[reply.shopper] = reply
    return [
        f"{shopper} asked, heard none, and has {orders[shopper]} orders"
        for shopper, reply in last.items()
        if reply.kind == "mine" and reply.outcome == "none" and orders[shopper]
    ]


def books_agree(facts: OfferFacts, story: Story) -> list[str]:
    """Redis and the ledger count the same: stock minus left is what orders hold."""
    del story
    if facts.stock - facts.left != facts.held:
        return [f"Redis gave out {facts.stock - facts.left} units, orders hold {facts.held}"]
    return []


Check = Callable[[OfferFacts, Story], list[str]]

CHECKS: dict[str, Check] = {
    "each unit once, none above the cap": units_once,
    "limit per shopper": limit_per_shopper,
    "every win is one order": every_win_is_an_order,
    "every order was won": every_order_was_won,
    "a winner gets the same ticket again": same_ticket_again,
    "sold = min(stock, demand)": nobody_sent_away,
    "only inside the window": inside_the_window,
    "every answer is from the table": answers_from_the_table,
    "asking tells the truth": asking_tells_the_truth,
    "Redis and ledger agree": books_agree,
}
"""All promises, by the name that the table shows."""

CHECKS_OF_THE_BOOKS = ("each unit once, none above the cap", "limit per shopper", "Redis and ledger agree")
"""The promises that need no client's word."""
