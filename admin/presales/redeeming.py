"""A coupon for the balance of a pre-sale: judged when the balance is paid, and fixed for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select, update

from admin import changes
from admin.checkout.drafting import coupon_claims
from admin.checkout.ordering import TRIES_MAX
from admin.errors import Conflict, Unavailable
from admin.flows.registry import flow_of
from admin.orders.ownership import own
from admin.orders.tables import order_lines
from admin.payments import paying
from admin.presales.terms import terms_of
from admin.promotions import money, reasons
from admin.promotions.cart import Cart, CartLine
from admin.promotions.choosing import Place
from admin.promotions.couponing import Redeemed, Redemption
from admin.promotions.effects import Deposit
from admin.promotions.world import World
from admin.quotes.asking import asked_by
from admin.quotes.quoting import Made, Quoter
from admin.reservations import ledger
from admin.reservations.ledger import Short
from admin.routing import Call
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import orders


def fix(call: Call, code: str) -> None:
    """Take a coupon off the balance of the order that the path names, if it has that one not yet.

    Raises:
        Conflict: it has another one, the coupon does not apply, a payment is under way, or it is not yet or no
            longer the time.
        NotFound: there is no such order of theirs.
        Unavailable: the shop changes faster than coupons are judged.
    """
    resources = call.resources
    with reading(resources.engine) as connection:
        order = own(call, connection)
    line = CartLine(sku=order.sku, quantity=order.quantity, campaign=None)
    cart = Cart(lines=[line], coupon=code, channel=order.channel)
    asked, quoter = asked_by(call, cart, {}), Quoter(resources)
    # What an earlier attempt left without an answer may have paid the balance as it was.
    paying.ask_again(resources, order.order_no)
    for _ in range(TRIES_MAX):
        made = quoter.price(asked, quoter.gather([asked]))
        try:
            with writing(resources.engine) as connection:
                if _fix(call, connection, made, cart):
                    return
        except Short as short:
            used_up = Redeemed("exhausted", (), "used_up")
            raise _refused(code, used_up, made.world) from short
    raise Unavailable("prices are changing: ask again in a moment", code="prices_changing")


def _fix(call: Call, connection: Connection, made: Made, cart: Cart) -> bool:
    """Judge the coupon and take it off; False when the shop has changed since it was looked at."""
    order, code = paying.current(call, connection), cart.coupon
    assert code is not None
    if order.coupon is not None:
        if order.coupon != code:
            raise Conflict(
                f"the balance is fixed with the coupon {order.coupon}: pay it with that one",
                code="coupon_fixed",
                state=order.status,
                coupon=order.coupon,
            )
        return True
    flow_of(order).due(call.resources, connection, order, now_ms(connection))
    if changes.newest_number(connection) != made.entry.change_number:
        return False
    if any(payment.purpose == "balance" for payment in paying.waiting(connection, order.order_no)):
        raise Conflict(
            "a payment of the balance is under way: a coupon cannot change it any more",
            code="payment_under_way",
            state=order.status,
        )
    redeemed = _judge(made.world, cart, terms_of(connection, order.order_no))
    if redeemed.state != "applied":
        raise _refused(code, redeemed, made.world)
    assert made.world.coupon is not None
    ledger.reserve(connection, order.order_no, coupon_claims(made.world.coupon, code, call.shopper))
    _take_off(connection, order, code, redeemed.discount)
    return True


def _judge(world: World, cart: Cart, terms: Row[Any]) -> Redeemed:
    """The coupon as a quote of the pre-sale would have it, even if the product is no longer on sale."""
    sku = cart.lines[0].sku
    place = Place(1, cart.lines[0], world.products.get(sku), "ok", ())
    if not terms.coupons_allowed:
        return Redeemed("nothing_in_scope", (0,), "nothing_in_scope")
    deposit = Deposit(
        terms.price, terms.deposit, terms.credit, terms.balance_starts_at_ms, terms.balance_ends_at_ms
    )
    return Redemption(world, [place]).redeem_later(deposit)


def _take_off(connection: Connection, order: Row[Any], code: str, discount: int) -> None:
    """The order and its line cost less, to the unit; nothing else about them changes."""
    line = connection.execute(select(order_lines).where(order_lines.c.order_no == order.order_no)).one()
    payables = list(line.unit_payables)
    shares = money.share(discount, payables)
    connection.execute(
        update(order_lines)
        .where(order_lines.c.order_no == order.order_no, order_lines.c.line == line.line)
        .values(
            coupon_discount=discount,
            payable=line.payable - discount,
            unit_payables=[cost - off for cost, off in zip(payables, shares, strict=True)],
        )
    )
    connection.execute(
        update(orders)
        .where(orders.c.order_no == order.order_no)
        .values(coupon=code, coupon_discount=discount, total=order.total - discount)
    )


def _refused(code: str, redeemed: Redeemed, world: World) -> Conflict:
    def why(language: str) -> str:
        values: Mapping[str, str | int] = {"amount": money.show(redeemed.missing, world.currency)}
        return reasons.reason(redeemed.reason or "", language, **values)

    return Conflict(
        f"the coupon {code} does not apply: {why('en').split(': ', 1)[1]}",
        code="coupon_not_applied",
        state=redeemed.state,
        reason=why(world.language),
        coupon=code,
    )
