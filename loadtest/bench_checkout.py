"""``make bench-checkout``: how fast quotes become orders. Prints figures beside what was wanted; leaves JSON.

On SQLite and on PostgreSQL, if the machine has it: at the desk, without HTTP, in pairs with bare transactions that
insert the same rows (`tests.checkout.bench_desk`); over HTTP, one shopper for each order; and a thousand shoppers
at once for a coupon of a hundred uses. Quotes are made beforehand. Exit code 1 if something does not add up.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from rich.console import Console
from rich.table import Table

from loadtest import checkout_shop, machine, once
from loadtest.checkout_shop import FEW, RUSH
from loadtest.command import command, read_options
from loadtest.errors import ApiError, LoadtestError
from loadtest.operators_api import now_ms
from loadtest.processes import ROOT, cores, pinned, unwind_on_sigterm
from loadtest.quote_shop import Sidecar
from loadtest.tokens import Mint

OF_BARE_WANTED = 0.4
ASKING = 8
"""Shoppers that ask for their quotes at once, beforehand."""
PAGE = 500
QUICK = {"orders": 100, "pairs": 1, "checkouts": 100, "rush": 150}


@dataclass(frozen=True, slots=True)
class Run:
    """Checkouts over HTTP. CPU is that of the sidecar, all threads, µs per reply."""

    what: str
    replies: int
    replies_per_s: float
    p50_us: int
    p99_us: int
    cpu_us: float


@dataclass(frozen=True, slots=True)
class OnDatabase:
    """What was found on one database. `pairs` are of the desk and bare transactions, in orders per second."""

    pairs: list[dict[str, float]]
    runs: list[Run]
    breaches: list[str]

    @property
    def of_bare(self) -> float:
        """The desk's speed, of that of bare transactions; the median of the pairs."""
        return median(each["desk_per_s"] / each["bare_per_s"] for each in self.pairs)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a benchmark found, by database."""

    databases: dict[str, OnDatabase]
    settings: dict[str, Any] = field(default_factory=dict)


def goals(found: Figures) -> list[tuple[str, str, str, bool]]:
    """Each promised figure: name, value, what was wanted, whether it was reached."""
    return [
        (
            f"{name}: checkouts/s of bare transactions",
            f"{each.of_bare:.2f}",
            f"≥ {OF_BARE_WANTED}",
            each.of_bare >= OF_BARE_WANTED,
        )
        for name, each in found.databases.items()
    ]


@contextmanager
def postgres() -> Iterator[list[str]]:
    """Two databases of a PostgreSQL server of our own; none where there is none."""
    command = [sys.executable, "-m", "tests.checkout.bench_postgres"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()
        finally:
            server.communicate(timeout=60)


def at_desk(url: str, orders: int, pairs: int, core: int | None) -> tuple[list[dict[str, float]], list[str]]:
    """Pairs of speeds without HTTP, by a program of the tests, and what does not add up.

    Raises:
        LoadtestError: it failed.
    """
    command = [sys.executable, "-m", "tests.checkout.bench_desk", url, str(orders), str(pairs)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800, preexec_fn=pinned(core)
    )
    if done.returncode != 0:
        raise LoadtestError(f"the desk's own program ended with {done.returncode}:\n{done.stderr}")
    found = orjson.loads(done.stdout)
    return found["pairs"], found["breaches"]


class Shop:
    """A sidecar with something to order, and shoppers with quotes."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._mint = Mint(sidecar.token_secret.encode())

    def fill(self) -> None:
        """Everything that the carts of the benchmark need.

        Raises:
            ApiError: something was refused.
        """
        now = now_ms()
        with self._sidecar.client() as client:
            for path, bodies in (
                ("products", checkout_shop.PRODUCTS),
                ("campaigns", checkout_shop.campaigns(now)),
                ("coupons", checkout_shop.coupons(now)),
            ):
                for body in bodies:
                    reply = client.post(f"/admin/api/{path}", json=body)
                    if reply.status_code != 201:
                        raise ApiError(f"making one of the {path}", reply.status_code, reply.json())

    def prepare(self, name: str, cart: Mapping[str, Any], shoppers: int) -> list[bytes]:
        """Checkouts, each of another shopper, whose quotes are made now.

        Raises:
            ApiError: a quote was refused.
        """
        target = urlsplit(self._sidecar.url)
        tokens = [self._mint.token(f"{name} {number:06}").decode() for number in range(shoppers)]
        with httpx.Client(base_url=self._sidecar.url, timeout=60.0, trust_env=False) as client:

            def request(token: str) -> bytes:
                authorization = f"Bearer {token}"
                reply = client.post("/api/quote", json=cart, headers={"Authorization": authorization})
                if reply.status_code != 200:
                    raise ApiError("a quote", reply.status_code, reply.json())
                body = orjson.dumps({"token": reply.json()["token"]})
                head = (
                    f"POST /api/orders HTTP/1.1\r\nHost: {target.netloc}\r\nAuthorization: {authorization}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                return head.encode() + body

            with ThreadPoolExecutor(ASKING) as pool:
                return list(pool.map(request, tokens))

    def order(self, what: str, requests: Sequence[bytes], connections: int, expected: Mapping[int, int]) -> Run:
        """Send some checkouts, each once.

        Raises:
            LoadtestError: other replies came than were expected.
        """
        before = self._sidecar.server.usage().cpu_s
        replies = once.send(self._sidecar.url, requests, connections)
        used = self._sidecar.server.usage().cpu_s - before
        if replies.statuses != expected:
            raise LoadtestError(f"{what}: statuses {dict(replies.statuses)} came instead of {dict(expected)}")
        return Run(
            what,
            len(requests),
            len(requests) / replies.duration_s,
            replies.percentile_us(0.5),
            replies.percentile_us(0.99),
            used / len(requests) * 1e6,
        )

    def orders(self, **which: str) -> list[dict[str, Any]]:
        """The orders that operators see.

        Raises:
            ApiError: they were refused.
        """
        found: list[dict[str, Any]] = []
        query = {**which, "limit": str(PAGE)}
        with self._sidecar.client() as client:
            while True:
                reply = client.get("/admin/api/orders", params=query)
                if reply.status_code != 200:
                    raise ApiError("the orders", reply.status_code, reply.json())
                found += reply.json()["items"]
                if reply.json()["next"] is None:
                    return found
                query["cursor"] = reply.json()["next"]

    def reserved(self, sku: str) -> int:
        """Units of a product that orders hold."""
        with self._sidecar.client() as client:
            return int(client.get(f"/admin/api/products/{sku}").json()["reserved"])


def judge(ordered: Sequence[Mapping[str, Any]], rush: Sequence[Mapping[str, Any]], lamps: int) -> list[str]:
    """What does not add up: orders of the plain cart and of the rush, and lamps that are reserved."""
    found = []
    if len(rush) != FEW:
        found.append(f"{len(rush)} orders have a coupon of which there are {FEW}")
    everything = [*ordered, *rush]
    for order in everything:
        if order["total"] != sum(line["payable"] for line in order["lines"]):
            found.append(f"order {order['order_no']} costs other than its lines")
    held = sum(line["quantity"] for order in everything for line in order["lines"] if line["sku"] == "lamp")
    if held != lamps:
        found.append(f"{lamps} lamps are reserved, and orders hold {held}")
    if len({order["shopper"] for order in everything}) != len(everything):
        found.append("somebody has two orders")
    return found


def over_http(shop: Shop, arguments: argparse.Namespace) -> tuple[list[Run], list[str]]:
    """Plain checkouts, then the rush, and what does not add up."""
    shop.fill()
    count, crowd = arguments.checkouts, arguments.rush
    plain = shop.prepare("plain", checkout_shop.CART, count)
    rush = shop.prepare("rush", checkout_shop.RUSH_CART, crowd)
    runs = [
        shop.order("checkouts", plain, arguments.connections, {201: count}),
        shop.order(f"{crowd} shoppers, one coupon of {FEW}", rush, crowd, {201: FEW, 409: crowd - FEW}),
    ]
    ordered = shop.orders(coupon="SAVE")
    breaches = judge(ordered, shop.orders(coupon=RUSH), shop.reserved("lamp"))
    if len(ordered) != count:
        breaches.append(f"{count} quotes were ordered and there are {len(ordered)} orders")
    return runs, breaches


def run(arguments: argparse.Namespace, console: Console) -> Figures:
    """Measure on every database there is."""
    core, others = cores() or (None, None)
    found: dict[str, OnDatabase] = {}
    with tempfile.TemporaryDirectory(prefix="seckill-checkout-") as name, postgres() as server:
        for database in ("sqlite", "postgresql"):
            folder = Path(name) / database
            folder.mkdir()
            if database == "postgresql" and not server:
                console.print("there is no PostgreSQL: left out")
                continue
            files = [f"sqlite:///{folder / each}.db" for each in ("desk", "http")]
            first, second = files if database == "sqlite" else server
            pairs, breaches = at_desk(first, arguments.orders, arguments.pairs, core)
            with Sidecar("shop", folder, core=core, others=others, database_url=second) as sidecar:
                runs, more = over_http(Shop(sidecar), arguments)
            found[database] = OnDatabase(pairs, runs, breaches + more)
            _tell(database, found[database], console)
    return Figures(found, {name: str(value) for name, value in vars(arguments).items()})


def _tell(database: str, found: OnDatabase, console: Console) -> None:
    for each in found.pairs:
        console.print(
            f"{database:11} desk {each['desk_per_s']:8,.0f}/s  CPU {each['desk_cpu_us']:6,.0f} µs"
            f"  bare transactions {each['bare_per_s']:8,.0f}/s"
        )
    for timed in found.runs:
        console.print(
            f"{database:11} {timed.what}: {timed.replies_per_s:,.0f}/s  p50 {timed.p50_us / 1000:.1f} ms"
            f"  p99 {timed.p99_us / 1000:.1f} ms  CPU {timed.cpu_us:,.0f} µs"
        )


def show(found: Figures, console: Console) -> None:
    """The figures beside what was wanted, and what is wrong."""
    table = Table("figure", "value", "wanted", "reached")
    for name, value, wanted, reached in goals(found):
        table.add_row(name, value, wanted, "yes" if reached else "NO")
    console.print(table)
    for database, each in found.databases.items():
        for breach in each.breaches:
            console.print(f"[red]{database}: {breach}[/red]")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench_checkout", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few orders of each kind: does it work?")
    parser.add_argument("--orders", type=int, default=1000, help="orders of one run at the desk")
    parser.add_argument("--pairs", type=int, default=7, help="runs at the desk, each beside bare transactions")
    parser.add_argument("--checkouts", type=int, default=3000, help="checkouts over HTTP")
    parser.add_argument("--rush", type=int, default=1000, help=f"shoppers at once for {FEW} uses of a coupon")
    parser.add_argument("--connections", type=int, default=200)
    return read_options(parser, argv, quick=QUICK)


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code."""
    arguments = _arguments(argv)
    return command(
        lambda console: run(arguments, console),
        show=show,
        write=lambda found: [machine.publish(found, arguments.results, "checkout")],
        broken=lambda found: any(each.breaches for each in found.databases.values()),
    )


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())
