"""The confirmation: what is ordered at which price, and where it goes. The price is that of a quote's token; if it
is another one by now, the page says what has changed and asks again.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import Response

from admin.errors import AdminError, Conflict, Invalid, Malformed, NotFound
from admin.pages.locales import gettext as _
from admin.pages.wording import by_field, told
from admin.storefront.pages import addressing, basket
from admin.storefront.pages.addressing import AddressForm
from admin.storefront.pages.basket import Basket
from admin.storefront.pages.cart import CART
from admin.storefront.pages.cart_view import CartView, sentence
from admin.storefront.pages.replies import KEY_FIELD, answered, key_of
from admin.storefront.pages.splitting import pieces
from admin.storefront.pages.visit import Visit, page

CHECKOUT = "/checkout"
BACK_TO_CART = frozenset({"not_available", "nothing_selected", "own_button"})
"""Codes of refusals that the shopper settles in the cart."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the shopper saw when they ordered: the total, what each line cost, and the gifts."""

    total: int
    lines: Mapping[str, int]
    gifts: Mapping[str, int]

    @classmethod
    def of(cls, quote: Mapping[str, Any]) -> Seen:
        """What a page with this quote shows."""
        lines = {each["sku"]: each["payable"] for each in quote["lines"] if each["state"] != "unselected"}
        return cls(quote["total"], lines, {each["sku"]: each["quantity"] for each in quote["gifts"]})

    @classmethod
    def read(cls, text: str) -> Seen | None:
        """What a form says was seen; it only serves to tell the difference, so nonsense is no harm."""
        try:
            total, lines, gifts = orjson.loads(text)
            return cls(int(total), {str(a): int(b) for a, b in lines}, {str(a): int(b) for a, b in gifts})
        except (ValueError, TypeError):
            return None

    def write(self) -> str:
        """As a field of a form."""
        return orjson.dumps([self.total, list(self.lines.items()), list(self.gifts.items())]).decode()


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different: prices (None: not there), and pieces of gifts, before and now."""

    total: tuple[int, int] | None = None
    lines: list[tuple[str, int | None, int | None]] = field(default_factory=list)
    gifts: list[tuple[str, int, int]] = field(default_factory=list)

    @classmethod
    def between(cls, before: Seen, now: Seen) -> Changes:
        """The differences of two prices of a cart."""
        skus = dict.fromkeys([*before.lines, *now.lines])
        lines = [(sku, before.lines.get(sku), now.lines.get(sku)) for sku in skus]
        gifts = [(sku, before.gifts.get(sku, 0), now.gifts.get(sku, 0)) for sku in {**before.gifts, **now.gifts}]
        return cls(
            (before.total, now.total) if before.total != now.total else None,
            [each for each in lines if each[1] != each[2]],
            [each for each in gifts if each[1] != each[2]],
        )


@dataclass(slots=True)
class Draft:
    """What the form holds: the address, the note, the key of the order to be; and what to say about it."""

    address: AddressForm
    note: str
    key: str
    problem: str | None = None
    note_problem: str | None = None
    changes: Changes | None = None
    accept_missing_gifts: str | None = None
    """The token that may be ordered without its missing gifts."""


async def show(visit: Visit) -> Response:
    """`GET /checkout`."""
    draft = Draft(AddressForm(await addressing.last_used(visit)), "", secrets.token_urlsafe(16))
    return await _page(visit, await basket.read(visit), draft)


async def _page(visit: Visit, found: Basket, draft: Draft) -> Response:
    options = await visit.ask("list_quote_options", body=found.body)
    cart = CartView(found, options, {})
    if not cart.selected or cart.stuck:
        return basket.keep(visit, visit.go(CART, trouble=draft.problem or _("Look at your cart first.")))
    reply = visit.show(
        "checkout.html",
        cart=cart,
        draft=draft,
        token=draft.accept_missing_gifts or found.quote["token"],
        seen=Seen.of(found.quote).write(),
        pieces=pieces,
        sentence=sentence,
    )
    return basket.keep(visit, reply)


async def order(visit: Visit) -> Response:
    """`POST /checkout`: order the token at its price."""
    values, note = addressing.typed(visit), visit.value("note")
    draft = Draft(AddressForm(values), note, visit.value(KEY_FIELD) or secrets.token_urlsafe(16))
    body = {
        "token": visit.value("token"),
        "address": values,
        "accept_missing_gifts": visit.value("accept") == "yes",
        **({"note": note} if note else {}),
    }
    try:
        made = answered(await visit.ask("checkout", body=body, headers=key_of(draft.key)))
    except Invalid as error:
        draft.address = addressing.refused(values, error.errors, "address.")
        draft.note_problem = " ".join(by_field(error.errors).get("note", ()))
        return await _again(visit, draft, 422, None)
    except Conflict as error:
        if error.code in BACK_TO_CART:
            return visit.go(CART, trouble=told(error))
        return await _refused(visit, draft, error)
    except Malformed as error:
        if error.code != "key_reused":
            raise
        return visit.go("/orders", _("You have ordered this already."))
    except NotFound:
        return await _again(visit, draft, 409, _("This price is not known any more. Here is the present one."))
    except AdminError as error:
        return await _again(visit, draft, 503, told(error))
    await basket.recount(visit)
    return basket.keep(visit, visit.go(f"/orders/{made['order_no']}", _("Thank you. Your order is placed.")))


async def _again(visit: Visit, draft: Draft, status: int, problem: str | None) -> Response:
    """The page once more, at the price of now."""
    draft.problem, visit.status = problem, status
    found = await basket.read(visit)
    draft.changes = _changes(visit, found.quote)
    return await _page(visit, found, draft)


async def _refused(visit: Visit, draft: Draft, error: Conflict) -> Response:
    """The price is another one now: show it, with what is different."""
    fresh = orjson.loads(orjson.dumps(error.members["quote"])) if "quote" in error.members else None
    if fresh is None:
        return await _again(visit, draft, 409, told(error))
    visit.status, draft.problem = 409, told(error)
    draft.changes = _changes(visit, fresh)
    if error.code == "gifts_missing":
        draft.accept_missing_gifts = visit.value("token")
    kept = await basket.read(visit)
    lines = [
        {"sku": each["sku"], "quantity": each["quantity"], "selected": each["state"] != "unselected"}
        | ({"campaign": each["campaign"]} if each["campaign"] else {})
        for each in fresh["lines"]
    ]
    return await _page(visit, Basket({**kept.body, "lines": lines}, fresh), draft)


def _changes(visit: Visit, quote: Mapping[str, Any]) -> Changes | None:
    before = Seen.read(visit.value("seen"))
    return None if before is None else Changes.between(before, Seen.of(quote))


ROUTES = [page("GET", CHECKOUT, show), page("POST", CHECKOUT, order)]
