"""The ten invariants, held against what was heard and what is there at the end. Pure: no process, no clock.

I1 no unit twice, none beyond the stock      I6 no `sold_out` while a unit stays unsold
I2 nobody beyond the limit                   I7 who asks again hears the same
I3 every `won` is exactly one order          I8 nothing sold outside the window
I4 every order is one decision               I9 nothing waits, no dead letter
I5 left + held = initial + changes           I10 who did not know finds out, and it is true
life: what was paid stays paid, what was cancelled stays cancelled
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.history import FINAL, TOLD, Act, History, Op
from tests.faults.looking import End, OfferEnd, instant_ms

HELD = frozenset({"pending", "paid", "shipped", "completed", "refunding"})
GONE = frozenset({"expired", "cancelled", "refunded"})
CLOCK_MS = 5.0
"""How far apart the clocks of one machine may seem, with everything rounded to milliseconds."""

_NEVER = float("inf")


@dataclass(frozen=True)
class Breach:
    """A broken promise and what proves it."""

    name: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.name}: {self.evidence}"


class Checker:
    """Holds a history against its end.

    `clock_ms` is the tolerance where clocks were stepped. After a repair (`repaired`) a winner may have been given
    another unit than the one that was told, long after winning.
    """

    def __init__(self, history: History, end: End, *, clock_ms: float = CLOCK_MS, repaired: bool = False) -> None:
        self.history = history
        self.end = end
        self.clock_ms = clock_ms
        self.repaired = repaired
        self.cancels = [op for op in history.ops if op.verb == "cancel"]
        self.orders_of: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for order in end.orders.values():
            self.orders_of[order["shopper"], order["offer"]].append(order)
        self.clicks_of: dict[tuple[str, str], list[Op]] = defaultdict(list)
        for op in history.ops:
            if op.verb == "click":
                self.clicks_of[op.shopper, op.offer].append(op)

    def check(self) -> list[Breach]:
        """Every breach, in the order of the invariants."""
        checks: list[Callable[[], Iterator[Breach]]] = [
            self.units_are_held_once,
            self.limits_hold,
            self.told_is_ordered,
            self.ordered_is_decided,
            self.stock_adds_up,
            self.nothing_is_stranded,
            self.answers_stay,
            self.window_holds,
            self.nothing_waits,
            self.unknown_is_resolved,
            self.orders_live,
        ]
        return [breach for check in checks for breach in check()]

    def ended_ms(self, order: dict[str, Any]) -> float:
        """The earliest moment at which the order may have given its units back."""
        if order["status"] == "expired":
            return instant_ms(order["expire_at"])
        if order["status"] in {"cancelled", "refunded"}:
            return self.cancelled_ms(order["order_no"])
        return _NEVER

    def cancelled_ms(self, order_no: str) -> float:
        return min((op.invoked_ms for op in self.cancels if op.order_no == order_no), default=_NEVER)

    def units_are_held_once(self) -> Iterator[Breach]:
        """I1, by the ledger and over time."""
        taken = "created_at" if self.repaired else "won_at"
        for offer_id, end in self.end.offers.items():
            orders = [order for order in self.end.orders.values() if order["offer"] == offer_id]
            held = Counter(unit for order in orders for unit in order["units"])
            for unit, times in held.items():
                if times > 1:
                    yield Breach("I1", f"{offer_id}: unit {unit} is held {times} times")
            if sum(held.values()) > end.stock:
                yield Breach("I1", f"{offer_id}: {sum(held.values())} units held, stock {end.stock}")
            raised = sum(act.delta for act in self.stock_acts(offer_id) if act.delta > 0)
            cap = end.offer.stock + raised
            by_unit: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for order in orders:
                for unit in [*order["units"], *order["units_released"]]:
                    by_unit[unit].append(order)
                    if not 1 <= unit <= cap:
                        yield Breach("I1", f"{offer_id}: unit {unit} of {order['order_no']} is beyond {cap}")
            for unit, users in by_unit.items():
                # Whoever holds it now came last, whatever a stepped clock says.
                users.sort(key=lambda order: (unit in order["units"], instant_ms(order[taken])))
                for first, second in itertools.pairwise(users):
                    if instant_ms(second[taken]) + self.clock_ms < self.ended_ms(first):
                        yield Breach(
                            "I1",
                            f"{offer_id}: unit {unit} of {first['order_no']} ({first['status']}) was sold again to"
                            f" {second['order_no']} before it could have come back",
                        )

    def limits_hold(self) -> Iterator[Breach]:
        """I2, by the ledger."""
        for (shopper, offer_id), orders in self.orders_of.items():
            end = self.end.offers.get(offer_id)
            held = sum(len(order["units"]) for order in orders)
            if end is not None and held > end.offer.limit:
                yield Breach("I2", f"{shopper!r} holds {held} of {offer_id}, the limit is {end.offer.limit}")

    def told_is_ordered(self) -> Iterator[Breach]:
        """I3: every ticket that was handed out is the order that the ledger has."""
        receipts: dict[str, set[str]] = defaultdict(set)
        for op in self.history.told():
            number = str(op.reply.get("order_no"))
            order = self.end.orders.get(number)
            receipts[number].add(str(op.reply.get("receipt")))
            if order is None:
                yield Breach("I3", f"{op.shopper!r} was told {op.outcome} {number} of {op.offer}: no such order")
                continue
            units = sorted([*order["units"], *order["units_released"]])
            said = (op.shopper, op.offer, sorted(op.reply["units"]), op.reply["quantity"], op.reply["price"])
            there = (order["shopper"], order["offer"], units, order["quantity"], order["price"])
            if said != there and not (self.repaired and said[:2] + said[3:] == there[:2] + there[3:]):
                yield Breach("I3", f"{number}: told {said}, the ledger has {there}")
            if order["status"] in HELD and sorted(order["units"]) != units:
                yield Breach("I3", f"{number} is {order['status']} and does not hold {order['units_released']}")
        for number, several in receipts.items():
            if len(several) > 1:
                yield Breach("I3", f"{number}: {len(several)} different receipts")

    def ordered_is_decided(self) -> Iterator[Breach]:
        """I4: no order without a click that may have won it, and Redis has the ticket of each that is held."""
        for (shopper, offer_id), orders in self.orders_of.items():
            clicks = self.clicks_of.get((shopper, offer_id), [])
            told = {str(op.reply.get("order_no")) for op in clicks if op.outcome in TOLD}
            silent = [order for order in orders if order["order_no"] not in told]
            open_clicks = [op for op in clicks if op.open]
            if len(silent) > len(open_clicks):
                numbers = [order["order_no"] for order in silent]
                yield Breach(
                    "I4", f"{shopper!r} has {numbers} of {offer_id} and {len(open_clicks)} clicks without an answer"
                )
            for order in orders:
                if not any(op.invoked_ms - self.clock_ms <= instant_ms(order["won_at"]) for op in clicks):
                    yield Breach("I4", f"{order['order_no']} was won before {shopper!r} clicked")
        for offer_id, end in self.end.offers.items():
            there = {
                ticket.order_no: (shopper, sorted(ticket.units))
                for shopper, several in end.tickets.items()
                for ticket in several
            }
            for order in self.end.orders.values():
                if order["offer"] != offer_id or order["status"] not in HELD:
                    continue
                if there.get(order["order_no"]) != (order["shopper"], sorted(order["units"])):
                    yield Breach("I4", f"{order['order_no']} is held, and Redis has {there.get(order['order_no'])}")

    def stock_acts(self, offer_id: str) -> list[Act]:
        return [act for act in self.history.acts if act.verb == "stock" and act.offer == offer_id and act.ok]

    def stock_adds_up(self) -> Iterator[Breach]:
        """I5: in Redis, in the ledger, and both the same."""
        for offer_id, end in self.end.offers.items():
            initial = end.offer.stock + sum(act.delta for act in self.stock_acts(offer_id))
            if end.stock != initial:
                yield Breach("I5", f"{offer_id}: stock {end.stock}, initial and changes make {initial}")
            in_redis = Counter(
                unit for several in end.tickets.values() for ticket in several for unit in ticket.units
            )
            if end.left + sum(in_redis.values()) != end.stock:
                yield Breach(
                    "I5", f"{offer_id}: left {end.left} + held {sum(in_redis.values())} != stock {end.stock}"
                )
            for unit, times in in_redis.items():
                if times > 1:
                    yield Breach("I5", f"{offer_id}: unit {unit} is on {times} tickets")
            for unit, times in Counter([*in_redis, *end.freed, *end.fresh]).items():
                if times > 1:
                    yield Breach("I5", f"{offer_id}: Redis has unit {unit} more than once")
            free = len(end.freed) + len(end.fresh)
            if end.left != free:
                yield Breach("I5", f"{offer_id}: left {end.left}, and {free} units are there to be sold")
            if end.freed_said != len(end.freed):
                yield Breach("I5", f"{offer_id}: {end.freed_said} freed by the count, {len(end.freed)} are there")
            yield from self.same_units(offer_id, end, set(in_redis))
            shown, there = (end.report.get("stock"), end.report.get("left")), (end.stock, end.left)
            if end.report and shown != there:
                yield Breach("I5", f"{offer_id}: the report shows stock and left {shown}, Redis has {there}")

    def same_units(self, offer_id: str, end: OfferEnd, in_redis: set[int]) -> Iterator[Breach]:
        orders = [order for order in self.end.orders.values() if order["offer"] == offer_id]
        in_ledger = {unit for order in orders for unit in order["units"]}
        if missing := in_ledger - in_redis:
            yield Breach("I5", f"{offer_id}: the ledger holds {sorted(missing)[:10]}, Redis does not")
        # A unit that was refunded and not put back on sale stays with its ticket.
        kept = {
            ticket.order_no
            for several in end.tickets.values()
            for ticket in several
            if set(ticket.units) - in_ledger
        }
        for number in kept:
            order = self.end.orders.get(number)
            if order is None or order["status"] != "refunded" or order["units_released"]:
                state = order["status"] if order else "not in the ledger"
                yield Breach("I5", f"{offer_id}: Redis has a ticket for {number}, which is {state}")

    def nothing_is_stranded(self) -> Iterator[Breach]:
        """I6: at the end new shoppers bought until `sold_out`, and then nothing was left in Redis."""
        for offer_id, end in self.end.offers.items():
            if end.last_probe not in {"", "sold_out"}:
                yield Breach("I6", f"{offer_id}: new shoppers hear {end.last_probe}")

    def answers_stay(self) -> Iterator[Breach]:
        """I7: from the moment that somebody knows of a ticket, until its order may have ended."""
        for (shopper, offer_id), clicks in self.clicks_of.items():
            end = self.end.offers.get(offer_id)
            if end is None:
                continue
            for first in (op for op in clicks if op.outcome in TOLD):
                number = first.reply.get("order_no")
                order = self.end.orders.get(str(number))
                ended_ms = self.ended_ms(order) if order else _NEVER
                for later in clicks:
                    if (
                        later.invoked_ms < (first.replied_ms or 0)
                        or (later.replied_ms or _NEVER) + self.clock_ms >= ended_ms
                        or (end.offer.limit > 1 and later.key != first.key)
                    ):
                        continue
                    if later.outcome in FINAL or (later.outcome == "won"):
                        yield Breach("I7", f"{shopper!r} had {number} of {offer_id} and heard {later.outcome}")
                    elif later.outcome in TOLD and later.reply.get("order_no") != number:
                        yield Breach("I7", f"{shopper!r} had {number} and then {later.reply.get('order_no')}")

    def window_holds(self) -> Iterator[Breach]:
        """I8: also between a pause and its end, and after the end for good."""
        for order in self.end.orders.values():
            end = self.end.offers.get(order["offer"])
            if end is None:
                continue
            won_ms = instant_ms(order["won_at"])
            if not end.offer.starts_ms - self.clock_ms <= won_ms < end.offer.ends_ms + self.clock_ms:
                yield Breach("I8", f"{order['order_no']} was won outside the window")
            for begin_ms, end_ms in self.stops(order["offer"]):
                if begin_ms + self.clock_ms < won_ms < end_ms - self.clock_ms:
                    yield Breach("I8", f"{order['order_no']} was won while {order['offer']} was stopped")

    def stops(self, offer_id: str) -> Iterator[tuple[float, float]]:
        """From the answer to a pause or a termination to the next call that may have ended it."""
        acts = [act for act in self.history.acts if act.offer == offer_id]
        for act in acts:
            if act.verb in {"pause", "terminate"} and act.ok and act.replied_ms is not None:
                resumed = [
                    each.invoked_ms for each in acts if each.verb == "resume" and each.invoked_ms >= act.invoked_ms
                ]
                yield act.replied_ms, min(resumed, default=_NEVER) if act.verb == "pause" else _NEVER

    def nothing_waits(self) -> Iterator[Breach]:
        """I9."""
        if self.end.pending or self.end.undelivered:
            yield Breach("I9", f"{self.end.pending} entries are pending, {self.end.undelivered} undelivered")
        if self.end.issued != self.end.committed:
            yield Breach("I9", f"issued {self.end.issued}, committed {self.end.committed}")
        for letter in self.end.dead:
            yield Breach("I9", f"a dead letter: {letter}")
        if self.end.reconcile:
            yield Breach("I9", f"reconcile finds {self.end.reconcile}")

    def unknown_is_resolved(self) -> Iterator[Breach]:
        """I10: what everybody is told about their own tickets is what the ledger holds."""
        for (shopper, offer_id), (outcome, numbers) in self.end.mine.items():
            orders = self.orders_of.get((shopper, offer_id), [])
            held = sorted(order["order_no"] for order in orders if order["units"])
            kept = {order["order_no"] for order in orders if order["status"] == "refunded"}
            if outcome not in {"won", "none"}:
                yield Breach("I10", f"{shopper!r} still hears {outcome} about {offer_id}")
            elif [number for number in numbers if number not in kept or number in held] != held:
                yield Breach("I10", f"{shopper!r} is told {numbers} of {offer_id}, the ledger holds {held}")

    def orders_live(self) -> Iterator[Breach]:
        """What a shopper was told about an order is what became of it."""
        for op in self.history.ops:
            if op.verb == "click" or op.outcome != "done":
                continue
            order = self.end.orders.get(op.order_no)
            status = order["status"] if order else "missing"
            said = str(op.reply.get("status"))
            if op.verb == "pay" and said == "paid" and status not in {"paid", "shipped", "completed"}:
                yield Breach("life", f"{op.order_no} was paid and is {status}")
            if op.verb == "cancel" and said == "cancelled" and status != "cancelled":
                yield Breach("life", f"{op.order_no} was cancelled and is {status}")
        for number, order in self.end.orders.items():
            if order["status"] in GONE and order["units"]:
                yield Breach("life", f"{number} is {order['status']} and holds {order['units']}")
