"""Given an order, its shopper pays it: once, in time, through the provider, and never twice."""

from __future__ import annotations

from buying import ANN, BOB, Shopper, an_order, goods, money, row, run_out, units_of
from sidecar import Api, Shop


def test_paying_settles_at_once_and_the_goods_leave(api: Api, shop: Shop) -> None:
    sku = shop.product(stock=500)
    offer = shop.campaign(items=[{"sku": sku, "stock": 100}]).items[0].offer
    order_no = shop.order(offer, shopper=ANN, quantity=3)
    assert goods(shop, sku) == (500, 100)
    # When the order is paid,
    paid = Shopper(api).post(f"/{order_no}/pay", {})
    # then the reply is the paid order with its payment and its history,
    assert (paid["status"], paid["total"]) == ("paid", 3 * 9900)
    assert [(each["amount"], each["state"]) for each in paid["payments"]] == [(3 * 9900, "settled")]
    assert [(each["before"], each["after"]) for each in paid["history"]] == [(None, "pending"), ("pending", "paid")]
    assert paid["paid_at"] == paid["history"][1]["at"]
    # its units leave the product's stock and are promised no more,
    assert goods(shop, sku) == (497, 97)
    # and paying once more changes nothing.
    again = Shopper(api).post(f"/{order_no}/pay", {})
    assert again == paid
    assert money(shop, order_no) == (3 * 9900, 0)
    assert goods(shop, sku) == (497, 97)


def test_a_cancelled_order_gives_its_units_back_at_once(api: Api, shop: Shop) -> None:
    order_no = an_order(shop, quantity=2)
    cancelled = Shopper(api).post(f"/{order_no}/cancel")
    assert cancelled["status"] == "cancelled"
    assert (cancelled["units"], len(cancelled["units_released"])) == ([], 2)
    assert [(active, released) for _, active, released in units_of(shop, order_no)] == [(False, True)] * 2
