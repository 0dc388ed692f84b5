"""A small sale that went well, made up by hand, for tests that break it in one place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.faults.checker import Breach, Checker
from tests.faults.history import Act, History, Op
from tests.faults.looking import End, OfferEnd, Ticket
from tests.faults.sale import Offer

START_MS = 1_800_000_000_000.0
OFFER = "noon-kettle"


def iso(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


class Made:
    """A sale of five units, three of them sold: to amy (paid), bob (pending), and to eve, who let hers expire.

    Eve's unit was sold again, to dan, who never heard of it. Everybody clicked at the second of their number.
    """

    def __init__(self) -> None:
        self.history = History()
        self.end = End(issued=4, committed=4)
        offer = Offer(OFFER, "noon", "kettle", 5, 1, 4, starts_ms=START_MS, ends_ms=START_MS + 60_000)
        self.offer = OfferEnd(offer, stock=5, left=0, fresh=[], freed_said=0, freed=[], tickets={})
        self.offer.last_probe = "sold_out"
        self.end.offers[OFFER] = self.offer
        for number, name in enumerate(("amy", "bob", "eve", "fay", "gus"), start=1):
            self.win(name, number, at_s=number)
        self.change("eve", status="expired", units=[], units_released=[3], expire_at=iso(START_MS + 8000))
        del self.offer.tickets["eve"]
        self.end.mine["eve", OFFER] = ("none", [])
        self.change("amy", status="paid")
        self.op("amy", 20, verb="pay", order_no="n-amy", outcome="done", reply={"status": "paid"})
        self.win("dan", 3, at_s=30)
        self.clicks("dan")[0].outcome, self.clicks("dan")[0].reply = "unknown", {}

    def op(self, shopper: str, at_s: float, **given: Any) -> Op:
        """An operation that took ten milliseconds."""
        at_ms = START_MS + at_s * 1000
        op = Op(shopper, OFFER, invoked_ms=at_ms, replied_ms=at_ms + 10, status=200, **given)
        self.history.ops.append(op)
        return op

    def win(self, shopper: str, unit: int, at_s: float) -> Op:
        """A click that won, with its order, its ticket, and what its shopper is told later."""
        number = f"n-{shopper}"
        won_ms = START_MS + at_s * 1000 + 5
        reply = {"order_no": number, "units": [unit], "quantity": 1, "price": 9900, "receipt": f"r-{shopper}"}
        self.end.orders[number] = {
            "order_no": number,
            "offer": OFFER,
            "shopper": shopper,
            "units": [unit],
            "units_released": [],
            "quantity": 1,
            "price": 9900,
            "status": "pending",
            "won_at": iso(won_ms),
            "expire_at": iso(won_ms + 600_000),
        }
        self.offer.tickets[shopper] = [Ticket(number, [unit], 9900, int(won_ms))]
        self.end.mine[shopper, OFFER] = ("won", [number])
        return self.op(shopper, at_s, outcome="won", reply=reply)

    def change(self, whose: str, **given: Any) -> None:
        self.end.orders[f"n-{whose}"] |= given

    def clicks(self, shopper: str) -> list[Op]:
        return [op for op in self.history.ops if op.shopper == shopper and op.verb == "click"]

    def act(self, verb: str, at_s: float, **given: Any) -> None:
        at_ms = START_MS + at_s * 1000
        self.history.acts.append(Act(verb, OFFER, at_ms, at_ms + 10, ok=True, **given))

    def breaches(self) -> list[Breach]:
        return Checker(self.history, self.end).check()

    def names(self) -> set[str]:
        """Which invariants are broken."""
        return {breach.name for breach in self.breaches()}
