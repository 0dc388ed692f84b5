"""Given what Redis said last, a worker repeats only refusals, only for their lease, and never to a winner."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from redis import Redis

from gateway.admission import shield as shield_module
from gateway.admission.admit import AdmitCall, Decided, Decision, Whole, decode
from gateway.admission.batch import Lane
from gateway.admission.clock import RedisClock
from gateway.admission.gate import Gate
from gateway.admission.outcome import Outcome
from gateway.admission.shield import Shield
from gateway.errors import ScriptContractError
from gateway.settings import Rate, Settings
from gateway.tokens import Shopper
from tests.conftest import RedisServer
from tests.gateway.telling import Told
from tests.gateway.waiting import until
from tests.lua.calling import Sale

ASKED_S = 1000.0
STARTS_AT_MS = 1_000_000


def said(
    letters: bytes, *, left: int = 0, sequence: int = 0, lease_ms: int = 200, now_ms: int = 5_000_000
) -> Decided:
    return Decided(now_ms, sequence, left, lease_ms, letters, [])


def learned(shield: Shield, letters: bytes, **fields: Any) -> Any:
    shield.learn(said(letters, **fields), ASKED_S, STARTS_AT_MS)
    return shield.lease


@pytest.mark.parametrize(
    ("letter", "outcome"), [(b"S", Outcome.SOLD_OUT), (b"E", Outcome.ENDED), (b"P", Outcome.PAUSED)]
)
def test_a_refusal_that_holds_for_all_is_leased_from_when_it_was_asked_for(letter: bytes, outcome: Outcome) -> None:
    lease = learned(Shield(), letter, lease_ms=150)
    assert lease.decision.outcome is outcome
    assert lease.until_s == ASKED_S + 0.15


@pytest.mark.parametrize("letters", [b"W", b"A", b"L", b"R", b"I", b"K", b"WALRIK"])
def test_an_answer_to_one_shopper_is_no_lease(letters: bytes) -> None:
    assert learned(Shield(), letters) is None


def test_too_few_left_for_one_click_is_no_lease() -> None:
    assert learned(Shield(), b"S", left=1) is None
    assert learned(Shield(), b"WS", left=1, sequence=1) is None


def test_after_sales_a_lease_needs_an_exact_copy_of_the_winners() -> None:
    shield = Shield()
    assert learned(shield, b"WWS", sequence=2) is None
    assert shield.wanted_sequence == 2
    shield.know_winners(frozenset({b"amy", b"bob"}), 2)
    assert learned(shield, b"S", sequence=2).winners == {b"amy", b"bob"}
    # A copy of another sequence is no copy.
    assert learned(shield, b"S", sequence=3) is None
    assert shield.wanted_sequence == 3


@pytest.mark.parametrize("letter", [b"S", b"E", b"P", b"N"])
def test_winners_are_an_exception_to_every_final_refusal(letter: bytes) -> None:
    shield = Shield()
    fields = {"sequence": 5, "now_ms": STARTS_AT_MS - 1000}
    assert learned(shield, letter, **fields) is None
    shield.know_winners(frozenset({b"amy"}), 5)
    assert learned(shield, letter, **fields).winners == {b"amy"}


def test_forgotten_winners_take_the_lease_with_them() -> None:
    shield = Shield()
    shield.know_winners(frozenset({b"amy"}), 5)
    assert learned(shield, b"S", sequence=5) is not None
    shield.forget_winners()
    assert (shield.lease, shield.winners_count) == (None, 0)


def test_a_win_ends_a_lease() -> None:
    shield = Shield()
    assert learned(shield, b"P") is not None
    assert learned(shield, b"W", left=3, sequence=1) is None


@pytest.mark.parametrize(
    ("before_ms", "lease_ms"), [(1000, 200), (300, 200), (299, 199), (150, 50), (100, None), (50, None), (-5, None)]
)
def test_not_started_is_asked_for_again_near_the_opening(before_ms: int, lease_ms: int | None) -> None:
    lease = learned(Shield(), b"N", now_ms=STARTS_AT_MS - before_ms)
    assert (lease and round((lease.until_s - ASKED_S) * 1000)) == lease_ms


def test_a_lease_of_nothing_is_none() -> None:
    assert learned(Shield(), b"P", lease_ms=0) is None


def test_throttled_shoppers_are_remembered_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shield_module, "THROTTLED_MAX", 10)
    shield = Shield()
    now_s = time.monotonic()
    assert shield.throttled_ms(b"amy") == 0
    shield.throttle(b"amy", now_s + 5)
    shield.throttle(b"past", now_s - 1)
    assert 4000 < shield.throttled_ms(b"amy") <= 5000
    assert shield.throttled_ms(b"past") == shield.throttled_ms(b"bob") == 0
    for number in range(15):
        shield.throttle(b"s%d" % number, now_s + 5)
        assert len(shield._throttled) + len(shield._older) <= 20
    assert shield.throttled_ms(b"s0") > 0
    for number in range(15, 40):
        shield.throttle(b"s%d" % number, now_s + 5)
    assert shield.throttled_ms(b"s0") == 0
    assert shield.throttled_ms(b"s39") > 0


# The winners' copy, read from a real Redis.


def with_gate(redis_server: RedisServer, offer_id: str, work: Any, **settings: Any) -> None:
    async def run() -> None:
        own = Settings(redis_url=redis_server.url, rate_per_shopper=Rate(0, 1000), **settings)
        gate = Gate(own, lambda clicks, seconds: None, Told())
        await gate.start()
        async with asyncio.timeout(20):
            await until(lambda: not gate.problems() and gate.primaries[0].side.ready)
            await work(gate, await gate.lane(offer_id))
        await gate.stop()

    asyncio.run(run())


def click_now(lane: Lane, sub: str) -> asyncio.Future[Decision]:
    answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
    lane.submit(answer, Shopper(sub.encode(), 10**10), 1, b"")
    return answer


async def click(lane: Lane, sub: str) -> Decision:
    return await click_now(lane, sub)


async def leased(lane: Any) -> None:
    while lane.shield.lease is None:
        assert (await click(lane, "nobody")).outcome is Outcome.SOLD_OUT


@pytest.mark.parametrize("winners", [3, 1500])
def test_the_copy_has_every_winner(redis_server: RedisServer, redis: Redis, offer_id: str, winners: int) -> None:
    sale = Sale.open(redis, offer_id, stock=winners)
    for start in range(0, winners, 500):
        sale.admit(*(f"s{number}" for number in range(start, min(start + 500, winners))))

    async def work(gate: Gate, lane: Any) -> None:
        await leased(lane)
        assert lane.shield.lease.winners == {f"s{number}".encode() for number in range(winners)}

    with_gate(redis_server, offer_id, work)


def test_above_the_bound_there_is_no_copy_and_no_lease(
    redis_server: RedisServer, redis: Redis, offer_id: str
) -> None:
    sale = Sale.open(redis, offer_id, stock=11)
    sale.admit(*(f"s{number}" for number in range(11)))

    async def work(gate: Gate, lane: Any) -> None:
        for _ in range(20):
            assert (await click(lane, "nobody")).outcome is Outcome.SOLD_OUT
            assert (await click(lane, "s3")).outcome is Outcome.ALREADY_WON
            await until(lambda: not gate._tasks)
            assert lane.shield.lease is None

    with_gate(redis_server, offer_id, work, winners_max=10)


def test_a_full_queue_and_a_long_wait_are_busy(redis_server: RedisServer, redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=100)

    async def work(gate: Gate, lane: Any) -> None:
        # All in one turn of the loop: nothing is sent before the queue is full.
        waiting = [click_now(lane, f"s{number}") for number in range(30)]
        outcomes = [(await answer).outcome for answer in waiting]
        assert outcomes == [Outcome.WON] * 20 + [Outcome.BUSY] * 10
        assert lane.counts[Outcome.BUSY.index] == 10

    with_gate(redis_server, offer_id, work, queue_max=20, batch_max=5)
    assert sale.number("left") == 80


def test_a_cancelled_click_is_decided_all_the_same(redis_server: RedisServer, redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=100)

    async def work(gate: Gate, lane: Any) -> None:
        click_now(lane, "amy").cancel()
        assert (await click(lane, "bob")).outcome is Outcome.WON
        assert (await click(lane, "amy")).outcome is Outcome.ALREADY_WON

    with_gate(redis_server, offer_id, work)
    assert [ticket.units for ticket in sale.record("amy")] == [(1,)]


# The call and its reply.


def test_order_numbers_cannot_be_guessed_or_counted() -> None:
    call = AdmitCall("x", bucket=0, version=1, epoch=1, run_id="r", rate=Rate(5, 1000), lease_ms=200)
    commands = {call.encode(1, (b"amy",)) for _ in range(50)}
    assert len(commands) == 50


@pytest.mark.parametrize(
    "reply",
    [
        None, [], [1], b"DECIDED", [b"DECIDED"], [b"DECIDED", 1, 2, 3, 4, b"W"], [b"DECIDED", 1, 2, 3, 4, b"X"],
        [b"DECIDED", 1, 2, 3, 4, None], [b"LATE"], [b"DECIDED", 1, 2, 3, 4, b""],
        [b"DECIDED", 1, 2, 3, 4, b"W", b"a", b"b"], [b"DECIDED", 1, 2, 3, 4, b"WW", b"a", b"b"],
    ],
)  # fmt: skip
def test_a_reply_of_another_form_is_refused(reply: Any) -> None:
    with pytest.raises(ScriptContractError):
        decode(reply, 1)


def test_replies_are_read() -> None:
    assert decode([b"LATE", 5], 3) == Whole("LATE", 5)
    with_letters_that_have_none = decode([b"DECIDED", 5, 6, 7, 8, b"WNS", b"ticket", 0], 3)
    assert with_letters_that_have_none == Decided(5, 6, 7, 8, b"WNS", [b"ticket", None, 0])
    assert decode([b"DECIDED", 5, 6, 7, 8, b"WS", b"ticket", 0], 2) == Decided(5, 6, 7, 8, b"WS", [b"ticket", 0])


def test_redis_time_is_estimated_from_the_middle_of_a_round_trip() -> None:
    clock = RedisClock()
    now_s = time.monotonic()
    clock.learn(50_000, now_s - 0.2, now_s)
    assert 50_100 <= clock.now_ms() < 50_600
