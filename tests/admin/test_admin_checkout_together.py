"""Given many checkouts at the same moment, at two sidecars, nothing is sold, given or used more often than it is
there, and nobody is refused for another's sake.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from checking_out import GIFT_TIER, Market, all_at_once, tokens_of, wish
from sqlalchemy import text, update

from admin.checkout import batch
from admin.checkout.desk import CheckoutDesk
from admin.checkout.models import Ordered
from admin.errors import AdminError, Conflict
from admin.orders import cancelling, expiring, views
from admin.quotes.quoting import Asked, Moment, Quoter
from admin.reservations import ledger
from admin.reservations.ledger import Claim
from admin.reservations.several import Dealing
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import orders
from gateway.settings import Settings
from tests.conftest import wait_until


@pytest.fixture
def market(resources: Resources) -> Market:
    return Market(resources)


@pytest.fixture
def desks(settings: Settings) -> Iterator[list[CheckoutDesk]]:
    """Of two sidecars: each has its own connections, its own shop in memory, and its own thread."""
    opened = [Resources.open(settings) for _ in range(2)]
    made = [CheckoutDesk(each) for each in opened]
    yield made
    for desk in made:
        desk.close()
    for each in opened:
        each.close()


def order_all(market: Market, desks: list[CheckoutDesk], carts: list[tuple[str, dict[str, Any]]]) -> Counter[str]:
    """Order some carts at once; how often what came of it."""
    tokens = tokens_of(market.resources, carts)
    wishes = [wish(shopper, token) for (shopper, _), token in zip(carts, tokens, strict=True)]
    told: Counter[str] = Counter()
    for outcome in all_at_once(desks, wishes):
        if isinstance(outcome, Ordered):
            told["ordered"] += outcome.new
        else:
            assert isinstance(outcome, Conflict), outcome
            assert outcome.members["quote"] is not None
            told[outcome.code] += 1
    assert sum(told.values()) == len(carts)
    market.check()
    return told


def lines(**quantities: int) -> dict[str, Any]:
    return {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]}


def test_the_last_units_are_sold_once(market: Market, desks: list[CheckoutDesk]) -> None:
    market.change("kettle", stock=7)
    told = order_all(market, desks, [(f"shopper {number}", lines(kettle=1)) for number in range(40)])
    assert told["ordered"] == 7
    assert set(told) <= {"ordered", "just_ran_out", "not_available"}
    assert market.stock("kettle") == (7, 7)
    # One who wants too many is in nobody's way.
    market.change("lamp", stock=5)
    carts = [("greedy", lines(lamp=5)), *((f"shopper {number}", lines(lamp=1)) for number in range(5))]
    told = order_all(market, desks, carts)
    assert told["ordered"] in {1, 5}


def test_a_change_between_price_and_order_is_seen(market: Market) -> None:
    class Interrupted(Quoter):
        """Somebody changes a price as soon as the shop has been looked at."""

        def gather(self, asked: Sequence[Asked]) -> Moment:
            moment = super().gather(asked)
            market.change("kettle", price=1)
            return moment

    (token,) = tokens_of(market.resources, [("ann", lines(kettle=1))])
    found, _ = batch.find(market.resources, [wish("ann", token)])
    with pytest.raises(batch.Moved):
        batch.order(market.resources, Interrupted(market.resources), found)
    assert market.stock("kettle")[1] == 0


def test_limits_are_used_up_exactly(market: Market, desks: list[CheckoutDesk]) -> None:
    market.coupon("SAVE", amount_off=100, total=5)
    told = order_all(
        market, desks, [(f"shopper {number}", {**lines(lamp=1), "coupon": "SAVE"}) for number in range(30)]
    )
    assert told["ordered"] == 5
    assert market.held() == {("coupon", "SAVE", ""): (5, 0)}
    market.coupon("MINE", amount_off=100, per_shopper=2)
    told = order_all(market, desks, [("ann", {**lines(lamp=1), "coupon": "MINE"}) for _ in range(6)])
    assert told["ordered"] == 2
    # A discount of 50 each, which may be given five times by its budget and ten times by its count.
    limits = {"total": 10, "budget": 299}
    market.campaign("less", "item_discount", {"amount_off": 50}, items=["towel"], limits=limits)
    told = order_all(market, desks, [(f"shopper {number}", lines(towel=1)) for number in range(20)])
    assert told["ordered"] == 5
    assert market.held()[("budget", "less", "")] == (250, 0)


def test_gifts_are_not_promised_twice(market: Market, desks: list[CheckoutDesk]) -> None:
    market.campaign("mugs", "threshold_gift", GIFT_TIER, items=["kettle"])
    market.change("mug", stock=3)
    told = order_all(market, desks, [(f"shopper {number}", lines(kettle=2)) for number in range(12)])
    assert told["ordered"] == 3
    assert market.stock("mug") == (3, 3)


OTHERS = [("c", lines(towel=1)), ("d", lines(towel=1))]


def test_one_token_is_one_order_and_one_key_too(market: Market, desks: list[CheckoutDesk]) -> None:
    token, other = tokens_of(market.resources, [("ann", lines(kettle=1)), ("ann", lines(lamp=1))])
    # Those of the first two keep the desks busy while the others gather.
    busy = [wish(name, each) for name, each in zip("cd", tokens_of(market.resources, OTHERS), strict=True)]
    outcomes = all_at_once(desks, [*busy, *(wish("ann", token) for _ in range(20))])[2:]
    ordered = [outcome for outcome in outcomes if isinstance(outcome, Ordered)]
    assert len(ordered) == 20
    assert len({each.order for each in ordered}) == 1
    assert [each.new for each in ordered].count(True) == 1
    # The same key for two quotes, again and again, at both sidecars: one is ordered and the other refused.
    first, second = tokens_of(market.resources, [("bob", lines(kettle=1)), ("bob", lines(lamp=1))])
    outcomes = all_at_once(desks, [wish("bob", each, key="k") for each in (first, second, second, first) * 3])
    made = {orjson.loads(each.order)["order_no"] for each in outcomes if isinstance(each, Ordered)}
    refused = [each.code for each in outcomes if isinstance(each, AdminError)]
    assert len(made) == 1
    assert refused == ["key_reused"] * 6
    # Who comes together with them gets their order all the same.
    outcomes = all_at_once(desks, [wish("bob", second, key="k"), wish("ann", other, key="k")])
    assert [isinstance(outcome, Ordered) for outcome in outcomes][-1]
    market.check()


def test_a_crowd_orders_and_cancels_without_waiting_in_a_circle(market: Market, desks: list[CheckoutDesk]) -> None:
    market.products([{"sku": f"good{number}", "price": 100, "stock": 60} for number in range(6)])
    market.campaign("half", "item_discount", {"percent_off": 50}, items=["good1", "good2"], limits={"total": 30})
    market.campaign("some", "item_discount", {"amount_off": 7}, items=["good3"], limits={"per_shopper": 3})
    market.coupon("SAVE", amount_off=10, total=20)
    dice = random.Random("a crowd")
    carts = []
    for number in range(96):
        skus = dice.sample(range(6), dice.randint(1, 4))
        body = lines(**{f"good{each}": dice.randint(1, 3) for each in skus})
        carts.append((f"shopper {number % 25}", body | ({"coupon": "SAVE"} if dice.random() < 0.4 else {})))
    tokens = tokens_of(market.resources, carts)
    wishes = [wish(shopper, token) for (shopper, _), token in zip(carts, tokens, strict=True)]
    made: list[str] = []
    done = threading.Event()

    def cancel_some() -> int:
        """Give up every second order, one after the other."""
        cancelled = 0
        while not done.is_set() or cancelled < len(made) // 2:
            if cancelled >= len(made) // 2:
                done.wait(0.001)
                continue
            with writing(market.resources.engine) as connection:
                order = views.find(connection, made[2 * cancelled], lock=True)
                cancelling.cancel(connection, order, actor="shopper")
            cancelled += 1
        return cancelled

    with ThreadPoolExecutor(1) as pool:
        given_up = pool.submit(cancel_some)
        for start in range(0, len(wishes), 32):
            for outcome in all_at_once(desks, wishes[start : start + 32]):
                if isinstance(outcome, Ordered):
                    made.append(orjson.loads(outcome.order)["order_no"])
                else:
                    assert isinstance(outcome, Conflict), outcome
        done.set()
        assert given_up.result(30) == len(made) // 2
    assert len(made) > 40
    market.check()
    assert market.held().get(("coupon", "SAVE", ""), (0, 0))[0] <= 20
    assert sum(row.status == "pending" for row in market.ordered()) == len(made) - len(made) // 2


def test_counters_that_are_new_have_their_turn_in_the_order_too(market: Market) -> None:
    engine = market.resources.engine
    common, own = Claim("coupon", "SAVE", 1, 9), Claim("coupon_shopper", "SAVE", 1, 9, "ann")
    with writing(engine) as connection:
        ledger.reserve(connection, "before", [common])

    def deal() -> Claim | None:
        with writing(engine) as connection:
            dealing = Dealing(connection, [own, common])
            short = dealing.take("second", [common, own])
            dealing.write()
            return short

    with ThreadPoolExecutor(1) as pool:
        with writing(engine) as connection:
            ledger.reserve(connection, "first", [common])
            dealt = pool.submit(deal)
            if engine.dialect.name == "postgresql":
                wait_until(lambda: somebody_waits(market), what="the other transaction to wait")
            # Had the other one made this row first, both would wait for each other.
            ledger.reserve(connection, "first", [common, own])
        assert dealt.result(20) is None
    assert market.held() == {("coupon", "SAVE", ""): (3, 0), ("coupon_shopper", "SAVE", "ann"): (2, 0)}


def somebody_waits(market: Market) -> bool:
    with reading(market.resources.engine) as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(connection.execute(waiting).scalar_one())


def test_orders_expire_once_however_many_look(market: Market, desks: list[CheckoutDesk]) -> None:
    market.coupon("SAVE", amount_off=100, total=50)
    carts = [(f"shopper {number}", {**lines(kettle=1), "coupon": "SAVE"}) for number in range(12)]
    assert order_all(market, desks, carts)["ordered"] == 12
    in_time = market.ordered()[0].order_no
    with writing(market.resources.engine) as connection:
        over = update(orders).where(orders.c.order_no != in_time).values(expire_at_ms=now_ms(connection) - 1)
        connection.execute(over)
    with ThreadPoolExecutor(4) as pool:
        expired = list(pool.map(lambda _: expiring.expire(market.resources.engine), range(4)))
    assert sum(expired) == 11
    assert {row.order_no for row in market.ordered() if row.status == "pending"} == {in_time}
    assert market.held() == {("coupon", "SAVE", ""): (1, 0)}
    assert market.stock("kettle") == (50, 1)
    market.check()
