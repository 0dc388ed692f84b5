"""Which units of an order to pay back, as chosen in a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from admin.backoffice.sales.area import typed
from admin.errors import FieldError, Invalid
from admin.orders.models import OrderInFull
from admin.pages import asking
from admin.pages.locales import gettext
from admin.payments.previewing import RefundPreview
from admin.payments.refund_requests import WHOLE


@dataclass(frozen=True, slots=True)
class RefundForm:
    """What was typed. `confirmed_amount` is the one that was looked at before."""

    order_no: str
    quantities: Mapping[int, str]
    whole: bool
    restock: bool
    note: str
    confirmed_amount: int | None

    @classmethod
    def fresh(cls, order: OrderInFull) -> RefundForm:
        """Nothing chosen yet; what goes back whole is chosen already."""
        return cls(order.order_no, {each.line: "0" for each in order.lines}, whole_only(order), True, "", None)

    @classmethod
    def read(cls, order: OrderInFull, form: FormData) -> RefundForm:
        """What was sent."""
        amount = typed(form, "amount")
        return cls(
            order.order_no,
            {each.line: typed(form, f"line-{each.line}") or "0" for each in order.lines},
            whole_only(order) or "everything" in form,
            "restock" in form,
            typed(form, "note"),
            int(amount) if amount.isdecimal() and "send" in form else None,
        )

    def body(self) -> dict[str, Any]:
        """The units, as the API wants them.

        Raises:
            Invalid: nothing was chosen, or a quantity is no whole number.
        """
        if self.whole:
            return {}
        problems = [
            FieldError(f"line-{line}", "not_an_integer", gettext("Give a whole number."))
            for line, text in self.quantities.items()
            if not text.isdecimal() or len(text) > 6
        ]
        if problems:
            raise Invalid(problems)
        lines = [{"line": line, "quantity": int(text)} for line, text in self.quantities.items() if int(text)]
        if not lines:
            raise Invalid.one("lines", "too_few", gettext("Choose at least one unit."))
        return {"lines": lines}

    def decision(self) -> dict[str, Any]:
        """The same with whether they are sold again, and why."""
        return {**self.body(), "restock": self.restock} | ({"note": self.note} if self.note else {})

    async def preview(self, request: Request) -> RefundPreview:
        """What would be paid back.

        Raises:
            AdminError: it cannot be paid back so.
        """
        found: RefundPreview = await asking.ask(
            request, "preview_refund", path={"order_no": self.order_no}, body=self.body()
        )
        return found


def how(form: FormData) -> dict[str, Any]:
    """Agreeing to what a shopper asked for."""
    note = typed(form, "note")
    return {"restock": "restock" in form} | ({"note": note} if note else {})


def whole_only(order: OrderInFull) -> bool:
    """Whether it can only be paid back as a whole."""
    return order.status in WHOLE
