"""Given a sale that is over, every unit is either with somebody who paid for it or free again, exactly."""

from __future__ import annotations

import contextlib
import os
import random
from typing import Any

import pytest
from buying import Shopper, expire, goods, row, ticket_of, win
from sidecar import ACTOR, Api, Shop, click
from sqlalchemy import select, update

from admin.campaigns import service, settling, stock
from admin.campaigns.tables import campaign_items, campaigns
from admin.errors import Conflict
from gateway import keys
from gateway.orders import releases
from gateway.orders.database import reading, writing
from gateway.orders.tables import order_units, orders, stock_operations, unit_releases

SEED = int(os.environ.get("SEED") or random.randrange(10**9))
PRODUCT_STOCK = 60
STEPS = 45


class Sale:
    """One offer of 12 units of a product of 60, and what may happen to it."""

    def __init__(self, shop: Shop, api: Api) -> None:
        self.shop, self.api = shop, api
        self.sku = shop.product(stock=PRODUCT_STOCK)
        campaign = shop.campaign(items=[{"sku": self.sku, "stock": 12}])
        self.code, self.offer = campaign.code, campaign.items[0].offer
        self.gone = 0
        """Units that were paid for and did not come back."""

    def win(self) -> str | None:
        """An order, unless nothing is left."""
        if self.shop.offer(self.offer).left == 0:
            return None
        return win(self.shop, self.offer, self.shop.unique("s"))

    def pay(self, order_no: str) -> None:
        Shopper(self.api, row(self.shop, order_no).shopper).post(f"/{order_no}/pay")
        self.gone += 1

    def cancel(self, order_no: str) -> None:
        Shopper(self.api, row(self.shop, order_no).shopper).post(f"/{order_no}/cancel")

    def expire(self, order_no: str) -> None:
        expire(self.shop, order_no)

    def refund(self, order_no: str, *, restock: bool) -> None:
        self.api.post(f"/orders/{order_no}/refund", {"restock": restock})
        self.gone -= restock

    def change_stock(self, delta: int) -> None:
        change = {"delta": delta, "operation_id": self.shop.unique("op")}
        stock.change_stock(self.shop.resources, self.code, self.sku, change, actor=ACTOR)

    def release(self) -> None:
        releases.apply_waiting(self.shop.resources.engine, self.shop.resources.redis, lease_ms=1)

    def end(self) -> None:
        """The campaign ended a minute ago."""
        service.terminate(self.shop.resources, self.code, {}, actor=ACTOR)
        long_ago = self.shop.now_ms() - 60_000
        with writing(self.shop.resources.engine) as connection:
            connection.execute(
                update(campaigns).where(campaigns.c.code == self.code).values(terminated_at_ms=long_ago)
            )

    def settle(self) -> None:
        for each in settling.due(self.shop.resources, 100):
            if each.id == self.offer:
                settling.settle(self.shop.resources, each)

    @property
    def settled(self) -> bool:
        with reading(self.shop.resources.engine) as connection:
            return bool(
                connection.execute(
                    select(campaign_items.c.settled).where(campaign_items.c.campaign == self.code)
                ).scalar_one()
            )

    def orders(self, *status: str) -> list[str]:
        with reading(self.shop.resources.engine) as connection:
            return list(
                connection.execute(
                    select(orders.c.order_no)
                    .where(orders.c.offer == self.offer, orders.c.status.in_(status))
                    .order_by(orders.c.order_no)
                ).scalars()
            )

    @property
    def goods(self) -> tuple[int, int]:
        """The product's stock, and how much of it is promised."""
        return goods(self.shop, self.sku)


@pytest.fixture
def sale(shop: Shop, api: Api) -> Sale:
    return Sale(shop, api)


def random_step(sale: Sale, dice: random.Random, *, selling: bool) -> None:
    """One thing that may happen to the sale."""
    pending, paid = sale.orders("pending"), sale.orders("paid", "shipped")
    kinds = ["win"] * 6 * selling + ["stock"] * selling + ["release"]
    kinds += ["pay", "pay", "cancel", "expire"] * bool(pending) + ["refund", "restock"] * bool(paid)
    kinds += ["settle"] * (not selling)
    match dice.choice(kinds):
        case "win":
            sale.win()
        case "stock":
            with contextlib.suppress(Conflict):  # a cut below what is held
                sale.change_stock(dice.choice([-3, -2, -1, 1, 2]))
        case "release":
            sale.release()
        case "pay":
            sale.pay(dice.choice(pending))
        case "cancel":
            sale.cancel(dice.choice(pending))
        case "expire":
            sale.expire(dice.choice(pending))
        case "refund":
            sale.refund(dice.choice(paid), restock=False)
        case "restock":
            sale.refund(dice.choice(paid), restock=True)
        case "settle":
            sale.settle()


@pytest.mark.parametrize("run", range(3))
def test_whatever_happened_the_stock_is_exact_in_the_end(sale: Sale, run: int) -> None:
    print(f"SEED={SEED}")  # noqa: T201 - SEED=… in the environment repeats the run
    dice = random.Random(SEED + run)
    for _ in range(STEPS):
        random_step(sale, dice, selling=True)
    sale.end()
    for _ in range(STEPS // 2):
        random_step(sale, dice, selling=False)
    for order_no in sale.orders("pending"):
        sale.expire(order_no)
    sale.release()
    sale.settle()
    assert sale.settled
    assert sale.goods == (PRODUCT_STOCK - sale.gone, 0)
    offer = sale.shop.offer(sale.offer)
    with reading(sale.shop.resources.engine) as connection:
        units = connection.execute(select(order_units).where(order_units.c.offer == sale.offer)).all()
    assert offer.held == sum(not each.released for each in units)
    # When a unit is paid back and sold no more, then it is free again.
    for order_no in sale.orders("paid")[:1]:
        sale.refund(order_no, restock=True)
        assert not sale.settled
        sale.release()
        sale.settle()
        assert sale.settled
    assert sale.goods == (PRODUCT_STOCK - sale.gone, 0)


def test_it_is_not_final_while_an_order_may_still_be_paid(sale: Sale) -> None:
    order_no = sale.win()
    assert order_no is not None
    sale.end()
    sale.settle()
    assert (sale.settled, sale.goods) == (False, (PRODUCT_STOCK, 1))
    sale.pay(order_no)
    sale.settle()
    assert (sale.settled, sale.goods) == (True, (PRODUCT_STOCK - 1, 0))


def test_it_is_not_final_while_a_unit_is_on_its_way_back(sale: Sale) -> None:
    order_no = sale.win()
    assert order_no is not None
    sale.end()
    sale.expire(order_no)
    sale.settle()
    assert (sale.settled, sale.goods) == (False, (PRODUCT_STOCK, 1))
    sale.release()
    sale.settle()
    assert (sale.settled, sale.goods) == (True, (PRODUCT_STOCK, 0))


def test_a_unit_on_its_way_back_is_not_mistaken_for_one_that_was_not_written(sale: Sale) -> None:
    # Given a winner whom the ledger does not know yet, and another order whose units Redis has not got back.
    order_no = sale.win()
    assert order_no is not None
    sale.pay(order_no)
    sale.refund(order_no, restock=True)
    with writing(sale.shop.resources.engine) as connection:
        connection.execute(
            update(unit_releases).where(unit_releases.c.order_no == order_no).values(done_at_ms=None)
        )
    sale.end()
    sale.settle()
    assert not sale.settled


def test_it_is_not_final_while_a_winner_is_on_the_way_to_the_ledger(sale: Sale) -> None:
    assert click(sale.shop.resources.redis, sale.offer, ["amy"]) == ["W"]
    sale.end()
    sale.settle()
    assert (sale.settled, sale.goods) == (False, (PRODUCT_STOCK, 1))
    ticket = ticket_of(sale.shop, sale.offer, "amy")
    assert ticket is not None
    order_no = sale.shop.order(sale.offer, shopper="amy", order_no=ticket.order_no, units=ticket.units)
    sale.pay(order_no)
    sale.settle()
    assert (sale.settled, sale.goods) == (True, (PRODUCT_STOCK - 1, 0))


def test_a_cut_that_is_not_finished_is_finished_first(sale: Sale) -> None:
    """Given a cut that Redis has applied and the ledger has not, then its units are given back once."""
    sale.change_stock(-2)
    sale.end()
    named = {"offer": keys.offer(sale.offer), "epoch": 1, "operation_id": sale.shop.unique("late"), "delta": -3}
    with writing(sale.shop.resources.engine) as connection:
        connection.execute(
            stock_operations.insert().values(**(named | {"offer": sale.offer}), state="pending", created_at_ms=1)
        )
    sale.settle()
    assert sale.goods == (PRODUCT_STOCK, 10)
    stock.finish(sale.shop.resources, str(named["operation_id"]))
    assert sale.goods == (PRODUCT_STOCK, 7)
    sale.settle()
    assert (sale.settled, sale.goods) == (True, (PRODUCT_STOCK, 0))


@pytest.mark.parametrize("change", ["run_id", "epoch"])
def test_a_redis_that_nobody_has_checked_is_not_believed(sale: Sale, change: str) -> None:
    """Given Redis with an older copy of the offer, then nothing goes back before it was looked through."""
    redis: Any = sale.shop.resources.redis
    sale.end()
    before = redis.hget(keys.offer(sale.offer), change)
    redis.hset(keys.offer(sale.offer), change, "2" if change == "epoch" else "another")
    sale.settle()
    assert (sale.settled, sale.goods) == (False, (PRODUCT_STOCK, 12))
    redis.hset(keys.offer(sale.offer), change, before)
    sale.settle()
    assert (sale.settled, sale.goods) == (True, (PRODUCT_STOCK, 0))
