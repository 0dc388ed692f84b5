"""A broken invariant of the shop's books: its name, where it is, what it says, and what would put it right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Remedy(Enum):
    """What puts it right; the value is what `--repair` would do, empty where it must ask."""

    SUM = "set the count to the sum of what orders hold"
    PROMISE = "set what is promised of the product to the sum of what orders and offers hold"
    RELEASE = "give back what the order holds, for it is over"
    CLAIMS = "set the count to the number of shoppers who hold the coupon"
    ASK = ""


REMEDIES = {
    "tally_differs": Remedy.SUM,
    "promised_differs": Remedy.PROMISE,
    "reservation_kept": Remedy.RELEASE,
    "claims_differ": Remedy.CLAIMS,
    # No program can know the right answer to these.
    "reservation_differs": Remedy.ASK,
    "stock_unheld": Remedy.ASK,
    "order_sums_differ": Remedy.ASK,
    "line_differs": Remedy.ASK,
    "money_in_differs": Remedy.ASK,
    "money_out_differs": Remedy.ASK,
    "refund_differs": Remedy.ASK,
    "unit_paid_back_twice": Remedy.ASK,
    "group_differs": Remedy.ASK,
    "membership_kept": Remedy.ASK,
}
"""Every code there is, and what puts it right."""


@dataclass(frozen=True, slots=True)
class ShopBreach:
    """One broken invariant. `subject` names what it is about besides an order: words, such as `coupon SAVE5`.

    `key` is what its repair needs to find it; `asks` is what an operator has to do where `--repair` would not act.
    """

    code: str
    says: str
    subject: str = ""
    order_no: str = ""
    asks: str = ""
    key: tuple[str, ...] = ()

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
        order = f"order {self.order_no}" if self.order_no else ""
        return ", ".join(part for part in (self.code, order, self.subject) if part)

    @property
    def place(self) -> tuple[object, ...]:
        """What makes it the same one when it is seen again."""
        return self.code, self.subject, self.order_no

    def as_json(self) -> dict[str, Any]:
        """The form of `--json`."""
        return {
            "code": self.code,
            "offer": None,
            "unit": None,
            "order_no": self.order_no or None,
            "entry": self.subject or None,
            "says": self.says,
            "repair": self.repair or None,
            "asks": self.asks or None,
        }
