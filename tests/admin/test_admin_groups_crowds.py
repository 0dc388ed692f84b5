"""Given shoppers who join, pay, leave, return and run out of time at once, no seat, unit or cent goes astray."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grouping
import pytest
from buying import goods, money, run_out
from grouping import PRICE, group_buy
from sidecar import Shop
from sqlalchemy import select

from admin.errors import AdminError
from admin.groups import closing, leaving
from admin.groups.closing import Closing
from admin.orders import cancelling
from admin.orders import views as orders_views
from admin.orders.expiring import Expiring
from admin.reservations.tables import tallies
from gateway.orders.database import reading, writing
from gateway.orders.tables import orders

STOCK, GROUPS, SHOPPERS = 500, 4, 9


class Crowd:
    """Some shoppers of one group buy who do whatever comes to their minds."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.seed = seed
        self.names = [shop.unique("shopper") for _ in range(SHOPPERS)]
        self.campaign = group_buy(shop, stock=STOCK, limits={"total": 1000}, rule={"limit_per_shopper": 50})
        self.sku = self.campaign.items[0].sku
        self.groups = [grouping.open_group(shop, self.campaign, self.names[each])[0] for each in range(GROUPS)]

    def act(self, thread: int, steps: int) -> None:
        """Do some things, whatever others do at the same time; refusals are fine."""
        dice = random.Random(f"{self.seed}-{thread}")
        for _ in range(steps):
            with suppress(AdminError):
                self._act(dice)

    def _act(self, dice: random.Random) -> None:
        shop, group, name = self.shop, dice.choice(self.groups), dice.choice(self.names)
        match dice.choice(("join", "join", "pay", "pay", "leave", "cancel", "expire", "close")):
            case "join":
                grouping.join(shop, group, name, quantity=dice.randint(1, 3))
            case "leave":
                leaving.leave(shop.resources, group, name)
            case "close" if dice.random() < 0.2:
                grouping.run_down(shop, group)
                closing.close(shop.resources, group)
                closing.settle(shop.resources, group)
            case what:
                pending = [each.order_no for each in self.orders(group) if each.status == "pending"]
                if pending:
                    self._end(what, dice.choice(pending))

    def _end(self, what: str, order_no: str) -> None:
        if what == "pay":
            grouping.pay(self.shop, order_no)
        elif what == "cancel":
            with writing(self.shop.resources.engine) as connection:
                order = orders_views.find(connection, order_no, lock=True)
                cancelling.cancel(connection, order, actor="shopper")
        elif what == "expire":
            run_out(self.shop, order_no)
            Expiring(self.shop.resources).round()

    def orders(self, group: str) -> list[Any]:
        with reading(self.shop.resources.engine) as connection:
            return list(connection.execute(select(orders).where(orders.c.group_id == group)).all())

    def tally(self, kind: str) -> int:
        """All that is held of a kind in this group buy and its groups."""
        subjects = [self.campaign.code, *self.groups]
        with reading(self.shop.resources.engine) as connection:
            found = connection.execute(
                select(tallies).where(tallies.c.kind == kind, tallies.c.subject.in_(subjects))
            )
            return sum(each.reserved + each.committed for each in found)

    def check(self) -> None:
        """When it is quiet again, what is held is what was bought."""
        bought, seated = 0, 0
        for group in self.groups:
            row, found = grouping.row(self.shop, group), self.orders(group)
            assert row.settled
            paid = [each for each in found if each.status == "paid"]
            assert {each.status for each in found} <= {"paid", "refunded", "cancelled", "expired"}
            assert len(paid) == (row.size if row.state == "full" else 0)
            for each in found:
                came, back = money(self.shop, each.order_no)
                assert came - back == (PRICE * each.quantity if each.status == "paid" else 0)
            bought += sum(each.quantity for each in paid)
            seated += len(paid)
        assert (self.tally("seat"), self.tally("group_shopper"), self.tally("campaign")) == (seated,) * 3
        assert self.tally("campaign_shopper") == bought
        assert goods(self.shop, self.sku) == (STOCK - bought, 0)


def go(shop: Shop, seed: int, *, threads: int, steps: int) -> None:
    crowd = Crowd(shop, seed)
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(crowd.act, thread, steps) for thread in range(threads)]:
            done.result()
    for group in crowd.groups:
        grouping.run_down(shop, group)
    Closing(shop.resources).round()
    crowd.check()


def test_nothing_goes_astray_in_a_crowd(shop: Shop) -> None:
    go(shop, 1, threads=4, steps=15)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 12))
def test_nothing_goes_astray_in_many_crowds(shop: Shop, seed: int) -> None:
    go(shop, seed, threads=8, steps=60)
