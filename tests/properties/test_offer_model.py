"""Given any order of clicks, stock changes, new terms and returns, Redis and the model agree on everything."""

from __future__ import annotations

import itertools
import os

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from redis import Redis

from gateway import keys
from tests.lua.calling import HOUR_MS, Sale, redis_now_ms, set_offer
from tests.properties.model import Held, Model
from tests.stateful import run_histories

EXAMPLES = 40
STEPS = 25

FOREVER_MS = 10**9
WINDOW_MS = 10**12  # one rate window for all the time a test takes
SHOPPERS = ["amy", "bob", "王", "a|b", "c,d", "e.f", "😀"]
_numbers = itertools.count(1)

shoppers = st.sampled_from(SHOPPERS)
clicks = st.lists(
    st.tuples(shoppers, st.integers(1, 4), st.sampled_from(["k1", "k2", "k3"]), st.booleans() | st.just(True)),
    min_size=1,
    max_size=8,
)


class OfferMachine(RuleBasedStateMachine):
    """One offer in Redis beside the model."""

    client: Redis

    @initialize(stock=st.integers(0, 12), limit=st.integers(1, 4))
    def publish(self, stock: int, limit: int) -> None:
        self.sale = Sale.open(self.client, f"p{next(_numbers)}-{os.getpid()}", stock=stock, limit=limit, price=100)
        self.model = Model(stock=stock, limit=limit, price=100)
        self.now_ms = redis_now_ms(self.client)
        self.streamed = 0
        # Every order there ever was, with its shopper and ticket.
        self.orders: dict[str, tuple[str, Held]] = {}

    @rule(batch=clicks, rate_limit=st.sampled_from([0, 0, 3, 6]))
    def click(self, batch: list[tuple[str, int, str, bool]], rate_limit: int) -> None:
        several = self.model.limit > 1
        numbers = [f"n{next(_numbers)}" for _ in batch]
        reply = self.sale.admit(
            *(shopper for shopper, *_ in batch),
            quantities=[quantity for _, quantity, *_ in batch],
            click_keys=[key for *_, key, _ in batch] if several else 0,
            eligible="".join("1" if eligible else "0" for *_, eligible in batch),
            order_numbers=numbers,
            rate_limit=rate_limit,
            window_ms=WINDOW_MS,
        )
        for index, (shopper, quantity, key, eligible) in enumerate(batch):
            letter, detail = self.model.admit(
                shopper,
                quantity,
                key if several else "",
                eligible=eligible,
                rate_limit=rate_limit,
                order_no=numbers[index],
            )
            hypothesis.note(f"{shopper} wants {quantity} with {key}: {letter} {detail}")
            said = reply.details[index]
            assert reply.letters[index] == letter
            if letter in "WA":
                ticket = reply.ticket(index)
                assert Held(ticket.order_no, ticket.units, ticket.slots, ticket.price, ticket.key) == detail
                self.orders.setdefault(ticket.order_no, (shopper, detail))
            elif letter != "R":
                assert said == detail
            self.streamed += letter == "W"
        assert (reply.left, reply.sequence) == (self.model.left, self.model.sequence)

    @rule(delta=st.integers(-6, 6), again=st.booleans(), hold=st.booleans())
    def adjust_stock(self, delta: int, again: bool, hold: bool) -> None:
        operation = sorted(self.model.operations)[0] if again and self.model.operations else f"op{next(_numbers)}"
        reply = self.sale.adjust(delta, operation, lease_ms=FOREVER_MS if hold else 0)
        held = self.model.stock - self.model.left
        word = self.model.adjust(operation, delta, hold=hold)
        assert reply[0] == word
        if word == "TOO_LOW":
            assert reply[1] == held
        else:
            assert reply[2:] == [self.model.stock, self.model.left, self.model.cap]

    @rule(
        step=st.sampled_from([1, 1, 1, 0, -1]),
        state=st.sampled_from(["open", "open", "open", "paused", "terminated"]),
        started=st.booleans() | st.just(True),
        over=st.sampled_from([False, False, False, True]),
        price=st.integers(0, 10**6),
        more=st.integers(0, 2),
        hold=st.booleans(),
    )
    def set_offer(
        self, step: int, state: str, started: bool, over: bool, price: int, more: int, hold: bool
    ) -> None:
        version = self.model.version + step
        # A limit that some shopper has used up as a single ticket only grows, as the sidecar sees to.
        limit = self.model.limit + more
        terms = self.sale.terms(
            version=version,
            state=state,
            starts_at_ms=self.now_ms - 2 * HOUR_MS if started or over else self.now_ms + HOUR_MS,
            ends_at_ms=self.now_ms - HOUR_MS if over else self.now_ms + 2 * HOUR_MS,
            price=price,
            limit=limit,
        )
        word = set_offer(self.sale, terms, lease_ms=FOREVER_MS if hold else 0)[0]
        assert word == self.model.set_offer(
            version, hold=hold, state=state, started=started or over, over=over, price=price, limit=limit
        )
        self.sale.version = self.model.version

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), hold=st.booleans(), again=st.booleans())
    def release(self, data: st.DataObject, hold: bool, again: bool) -> None:
        """Give back some units of an order that there is or was, once or twice, also with another's name."""
        order_no, (shopper, ticket) = data.draw(st.sampled_from(sorted(self.orders.items())))
        shopper = data.draw(st.sampled_from([shopper, shopper, shopper, SHOPPERS[0]]))
        units = data.draw(st.sets(st.sampled_from(ticket.units), min_size=1)) | data.draw(st.sets(st.just(1)))
        for _ in range(1 + again):
            reply = self.sale.release(shopper, order_no, *units, lease_ms=FOREVER_MS if hold else 0)
            released = self.model.release(shopper, order_no, units, hold=hold)
            assert reply[0] == ("RELEASED" if released else "NOTHING")
            if released:
                assert reply[2:] == [self.model.left, released]

    @invariant()
    def redis_holds_what_the_model_holds(self) -> None:
        model, sale = self.model, self.sale
        for name, value in (
            ("version", model.version),
            ("stock", model.stock),
            ("left", model.left),
            ("next_unit", model.next_unit),
            ("unit_top", model.top),
            ("unit_cap", model.cap),
            ("freed", len(model.freed)),
            ("sequence", model.sequence),
        ):
            assert sale.number(name) == value, name
        assert sale.zset("freed") == model.freed
        assert sale.zset("retired") == model.retired
        for shopper in SHOPPERS:
            held = [Held(t.order_no, t.units, t.slots, t.price, t.key) for t in sale.record(shopper)]
            assert held == model.buyers.get(shopper, [])

    @invariant()
    def nothing_is_sold_that_does_not_exist(self) -> None:
        model = self.model
        units = [unit for tickets in model.buyers.values() for ticket in tickets for unit in ticket.units]
        assert len(units) == len(set(units)) == model.stock - model.left
        assert all(1 <= unit <= model.cap for unit in units)
        assert sorted([*units, *model.freed, *model.retired]) == list(range(1, model.next_unit))
        for tickets in model.buyers.values():
            slots = [slot for ticket in tickets for slot in ticket.slots]
            assert len(slots) == len(set(slots)) <= model.limit

    def teardown(self) -> None:
        if hasattr(self, "sale"):
            assert len(self.sale.streamed()) == self.streamed
            named = self.sale.named()
            own = ("offer", "buyers", "freed", "retired", "operations", "even", "odd", "clicks")
            self.client.delete(*(named[name] for name in own))
            self.client.srem(keys.offers(keys.shard_of(self.sale.id)), self.sale.id)


@pytest.mark.timeout(360)  # a failing run is made smaller first
def test_redis_and_the_model_agree(redis: Redis) -> None:
    machine = type("Machine", (OfferMachine,), {"client": redis})
    run_histories(machine, examples=EXAMPLES, steps=STEPS)
