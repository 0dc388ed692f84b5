"""Paying an order, and the balance of a pre-sale; `next` is the page to go back to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from admin.errors import AdminError, Invalid, NotFound
from admin.pages.addresses import local
from admin.pages.locales import gettext as _
from admin.pages.wording import told
from admin.storefront.pages.refusals import why
from admin.storefront.pages.visit import Visit, page

_NOTHING: Mapping[str, str] = MappingProxyType({})


async def pay(visit: Visit) -> Response:
    """`POST /orders/{order_no}/pay`, then back to the page `next`; `sandbox` tells that provider what to do."""
    return await _paid(visit, "pay_order", _sandbox(visit), _("Thank you. Your payment has come."))


async def pay_balance(visit: Visit) -> Response:
    """`POST /orders/{order_no}/balance`, perhaps with a coupon; a refused one is still there to be corrected."""
    code = visit.value("coupon")
    typed = {"coupon": code} if code else {}
    return await _paid(
        visit, "pay_balance", {**_sandbox(visit), **typed}, _("Thank you. The balance has come."), typed
    )


def _sandbox(visit: Visit) -> dict[str, Any]:
    wish = visit.value("sandbox")
    return {"sandbox": wish} if wish else {}


async def _paid(
    visit: Visit, operation: str, body: dict[str, Any], note: str, typed: Mapping[str, str] = _NOTHING
) -> Response:
    order = f"/orders/{visit.path['order_no']}"
    here = local(visit.value("next", order))
    again = f"{order}?{urlencode(typed)}" if typed else here
    try:
        reply = await visit.ask(operation, path={"order_no": visit.path["order_no"]}, body=body)
    except NotFound:
        raise
    except Invalid as error:
        return visit.go(again, trouble=told(error))
    except AdminError as error:
        return visit.go(again, trouble=why(error))
    if isinstance(reply, Response) and reply.status_code == 202:
        return visit.go(here, _("Your payment is on its way. This page says when it has come."))
    return visit.go(here, note)


ROUTES = [
    page("POST", "/orders/{order_no}/pay", pay),
    page("POST", "/orders/{order_no}/balance", pay_balance),
]
