"""A provider for trying out: no money moves, and it does as it is told.

======== ======================================================================================
wish     what happens
======== ======================================================================================
(none)   settles at once
refuse   takes no money
twice    settles at once, and its callback comes twice
late     settles by a callback a second after the order's time to pay has run out
======== ======================================================================================

It remembers nothing: everything follows from the payment and its plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import orjson
from pydantic import Field

from admin.inputs import MONEY_MAX, Input, check
from admin.payments.providers.interface import Callback, Payment, Refund, Signed, Standing
from admin.payments.providers.signing import HEADER, CallbackSigner
from admin.reading import read_json

LATE_BY_MS = 1000
"""How long after the end of the time to pay a late payment arrives."""
AMOUNT_MAX = MONEY_MAX * 1000


class SandboxCallback(Input):
    """The body of a callback. `id` names the callback, `payment` the shop's payment."""

    id: str = Field(min_length=1, max_length=100, pattern=r"^[!-~]+$")
    payment: str = Field(min_length=1, max_length=40, pattern=r"^[!-~]+$")
    reference: str = Field(min_length=1, max_length=100, pattern=r"^[!-~]+$")
    state: Literal["settled", "refused"]
    amount: int = Field(ge=0, le=AMOUNT_MAX, description="minor units")
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class Sandbox:
    """See the module."""

    name = "sandbox"

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._signer = CallbackSigner(secrets)

    def plan(self, wish: str | None, expire_at_ms: int) -> dict[str, Any]:
        """What it was told to do, and when its callback is due."""
        plan: dict[str, Any] = {"wish": wish or "settle"}
        if wish == "late":
            plan["callback_at_ms"] = expire_at_ms + LATE_BY_MS
        return plan

    def charge(self, payment: Payment) -> Standing:
        """Settle, refuse, or wait for the callback."""
        match payment.plan["wish"]:
            case "refuse":
                return Standing("refused", _reference(payment))
            case "late":
                return Standing("waiting", _reference(payment))
            case _:
                return Standing("settled", _reference(payment))

    def find(self, payment: Payment) -> Standing | None:
        """As if it had been asked for: it remembers nothing, and takes nothing."""
        return self.charge(payment)

    def give_back(self, refund: Refund) -> bool:
        """Done at once."""
        del refund
        return True

    def read_callback(self, given: Signed, now_s: float) -> Callback:
        """Verify and read a callback."""
        self._signer.verify(given.headers.get(HEADER.lower(), ""), given.body, now_s)
        said = check(SandboxCallback, read_json(given.body, may_be_empty=False))
        return Callback(said.id, said.payment, Standing(said.state, said.reference), said.amount, said.currency)

    def callbacks(self, payment: Payment, now_ms: int) -> Sequence[Signed]:
        """One for a late payment whose time has come, two for one that was told so."""
        match payment.plan:
            case {"wish": "late", "callback_at_ms": at_ms} if at_ms <= now_ms:
                return [self._callback(payment, now_ms)]
            case {"wish": "twice"}:
                return [self._callback(payment, now_ms)] * 2
            case _:
                return []

    def _callback(self, payment: Payment, now_ms: int) -> Signed:
        body = orjson.dumps(
            {
                "id": f"{payment.id}-settled",
                "payment": payment.id,
                "reference": _reference(payment),
                "state": "settled",
                "amount": payment.amount,
                "currency": payment.currency,
            }
        )
        return Signed({HEADER.lower(): self._signer.sign(body, now_ms // 1000)}, body)


def _reference(payment: Payment) -> str:
    return f"sandbox-{payment.id}"
