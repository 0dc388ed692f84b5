"""A broken invariant: its name, where it is, what it says, and what would put it right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Remedy(Enum):
    """What puts a broken invariant right; its value is what `--repair` would do, empty where it must ask."""

    APPROVE = "hold the offer against the ledger, then approve it"
    REBUILD = "close the offer for a moment and rebuild it from the ledger under a new epoch"
    WRITE = "write the order of the ticket into the ledger"
    RELEASE = "tell Redis of the units that were given back"
    SEAT = "give the winner a free unit"
    FINISH = "bring the units to the bucket that they are for"
    REMOVE = "remove the letter, for its order is in the ledger"
    GROUP = "create the group of order writers"
    ACKNOWLEDGE = "acknowledge the entry, for there is nothing to write"
    COUNT = "correct the total of what is committed"
    ASK = ""


REMEDIES = {
    "offer_missing": Remedy.APPROVE,
    "not_approved": Remedy.APPROVE,
    "offer_incomplete": Remedy.REBUILD,
    "epoch_differs": Remedy.REBUILD,
    "version_differs": Remedy.REBUILD,
    "terms_differ": Remedy.REBUILD,
    "stock_differs": Remedy.REBUILD,
    "unit_cap_differs": Remedy.REBUILD,
    "left_differs": Remedy.REBUILD,
    "freed_differs": Remedy.REBUILD,
    "held_differs": Remedy.REBUILD,
    "unit_held_twice": Remedy.REBUILD,
    "unit_held_and_free": Remedy.REBUILD,
    "unit_lost": Remedy.REBUILD,
    "ticket_unreadable": Remedy.REBUILD,
    "ticket_differs": Remedy.REBUILD,
    "ticket_given_back": Remedy.REBUILD,
    "order_without_ticket": Remedy.REBUILD,
    "operation_missing": Remedy.REBUILD,
    "ticket_without_order": Remedy.WRITE,
    "release_waits": Remedy.RELEASE,
    "transfer_waits": Remedy.FINISH,
    "dead_letter": Remedy.SEAT,
    "dead_letter_settled": Remedy.REMOVE,
    "group_missing": Remedy.GROUP,
    "entry_deleted": Remedy.ACKNOWLEDGE,
    "backlog_differs": Remedy.COUNT,
    # No program can know the right answer to these.
    "dead_letter_stuck": Remedy.ASK,
    "offer_unknown": Remedy.ASK,
    "order_inconsistent": Remedy.ASK,
    "ledger_above_stock": Remedy.ASK,
    "operation_waits": Remedy.ASK,
    "entries_wait": Remedy.ASK,
}
"""Every code there is, and what puts it right."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken invariant. Empty fields and None: it is about no single offer, unit, order or entry.

    `asks` is what an operator has to do or decide where `--repair` would not act.
    """

    code: str
    says: str
    offer: str = ""
    unit: int | None = None
    order_no: str = ""
    entry: str = ""
    asks: str = ""

    def __post_init__(self) -> None:
        assert (self.remedy is Remedy.ASK) == bool(self.asks), f"{self.code} must say what it asks, or nothing"

    @property
    def remedy(self) -> Remedy:
        """What puts it right."""
        return REMEDIES[self.code]

    @property
    def repair(self) -> str:
        """What `--repair` would do; empty where it must ask."""
        return self.remedy.value

    @property
    def where(self) -> str:
        """The code and where it is, for people."""
        parts = [self.code]
        if self.offer:
            parts.append(f"offer {self.offer}")
        if self.unit is not None:
            parts.append(f"unit {self.unit}")
        if self.order_no:
            parts.append(f"order {self.order_no}")
        if self.entry:
            parts.append(self.entry)
        return ", ".join(parts)

    @property
    def place(self) -> tuple[object, ...]:
        """What makes it the same one when it is seen again."""
        return self.code, self.offer, self.unit, self.order_no, self.entry

    def as_json(self) -> dict[str, Any]:
        """The form of `--json`."""
        return {
            "code": self.code,
            "offer": self.offer or None,
            "unit": self.unit,
            "order_no": self.order_no or None,
            "entry": self.entry or None,
            "says": self.says,
            "repair": self.repair or None,
            "asks": self.asks or None,
        }
