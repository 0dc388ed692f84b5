"""A sale as shoppers see it: Redis loses something, clicks are `unavailable` for a moment, and it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway import keys, offers
from tests.conftest import RedisServer, wait_until
from tests.gateway.orders.half_sold import OFFER
from tests.gateway.orders.losing import copy_files, lose_everything, restore_files
from tests.gateway.orders.shop import Shop
from tests.gateway.serving import Gateway

TOLD = ("", "/events")
"""What may be read of an offer without a token."""

pytestmark = pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)


@pytest.fixture
def gateway(own_shop: Shop, start_gateway: Callable[..., Gateway]) -> Gateway:
    return start_gateway(own_shop.settings.redis_url, lease_ms="100")


def buy(gateway: Gateway, shopper: str, key: str = "a key") -> tuple[str, dict[str, Any]]:
    reply = gateway.click(OFFER, shopper, key=key)
    return reply.json()["outcome"], reply.json()


def until_sold(gateway: Gateway, shopper: str) -> tuple[set[str], dict[str, Any]]:
    """Click until it is won; what was heard before, and the ticket."""
    heard = set()

    def won() -> Any:
        outcome, reply = buy(gateway, shopper)
        heard.add(outcome)
        return reply if outcome == "won" else None

    return heard, wait_until(won, what="a win")


@pytest.mark.parametrize("loses", ["everything", "the latest", "all keys of a running Redis"])
def test_the_sale_goes_on_and_winners_keep_their_tickets(
    own_shop: Shop, own_redis: RedisServer, gateway: Gateway, loses: str
) -> None:
    """Given winners whose orders are written, when Redis loses them, then nobody hears a lie."""
    own_shop.publish(OFFER, stock=12, limit=2)
    with own_shop.writer():
        first = {shopper: buy(gateway, shopper)[1] for shopper in ("amy", "bob")}
        wait_until(own_shop.settled, what="everything settled")
        copy = copy_files(own_redis) if loses == "the latest" else None
        wait_until(lambda: own_shop.approved(OFFER), what="approval")
        first |= {shopper: until_sold(gateway, shopper)[1] for shopper in ("cleo", "dan")}
        wait_until(own_shop.settled, what="everything settled")
        if copy is not None:
            restore_files(own_redis, copy)
        elif loses == "everything":
            lose_everything(own_redis)
        else:
            own_shop.redis.flushall()
        heard, more = until_sold(gateway, "eve")
        assert heard <= {"unavailable", "busy", "unknown", "won"}
        assert offers.read(own_shop.redis, OFFER).epoch == 2
        # The same key, the same ticket, the same receipt; another key is another purchase.
        for shopper, before in first.items():
            outcome, again = buy(gateway, shopper)
            assert (outcome, again | {"outcome": "won"}) == ("already_won", before)
        units = [unit for reply in first.values() for unit in reply["units"]] + more["units"]
        for number in range(20):
            outcome, reply = buy(gateway, f"late-{number}")
            if outcome == "won":
                units += reply["units"]
        units += buy(gateway, "amy", "another key")[1].get("units", [])
        assert sorted(units) == list(range(1, 13))
        wait_until(own_shop.settled, what="everything settled")
    assert own_shop.order_count() == 12
    assert not own_shop.dead()


def test_a_click_on_an_offer_that_is_lost_is_not_told_that_there_is_none(
    own_shop: Shop, own_redis: RedisServer, gateway: Gateway
) -> None:
    """Given no writer, when Redis comes back empty, then no worker says not_found."""
    own_shop.publish(OFFER, stock=12)
    assert buy(gateway, "amy")[0] == "won"
    lose_everything(own_redis)
    wait_until(lambda: gateway.status("/readyz") == 200, what="a ready gateway")
    for _ in range(3):
        assert buy(gateway, "amy")[0] == "unavailable"
        assert gateway.outcome("an-offer-never-asked-for") == "unavailable"


def test_an_offer_that_waits_for_its_turn_is_not_told_to_be_none(
    own_shop: Shop, own_redis: RedisServer, gateway: Gateway
) -> None:
    """Given two lost offers, when one is recovered, then clicks on the other are unavailable, not not_found."""
    other = f"{OFFER}-other"
    for offer in (OFFER, other):
        own_shop.publish(offer, stock=12, limit=2)
    lose_everything(own_redis)
    watcher = own_shop.watcher()
    watcher.check()
    watcher.close()
    # As if recovery had stopped between the two.
    own_shop.redis.delete(keys.offer(other))
    wait_until(lambda: gateway.status("/readyz") == 200, what="a ready gateway")
    wait_until(lambda: buy(gateway, "amy")[0] == "won", what="a win on the recovered offer")
    assert gateway.outcome(other, key="k") == "unavailable"
    assert gateway.outcome("an-offer-never-asked-for") == "not_found"


def test_a_shop_without_offers_says_so_once_somebody_has_looked(
    own_shop: Shop, own_redis: RedisServer, gateway: Gateway
) -> None:
    """Given no offer at all, then only who has compared Redis with the ledger knows that none was lost."""

    def answers() -> set[int]:
        return {gateway.click("nothing").status_code, *(gateway.status(f"/seckill/nothing{what}") for what in TOLD)}

    def look() -> None:
        watcher = own_shop.watcher()
        watcher.check()
        watcher.close()

    assert answers() == {503}
    look()
    assert answers() == {404}
    own_shop.redis.flushall()
    assert answers() == {503}
    look()
    assert answers() == {404}
    lose_everything(own_redis)
    wait_until(lambda: gateway.status("/readyz") == 200, what="a ready gateway")
    assert answers() == {503}
    look()
    assert answers() == {404}
