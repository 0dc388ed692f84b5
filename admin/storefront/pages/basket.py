"""The cart behind the pages: a shopper's is on the server, a guest's in a signed cookie until they sign in.

Every change is a function from a cart to a cart, so that it can be done again on what somebody else has made of the
cart meanwhile.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.responses import Response

from admin.carts import contents
from admin.carts.contents import Body
from admin.errors import AdminError, Conflict, StaleRevision
from admin.storefront.pages.replies import answered
from admin.storefront.pages.visit import CART_COUNT_COOKIE, Visit
from gateway.crypto import derive_key

GUEST_CART_COOKIE = "seckill_cart"
"""What a guest has put in, and the id under which it is merged into a shopper's cart, once."""
COOKIE_BYTES_MAX = 3_600
"""Browsers keep cookies of 4 KiB with their names."""
KEPT_S = 30 * 24 * 3600
RETRIES = 5
"""So often a change is made again when somebody else was quicker."""

Edit = Callable[[Body], Body]


@dataclass(frozen=True, slots=True)
class Basket:
    """A cart, and what it costs now, explained."""

    body: Body
    quote: dict[str, Any]


async def read(visit: Visit) -> Basket:
    """The cart of whoever asks, with its price."""
    body = await _kept(visit)
    return Basket(body, await price(visit, body))


async def price(visit: Visit, body: Body) -> dict[str, Any]:
    """What a cart costs, with every choice explained and a cheaper one named."""
    return answered(await visit.ask("quote", body={**body, "explain": True, "suggest": True}))


async def change(visit: Visit, edit: Edit) -> None:
    """Change the cart; `keep` on the reply completes it.

    Raises:
        NotFound: it has no such line. Conflict: it is full. Invalid: with every problem.
    """
    if visit.shopper is None:
        body = edit(_guest(visit)["cart"])
        # The quote refuses what no cart may hold, before it is kept.
        await visit.ask("quote", body=body)
        _hold(visit, {**_guest(visit), "cart": body})
        _count(visit, body)
        return
    for attempt in range(RETRIES):
        kept = answered(await visit.ask("read_cart"))
        body = edit(kept["cart"])
        try:
            await visit.ask("replace_cart", body=body, if_match=kept["revision"])
        except StaleRevision:
            if attempt == RETRIES - 1:
                raise
        else:
            _count(visit, body)
            return


async def merge(visit: Visit) -> None:
    """Give a shopper what they put in as a guest. If that fails, the cookie stays and the cart tries again."""
    held = _guest(visit)
    if visit.shopper is None:
        return
    try:
        if held["cart"]["lines"]:
            body = {"merge_id": held["id"], "cart": held["cart"]}
            kept = answered(await visit.ask("merge_cart", body=body))
        else:
            kept = answered(await visit.ask("read_cart"))
    except AdminError:
        return
    _count(visit, kept["cart"])
    visit.request.state.guest_cart = None


async def recount(visit: Visit) -> None:
    """Look what is left in a shopper's cart, after something was ordered of it."""
    await _kept(visit)


def keep(visit: Visit, reply: Response) -> Response:
    """Let the browser keep what this request has made of the cart."""
    state = visit.request.state
    options: dict[str, Any] = {"httponly": True, "samesite": "lax", "secure": visit.secure}
    if hasattr(state, "guest_cart"):
        if state.guest_cart is not None:
            reply.set_cookie(GUEST_CART_COOKIE, state.guest_cart, KEPT_S, **options)
        elif GUEST_CART_COOKIE in visit.request.cookies:
            reply.delete_cookie(GUEST_CART_COOKIE)
    if hasattr(state, "cart_count"):
        reply.set_cookie(CART_COUNT_COOKIE, str(state.cart_count), KEPT_S, **options)
    return reply


async def _kept(visit: Visit) -> Body:
    if visit.shopper is None:
        body: Body = _guest(visit)["cart"]
    else:
        if GUEST_CART_COOKIE in visit.request.cookies:
            await merge(visit)
        body = answered(await visit.ask("read_cart"))["cart"]
    _count(visit, body)
    return body


def _count(visit: Visit, body: Body) -> None:
    visit.request.state.cart_count = sum(each["quantity"] for each in body["lines"])


def _guest(visit: Visit) -> dict[str, Any]:
    signed = visit.request.cookies.get(GUEST_CART_COOKIE)
    if signed is not None:
        try:
            found: dict[str, Any] = _signer(visit).loads(signed)
            return found
        except BadSignature:
            pass
    return {"id": secrets.token_urlsafe(12), "cart": contents.EMPTY}


def _hold(visit: Visit, held: dict[str, Any]) -> None:
    signed = str(_signer(visit).dumps(held))
    if len(signed) > COOKIE_BYTES_MAX:
        raise Conflict(
            "as a guest you cannot put in more: sign in, and the cart comes with you", code="guest_cart_full"
        )
    visit.request.state.guest_cart = signed


def _signer(visit: Visit) -> URLSafeSerializer:
    known = visit.resources.settings.signing_secrets
    # The newest key is the last one there; carts signed with older ones can still be read.
    return URLSafeSerializer([derive_key(each, "carts of guests") for each in reversed(known)])
