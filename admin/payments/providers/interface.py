"""What the shop wants of whoever takes the money.

Every call may be repeated with the same payment or refund id, after a crash or a lost answer, and then says how
things stand instead of moving money again. Money is minor units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol


class ProviderAway(Exception):
    """The provider gave no answer: it may or may not have done what was asked, so ask again."""


class Payment(NamedTuple):
    """A payment as the provider sees it. `plan` is what it wanted kept when the payment began."""

    id: str
    order_no: str
    amount: int
    currency: str
    plan: Mapping[str, Any]


class Refund(NamedTuple):
    """Money to send back of a settled payment. `reference` is the provider's own name of the payment."""

    id: str
    payment: str
    reference: str | None
    amount: int
    currency: str


class Standing(NamedTuple):
    """How a payment stands; `waiting` until a callback says more."""

    state: Literal["settled", "refused", "waiting"]
    reference: str | None = None


class Signed(NamedTuple):
    """A callback as it comes in over HTTP."""

    headers: Mapping[str, str]
    body: bytes


class Callback(NamedTuple):
    """What a genuine callback says. `id` is the same whenever it is repeated."""

    id: str
    payment: str
    standing: Standing
    amount: int
    currency: str


class Provider(Protocol):
    """Takes money, gives it back, and calls back when something has happened."""

    name: str

    def plan(self, wish: str | None, expire_at_ms: int) -> dict[str, Any]:
        """What to keep with a new payment of an order that may be paid until an instant (epoch ms)."""

    def charge(self, payment: Payment) -> Standing:
        """Ask for the money; asked again with the same id, say how it stands.

        Raises:
            ProviderAway: no answer came.
        """

    def find(self, payment: Payment) -> Standing | None:
        """How a payment stands that may never have been asked for, without asking for it; None: it is unknown.

        Raises:
            ProviderAway: no answer came.
        """

    def give_back(self, refund: Refund) -> bool:
        """Send money back, once per refund id; False while it is under way.

        Raises:
            ProviderAway: no answer came.
        """

    def read_callback(self, given: Signed, now_s: float) -> Callback:
        """What a callback says.

        Raises:
            BadSignature: it is not genuine, or too old.
            Invalid: it is genuine and has another form than agreed.
        """

    def callbacks(self, payment: Payment, now_ms: int) -> Sequence[Signed]:
        """Callbacks due by now of a provider that lives in this process; others send theirs by themselves."""
