"""The ledger writes each winner once, and nothing that was not sold."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, true, update

from gateway.orders import tables
from gateway.orders.database import writing
from gateway.orders.ledger import Ledger, Settlement
from gateway.orders.message import Entry, Winner
from tests.gateway.orders.shop import Shop, entry, ticket

PAY_WINDOW_MS = 300_000


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine, min_pay_window_ms=PAY_WINDOW_MS, currency="CNY")


def reasons(settlements: list[Settlement]) -> list[str]:
    return [letter.reason for each in settlements for letter in each.letters]


def test_an_order_says_what_was_won(shop: Shop, ledger: Ledger, offer_id: str) -> None:
    """Given a winner of two units, when written, then order and units carry the ticket's words."""
    shop.publish(offer_id, stock=5, limit=2)
    assert ledger.write(0, [entry(offer_id, [("小明 'x'", ticket("A1", "4.2", "1.2"))])]) == [
        Settlement("1-0", 1, ())
    ]
    with shop.engine.connect() as connection:
        order = connection.execute(select(tables.orders)).one()._asdict()
        units = connection.execute(select(tables.order_units).order_by(tables.order_units.c.unit)).all()
    created = order.pop("created_at_ms")
    assert order.pop("expire_at_ms") == created + PAY_WINDOW_MS
    others_only = {"subtotal", "discount", "coupon", "coupon_discount", "channel", "note", "group_id", "request"}
    assert not any(order.pop(name) for name in others_only)
    assert order == {
        "order_no": "A1",
        "flow": "seckill",
        "offer": offer_id,
        "campaign": "noon",
        "sku": "kettle",
        "shopper": "小明 'x'",
        "quantity": 2,
        "price": 9900,
        "total": 19800,
        "currency": "TWD",
        "status": "pending",
        "epoch": 1,
        "shard": 0,
        "bucket": 0,
        "entry": "1-0",
        "won_at_ms": 1700000000000,
        "pay_by_ms": 1700000900000,
        "key": "",
        "address": None,
        "paid_at_ms": None,
        "shipped_at_ms": None,
        "carrier": None,
        "tracking_no": None,
    }
    assert [tuple(row) for row in units] == [
        ("A1", 2, offer_id, "小明 'x'", 2, True, False),
        ("A1", 4, offer_id, "小明 'x'", 1, True, False),
    ]


def test_orders_of_a_transaction_are_one_event_and_told_once(shop: Shop, ledger: Ledger, offer_id: str) -> None:
    """Given winners of which some are written already, when written, then one event names those that were not."""
    shop.publish(offer_id, stock=9)
    first = [entry(offer_id, [("a", ticket("A1", "1")), ("b", ticket("A2", "2"))])]
    ledger.write(0, first)
    # Given again after the answer of a commit was lost: alone, then beside new ones and one without a chance.
    ledger.write(0, first)
    ledger.write(0, [*first, entry(offer_id, [("c", ticket("A3", "3")), ("d", ticket("A4", "3"))], number=2)])
    with shop.engine.connect() as connection:
        told = connection.execute(select(tables.events).order_by(tables.events.c.id)).all()
    assert [(each.kind, each.number, each.body["orders"]) for each in told] == [
        ("orders.created", None, ["A1", "A2"]),
        ("orders.created", None, ["A3"]),
    ]
    assert told[0].body["after"] == "pending"


def test_time_to_pay_is_the_later_of_the_ticket_and_the_window(shop: Shop, ledger: Ledger, offer_id: str) -> None:
    """Given a ticket that may be paid far in the future, when written, then that instant stands."""
    shop.publish(offer_id, stock=1)
    far = 4_000_000_000_000
    ledger.write(0, [entry(offer_id, [("a", f"A1,1,1,9900,{far},1700000000000,")])])
    with shop.engine.connect() as connection:
        assert connection.execute(select(tables.orders.c.expire_at_ms)).scalar_one() == far


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ticket("B1", "6"), "above_unit_cap"),
        (ticket("B1", "2", "3"), "above_limit"),
        (ticket("B1", "1"), "unit_taken"),
        (ticket("A1", "2"), "order_conflict"),
        (ticket("A1", "1", price=1), "order_conflict"),
        (ticket("B1", "2.2", "1.2"), "unreadable"),
        (ticket("B1", "2", "1.2"), "unreadable"),
        (ticket("B1", "0"), "unreadable"),
        (ticket("B1", "2", price=10**13), "unreadable"),
        (ticket("B" * 33, "2"), "unreadable"),
        ("B\0,2,1,9900,1700000900000,1700000000000,", "unreadable"),
        ("nonsense", "unreadable"),
        ("", "unreadable"),
    ],
)
def test_a_poisoned_winner_is_named_and_its_neighbours_are_written(
    shop: Shop, ledger: Ledger, offer_id: str, text: str, reason: str
) -> None:
    """Given one winner that cannot be written between two that can, then only that one is set aside."""
    shop.publish(offer_id, stock=5, limit=2)
    ledger.write(0, [entry(offer_id, [("first", ticket("A1", "1"))])])
    batch = [("n1", ticket("N1", "4")), ("poison", text), ("n2", ticket("N2", "5"))]
    [settlement] = ledger.write(0, [entry(offer_id, batch, number=2)])
    assert settlement.winners == 3
    [letter] = settlement.letters
    assert (letter.reason, letter.shopper, letter.ticket) == (reason, b"poison", text.encode())
    assert set(shop.orders()) == {"A1", "N1", "N2"}


@pytest.mark.parametrize("shopper", [b"", b"x" * 65, b"\xff", b"a\0b"])
def test_a_shopper_that_no_column_can_hold_is_unreadable(
    shop: Shop, ledger: Ledger, offer_id: str, shopper: bytes
) -> None:
    """Given a shopper id that the gateway would never let in, then it is set aside on both databases."""
    shop.publish(offer_id, stock=5)
    bad = Entry("1-0", offer_id, 0, 1, (Winner(shopper, ticket("A1", "1").encode()),))
    assert reasons(ledger.write(0, [bad])) == ["unreadable"]


def test_numbers_beyond_a_column_are_unreadable(shop: Shop, ledger: Ledger, offer_id: str) -> None:
    """Given an entry whose bucket is no 32-bit number, then nothing breaks and neighbours are written."""
    shop.publish(offer_id, stock=5)
    big = Entry("1-0", offer_id, 2**70, 1, (Winner(b"a", ticket("A1", "1").encode()),))
    assert reasons(ledger.write(0, [big, entry(offer_id, [("b", ticket("A2", "2"))], number=2)])) == ["unreadable"]
    assert set(shop.orders()) == {"A2"}


def test_a_slot_is_held_once(shop: Shop, ledger: Ledger, offer_id: str) -> None:
    """Given a shopper who holds slot 1, when another order claims it, then it is not written."""
    shop.publish(offer_id, stock=5)
    batch = [("a", ticket("A1", "1")), ("a", ticket("A2", "2"))]
    assert reasons(ledger.write(0, [entry(offer_id, batch)])) == ["slot_taken"]
    assert set(shop.orders()) == {"A1"}


def test_unknown_offer_and_old_epoch(shop: Shop, ledger: Ledger, offer_id: str) -> None:
    """Given an offer the ledger lacks, and an entry of an epoch that is over, then neither is written."""
    shop.publish(offer_id, stock=5)
    shop.set_ledger(offer_id, epoch=2)
    batch = [
        entry("nobody-knows", [("a", ticket("A1", "1"))]),
        entry(offer_id, [("a", ticket("A2", "1"))], number=2),
        entry(offer_id, [("a", ticket("A3", "1"))], number=3, epoch=2),
    ]
    assert reasons(ledger.write(0, batch)) == ["unknown_offer", "stale_epoch"]
    assert set(shop.orders()) == {"A3"}


def test_what_was_written_before_an_epoch_ended_stays_a_repeat(shop: Shop, ledger: Ledger, offer_id: str) -> None:
    """Given a written order whose acknowledgement was lost, when the epoch is raised, then it is no letter."""
    shop.publish(offer_id, stock=5)
    same = [entry(offer_id, [("a", ticket("A1", "1"))])]
    ledger.write(0, same)
    shop.set_ledger(offer_id, epoch=2, unit_cap=5)
    assert reasons(ledger.write(0, same)) == []


def test_a_released_unit_may_be_sold_again(shop: Shop, ledger: Ledger, offer_id: str) -> None:
    """Given a unit that its order gave back, when it is won again, then it is written; so is a late repeat."""
    shop.publish(offer_id, stock=1)
    first = [entry(offer_id, [("a", ticket("A1", "1"))])]
    ledger.write(0, first)
    with writing(shop.engine) as connection:
        connection.execute(update(tables.order_units).values(active=False))
    assert reasons(ledger.write(0, [entry(offer_id, [("b", ticket("B1", "1"))], number=2)])) == []
    assert reasons(ledger.write(0, first)) == []
    assert set(shop.orders()) == {"A1", "B1"}


def test_large_orders_are_written_whole(shop: Shop, ledger: Ledger, offer_id: str) -> None:
    """Given an entry of orders with hundreds of units each, then every unit is there."""
    shop.publish(offer_id, stock=4000, limit=400)
    winners = []
    for number in range(10):
        units = ".".join(str(number * 400 + unit) for unit in range(1, 401))
        winners.append((f"s{number}", ticket(f"A{number}", units, ".".join(map(str, range(1, 401))))))
    assert reasons(ledger.write(0, [entry(offer_id, winners)])) == []
    with shop.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(tables.order_units)).scalar_one() == 4000


# ---- any mix of good, repeated and conflicting winners, against a model that anybody can read -------------


@dataclass
class Model:
    """What the ledger must do, without a database."""

    cap: int = 5
    limit: int = 2
    orders: dict[str, Any] = field(default_factory=dict)
    units: set[int] = field(default_factory=set)
    slots: set[tuple[str, int]] = field(default_factory=set)

    def write(self, known: bool, epoch: int, shopper: str, order: str, units: Any, slots: Any) -> str | None:
        content = (known, epoch, shopper, frozenset(zip(units, slots, strict=True)))
        if order in self.orders:
            return None if self.orders[order] == content else "order_conflict"
        if not known:
            return "unknown_offer"
        if epoch != 1:
            return "stale_epoch"
        if max(units) > self.cap:
            return "above_unit_cap"
        if max(slots) > self.limit:
            return "above_limit"
        if self.units & set(units):
            return "unit_taken"
        taken = {(shopper, slot) for slot in slots}
        if self.slots & taken:
            return "slot_taken"
        self.orders[order] = content
        self.units |= set(units)
        self.slots |= taken
        return None


numbers = itertools.count()


@st.composite
def winners(draw: st.DrawFn) -> tuple[str, str, list[int], list[int]]:
    count = draw(st.sampled_from([1, 1, 1, 2]))
    units = draw(st.lists(st.integers(1, 6), min_size=count, max_size=count, unique=True))
    slots = draw(st.lists(st.integers(1, 3), min_size=count, max_size=count, unique=True))
    return draw(st.sampled_from("abcd")), draw(st.sampled_from("12345678")), units, slots


entries = st.tuples(
    st.sampled_from([True, True, True, True, False]),
    st.sampled_from([1, 1, 1, 1, 2]),
    st.lists(winners(), min_size=1, max_size=4),
)
batches = st.lists(st.lists(entries, min_size=1, max_size=4), min_size=1, max_size=4)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(batches=batches, again=st.booleans())
def test_any_mix_of_winners_ends_as_the_model_says(
    shop: Shop, ledger: Ledger, batches: list[list[Any]], again: bool
) -> None:
    """Given any entries in any batches, some written twice, then ledger and model agree on every winner."""
    run = next(numbers)
    offer, unknown = f"o{run}", f"nobody{run}"
    shop.publish(offer, stock=5, limit=2, seed=False)
    model = Model()
    for batch in batches:
        for _ in range(2 if again else 1):
            expected, given_entries = [], []
            for number, (known, epoch, won) in enumerate(batch):
                for shopper, order, units, slots in won:
                    reason = model.write(known, epoch, shopper, order, units, slots)
                    expected += [reason] if reason else []
                pairs = [
                    (shopper, ticket(f"{run}-{order}", ".".join(map(str, units)), ".".join(map(str, slots))))
                    for shopper, order, units, slots in won
                ]
                given_entries.append(entry(offer if known else unknown, pairs, number=number + 1, epoch=epoch))
            assert reasons(ledger.write(0, given_entries)) == expected
    with shop.engine.connect() as connection:
        active = connection.execute(
            select(tables.order_units.c.unit).where(
                tables.order_units.c.offer == offer, tables.order_units.c.active == true()
            )
        ).scalars()
        assert sorted(active) == sorted(model.units)
