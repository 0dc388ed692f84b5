"""Given a group buy, shoppers fill a group together: seats, stock and money are exact whatever becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import grouping
import pytest
from buying import goods, money, run_out
from buying import row as order_row
from grouping import BASE, PRICE, group_buy, held, notices_of, run_down, seats, statuses
from sidecar import Shop
from sqlalchemy import update

from admin.catalog import service as catalog
from admin.errors import Conflict
from admin.groups import closing, leaving, views
from admin.groups.closing import Closing
from admin.groups.models import GroupFilter
from admin.groups.tables import groups
from admin.orders import cancelling
from admin.orders import views as orders_views
from admin.orders.expiring import Expiring
from admin.payments import refund_requests, refunding
from admin.payments.choosing import RefundInput
from gateway.orders.database import now_ms, writing

AT_ONCE = 50
OPEN = GroupFilter.model_validate({})


def names(shop: Shop, count: int) -> list[str]:
    return [shop.unique("shopper") for _ in range(count)]


def a_group(shop: Shop, *others: str, leader: str = "ann", paid: int = 0, **about: Any) -> tuple[str, list[str]]:
    """A group with some shoppers in it, the first `paid` of whom have paid; its id and their orders."""
    campaign = group_buy(shop, **about)
    group, first = grouping.open_group(shop, campaign, leader)
    numbers = [first, *(grouping.join(shop, group, each) for each in others)]
    grouping.pay(shop, *numbers[:paid])
    return group, numbers


def test_with_its_last_seat_paid_a_group_is_full_and_its_orders_are_paid(shop: Shop) -> None:
    ann, bob, cid = names(shop, 3)
    group, numbers = a_group(shop, bob, cid, leader=ann, paid=2, stock=10)
    sku = grouping.row(shop, group).sku
    assert statuses(shop, group) == ["awaiting_group", "awaiting_group", "pending"]
    assert order_row(shop, numbers[0]).paid_at_ms is None, "paid for is not paid"
    assert goods(shop, sku) == (10, 3), "units may still go back to the shop"
    assert seats(shop, group) == (1, 2)
    grouping.pay(shop, numbers[2])
    assert statuses(shop, group) == ["paid"] * 3
    assert goods(shop, sku) == (7, 0)
    assert [money(shop, each) for each in numbers] == [(PRICE, 0)] * 3
    assert {notices_of(shop, each)[0] for each in (ann, bob, cid)} == {"group_full"}
    about = grouping.row(shop, group)
    assert (about.state, about.settled, about.virtual_seats) == ("full", True, 0)
    with pytest.raises(Conflict) as refused:
        grouping.join(shop, group, shop.unique("late"))
    assert refused.value.code == "group_full"
    with pytest.raises(Conflict) as refused:
        leaving.leave(shop.resources, group, bob)
    assert refused.value.code == "group_over"


def test_who_leaves_unpaid_makes_room_and_the_next_one_leads(shared_shop: Shop) -> None:
    ann, bob, cid, dan = names(shared_shop, 4)
    group, numbers = a_group(shared_shop, bob, cid, leader=ann, stock=10)
    with pytest.raises(Conflict) as refused:
        grouping.join(shared_shop, group, dan)
    assert refused.value.code == "no_seat_left"
    leaving.leave(shared_shop.resources, group, ann)
    assert order_row(shared_shop, numbers[0]).status == "cancelled"
    assert set(held(shared_shop, numbers[0]).values()) == {"released"}
    assert grouping.row(shared_shop, group).leader == bob
    grouping.join(shared_shop, group, dan)
    leaving.leave(shared_shop.resources, group, cid)
    assert grouping.row(shared_shop, group).leader == bob, "only the leader's leaving changes who leads"
    grouping.join(shared_shop, group, ann)
    assert grouping.row(shared_shop, group).leader == bob, "who comes back comes last"
    assert seats(shared_shop, group) == (3, 0)


def test_who_leaves_paid_has_all_their_money_back_and_makes_room_at_once(shop: Shop) -> None:
    ann, bob, cid = names(shop, 3)
    group, numbers = a_group(shop, bob, leader=ann, paid=2, stock=10, rule={"size": 2 + 1})
    leaving.leave(shop.resources, group, ann)
    assert order_row(shop, numbers[0]).status == "refunded"
    assert money(shop, numbers[0]) == (PRICE, PRICE)
    assert seats(shop, group) == (0, 1)
    assert goods(shop, grouping.row(shop, group).sku) == (10, 1)
    assert grouping.row(shop, group).leader == bob
    again = [grouping.join(shop, group, each) for each in (cid, ann)]
    grouping.pay(shop, *again)
    assert statuses(shop, group) == ["paid", "paid", "paid", "refunded"]


def test_a_seat_is_free_while_its_money_is_still_on_the_way(shared_shop: Shop) -> None:
    ann, bob, cid = names(shared_shop, 3)
    group, numbers = a_group(shared_shop, bob, leader=ann, paid=2, rule={"size": 3})
    with writing(shared_shop.resources.engine) as connection:
        order = orders_views.find(connection, numbers[1], lock=True)
        refund = refund_requests.ask(connection, order, RefundInput.model_validate({}))
    assert order_row(shared_shop, numbers[1]).status == "refunding"
    assert seats(shared_shop, group) == (0, 1)
    grouping.join(shared_shop, group, cid)
    assert refund is not None
    refunding.send(shared_shop.resources, refund)
    assert money(shared_shop, numbers[1]) == (PRICE, PRICE)
    assert seats(shared_shop, group) == (1, 1)


def test_a_group_that_nobody_is_in_is_closed(shared_shop: Shop) -> None:
    ann, bob = names(shared_shop, 2)
    group, numbers = a_group(shared_shop, bob, leader=ann, paid=1)
    leaving.leave(shared_shop.resources, group, ann)
    with writing(shared_shop.resources.engine) as connection:
        cancelling.cancel(connection, orders_views.find(connection, numbers[1], lock=True), actor="shopper")
    about = grouping.row(shared_shop, group)
    assert (about.state, about.settled) == ("closed", True)
    with pytest.raises(Conflict) as refused:
        grouping.join(shared_shop, group, shared_shop.unique("late"))
    assert refused.value.code == "group_over"


def test_a_group_that_is_short_at_its_deadline_fails_and_everybody_is_paid_back(shop: Shop) -> None:
    ann, bob, cid = names(shop, 3)
    group, numbers = a_group(shop, bob, cid, leader=ann, paid=2, stock=10)
    run_down(shop, group)
    with pytest.raises(Conflict) as refused:
        grouping.join(shop, group, shop.unique("late"))
    assert refused.value.code == "group_over"
    rounds = Closing(shop.resources)
    for _ in range(2):
        rounds.round()
        assert statuses(shop, group) == ["cancelled", "refunded", "refunded"]
        assert [money(shop, each) for each in numbers] == [(PRICE, PRICE), (PRICE, PRICE), (0, 0)]
        assert [notices_of(shop, each).count("group_failed") for each in (ann, bob, cid)] == [1, 1, 0]
    assert goods(shop, grouping.row(shop, group).sku) == (10, 0)
    assert grouping.actors(shop, numbers[2]) == ["group"]
    about = grouping.row(shop, group)
    assert (about.state, about.settled) == ("failed", True)


def test_a_group_may_be_filled_at_its_deadline_with_seats_marked_virtual(shop: Shop) -> None:
    ann, bob = names(shop, 2)
    group, numbers = a_group(shop, bob, leader=ann, paid=1, stock=10, rule={"size": 4, "virtual_fill": True})
    run_down(shop, group)
    for _ in range(2):
        closing.close(shop.resources, group)
        assert [order_row(shop, each).status for each in numbers] == ["paid", "pending"], "a crash came in between"
        assert grouping.row(shop, group).state == "full"
    Closing(shop.resources).round()
    assert [order_row(shop, each).status for each in numbers] == ["paid", "cancelled"]
    assert goods(shop, grouping.row(shop, group).sku) == (9, 0)
    assert notices_of(shop, ann) == ["group_full"]
    seen = views.read(shop.resources, group, ann)
    assert (seen.state, seen.seats_held, seen.seats_paid, seen.seats_left) == ("full", 4, 4, 0)
    assert [(each.leader, each.virtual, each.me) for each in seen.members] == [
        (True, False, True),
        *[(False, True, False)] * 3,
    ]
    assert grouping.row(shop, group).settled


def test_nobody_gets_a_group_of_virtual_seats_alone(shared_shop: Shop) -> None:
    (ann,) = names(shared_shop, 1)
    group, numbers = a_group(shared_shop, leader=ann, rule={"virtual_fill": True})
    run_down(shared_shop, group)
    Closing(shared_shop.resources).round()
    assert grouping.row(shared_shop, group).state == "failed"
    assert order_row(shared_shop, numbers[0]).status == "cancelled"


def test_what_a_crash_left_of_a_failed_group_is_finished(shop: Shop) -> None:
    ann, bob, cid = names(shop, 3)
    group, numbers = a_group(shop, bob, cid, leader=ann, paid=1, stock=10)
    run_down(shop, group)
    closing.close(shop.resources, group)
    assert statuses(shop, group) == ["awaiting_group", "pending", "pending"], "decided, and nobody let go"
    grouping.pay(shop, numbers[1])
    assert order_row(shop, numbers[1]).status == "awaiting_group", "its money came in between"
    closing.settle(shop.resources, group)
    assert [money(shop, each) for each in numbers] == [(PRICE, PRICE), (PRICE, PRICE), (0, 0)]
    assert statuses(shop, group) == ["cancelled", "refunded", "refunded"]
    assert goods(shop, grouping.row(shop, group).sku) == (10, 0)


def test_a_group_that_the_shop_calls_off_fails_at_once(shared_shop: Shop) -> None:
    ann, bob = names(shared_shop, 2)
    group, numbers = a_group(shared_shop, bob, leader=ann, paid=1)
    campaign = grouping.row(shared_shop, group).campaign
    with writing(shared_shop.resources.engine) as connection:
        assert closing.open_groups(connection, campaign) == [group]
    closing.fail(shared_shop.resources, group)
    with writing(shared_shop.resources.engine) as connection:
        assert closing.open_groups(connection, campaign) == []
    assert grouping.row(shared_shop, group).settled
    assert statuses(shared_shop, group) == ["cancelled", "refunded"]
    assert money(shared_shop, numbers[0]) == (PRICE, PRICE)


def test_a_group_outlives_its_campaign_on_the_terms_it_was_opened_with(shared_shop: Shop) -> None:
    ann, bob = names(shared_shop, 2)
    campaign = group_buy(shared_shop)
    group, _ = grouping.open_group(shared_shop, campaign, ann)
    grouping.terminate(shared_shop, campaign.code)
    catalog.change(shared_shop.resources, campaign.items[0].sku, {"price": BASE * 2}, actor="tester")
    with pytest.raises(Conflict) as refused:
        grouping.open_group(shared_shop, campaign, bob)
    assert refused.value.code == "not_running"
    order = order_row(shared_shop, grouping.join(shared_shop, group, bob))
    assert (order.total, order.subtotal, order.discount) == (PRICE, BASE, BASE - PRICE)


def test_limits_hold_over_all_groups(shared_shop: Shop) -> None:
    ann, bob, cid = names(shared_shop, 3)
    campaign = group_buy(shared_shop, rule={"limit_per_shopper": 2}, limits={"total": 3})
    first, _ = grouping.open_group(shared_shop, campaign, ann)
    second, _ = grouping.open_group(shared_shop, campaign, bob)

    def refusal(do: Callable[[], object]) -> str:
        with pytest.raises(Conflict) as refused:
            do()
        return str(refused.value.code)

    assert refusal(lambda: grouping.join(shared_shop, first, cid, quantity=3)) == "exhausted"
    assert refusal(lambda: grouping.join(shared_shop, second, ann, quantity=2)) == "exhausted"
    assert refusal(lambda: grouping.join(shared_shop, first, ann)) == "already_in_group"
    assert refusal(lambda: grouping.open_group(shared_shop, campaign, ann, quantity=2)) == "exhausted"
    order_no = grouping.join(shared_shop, first, cid, quantity=2)
    assert order_row(shared_shop, order_no).total == 2 * PRICE
    dan = shared_shop.unique("dan")
    assert refusal(lambda: grouping.join(shared_shop, second, dan)) == "exhausted"
    leaving.leave(shared_shop.resources, first, cid)
    catalog.change(shared_shop.resources, campaign.items[0].sku, {"on_sale": False}, actor="tester")
    assert refusal(lambda: grouping.join(shared_shop, second, dan)) == "not_available"
    catalog.change(shared_shop.resources, campaign.items[0].sku, {"on_sale": True}, actor="tester")
    assert grouping.join(shared_shop, second, dan)


def test_a_seat_needs_its_units(shared_shop: Shop) -> None:
    ann, bob, cid = names(shared_shop, 3)
    campaign = group_buy(shared_shop, stock=3)
    group, _ = grouping.open_group(shared_shop, campaign, ann)
    grouping.join(shared_shop, group, bob)
    catalog.change(shared_shop.resources, campaign.items[0].sku, {"stock": 2}, actor="tester")
    with pytest.raises(Conflict) as refused:
        grouping.join(shared_shop, group, cid)
    assert refused.value.code == "not_available"
    catalog.change(shared_shop.resources, campaign.items[0].sku, {"stock": 3}, actor="tester")
    assert grouping.join(shared_shop, group, cid)


def test_the_last_seat_is_taken_by_one_of_a_crowd(shop: Shop) -> None:
    crowd(shop, AT_ONCE)


@pytest.mark.soak
def test_the_last_seat_is_taken_by_one_of_five_hundred(shop: Shop) -> None:
    crowd(shop, 500)


def crowd(shop: Shop, size: int) -> None:
    ann, bob = names(shop, 2)
    group, _ = a_group(shop, bob, leader=ann, paid=2)
    shop.resources.books.fresh()
    ready = Barrier(AT_ONCE)

    def one(name: str) -> str:
        ready.wait(timeout=60)
        try:
            return grouping.join(shop, group, name)
        except Conflict as refused:
            return str(refused.code)

    with ThreadPoolExecutor(ready.parties) as pool:
        came = list(pool.map(one, names(shop, size)))
    winners = [each for each in came if each != "no_seat_left"]
    assert len(winners) == 1
    assert statuses(shop, group) == ["awaiting_group", "awaiting_group", "pending"]
    assert seats(shop, group) == (1, 2)
    grouping.pay(shop, winners[0])
    assert grouping.row(shop, group).state == "full"


def test_the_last_two_who_pay_at_once_make_it_full_once(shop: Shop) -> None:
    ann, bob, cid = names(shop, 3)
    group, numbers = a_group(shop, bob, cid, leader=ann, paid=1, stock=10)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: grouping.pay(shop, each), numbers[1:]))
    assert statuses(shop, group) == ["paid"] * 3
    assert goods(shop, grouping.row(shop, group).sku) == (7, 0)
    assert [notices_of(shop, each) for each in (ann, bob, cid)] == [["group_full"]] * 3


def test_seats_that_cost_nothing_are_paid_for_at_once(shared_shop: Shop) -> None:
    ann, bob = names(shared_shop, 2)
    campaign = group_buy(shared_shop, stock=10, rule={"price": 0, "size": 2})
    group, first = grouping.open_group(shared_shop, campaign, ann)
    assert order_row(shared_shop, first).status == "awaiting_group"
    grouping.join(shared_shop, group, bob)
    assert statuses(shared_shop, group) == ["paid", "paid"]
    other, second = grouping.open_group(shared_shop, campaign, shared_shop.unique("cid"))
    run_down(shared_shop, other)
    Closing(shared_shop.resources).round()
    assert order_row(shared_shop, second).status == "refunded"
    assert goods(shared_shop, campaign.items[0].sku) == (8, 0)


def test_who_does_not_pay_in_time_makes_room(shared_shop: Shop) -> None:
    ann, bob = names(shared_shop, 2)
    group, numbers = a_group(shared_shop, bob, leader=ann, paid=1)
    assert order_row(shared_shop, numbers[1]).expire_at_ms < grouping.row(shared_shop, group).deadline_ms
    run_out(shared_shop, numbers[1])
    Expiring(shared_shop.resources).round()
    assert statuses(shared_shop, group) == ["awaiting_group", "expired"]
    assert seats(shared_shop, group) == (0, 1)


def test_nobody_may_pay_longer_than_the_group_lasts(shared_shop: Shop) -> None:
    ann, bob = names(shared_shop, 2)
    group, _ = a_group(shared_shop, leader=ann)
    with writing(shared_shop.resources.engine) as connection:
        soon = now_ms(connection) + 60_000
        connection.execute(update(groups).where(groups.c.id == group).values(deadline_ms=soon))
    assert order_row(shared_shop, grouping.join(shared_shop, group, bob)).expire_at_ms == soon


def test_groups_to_join_come_in_pages_the_nearest_deadline_first(shop: Shop) -> None:
    campaign = group_buy(shop, rule={"size": 2})
    opened = [grouping.open_group(shop, campaign, each)[0] for each in names(shop, 3)]
    grouping.join(shop, opened[0], shop.unique("second"))
    wanted = {"campaign": campaign.code, "limit": "1"}
    first = views.page(shop.resources, GroupFilter.model_validate(wanted))
    rest = views.page(shop.resources, GroupFilter.model_validate({**wanted, "cursor": first.next}))
    assert [each.id for each in (*first.items, *rest.items)] == opened[1:], "one without a seat is not shown"
    assert rest.next is None
    run_down(shop, opened[1])
    shown = views.page(shop.resources, GroupFilter.model_validate({"sku": campaign.items[0].sku}))
    assert [each.id for each in shown.items] == opened[2:]
