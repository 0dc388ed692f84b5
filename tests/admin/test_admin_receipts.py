"""Given a receipt, anybody can have it verified, and learns what became of the win that it proves."""

from __future__ import annotations

from typing import Any

import orjson
from buying import ANN, BOB, Shopper, ticket_of, win
from sidecar import Api, Shop, click
from sqlalchemy import update

from gateway import keys
from gateway.crypto import from_base64url, to_base64url
from gateway.orders.database import writing
from gateway.orders.message import Ticket
from gateway.orders.tables import order_units
from gateway.receipts import TAG_BYTES, ReceiptSigner


def receipt_of(shop: Shop, offer: str, shopper: str, ticket: Ticket, secrets: Any = None) -> str:
    """The receipt as the gateway signs it."""
    signer = ReceiptSigner(secrets or shop.resources.settings.signing_secrets)
    terms = f'"price":{ticket.price},"pay_by_ms":{ticket.pay_by_ms},"won_at_ms":{ticket.won_at_ms}'
    units = ",".join(map(str, ticket.units)).encode()
    signed = signer.sign(offer.encode(), orjson.dumps(shopper), ticket.order_no.encode(), units, terms.encode())
    return signed.decode()


def verdict(api: Api, receipt: str) -> Any:
    return api.post("/api/receipts/verify", {"receipt": receipt}, key=None)


def won(shop: Shop, offer: str, shopper: str) -> Ticket:
    click(shop.resources.redis, offer, [shopper])
    ticket = ticket_of(shop, offer, shopper)
    assert ticket is not None
    return ticket


def test_a_receipt_tells_what_became_of_its_order(api: Api, shop: Shop) -> None:
    offer = shop.campaign().items[0].offer
    # Given a win that the writer has not got to,
    ticket = won(shop, offer, ANN)
    receipt = receipt_of(shop, offer, ANN, ticket)
    found = verdict(api, receipt)
    assert (found["genuine"], found["outcome"], found["redeemable"]) == (True, "not_ready", False)
    assert found["says"] == {
        "offer": offer,
        "shopper": ANN,
        "order_no": ticket.order_no,
        "units": list(ticket.units),
        "price": 9900,
        "won_at": shop.resources.iso(ticket.won_at_ms),
        "pay_by": shop.resources.iso(ticket.pay_by_ms),
    }
    # when it is written, and whatever happens to it then, the receipt tells so.
    shop.order(offer, shopper=ANN, order_no=ticket.order_no, units=ticket.units)
    assert verdict(api, receipt)["outcome"] == "pending"
    Shopper(api).post(f"/{ticket.order_no}/cancel")
    assert verdict(api, receipt)["outcome"] == "cancelled"


def test_what_is_not_genuine_says_nothing(api: Api, shop: Shop) -> None:
    offer = shop.campaign().items[0].offer
    ticket = won(shop, offer, ANN)
    genuine = receipt_of(shop, offer, ANN, ticket)
    whole, other = (from_base64url(receipt_of(shop, offer, name, ticket).encode()) for name in (ANN, BOB))
    for forged in (
        receipt_of(shop, offer, ANN, ticket, (b"z" * 32,)),
        to_base64url(other[:-TAG_BYTES] + whole[-TAG_BYTES:]).decode(),
        to_base64url(whole[:-TAG_BYTES]).decode(),
        genuine[:-1],
        f"{genuine}A",
        "é",
        "...",
    ):
        found = verdict(api, forged)
        assert (found["genuine"], found["says"], found["outcome"]) == (False, None, None), forged
        assert found["reason"]


def test_a_lost_win_is_redeemable_while_its_units_are_free(api: Api, shop: Shop) -> None:
    campaign = shop.campaign(items=[{"sku": shop.product(), "stock": 3}])
    offer = campaign.items[0].offer
    # Given a win that neither Redis nor the ledger has any more,
    ticket = won(shop, offer, ANN)
    receipt = receipt_of(shop, offer, ANN, ticket)
    shop.resources.redis.hdel(keys.buyers(offer, 1), ANN)
    found = verdict(api, receipt)
    assert (found["outcome"], found["redeemable"]) == ("lost", True)
    # when somebody holds its unit, it cannot be had;
    other = shop.order(offer, shopper=BOB, units=ticket.units)
    assert verdict(api, receipt)["redeemable"] is False
    # nor when it was paid back and is not sold again; but when it was given back, it can.
    for released in (False, True):
        with writing(shop.resources.engine) as connection:
            connection.execute(
                update(order_units).where(order_units.c.order_no == other).values(active=False, released=released)
            )
        assert verdict(api, receipt)["redeemable"] is released
    # A number that the offer never had is not free.
    beyond = ticket._replace(order_no="x", units=(4,))
    assert verdict(api, receipt_of(shop, offer, ANN, beyond))["redeemable"] is False
    gone = verdict(api, receipt_of(shop, "no-such-offer", ANN, ticket._replace(order_no="y")))
    assert (gone["outcome"], gone["redeemable"]) == ("lost", False)


def test_another_ticket_of_the_same_shopper_is_not_this_one(api: Api, shop: Shop) -> None:
    offer = shop.campaign(rule={"price": 9900, "limit_per_shopper": 2}).items[0].offer
    first = win(shop, offer, ANN)
    ticket = ticket_of(shop, offer, ANN)
    assert ticket is not None
    assert first == ticket.order_no
    receipt = receipt_of(shop, offer, ANN, ticket._replace(order_no="another"))
    assert verdict(api, receipt)["outcome"] == "lost"
