"""Given what came of a benchmark of checkouts, figures are told beside what was wanted, and faults are named."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from loadtest import bench_checkout, once
from loadtest.bench_checkout import Figures, OnDatabase
from loadtest.checkout_shop import FEW


def pair(desk: float, bare: float) -> dict[str, float]:
    return {"desk_per_s": desk, "bare_per_s": bare, "desk_cpu_us": 1.0}


def order(number: int, payable: int = 500, total: int = 500) -> dict[str, Any]:
    lines = [{"sku": "lamp", "quantity": 2, "payable": payable}]
    return {"order_no": f"o{number}", "shopper": f"s{number}", "total": total, "lines": lines}


def test_what_was_wanted_is_the_median_of_pairs() -> None:
    slow = OnDatabase([pair(39, 100), pair(50, 100), pair(10, 100)], [], [])
    fast = OnDatabase([pair(40, 100)], [], ["a coupon was used too often"])
    found = Figures({"sqlite": slow, "postgresql": fast})
    assert [reached for *_, reached in bench_checkout.goals(found)] == [False, True]
    console = Console(width=120)
    with console.capture() as shown:
        bench_checkout.show(found, console)
    assert "NO" in shown.get()
    assert "postgresql: a coupon was used too often" in shown.get()


def test_what_does_not_add_up_is_named() -> None:
    plain, rush = [order(1), order(2)], [order(number) for number in range(10, 10 + FEW)]
    lamps = 2 * (2 + FEW)
    assert bench_checkout.judge(plain, rush, lamps) == []
    wrong = (
        (plain, rush[1:], lamps - 2, "a coupon of which"),
        (plain, rush, lamps + 1, "lamps are reserved"),
        ([order(1, total=499), order(2)], rush, lamps, "o1 costs other"),
        ([order(1), order(1)], rush, lamps, "two orders"),
    )
    for ordered, rushed, reserved, says in wrong:
        assert [says in breach for breach in bench_checkout.judge(ordered, rushed, reserved)] == [True]


@contextmanager
def counting_server(seen: list[bytes]) -> Iterator[str]:
    """Answers 201 to the first three requests and 409 to all others."""
    ready, stop = threading.Event(), threading.Event()
    address: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            await reader.readline()
            seen.append(head)
            status = b"201 Created" if len(seen) <= 3 else b"409 Conflict"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        address.append(server.sockets[0].getsockname()[1])
        ready.set()
        await asyncio.to_thread(stop.wait)
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{address[0]}"
    finally:
        stop.set()
        thread.join()


def test_every_request_is_sent_once_and_every_reply_counts() -> None:
    seen: list[bytes] = []
    requests = [f"GET /{number} HTTP/1.1\r\n\r\n".encode() for number in range(20)]
    with counting_server(seen) as url:
        replies = once.send(url, requests, connections=6)
    assert sorted(seen) == sorted(request[:-2] for request in requests)
    assert replies.statuses == {201: 3, 409: 17}
    assert len(replies.latencies_us) == 20
    assert replies.percentile_us(0) <= replies.percentile_us(0.5) <= replies.percentile_us(1)


@pytest.mark.soak
def test_a_benchmark_of_checkouts_measures_real_sidecars(tmp_path: Path) -> None:
    assert bench_checkout.main(["--quick", "--results", str(tmp_path)]) == 0
    written = json.loads((tmp_path / "checkout.json").read_bytes())
    assert set(written["databases"]) == {"sqlite", "postgresql"}
    for each in written["databases"].values():
        assert each["breaches"] == []
        assert all(run["replies_per_s"] > 0 and run["p50_us"] <= run["p99_us"] for run in each["runs"])
