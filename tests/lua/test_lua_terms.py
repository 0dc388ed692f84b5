"""Given changing terms, Redis follows the newest version, and nobody wins while a lease on a refusal may run."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from gateway import keys, offers, scripts, stock
from tests.conftest import wait_until
from tests.lua.calling import HOUR_MS, Sale, call, redis_now_ms, set_offer

LEASE_MS = 150


def publish(sale: Sale, **changed: Any) -> list[Any]:
    """Set terms without waiting for the hold."""
    terms = sale.terms(**changed)
    sale.version = max(sale.version, terms.version)
    return set_offer(sale, terms, lease_ms=LEASE_MS)


@pytest.fixture
def sale(redis: Redis, offer_id: str) -> Sale:
    return Sale.open(redis, offer_id, stock=3)


# Versions.


def test_created_once_with_its_stock(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=7)
    offer = offers.read(redis, offer_id)
    assert offer is not None
    assert (offer.id, offer.version, offer.epoch, offer.stock, offer.left, offer.unit_cap) == (
        offer_id,
        1,
        1,
        7,
        7,
        7,
    )
    assert (offer.price, offer.limit, offer.state, offer.card) == (9900, 1, "open", {"name": "Kettle"})
    assert redis.sismember(keys.offers(keys.shard_of(offer_id)), offer_id)
    sale.admit("amy")
    assert sale.set_terms(seed=7) == "UNCHANGED"
    assert sale.set_terms(seed=7, version=2) == "UPDATED"
    assert (sale.number("stock"), sale.number("left")) == (7, 6)


def test_updated_a_newer_version(sale: Sale) -> None:
    assert sale.set_terms(version=2, price=5000) == "UPDATED"
    assert sale.admit("amy").ticket().price == 5000


@pytest.mark.parametrize("version", [1, 2, 0])
def test_unchanged_the_same_or_an_older_version(sale: Sale, version: int) -> None:
    sale.set_terms(version=2)
    before = sale.everything()
    assert sale.set_terms(version=version, price=5000) == "UNCHANGED"
    assert sale.everything() == before


def test_missing_terms_without_stock_create_nothing(redis: Redis, offer_id: str) -> None:
    sale = Sale(redis, offer_id)
    assert sale.set_terms() == "MISSING"
    assert not redis.exists(keys.offer(offer_id))
    assert not redis.sismember(keys.offers(keys.shard_of(offer_id)), offer_id)


def test_terminated_twice_keeps_the_first_end(sale: Sale) -> None:
    sale.set_terms(version=2, state="terminated")
    first = sale.number("ended_at_ms")
    wait_until(lambda: redis_now_ms(sale.client) > first + 5)
    sale.set_terms(version=3, state="terminated", price=1)
    assert sale.number("ended_at_ms") == first


def test_terminated_after_its_end_ended_at_its_end(sale: Sale) -> None:
    ends_at_ms = redis_now_ms(sale.client) - 1000
    sale.set_terms(version=2, ends_at_ms=ends_at_ms)
    sale.set_terms(version=3, state="terminated", ends_at_ms=ends_at_ms)
    assert sale.number("ended_at_ms") == ends_at_ms


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "closed"},
        {"starts_at_ms": 5, "ends_at_ms": 5},
        {"starts_at_ms": 0},
        {"price": -1},
        {"price": 10**12 + 1},
        {"limit": 0},
        {"limit": 1001},
        {"pay_within_ms": 0},
    ],
)
def test_terms_that_no_offer_can_have_are_refused(sale: Sale, wrong: dict[str, Any]) -> None:
    with pytest.raises(offers.OfferError):
        sale.terms(**wrong)


# Holds: a change that opens the sale again waits until every lease on the old refusal has run out.


def assert_held(sale: Sale, letter: str, opened_at_ms: int) -> None:
    """Until the hold is over everybody hears the old answer, with a lease that never outlasts it."""
    hold_until_ms = sale.number("hold_until_ms")
    assert hold_until_ms >= opened_at_ms + LEASE_MS
    leases = []

    def opened() -> bool:
        reply = sale.admit(f"s{len(leases)}", rate_limit=5)
        if reply.now_ms >= hold_until_ms:
            assert reply.letters == "W"
            return True
        assert reply.letters == letter
        assert reply.now_ms + reply.lease_ms <= hold_until_ms
        leases.append(reply.lease_ms)
        return False

    wait_until(opened)
    assert leases, "at least one click came while it was held"
    assert leases == sorted(leases, reverse=True)
    assert 0 < leases[0] <= LEASE_MS


def test_a_top_up_from_nothing_is_held(redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=1)
    sale.admit("amy")
    now = redis_now_ms(redis)
    assert sale.adjust(5, lease_ms=LEASE_MS) == ["APPLIED", LEASE_MS, 6, 5, 6]
    reply = sale.admit("amy", "bob")
    assert (reply.letters, reply.details[1]) == ("AS", 0)
    assert_held(sale, "S", now)


def test_a_top_up_while_some_are_left_is_not_held(sale: Sale) -> None:
    assert sale.adjust(5, lease_ms=LEASE_MS)[1] == 0
    assert sale.admit("amy").letters == "W"


def test_a_resume_is_held(sale: Sale) -> None:
    publish(sale, version=2, state="paused")
    now = redis_now_ms(sale.client)
    assert publish(sale, version=3) == ["UPDATED", LEASE_MS]
    assert_held(sale, "P", now)


def test_an_earlier_start_is_held(redis: Redis, offer_id: str) -> None:
    now = redis_now_ms(redis)
    sale = Sale.open(redis, offer_id, stock=3, starts_at_ms=now + HOUR_MS, ends_at_ms=now + 2 * HOUR_MS)
    assert publish(sale, version=2) == ["UPDATED", LEASE_MS]
    assert_held(sale, "N", now)


def test_a_later_end_is_held(redis: Redis, offer_id: str) -> None:
    now = redis_now_ms(redis)
    sale = Sale.open(redis, offer_id, stock=3, ends_at_ms=now - 1)
    assert publish(sale, version=2) == ["UPDATED", LEASE_MS]
    assert_held(sale, "E", now)


def test_a_change_of_a_running_sale_is_not_held(sale: Sale) -> None:
    assert publish(sale, version=2, price=1) == ["UPDATED", 0]
    assert sale.admit("amy").letters == "W"


def test_a_pause_during_a_hold_closes_at_once(sale: Sale) -> None:
    publish(sale, version=2, state="paused")
    publish(sale, version=3)
    publish(sale, version=4, state="terminated")
    reply = sale.admit("amy")
    assert (reply.letters, reply.lease_ms) == ("E", 200)


def test_publishing_returns_only_when_the_next_click_can_win_and_adjusting_says_when(
    redis: Redis, offer_id: str
) -> None:
    sale = Sale.open(redis, offer_id, stock=1)
    sale.admit("amy")
    change = stock.adjust_stock(redis, offer_id, 1, "op", 2, lease_ms=LEASE_MS)
    assert change == stock.StockChange(applied=True, stock=3, left=2, unit_cap=3)
    assert change is not None
    assert change.hold_ms == LEASE_MS
    assert sale.admit("bob").letters == "S"
    wait_until(lambda: sale.admit("bob").letters == "W", within_s=1, what="the end of the hold")
    sale.set_terms(version=2, state="paused")
    sale.set_terms(version=3, lease_ms=LEASE_MS)
    assert sale.admit("cleo").letters == "W"


# The small ones.


def approve(sale: Sale, *, epoch: int = 1, run_id: str = "another") -> list[Any]:
    return call(sale.client, "approve_run", {"offer": sale.named()["offer"]}, {"epoch": epoch, "run_id": run_id})


def test_approved_another_run_may_sell(sale: Sale) -> None:
    assert approve(sale) == ["APPROVED"]
    assert sale.admit("amy").word == "FENCED"
    assert sale.admit("amy", run_id="another").letters == "W"


def test_unchanged_the_run_is_approved_already(sale: Sale) -> None:
    assert approve(sale, run_id=sale.run_id) == ["UNCHANGED"]


def test_stale_an_approval_for_another_epoch(sale: Sale) -> None:
    assert approve(sale, epoch=2) == ["STALE", 1]
    assert sale.admit("amy").letters == "W"


def test_missing_an_approval_brings_no_offer_into_being(redis: Redis, offer_id: str) -> None:
    assert approve(Sale(redis, offer_id)) == ["MISSING"]
    assert not redis.exists(keys.offer(offer_id))


def test_noted_and_stale_when_unpaid_units_may_come_back(sale: Sale, redis: Redis) -> None:
    def note(epoch: int, offer: str = sale.id) -> list[Any]:
        args = {"epoch": epoch, "may_return_at_ms": 123}
        return call(redis, "note_return", {"offer": keys.offer(offer)}, args)

    assert note(2) == ["STALE"]
    assert sale.number("may_return_at_ms") == 0
    assert note(1) == ["NOTED"]
    assert sale.number("may_return_at_ms") == 123
    assert note(1, f"{sale.id}-gone") == ["STALE"]
    assert not redis.exists(keys.offer(f"{sale.id}-gone"))


def test_nothing_running_and_renamed_a_buyers_record(sale: Sale, redis: Redis) -> None:
    def rename(shopper: str) -> str:
        named = {name: sale.named()[name] for name in ("offer", "buyers")}
        return str(call(redis, "rename_buyer", named, {"shopper": shopper, "pseudonym": f"not {shopper}"})[0])

    ticket = sale.admit("amy").ticket()
    assert rename("bob") == "NOTHING"
    assert rename("amy") == "RUNNING"
    assert sale.admit("amy").letters == "A"
    sale.set_terms(version=2, state="terminated")
    sequence = sale.number("sequence")
    assert rename("amy") == "RENAMED"
    assert (sale.admit("amy").letters, sale.admit("not amy").ticket()) == ("E", ticket)
    assert sale.number("sequence") == sequence + 1
    assert rename("amy") == "NOTHING"


def test_every_command_has_tests_of_its_words() -> None:
    # Given a new word, this list and a test named after it come with it.
    assert {name: set(scripts.load(name).words) for name in scripts.names()} == {
        "adjust_stock": {"APPLIED", "REPEATED", "TOO_LOW", "STALE", "MISSING"},
        "admit": {"DECIDED", "LATE", "FENCED", "STALE", "MISSING"},
        "close": {"CLOSED", "UNCHANGED"},
        "freeze": {"FROZEN", "UNDONE", "STALE", "MISSING"},
        "give": {"GIVEN", "OPEN", "NOTHING", "FENCED", "STALE", "MISSING"},
        "mark_dry": {"MARKED", "MOVED", "STALE", "MISSING"},
        "receive": {"RECEIVED", "REPEATED", "AHEAD", "FENCED", "STALE", "MISSING"},
        "unfreeze": {"UNFROZEN", "UNCHANGED", "STALE", "MISSING"},
        "approve_run": {"APPROVED", "UNCHANGED", "EARLY", "STALE", "MISSING"},
        "forget_consumer": {"FORGOTTEN", "KEPT"},
        "note_return": {"NOTED", "STALE"},
        "release": {"RELEASED", "NOTHING", "STALE", "MISSING"},
        "remind": {"GIVEN"},
        "restore_offer": {"RESTORED", "NEWER", "INCOMPLETE"},
        "remove_offer": {"REMOVED", "MISSING", "SOLD"},
        "rename_buyer": {"RENAMED", "NOTHING", "RUNNING"},
        "seat": {"SEATED", "REPEATED", "TAKEN", "TOO_FEW", "OVER_LIMIT", "FENCED", "STALE", "MISSING"},
        "set_offer": {"CREATED", "UPDATED", "UNCHANGED", "MISSING"},
        "settle": {"SETTLED"},
    }
