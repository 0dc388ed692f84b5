"""Given several worker processes, they sell as one, stop in order, and none of them is missed when it dies."""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest
from redis import Redis

from gateway import stock
from tests.conftest import RedisServer, free_port, wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.serving import LEASE_MS, Gateway, bearer, read_reply
from tests.gateway.test_faults import stop_the_clock
from tests.gateway.watching import Watcher
from tests.lua.calling import Sale

_NO_APP = """
import sys
from gateway.serving import serve
from gateway.settings import Settings
serve("gateway.missing:create", Settings(), "127.0.0.1", int(sys.argv[1]), 2)
"""


def total(gateway: Gateway, outcome: str) -> float:
    return gateway.metrics().get(f'seckill_clicks_total{{outcome="{outcome}"}}', 0)


def test_metrics_are_those_of_all_workers_together(
    start_gateway: StartGateway, own_redis: RedisServer, offer_id: str
) -> None:
    client = own_redis.client()
    Sale.open(client, offer_id, stock=30)
    one = start_gateway(own_redis.url, workers=2)
    heard = Counter(one.spread(offer_id, f"s{number}", 1)[0].json()["outcome"] for number in range(40))
    heard["not_found"] += len(one.spread("no-such-offer", "amy", 4))
    assert heard == {"won": 30, "sold_out": 10, "not_found": 4}
    wait_until(lambda: {word: total(one, word) for word in heard} == heard, what="the counts of both workers")
    metrics = one.metrics()
    assert metrics["seckill_workers_ready"] == 2
    assert (metrics["seckill_redis_up"], metrics["seckill_backlog"], metrics["seckill_dead_letters"]) == (1, 30, 0)
    assert metrics["seckill_batch_clicks_sum"] >= 30
    # Metrics are not on the shoppers' address.
    assert one.get("/metrics").status_code == 404
    # What the workers have counted reaches the report as well.
    wait_until(lambda: client.hget(Sale(client, offer_id).named()["clicks"], "won") == b"30")
    client.close()


def test_a_winner_never_hears_a_final_refusal_whatever_the_operator_does(
    pair: Gateway, redis: Redis, offer_id: str
) -> None:
    # Given two workers with leases of their own, top-ups from nothing, pauses and resumes,
    # shoppers keep clicking, each over connections to both workers.
    sale = Sale.open(redis, offer_id, stock=3, card={"demo": True})
    stop = threading.Event()
    heard: dict[str, list[str]] = {}

    def shopper(name: str) -> None:
        with httpx.Client(
            base_url=pair.url, timeout=10, verify=False, limits=httpx.Limits(max_keepalive_connections=0)
        ) as client:
            mine = heard[name] = []
            while not stop.is_set():
                mine.append(client.post(f"/seckill/{offer_id}", headers=bearer(name)).json()["outcome"])

    threads = [threading.Thread(target=shopper, args=(f"s{number}",)) for number in range(10)]
    for thread in threads:
        thread.start()
    version = 1
    for step in range(6):
        time.sleep(0.15)  # the crowd clicks meanwhile
        if step % 3 == 2:
            sale.set_terms(version=version + 1, state="paused", card={"demo": True})
            version += 2
            sale.set_terms(version=version, lease_ms=LEASE_MS, card={"demo": True})
        else:
            stock.adjust_stock(redis, offer_id, 1, f"op{step}", 1, lease_ms=LEASE_MS)
    wait_until(lambda: sale.number("left") == 0)
    stop.set()
    for thread in threads:
        thread.join()
    winners = {shopper.decode() for shopper, _ in sale.streamed()}
    assert len(winners) == sale.number("stock") == 7
    for name, words in heard.items():
        assert ("won" in words) == (name in winners)
        if "won" in words:
            after = set(words[words.index("won") + 1 :])
            assert after <= {"already_won", "rate_limited"}, name
        assert words.count("won") <= 1
    assert {word for words in heard.values() for word in words} >= {"won", "already_won", "sold_out"}
    units = sorted(int(ticket.split(b",")[1]) for _, ticket in sale.streamed())
    assert units == list(range(1, 8))


def test_terminating_stops_sales_within_a_second_on_every_worker(
    pair: Gateway, redis: Redis, offer_id: str
) -> None:
    sale = Sale.open(redis, offer_id, stock=1000, card={"demo": True})
    assert {reply.json()["outcome"] for reply in pair.spread(offer_id, "amy", 8)} == {"won", "already_won"}
    sale.set_terms(version=2, state="terminated", card={"demo": True})
    outcomes = [pair.spread(offer_id, f"s{number}", 1)[0].json()["outcome"] for number in range(12)]
    assert outcomes == ["ended"] * 12


# Stopping.


def test_a_stop_answers_what_is_in_flight(
    start_gateway: StartGateway, own_redis: RedisServer, offer_id: str
) -> None:
    client = own_redis.client()
    sale = Sale.open(client, offer_id, stock=5)
    one = start_gateway(own_redis.url, workers=2, queue_wait_max_ms="900")
    for _ in range(2):
        assert {reply.json()["outcome"] for reply in one.spread(offer_id, "zoe", 4)} <= {"won", "already_won"}
    answers: list[str] = []
    stop_the_clock(own_redis)
    clicking = [
        threading.Thread(target=lambda name=f"s{number}": answers.append(one.outcome(offer_id, name)))
        for number in range(4)
    ]
    for thread in clicking:
        thread.start()
    clicking[0].join(0.3)  # the clicks are with Redis now, or next
    one.process.send_signal(signal.SIGTERM)
    clicking[0].join(0.2)
    assert not answers
    stop_the_clock(own_redis, go_on=True)
    code, took_s = one.stop()
    for thread in clicking:
        thread.join()
    assert (answers, code) == (["won"] * 4, 0)
    assert sale.number("left") == 0
    assert took_s < 5
    client.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_open_streams_and_idle_connections_do_not_delay_a_stop(
    start_gateway: StartGateway, redis: Redis, offer_id: str, number: signal.Signals
) -> None:
    Sale.open(redis, offer_id, stock=5)
    one = start_gateway(workers=2)
    watchers = [Watcher(one, offer_id) for _ in range(6)]
    assert [watcher.next()["left"] for watcher in watchers] == [5] * 6
    idle = [socket.create_connection(("127.0.0.1", one.port)) for _ in range(6)]
    code, took_s = one.stop(number)
    for each in [*watchers, *idle]:
        each.close()
    assert code == 0
    assert took_s < 4, one.log


# Losing a worker.


def holds_a_unit_of(one: Gateway, offer_id: str, shopper: str) -> bool:
    """Click; False when nobody answered, as the connection was a dead worker's, or nobody listens at all."""
    try:
        return one.spread(offer_id, shopper, 1)[0].json()["outcome"] in {"won", "already_won"}
    except httpx.TransportError:
        return False


def test_a_killed_worker_is_replaced_and_the_sale_goes_on(
    start_gateway: StartGateway, redis: Redis, offer_id: str
) -> None:
    sale = Sale.open(redis, offer_id, stock=1000)
    one = start_gateway(workers=2)
    before = wait_until(lambda: len(found := one.workers()) == 2 and found)
    assert one.outcome(offer_id) == "won"
    before[0].kill()
    for number in range(20):
        wait_until(lambda number=number: holds_a_unit_of(one, offer_id, f"s{number}"))
    after = wait_until(lambda: len(found := one.workers()) == 2 and found, within_s=20)
    assert {worker.pid for worker in after} != {worker.pid for worker in before}
    wait_until(lambda: one.metrics()["seckill_workers_ready"] == 2, within_s=20)
    assert one.process.poll() is None
    assert len(sale.streamed()) == 21
    assert one.outcome(offer_id) == "already_won"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_is_replaced_however_soon_it_is_killed_again(
    start_gateway: StartGateway, redis: Redis, offer_id: str, number: signal.Signals
) -> None:
    sale = Sale.open(redis, offer_id, stock=5)
    one = start_gateway()
    for turn in range(4):
        assert holds_a_unit_of(one, offer_id, f"s{turn}")
        (worker,) = one.workers()
        worker.send_signal(number)
        worker.wait(10)
        # Whoever waits for the next one would wait in vain for a gateway that has ended.
        wait_until(lambda: one.process.poll() is not None or holds_a_unit_of(one, offer_id, "amy"), within_s=20)
    assert one.process.poll() is None, one.log
    assert len(sale.streamed()) == 5


def test_workers_that_die_in_the_same_instant_are_all_replaced_once(start_gateway: StartGateway) -> None:
    one = start_gateway(workers=2)
    main = psutil.Process(one.process.pid)
    seen = {*one.workers()}

    def two_new() -> bool:
        ready = len(new := {*one.workers()} - seen) == 2 and one.status("/readyz") == 200
        seen.update(new if ready else ())
        return ready

    for _ in range(3):
        main.suspend()
        for worker in one.workers():
            worker.kill()
        main.resume()
        wait_until(two_new, within_s=20)
    # A third for one of them would come before the first of the next two.
    one.workers()[0].kill()
    wait_until(lambda: not {*one.workers()} <= seen, within_s=20)
    assert len(seen | {*one.workers()}) == 9


def test_a_server_whose_workers_cannot_start_ends() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _NO_APP, str(free_port())], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    assert "Could not import 'gateway.missing'" in ended.stderr + ended.stdout


# Many connections.


@contextmanager
def many_files(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_thousands_of_idle_and_watching_connections_do_not_keep_clicks_out(
    start_gateway: StartGateway, redis: Redis, offer_id: str
) -> None:
    sale = Sale.open(redis, offer_id, stock=100)
    one = start_gateway(workers=2)
    with many_files(8000):
        idle = [socket.create_connection(("127.0.0.1", one.port)) for _ in range(2000)]
        watching = [socket.create_connection(("127.0.0.1", one.port)) for _ in range(300)]
        for connection in watching:
            connection.sendall(f"GET /seckill/{offer_id}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        slowest_s = 0.0
        for number in range(100):
            started = time.monotonic()
            assert one.spread(offer_id, f"s{number}", 1)[0].json()["outcome"] == "won"
            slowest_s = max(slowest_s, time.monotonic() - started)
        assert slowest_s < 2
        # The idle ones were let in, too: each can still click.
        for connection in idle[::200]:
            head = f"POST /seckill/{offer_id} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer('s1')['authorization']}"
            connection.sendall(f"{head}\r\n\r\n".encode())
            stream = connection.makefile("rb")
            assert read_reply(stream)[0] == 200
            stream.close()
        for connection in [*idle, *watching]:
            connection.close()
    assert sale.number("left") == 0
