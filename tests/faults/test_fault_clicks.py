"""Given shoppers who click in ways nobody planned, everybody gets one honest answer and nobody a second unit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import msgpack
import pytest

from gateway import keys
from tests.conftest import wait_until
from tests.faults import looking
from tests.faults.checker import Checker
from tests.faults.client import Line
from tests.faults.crowd import Crowd, Shopper, aborting
from tests.faults.history import TOLD, History
from tests.faults.run import SETTLED_S
from tests.faults.sale import Offer, Sale
from tests.faults.stack import Stack, standing

STORM = 1000
GONE = 150


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    off = {"SECKILL_RATE_PER_SHOPPER": "off"}
    with standing(tmp_path_factory.mktemp("clicks"), settings=off) as stack:
        yield stack


def new_sale(stack: Stack, code: str, *, limit: int = 1, stock: int = 300) -> tuple[Sale, Offer]:
    sale = Sale(stack, History())
    return sale, sale.publish(code, "kettle", stock=stock, limit=limit, pay_within_s=600, lasts_s=600)


def breaches(stack: Stack, sale: Sale) -> list[str]:
    """What is broken when all is quiet."""

    def quiet() -> bool:
        with stack.redis() as redis:
            return looking.backlog(redis) == (0, 0)

    time.sleep(SETTLED_S)
    wait_until(quiet, within_s=20, what="an empty stream")
    return [str(each) for each in Checker(sale.history, looking.look(stack, sale)).check()]


async def storming(crowd: Crowd, shopper: Shopper, quantity: int, key: str) -> None:
    lines = [Line() for _ in range(STORM)]
    try:
        await asyncio.gather(*(crowd.click(shopper, quantity, key, line) for line in lines))
    finally:
        for line in lines:
            line.close()


@pytest.mark.parametrize(("limit", "quantity", "key"), [(1, 1, ""), (5, 2, "mine")])
def test_one_shopper_clicks_a_thousand_times_at_once(stack: Stack, limit: int, quantity: int, key: str) -> None:
    sale, offer = new_sale(stack, f"storm{limit}", limit=limit)
    crowd = Crowd(stack, sale.history, {}, [offer], seed=1, width=0)
    asyncio.run(storming(crowd, crowd.shopper("stormy", offer), quantity, key))
    # Then all of them that were answered name the same ticket, and it is the only order.
    told = sale.history.told()
    assert len(told) > STORM / 2, sale.history.outcomes()
    assert {op.outcome for op in sale.history.ops} <= TOLD | {"busy", "no answer"}
    assert len({op.reply["order_no"] for op in told}) == 1
    assert sum(op.outcome == "won" for op in told) == 1
    assert not breaches(stack, sale)
    assert [order["quantity"] for order in looking.orders(sale, offer) or []] == [quantity]


def test_shoppers_who_are_gone_before_the_answer_have_won_or_not(stack: Stack) -> None:
    sale, offer = new_sale(stack, "gone")
    crowd = Crowd(stack, sale.history, {}, [offer], seed=2, width=0)

    async def all_gone() -> None:
        shoppers = [crowd.shopper(f"gone {number}", offer) for number in range(GONE)]
        await asyncio.gather(*(aborting(crowd, shopper) for shopper in shoppers))
        for shopper in shoppers:
            shopper.line.close()

    asyncio.run(all_gone())
    assert not breaches(stack, sale)
    # Some of those who never came back have bought, and are told so when they ask.
    told = {op.shopper for op in sale.history.told()}
    silent = {op.shopper for op in sale.history.ops} - told
    assert silent & {order["shopper"] for order in looking.orders(sale, offer) or []}


def test_a_row_that_cannot_be_written_hinders_nobody(stack: Stack) -> None:
    sale, offer = new_sale(stack, "bad")
    crowd = Crowd(stack, sale.history, {}, [offer], seed=3, width=0)
    stack.roles["writer"].stop()

    # Given winners that wait for the writer, and among them two that cannot be: one whose unit is another's,
    # and one that is no ticket at all,
    asyncio.run(everybody(crowd, offer, "before"))
    with stack.redis() as redis:
        units = looking.offer_end(redis, offer).tickets["before 0"][0].units
        now_ms = int(time.time() * 1000)
        thief = f"THIEF,{units[0]},1,{offer.price},{now_ms + 600_000},{now_ms},"
        for winners in (["thief", thief], ["nobody", "?"]):
            entry = {"offer": offer.id, "bucket": 0, "epoch": 1, "count": 1, "winners": msgpack.packb(winners)}
            redis.xadd(keys.stream(keys.shard_of(offer.id)), entry)
            redis.hincrby(keys.counters(keys.shard_of(offer.id)), "issued", 1)
    asyncio.run(everybody(crowd, offer, "after"))

    # when the writer comes,
    stack.roles["writer"].start()

    # then everybody else has their order, and those two are named as dead letters and nothing else is wrong.
    found = breaches(stack, sale)
    assert len(looking.orders(sale, offer) or []) == 2 * EVERYBODY
    assert len(found) == 2, found
    assert all(each.startswith("I9: a dead letter") for each in found), found


EVERYBODY = 20


async def everybody(crowd: Crowd, offer: Offer, name: str) -> None:
    shoppers = [crowd.shopper(f"{name} {number}", offer) for number in range(EVERYBODY)]
    await asyncio.gather(*(crowd.until_known(shopper) for shopper in shoppers))
    for shopper in shoppers:
        shopper.line.close()
