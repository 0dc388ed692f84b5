"""From a deposit to an order: its terms are those of the campaign at this moment, and stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from admin.campaigns.views import preferred
from admin.checkout import keys, ordering
from admin.checkout.drafting import claims_of, lines_of
from admin.checkout.keys import Key
from admin.errors import Conflict, NotFound
from admin.orders.placing import NewOrder
from admin.presales.models import DepositInput
from admin.presales.tables import presale_orders
from admin.promotions import reasons
from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart, CartLine
from admin.promotions.choosing import USED_UP, Judge, lay_out
from admin.promotions.types import presale
from admin.quotes.asking import asked_by
from admin.quotes.quoting import Made
from admin.routing import Call
from gateway.orders.database import reading


def deposit(call: Call) -> tuple[str, bool]:
    """Order a product of a pre-sale, its deposit still to be paid; its number, and whether this call made it.

    Raises:
        NotFound: there is no such pre-sale, or not of this product.
        Conflict: it is not open to this shopper now, or too little is left.
        Invalid: the input is wrong.
        Malformed: the key is wrong, or was used with another body.
    """
    given, resources = call.read(DepositInput), call.resources
    code, sku = call.path["campaign"], call.path["sku"]
    key = keys.read(call, {"presale": code, "sku": sku, **given.model_dump(mode="json")})
    earlier = _earlier(call, key)
    if earlier is not None:
        return earlier, False
    # Looked at again when the order is written; now it says which products there are.
    _require(resources.books.fresh().index.get(code), code, sku)
    line = CartLine(sku=sku, quantity=given.quantity, campaign=code)
    cart = Cart(lines=[line], channel=given.channel, store=given.store)
    asked = asked_by(call, cart, cart.model_dump(mode="json", exclude_unset=True))
    try:
        return ordering.order_now(resources, asked, _Wish(call, cart, given, key).build), True
    except (IntegrityError, Conflict):
        # The same call may have come twice at the same moment, and taken the last there was.
        earlier = _earlier(call, key)
        if earlier is None:
            raise
        return earlier, False


def _earlier(call: Call, key: Key) -> str | None:
    with reading(call.resources.engine) as connection:
        return keys.order_of(connection, call.shopper, key)


@dataclass(frozen=True, slots=True)
class _Wish:
    call: Call
    cart: Cart
    given: DepositInput
    key: Key

    def build(self, connection: Connection, made: Made) -> NewOrder:
        """The order and its terms, in the transaction that writes them."""
        line, shopper = self.cart.lines[0], self.call.shopper
        code = line.campaign or ""
        campaign = _require(made.world.index.get(code), code, line.sku)
        if made.result["lines"][0]["campaign"] != code:
            raise self._refusal(campaign, made)
        lines = lines_of(connection, made)
        order = NewOrder(
            flow="presale",
            shopper=shopper,
            currency=made.result["currency"],
            lines=lines,
            claims=claims_of(made, lines, shopper),
            pay_within_ms=self.call.resources.settings.pay_window_ms,
            pay_until_ms=campaign.rule.balance_ends_at,
            campaign=code,
            channel=self.cart.channel,
            address=None if self.given.address is None else self.given.address.model_dump(exclude_none=True),
            note=self.given.note,
            key=self.key.key,
            request=self.key.request,
        )
        connection.execute(insert(presale_orders).values(order_no=order.order_no, **_terms(campaign, made)))
        return order

    def _refusal(self, campaign: Campaign, made: Made) -> Conflict:
        """Why the line did not join: what its choice in a quote says."""
        judge, place = Judge(made.world, self.cart, alone=True), lay_out(self.cart, made.world)[0]
        # It is open, so this is more than is left of it.
        refusal = judge.closed(campaign) or judge.left_out(campaign, place, chosen=True) or USED_UP
        return Conflict(
            f"the pre-sale cannot be joined: {reasons.reason(refusal.reason, 'en').split(': ', 1)[1]}",
            code=refusal.state,
            state=refusal.state,
            reason=reasons.reason(refusal.reason, preferred(self.call.languages)),
        )


def _require(campaign: Campaign | None, code: str, sku: str) -> Campaign:
    if (
        campaign is None
        or campaign.type is not presale.PROMOTION
        or campaign.broken is not None
        or campaign.draft
        or sku not in campaign.items
    ):
        raise NotFound(f"there is no pre-sale {code} of {sku}")
    return campaign


def _terms(campaign: Campaign, made: Made) -> dict[str, Any]:
    rule: presale.PresaleRule = campaign.rule
    parts = made.result["presale"]
    return {
        "mode": rule.mode,
        "price": parts["balance"] + parts["credit"],
        "deposit": parts["deposit"],
        "credit": parts["credit"],
        "balance_starts_at_ms": rule.balance_starts_at,
        "balance_ends_at_ms": rule.balance_ends_at,
        "ships_at_ms": rule.ships_at,
        "on_unpaid": rule.on_unpaid,
        "coupons_allowed": campaign.coupons_allowed,
    }
