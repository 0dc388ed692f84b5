"""Whatever is broken by hand in Redis or the ledger is named, and repaired where one answer is right."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from sqlalchemy import delete, insert, update

from gateway import keys
from gateway.orders import holdings, tables
from gateway.orders.message import Ticket
from gateway.orders.reconcile import looking
from gateway.orders.reconcile.breaches import REMEDIES, Remedy
from gateway.orders.reconcile.looking import Stores, broken
from gateway.orders.reconcile.repairs import repair
from tests.conftest import wait_until
from tests.gateway.orders.half_sold import OFFER, HalfSold, cancel, settle_all
from tests.gateway.orders.shop import Shop, ticket


def test_a_sound_sale_is_sound(sale: HalfSold) -> None:
    assert broken(sale.stores) == []
    assert broken(sale.stores, OFFER) == []
    assert repair(sale.stores, []) == ([], [])


def test_a_winner_on_the_way_to_the_ledger_is_sound(sale: HalfSold) -> None:
    sale.shop.click(OFFER, ["given-out"])
    sale.shop.redis.xreadgroup(keys.ORDER_GROUP, "a-writer", {keys.stream(0): ">"})
    sale.shop.click(OFFER, ["not-given-out"])
    assert broken(sale.stores) == []


# Each break: what is done by hand, and what must be named (code, unit, order of shopper).


def hash_field(**fields: int | str) -> Callable[[HalfSold], None]:
    return lambda sale: sale.shop.redis.hset(keys.offer(OFFER), mapping=fields)


def drop_offer(sale: HalfSold) -> None:
    sale.shop.redis.delete(keys.offer(OFFER))


def drop_field(sale: HalfSold) -> None:
    sale.shop.redis.hdel(keys.offer(OFFER), "left")


def drop_ticket(sale: HalfSold) -> None:
    sale.shop.redis.hdel(keys.buyers(OFFER, 1), "b")


def change_ticket(sale: HalfSold) -> None:
    changed = sale.won["b"]._replace(price=1)
    sale.shop.redis.hset(keys.buyers(OFFER, 1), "b", changed.text)


def bring_ticket_back(sale: HalfSold) -> None:
    sale.shop.redis.hset(keys.buyers(OFFER, 1), "e", sale.won["e"].text)


def copy_ticket(sale: HalfSold) -> None:
    other = Ticket("STRANGER", sale.won["b"].units, (1,), 9900, 2000, 1000, "")
    sale.shop.redis.hset(keys.buyers(OFFER, 1), "x", other.text)


def lose_freed(sale: HalfSold) -> None:
    sale.shop.redis.delete(keys.freed(OFFER, 1))


def free_a_held_unit(sale: HalfSold) -> None:
    sale.shop.redis.zadd(keys.retired(OFFER, 1), {"2": 2})


def lose_order(sale: HalfSold) -> None:
    """The ledger restored from an older copy."""
    with sale.shop.engine.begin() as connection:
        for table in (tables.order_units, tables.orders):
            connection.execute(delete(table).where(table.c.order_no == sale.won["c"].order_no))


def more_stock_in_ledger(sale: HalfSold) -> None:
    sale.shop.set_ledger(OFFER, stock=25, unit_cap=25)


def unknown_operation(sale: HalfSold) -> None:
    with sale.shop.engine.begin() as connection:
        connection.execute(
            insert(tables.stock_operations).values(
                operation_id="op",
                offer=OFFER,
                epoch=1,
                delta=0,
                state="applied",
                stock=20,
                left=16,
                created_at_ms=1,
            )
        )


def waiting_release(sale: HalfSold) -> None:
    sale.cancel("d")


def drop_group(sale: HalfSold) -> None:
    sale.shop.redis.xgroup_destroy(keys.stream(0), keys.ORDER_GROUP)


def skew_totals(sale: HalfSold) -> None:
    sale.shop.redis.hincrby(keys.counters(0), "issued", 3)


BREAKS = [
    (drop_offer, {("offer_missing", None, "")}),
    (drop_field, {("offer_incomplete", None, "")}),
    (hash_field(run_id="another"), {("not_approved", None, "")}),
    (hash_field(epoch=7), {"epoch_differs"}),
    (hash_field(version=9), {("version_differs", None, "")}),
    (hash_field(price=1), {("terms_differ", None, "")}),
    (hash_field(stock=21), {"stock_differs"}),
    (hash_field(left=17), {"left_differs", "held_differs"}),
    (hash_field(freed=4), {("freed_differs", None, "")}),
    (hash_field(unit_cap=99), {("unit_cap_differs", 99, "")}),
    (drop_ticket, {("order_without_ticket", 2, "b"), ("unit_lost", 2, ""), ("held_differs", None, "")}),
    (change_ticket, {("ticket_differs", None, "b")}),
    (
        bring_ticket_back,
        {("ticket_given_back", 5, "e"), ("unit_held_and_free", 5, "e"), ("held_differs", None, "")},
    ),
    (lose_freed, {("freed_differs", None, ""), ("left_differs", None, ""), ("unit_lost", 5, "")}),
    (free_a_held_unit, {("unit_held_and_free", 2, "b")}),
    (lose_order, {("ticket_without_order", 3, "c")}),
    (more_stock_in_ledger, {("stock_differs", None, "")}),
    (unknown_operation, {("operation_missing", None, "")}),
    (waiting_release, {("release_waits", 4, "d")}),
    (drop_group, {("group_missing", None, "")}),
    (skew_totals, {("backlog_differs", None, "")}),
]


@pytest.mark.parametrize(("break_it", "named"), BREAKS, ids=lambda each: getattr(each, "__name__", None))
def test_it_is_named_and_repaired(sale: HalfSold, break_it: Callable[[HalfSold], None], named: set[Any]) -> None:
    """Given one thing broken by hand, then it is named, repaired, and everything is as it was told to shoppers."""
    break_it(sale)
    found = broken(sale.stores)
    if named <= REMEDIES.keys():
        assert {each.code for each in found} >= named
    else:
        orders = {won.order_no: shopper for shopper, won in sale.won.items()}
        assert {(each.code, each.unit, orders.get(each.order_no, each.order_no)) for each in found} == named
    repaired, left = repair(sale.stores, found)
    assert left == []
    assert {each.code for each in repaired} >= {each.code for each in found}
    assert broken(sale.stores) == []
    sale.whole_as_sold(gone={"e", "d"} if break_it is waiting_release else {"e"})


def test_what_cannot_be_read_is_kept_for_the_operator(sale: HalfSold) -> None:
    """Given a buyer's record that is no ticket, then a letter keeps it, and the order's ticket is back."""
    sale.shop.redis.hset(keys.buyers(OFFER, 1), "b", "nonsense")
    found = broken(sale.stores)
    assert {"ticket_unreadable", "order_without_ticket"} <= {each.code for each in found}
    _, [left] = repair(sale.stores, found)
    assert left.code == "dead_letter_stuck"
    [letter] = sale.shop.dead()
    assert (letter[b"shopper"], letter[b"ticket"]) == (b"b", b"nonsense")
    sale.shop.redis.delete(keys.dead(0))
    assert broken(sale.stores) == []
    sale.whole_as_sold(gone={"e"})


def test_a_unit_on_two_tickets_stays_with_the_one_that_the_ledger_knows(sale: HalfSold) -> None:
    """Given a ticket that no order can be written for, then its holder becomes a dead letter, then seated."""
    copy_ticket(sale)
    found = broken(sale.stores)
    assert {"unit_held_twice", "ticket_without_order"} <= {each.code for each in found}
    repaired, left = repair(sale.stores, found)
    assert left == []
    assert "dead_letter" in {each.code for each in repaired} | {each.code for each in found} or not sale.shop.dead()
    settle_all(sale.shop)
    assert broken(sale.stores) == []
    assert sale.shop.orders()["STRANGER"][:2] == (OFFER, "x")
    assert sale.shop.orders()["STRANGER"][2] != sale.won["b"].units
    assert not sale.shop.dead()


def test_what_nobody_can_know_is_asked(sale: HalfSold) -> None:
    """Given what has no right answer, then it is named with what to decide, and repairing changes nothing."""
    order_no = sale.won["a"].order_no
    with sale.shop.engine.begin() as connection:
        connection.execute(
            update(tables.orders).where(tables.orders.c.order_no == sale.won["d"].order_no).values(status="expired")
        )
        connection.execute(
            insert(tables.stock_operations).values(
                operation_id="op", offer=OFFER, epoch=1, delta=1, state="pending", created_at_ms=1
            )
        )
    sale.shop.set_ledger(OFFER, stock=21, unit_cap=21)
    sale.shop.redis.sadd(keys.offers(0), "nobody-knows")
    sale.shop.forge("nobody-knows", [(b"x", ticket("LOST1", "1").encode())])
    sale.shop.forge(OFFER, [(b"x", ticket(order_no, "9").encode())])
    sale.shop.forge(OFFER, [(b"x", b"")], packed=b"garbage")
    settle_all(sale.shop)
    found = broken(sale.stores)
    asked = {each.code for each in found}
    assert asked == {"order_inconsistent", "operation_waits", "offer_unknown", "dead_letter_stuck"}
    assert all(each.remedy is Remedy.ASK and each.asks for each in found)
    assert len([each for each in found if each.code == "dead_letter_stuck"]) == 3
    before = sale.shop.redis.dump(keys.offer(OFFER))
    assert repair(sale.stores, found)[0] == []
    assert sale.shop.redis.dump(keys.offer(OFFER)) == before


def test_the_ledger_holds_more_than_it_allows(sale: HalfSold) -> None:
    sale.shop.set_ledger(OFFER, stock=3)
    found = broken(sale.stores)
    assert {each.code for each in found} == {"ledger_above_stock", "stock_differs"}
    _, left = repair(sale.stores, found)
    assert [each.asks for each in left if each.code == "ledger_above_stock"] == ["raise the stock by 1"]
    sale.shop.set_ledger(OFFER, stock=20)
    assert repair(sale.stores, broken(sale.stores))[1] == []
    sale.whole_as_sold(gone={"e"})


def test_an_entry_that_was_deleted_is_not_forgotten(sale: HalfSold) -> None:
    """Given an entry deleted before it was written, then its winner's ticket becomes the order."""
    won = sale.shop.click(OFFER, ["late"])
    entry_id = sale.shop.redis.xrevrange(keys.stream(0), count=1)[0][0]
    sale.shop.redis.xreadgroup(keys.ORDER_GROUP, "dead-writer", {keys.stream(0): ">"})
    sale.shop.redis.xdel(keys.stream(0), entry_id)
    found = broken(sale.stores)
    assert {each.code for each in found} == {"entry_deleted", "ticket_without_order", "backlog_differs"}
    assert [each.order_no for each in found if each.order_no] == [won["late"].order_no]
    assert repair(sale.stores, found)[1] == []
    assert sale.shop.backlog() == 0
    sale.won |= won
    sale.whole_as_sold(gone={"e"})


def test_winners_that_nobody_writes_are_named(sale: HalfSold) -> None:
    old = {"offer": OFFER, "bucket": 0, "epoch": 1, "count": 0, "winners": msgpack.packb([])}
    sale.shop.redis.delete(keys.stream(0))
    sale.shop.redis.xadd(keys.stream(0), old, id="1000-0")
    sale.shop.redis.xgroup_create(keys.stream(0), keys.ORDER_GROUP, id="0")
    [breach] = broken(sale.stores)
    assert (breach.code, breach.asks) == (
        "entries_wait",
        "start an order writer, or look into its log why it does not get on",
    )


# A live sale.


def test_nothing_is_called_broken_while_a_sale_runs(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given clicks, orders, cancels and releases all the while, then every look finds all sound."""
    monkeypatch.setattr(looking, "BETWEEN_LOOKS_S", 0.2)
    stores = Stores(shop.settings, shop.redis, shop.engine, shop.ledger())
    shop.publish(OFFER, stock=100_000)
    stop = threading.Event()

    def sell() -> None:
        number = 0
        while not stop.is_set():
            won = shop.click(OFFER, [f"s{number}-{each}" for each in range(20)])
            number += 1
            if number % 5 == 0:
                shopper, ticket = next(iter(won.items()))
                wait_until(lambda: not holdings.unknown(shop.engine, [ticket.order_no]), what="the order")  # noqa: B023
                cancel(shop, shopper, ticket)

    with shop.writer():
        seller = threading.Thread(target=sell)
        seller.start()
        try:
            looks = 0
            while looks < 3 or shop.order_count() <= 100:
                assert broken(stores) == []
                looks += 1
        finally:
            stop.set()
            seller.join()
        wait_until(shop.settled, what="everything settled")


def test_what_goes_away_by_itself_is_not_named(sale: HalfSold) -> None:
    """Given something that is broken for a moment, when it is right at the second look, then nothing is named."""
    sale.shop.redis.hset(keys.offer(OFFER), "freed", 7)
    looks: list[object] = []

    def mend(_wait_s: float) -> None:
        looks.append(None)
        sale.shop.redis.hset(keys.offer(OFFER), "freed", 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking.time, "sleep", mend)
        assert broken(sale.stores) == []
    assert len(looks) == 1


def test_every_code_is_named_by_a_test() -> None:
    names = ("test_dead_letters_seated.py", "test_ledger_of_buckets.py", Path(__file__).name)
    source = "".join(Path(__file__).with_name(name).read_text() for name in names)
    assert [code for code in REMEDIES if f'"{code}"' not in source] == []


def test_every_code_is_explained() -> None:
    explained = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()
    assert [code for code in REMEDIES if f"`{code}`" not in explained] == []
