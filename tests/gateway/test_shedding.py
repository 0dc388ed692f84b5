"""Given more clicks than a worker can answer, some hear `busy` at once, and the others do not wait for them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from redis import Redis

from gateway.web.shedding import ACCEPTING_SHARE, CALM_S, STANDING_S, Shedding
from loadtest import generators
from loadtest.tokens import Mint
from tests.conftest import wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.serving import TOKEN_SECRET, Gateway
from tests.lua.calling import Sale

LAG_MAX_MS = 20
LONG_S = 0.05
SHORT_S = 0.01


def test_a_burst_is_served() -> None:
    one = Shedding(LAG_MAX_MS)
    one.learn(LONG_S, 10.0)
    one.learn(LONG_S, 10.0 + STANDING_S * 0.9)
    assert not one.on
    # A short turn in between, and the time begins anew.
    one.learn(SHORT_S, 10.0 + STANDING_S)
    one.learn(LONG_S, 10.0 + STANDING_S * 1.1)
    one.learn(LONG_S, 10.0 + STANDING_S * 2)
    assert not one.on


def test_a_queue_that_stays_is_shed_until_nothing_had_to_be_refused_for_a_while() -> None:
    one = Shedding(LAG_MAX_MS)
    one.learn(LONG_S, 10.0)
    one.learn(LONG_S, 10.0 + STANDING_S * 1.01)
    assert one.on
    # Short turns are what shedding brings about: they do not end it.
    one.learn(SHORT_S, 10.0 + STANDING_S + CALM_S * 0.9)
    assert one.on
    one.learn(SHORT_S, 10.0 + STANDING_S + CALM_S * 1.1)
    assert not one.on


def test_each_turn_takes_clicks_for_a_share_of_the_allowed_lag() -> None:
    def turn(one: Shedding) -> float:
        """Click until one is refused, within one turn of the event loop; the seconds that it took."""
        began_s = time.monotonic()
        assert not one.refuses()
        while not one.refuses():
            assert time.monotonic() - began_s < 10, "nothing is refused"
        took_s = time.monotonic() - began_s
        assert one.refuses()
        return took_s

    async def two_turns() -> None:
        one = Shedding(LAG_MAX_MS)
        one.start()
        for _ in range(2):
            assert turn(one) >= LAG_MAX_MS / 1000 * ACCEPTING_SHARE
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        one.stop()

    asyncio.run(two_turns())


def test_a_flood_hears_busy_and_loses_nothing(
    start_gateway: StartGateway, redis: Redis, offer_id: str, tmp_path: Path
) -> None:
    # Given a worker that may lag by one millisecond only and has a third of a core, and a flood of shoppers,
    sale = Sale.open(redis, offer_id, stock=100_000)
    one = start_gateway(lag_max_ms="1")
    shoppers = (f"shopper-{number:06d}" for number in range(20_000))
    clicks = generators.write_requests(tmp_path / "clicks", offer_id, shoppers, Mint(TOKEN_SECRET.encode()))
    with slowed(one):
        heard = generators.click(one.url, clicks, connections=1000, duration_s=2, core=None, repeat=True)

    # then some hear `busy`, the others are served, and exactly who was told so has a unit.
    wait_until(lambda: counted(one, "busy", "won", "already_won") >= heard.replies)
    assert 0 < heard.refused < heard.replies
    assert heard.refused <= counted(one, "busy")
    # The last clicks may be decided after their clients have gone, and counted a moment later.
    wait_until(lambda: sale.number("stock") - sale.number("left") == counted(one, "won"))
    # And when the flood is over, nobody does.
    wait_until(lambda: one.outcome(offer_id, "late") in {"won", "already_won"})


@contextmanager
def slowed(one: Gateway) -> Iterator[None]:
    """The gateway on one core with two programs that burn it: however fast the machine is, it is too slow now."""
    usable = os.sched_getaffinity(0)
    core = {min(usable)}
    main = psutil.Process(one.process.pid)
    threads = [each.id for process in (main, *main.children(recursive=True)) for each in process.threads()]
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        for each in (*threads, *(process.pid for process in burning)):
            os.sched_setaffinity(each, core)
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()
        for each in threads:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(each, usable)


def counted(one: Gateway, *words: str) -> float:
    """Clicks answered with one of these outcomes."""
    return sum(one.metrics().get(f'seckill_clicks_total{{outcome="{word}"}}', 0) for word in words)
