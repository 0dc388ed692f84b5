"""Given clicks, gathering, returns, stock changes in any order, and deaths at any command, no unit is lost.

Each is in one place; `sold_out` is said only if too little was left in all buckets together while somebody looked;
in the end every unit can be sold to the shoppers of any one bucket.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

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

from gateway import keys, scripts, stock
from gateway.offers import Offer
from tests.conftest import RedisServer
from tests.lua.divided import Divided
from tests.properties.stepping import Crash, Gatherer, Mortal, Stepping, left_in_all
from tests.stateful import run_histories

STEPS = 30
COUNT = 3
FOREVER_MS = 10**9
LIMIT = 3
GATHERERS_MAX = 3

_numbers = itertools.count(1)
# Most shoppers are at home in the same bucket, so that it is often empty.
wishes = st.lists(
    st.tuples(st.sampled_from([4, 4, 4, 0, 8]), st.sampled_from([1, 1, 2, 3]), st.booleans()),
    min_size=1,
    max_size=3,
)


class BucketMachine(RuleBasedStateMachine):
    """One offer in several buckets, gateways that gather, operators that change its stock."""

    client: Redis
    plain: Redis
    shas: dict[str, str]

    @initialize(units=st.integers(0, 12))
    def publish(self, units: int) -> None:
        self.divided = Divided(
            self.client, f"b{next(_numbers)}-{os.getpid()}", stock=units, count=COUNT, limit=LIMIT
        )
        if self.divided.left()[1]:
            self.divided.move(4, 0, 12)
        self.gate = Stepping(self.divided.run_id, FOREVER_MS)
        self.gatherers: list[Gatherer] = []
        # What the mark of each bucket says; none when there is no mark.
        self.dry: dict[int, int] = {}
        self.orders: dict[str, tuple[int, str, tuple[int, ...]]] = {}
        self.operations: dict[str, int] = {}
        self.cut_away = 0

    def lane_offer(self, number: int) -> Offer:
        fields: Any = self.client.hgetall(keys.offer(self.divided.id, number))
        return Offer.from_hash(fields)

    def look(self) -> None:
        """Everybody who gathers sees what is left now."""
        left = left_in_all(self.divided.read())
        for each in self.gatherers:
            each.seen.add(left)

    @rule(wanted=wishes)
    def click(self, wanted: list[tuple[int, int, bool]]) -> None:
        for number, quantity, again in wanted:
            self.click_once(number, quantity, again)

    def click_once(self, number: int, quantity: int, again: bool) -> None:
        shopper = f"s{number}-{next(_numbers)}"
        if again and self.orders:
            number, shopper, _ = next(iter(self.orders.values()))
        before = left_in_all(self.divided.read())
        reply = self.divided.admit(number, shopper, quantities=[quantity], click_keys=[f"k{next(_numbers)}"])
        hypothesis.note(f"{shopper} wants {quantity}: {reply.letters} {reply.details}, {before} left in all")
        if reply.letters == "W":
            ticket = reply.ticket()
            assert len(ticket.units) == quantity
            assert self.dry.get(number, 1) > 0, "gateways may still repeat that nothing is left"
            self.orders[ticket.order_no] = (number, shopper, ticket.units)
        elif reply.letters == "S":
            assert quantity > self.dry[number], "too little was left when somebody looked"
        elif reply.letters == "M":
            assert quantity <= self.dry.get(number, quantity), "the mark says that there is no more"
            while len(self.gatherers) < GATHERERS_MAX:
                self.gatherers.append(Gatherer(self.gate, self.lane_offer(number), [quantity]))
        else:
            assert reply.letters == "L"
        self.look()

    @rule(
        quantity=st.integers(1, 3),
        turns=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([1, 1, 2, 6])), min_size=6, max_size=20),
    )
    def gather(self, quantity: int, turns: list[tuple[int, int]]) -> None:
        if not self.gatherers:
            self.click_once(4, quantity, False)
        for which, steps in turns:
            if self.gatherers:
                self.advance(self.gatherers[which % len(self.gatherers)], steps)

    def advance(self, gatherer: Gatherer, steps: int) -> None:
        for _ in range(steps):
            self.look()
            going_on = gatherer.step(self.plain, self.shas)
            if gatherer.marked is not None:
                assert gatherer.marked in gatherer.seen, "so much was never left while this one looked"
                self.dry[gatherer.bucket] = gatherer.marked
                gatherer.marked = None
            if not going_on:
                self.gatherers.remove(gatherer)
                return

    @precondition(lambda self: self.gatherers)
    @rule(which=st.integers(0, 2))
    def kill(self, which: int) -> None:
        self.gatherers.pop(which % len(self.gatherers)).die()

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        order_no = data.draw(st.sampled_from(sorted(self.orders)))
        number, shopper, units = self.orders.pop(order_no)
        assert self.divided.sales[number].release(shopper, order_no, *units)[0] == "RELEASED"
        self.came(number)
        self.look()

    @rule(delta=st.integers(-6, 5), calls=st.integers(0, 14), after=st.booleans(), again=st.booleans())
    def change_stock(self, delta: int, calls: int, after: bool, again: bool) -> None:
        """A raise or cut, which may be killed at any call of Redis, and may be finished much later."""
        operation = f"op{next(_numbers)}"
        if again and self.operations:
            operation, delta = next(iter(self.operations.items()))
        self.operations[operation] = delta
        self.attempt(operation, Mortal(self.client, calls, after=after))

    def attempt(self, operation: str, client: Any) -> None:
        delta = self.operations[operation]
        try:
            change = stock.adjust_stock(client, self.divided.id, 1, operation, delta, lease_ms=0)
        except Crash:
            hypothesis.note(f"{operation} of {delta} was killed")
        else:
            assert change is not None
            hypothesis.note(f"{operation} of {delta}: {change}")
            del self.operations[operation]
            if delta < 0 and change.applied:
                self.cut_away -= delta
        self.look()
        for number in self.divided.sales:
            self.came(number)

    def came(self, number: int) -> None:
        """Units may have come to a bucket: a mark is gone then, if no gateway may repeat it."""
        if self.dry.get(number) and not self.divided.sales[number].number("dry_until_ms"):
            self.dry.pop(number, None)

    @rule()
    def time_passes(self) -> None:
        """Marks and holds end."""
        for number in self.divided.sales:
            key = keys.offer(self.divided.id, number)
            self.client.hset(key, mapping={"dry_until_ms": 0, "hold_until_ms": 0})
        self.dry.clear()

    @invariant()
    def every_number_is_in_one_place(self) -> None:
        if not hasattr(self, "divided"):
            return
        for number in self.divided.sales:
            self.came(number)
        waiting = [number for operation in self.operations for number in self.allotted(operation)]
        everywhere = waiting + self.divided.moving()
        for number, sale in self.divided.sales.items():
            here, held = self.divided.numbers(number), self.divided.held(number)
            assert sale.number("left") == len(here)
            assert sale.number("stock") == len(here) + len(held)
            assert sale.number("freed") == len(sale.zset("freed"))
            everywhere += here + held + self.divided.off_sale(number)
        assert sorted(everywhere) == list(range(1, self.divided.first.number("unit_cap") + 1))
        held_by_model = sorted(unit for _, _, units in self.orders.values() for unit in units)
        assert sorted(unit for number in self.divided.sales for unit in self.divided.held(number)) == held_by_model

    def allotted(self, operation: str) -> list[int]:
        """Numbers of a raise that have not reached their bucket yet."""
        delta = self.operations[operation]
        named = {number: sale.named()["operations"] for number, sale in self.divided.sales.items()}
        known: Any = self.client.hget(named[0], operation)
        if delta <= 0 or known is None:
            return []
        first = int(known.split(b":")[1])
        return [
            first + before + index
            for number, before, units in stock.shares(COUNT, delta)
            if not self.client.hexists(named[number], operation)
            for index in range(units)
        ]

    @invariant()
    def off_sale_is_what_was_cut(self) -> None:
        if hasattr(self, "divided") and not self.operations:
            off_sale = sum(len(self.divided.off_sale(number)) for number in self.divided.sales)
            assert off_sale == self.cut_away

    def teardown(self) -> None:
        if not hasattr(self, "divided"):
            return
        try:
            self.everything_can_be_sold()
        finally:
            for key in self.client.scan_iter(f"*:{self.divided.id}*", count=1000):
                self.client.delete(key)
            self.client.srem(keys.offers(keys.shard_of(self.divided.id)), self.divided.id)

    def everything_can_be_sold(self) -> None:
        """Whoever was killed is replaced: then shoppers of one bucket buy all there is."""
        for operation in list(self.operations):
            self.attempt(operation, self.client)
        assert not self.operations
        self.off_sale_is_what_was_cut()
        for gatherer in list(self.gatherers):
            self.advance(gatherer, 10_000)
        self.time_passes()
        wanted, sold = left_in_all(self.divided.read()), 0
        while True:
            reply = self.divided.admit(4, f"last{next(_numbers)}", click_keys=["k"])
            sold += reply.letters == "W"
            if reply.letters == "S":
                break
            if reply.letters == "M":
                gatherer = Gatherer(self.gate, self.lane_offer(4), [1])
                self.gatherers.append(gatherer)
                self.advance(gatherer, 10_000)
        assert (sold, left_in_all(self.divided.read())) == (wanted, 0)


@pytest.mark.timeout(360)  # a failing run is made smaller first
@pytest.mark.parametrize("examples", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_no_unit_is_lost_or_in_two_places(redis: Redis, redis_server: RedisServer, examples: int) -> None:
    # Replies as gateways get them.
    plain = Redis(port=redis_server.port, protocol=2)
    plain.response_callbacks.clear()
    shas = {}
    for name in scripts.names():
        script = scripts.load(name)
        plain.execute_command("SCRIPT", "LOAD", script.source)
        shas[script.sha] = name
    machine = type("Machine", (BucketMachine,), {"client": redis, "plain": plain, "shas": shas})
    run_histories(machine, examples=examples, steps=STEPS)
    plain.close()
