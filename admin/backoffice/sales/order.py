"""The page of one order, and everything that can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from admin.backoffice.sales import area, refund_form
from admin.backoffice.sales.area import Action, Area, typed
from admin.backoffice.sales.refund_form import RefundForm
from admin.backoffice.showing import go, show
from admin.errors import AdminError, Forbidden, Invalid, NotFound
from admin.orders.models import OrderInFull
from admin.pages import asking
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import by_field, told
from admin.payments.refund_requests import FROM

SHIPMENT = ("carrier", "tracking_no")

_DONE: Mapping[str, Any] = {
    "ship": _("The order is on its way."),
    "complete": _("The order is completed."),
    "cancel": _("The order is cancelled."),
    "approve": _("The money is on its way back."),
    "reject": _("The request is declined."),
}
_OPERATIONS = {
    "ship": "ship_order",
    "complete": "complete_order",
    "cancel": "cancel_order",
    "refund": "refund_order",
    "approve": "refund_order",
    "reject": "reject_refund",
}
_RULES: Mapping[str, tuple[Any, Callable[[OrderInFull], bool], Any]] = {
    "ship": (_("Ship"), lambda order: order.status == "paid", _("Only a paid order can be shipped.")),
    "complete": (
        _("Complete"),
        lambda order: order.status == "shipped",
        _("Only a shipped order can be completed."),
    ),
    "cancel": (_("Cancel"), lambda order: order.status == "pending", _("Only an order that is not paid yet.")),
    "refund": (
        _("Pay back"),
        lambda order: order.status in FROM,
        _("Only what is paid, and not being paid back already."),
    ),
}


def offered(request: Request, order: OrderInFull) -> list[Action]:
    """Every action, with the reason where it is not possible now."""
    found = []
    for name, (title, fits, refusal) in _RULES.items():
        reason = area.role_reason(request, _OPERATIONS[name])
        if reason is None and not fits(order):
            reason = str(refusal)
        found.append(Action(name, str(title), reason))
    return found


class OrderPages(Area):
    """Routes below `/orders/{order_no}`; the list of orders adds its own."""

    path = "/orders"

    @route("/{order_no}")
    async def one(self, request: Request) -> Response:
        """The page."""
        return await self._show(request)

    @route("/{order_no}/refund")
    async def refunding(self, request: Request) -> Response:
        """What to pay back is chosen here."""
        order = await _order(request)
        return await self._choose(request, order, RefundForm.fresh(order))

    @route("/{order_no}/refund", methods=["POST"])
    async def refund(self, request: Request) -> Response:
        """Look at what would be paid back, and then pay it back."""
        order = await _order(request)
        chosen = RefundForm.read(order, await request.form())
        try:
            preview = await chosen.preview(request)
            if chosen.confirmed_amount == preview.amount:
                await asking.ask(request, "refund_order", path=_path(request), body=chosen.decision())
                return go(request, f"/orders/{order.order_no}", str(_DONE["approve"]))
        except Invalid as error:
            return await self._choose(request, order, chosen, fields=by_field(error.errors), status=422)
        except Forbidden:
            raise
        except AdminError as error:
            return await self._choose(request, order, chosen, error=told(error), status=409)
        changed = chosen.confirmed_amount is not None
        error_text = gettext("The amount has changed meanwhile: look at it once more.") if changed else None
        return await self._choose(request, order, chosen, preview=preview, error=error_text)

    @route("/{order_no}/{action}", methods=["POST"])
    async def act(self, request: Request) -> Response:
        """Do something with the order that was confirmed."""
        action = request.path_params["action"]
        if action not in _DONE:
            raise NotFound("there is no such page")
        form = await request.form()
        try:
            await asking.ask(request, _OPERATIONS[action], path=_path(request), body=_body(action, form))
        except Invalid as error:
            return await self._show(request, wanted=action, fields=by_field(error.errors), given=form)
        except (NotFound, Forbidden):
            raise
        except AdminError as error:
            return await self._show(request, wanted=action, error=told(error), given=form)
        return go(request, f"/orders/{request.path_params['order_no']}", str(_DONE[action]))

    async def _choose(
        self, request: Request, order: OrderInFull, chosen: RefundForm, *, status: int = 200, **context: Any
    ) -> Response:
        missing: dict[str, Any] = {"preview": None, "error": None, "fields": {}}
        return show(
            self,
            request,
            "sales/refund.html",
            status=status,
            title=gettext("Pay back order %(number)s") % {"number": order.order_no},
            order=order,
            chosen=chosen,
            whole=refund_form.whole_only(order),
            action=next(each for each in offered(request, order) if each.name == "refund"),
            **missing | context,
            **area.shared(),
        )

    async def _show(
        self,
        request: Request,
        *,
        wanted: str | None = None,
        error: str | None = None,
        fields: dict[str, list[str]] | None = None,
        given: FormData | None = None,
    ) -> Response:
        order = await _order(request)
        return show(
            self,
            request,
            "sales/order.html",
            status=409 if error else 422 if fields else 200,
            title=gettext("Order %(number)s") % {"number": order.order_no},
            order=order,
            actions=offered(request, order),
            requested=next((each for each in order.refunds if each.state == "requested"), None),
            decide=area.role_reason(request, "refund_order"),
            wanted=wanted,
            error=error,
            fields=fields or {},
            given=given or {},
            **area.shared(),
        )


def _body(action: str, form: FormData) -> dict[str, Any]:
    if action == "ship":
        return {name: typed(form, name) for name in SHIPMENT}
    if action == "approve":
        return refund_form.how(form)
    return {}


def _path(request: Request) -> dict[str, str]:
    return {"order_no": request.path_params["order_no"]}


async def _order(request: Request) -> OrderInFull:
    found: OrderInFull = await asking.ask(request, "read_order", path=_path(request))
    return found
