"""Given a receipt whose order was lost, its shopper gets the units again, as long as nobody else has them."""

from __future__ import annotations

from typing import Any

import pytest
from buying import ANN, BOB, TOKEN_SECRET, ticket_of, win
from sidecar import Api, Shop, click
from sqlalchemy import select, update
from test_admin_receipts import receipt_of, verdict

from admin.campaigns.settling import Due, settle
from admin.campaigns.tables import campaign_items
from gateway import keys
from gateway.orders.database import reading, writing
from gateway.orders.ledger import Ledger
from gateway.orders.message import Entry, Ticket
from gateway.orders.tables import orders
from gateway.tokens import mint


@pytest.fixture
def offer(shop: Shop) -> str:
    """Three units of a product that has five, two to a shopper."""
    sku = shop.product(stock=5)
    campaign = shop.campaign(
        items=[{"sku": sku, "stock": 3}], rule={"price": 9900, "limit_per_shopper": 2, "pay_within_s": 900}
    )
    return str(campaign.items[0].offer)


def redeem(api: Api, receipt: str, status: int = 200, *, shopper: str = ANN) -> Any:
    token = mint(TOKEN_SECRET.encode(), shopper, ttl_s=3600)
    return api.post("/api/receipts/redeem", {"receipt": receipt}, status, key=token)


def code_of(problem: Any) -> str:
    return str(problem["type"]).rpartition(":")[2]


def lost(shop: Shop, offer: str, shopper: str = ANN) -> Ticket:
    """A win that Redis forgot before anybody wrote it, as after a failover to a replica that lagged."""
    redis = shop.resources.redis
    names = [name for name in (keys.offer(offer), keys.buyers(offer, 1)) if redis.exists(name)]
    before = {name: redis.dump(name) for name in names}
    click(redis, offer, [shopper])
    ticket = ticket_of(shop, offer, shopper)
    assert ticket is not None
    stream = keys.stream(keys.shard_of(offer))
    redis.xdel(stream, redis.xrevrange(stream, count=1)[0][0])
    redis.delete(keys.buyers(offer, 1))
    for name, content in before.items():
        redis.restore(name, 0, content, replace=True)
    return ticket


def write_last(shop: Shop, offer: str) -> None:
    """What the order writer does with the newest entry."""
    shard = keys.shard_of(offer)
    entry = Entry.parse(*shop.resources.redis.xrevrange(keys.stream(shard), count=1)[0])
    ledger = Ledger(shop.resources.engine, min_pay_window_ms=300_000, currency="TWD")
    assert not ledger.write(shard, [entry])[0].letters


def test_a_lost_win_is_had_again(api: Api, shop: Shop, offer: str) -> None:
    """Given a win that nobody has any more, when its receipt is redeemed, then it is sold as it was told."""
    ticket = lost(shop, offer)
    receipt = receipt_of(shop, offer, ANN, ticket)
    assert verdict(api, receipt)["redeemable"]
    redeemed = redeem(api, receipt)
    assert redeemed == {
        "order_no": ticket.order_no,
        "offer": offer,
        "sku": shop.row(offer).sku,
        "units": list(ticket.units),
        "quantity": 1,
        "price": 9900,
        "currency": shop.resources.currency,
        "won_at": shop.resources.iso(ticket.won_at_ms),
        "pay_by": shop.resources.iso(ticket.pay_by_ms),
        "receipt": receipt,
    }
    assert ticket_of(shop, offer, ANN) == ticket
    assert shop.offer(offer).left == 2
    # Again, before it is written and after: the same, and nothing is taken twice.
    assert redeem(api, receipt) == redeemed
    write_last(shop, offer)
    assert redeem(api, receipt) == redeemed
    assert shop.offer(offer).left == 2
    with reading(shop.resources.engine) as connection:
        [order] = connection.execute(select(orders).where(orders.c.offer == offer)).all()
    assert (order.order_no, order.shopper, order.price, order.won_at_ms) == (
        ticket.order_no,
        ANN,
        9900,
        ticket.won_at_ms,
    )


def test_a_unit_that_somebody_else_has_is_not_taken_away(api: Api, shop: Shop, offer: str) -> None:
    receipt = receipt_of(shop, offer, ANN, lost(shop, offer))
    click(shop.resources.redis, offer, [BOB])
    problem = redeem(api, receipt, 409)
    assert (code_of(problem), problem["units"]) == ("unit_taken", [1])
    assert ticket_of(shop, offer, ANN) is None


def test_a_receipt_is_its_own_shoppers(api: Api, shop: Shop, offer: str) -> None:
    receipt = receipt_of(shop, offer, ANN, lost(shop, offer))
    redeem(api, receipt, 404, shopper=BOB)
    redeem(api, f"{receipt}x", 422)
    assert api.post("/api/receipts/redeem", {"receipt": receipt}, 401, key=None)
    assert shop.offer(offer).left == 3


def test_an_order_that_is_over_is_not_brought_back(api: Api, shop: Shop, offer: str) -> None:
    order_no = win(shop, offer, ANN)
    ticket = ticket_of(shop, offer, ANN)
    assert ticket is not None
    with writing(shop.resources.engine) as connection:
        connection.execute(update(orders).where(orders.c.order_no == order_no).values(status="expired"))
    problem = redeem(api, receipt_of(shop, offer, ANN, ticket), 409)
    assert (code_of(problem), problem["state"]) == ("order_over", "expired")


def test_the_limit_holds(api: Api, shop: Shop, offer: str) -> None:
    receipt = receipt_of(shop, offer, ANN, lost(shop, offer)._replace(units=(3,)))
    click(shop.resources.redis, offer, [ANN])
    shop.resources.redis.hset(keys.offer(offer), "limit", 1)
    assert code_of(redeem(api, receipt, 409)) == "limit_reached"


def test_a_closed_offer_says_when_to_come_back(api: Api, shop: Shop, offer: str) -> None:
    receipt = receipt_of(shop, offer, ANN, lost(shop, offer))
    shop.resources.redis.hset(keys.offer(offer), "epoch", 2)
    redeem(api, receipt, 503)
    redeem(api, receipt_of(shop, "no-such-offer", ANN, Ticket("X", (1,), (1,), 1, 2, 1, "")), 404)


def test_after_the_end_the_product_gives_the_unit_up_again(api: Api, shop: Shop, offer: str) -> None:
    """Given unsold units that went back to the product, when a receipt is redeemed, then one is promised again."""
    receipt = receipt_of(shop, offer, ANN, lost(shop, offer))
    row = shop.row(offer)
    settle(shop.resources, Due(offer, row.campaign, row.sku))
    assert shop.free(row.sku) == 5
    redeem(api, receipt)
    assert shop.free(row.sku) == 4
    assert returned(shop, offer) == shop.offer(offer).left == 2


def test_after_the_end_a_product_that_is_sold_out_has_none(api: Api, shop: Shop, offer: str) -> None:
    receipt = receipt_of(shop, offer, ANN, lost(shop, offer))
    row = shop.row(offer)
    settle(shop.resources, Due(offer, row.campaign, row.sku))
    shop.campaign(items=[{"sku": row.sku, "stock": 5}])
    assert code_of(redeem(api, receipt, 409)) == "unit_taken"
    assert shop.offer(offer).left == returned(shop, offer) == 3


def returned(shop: Shop, offer: str) -> int:
    row = shop.row(offer)
    with reading(shop.resources.engine) as connection:
        found = connection.execute(
            select(campaign_items.c.returned).where(
                campaign_items.c.campaign == row.campaign, campaign_items.c.sku == row.sku
            )
        ).scalar_one()
    return int(found)
