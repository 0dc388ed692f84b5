"""Given two gateways with scripts of different versions, restarted one after the other in mid-sale, all agree."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import scripts
from tests.conftest import free_port, wait_until
from tests.faults.processes import SECKILL, Role
from tests.security.deployment import Deployment
from tests.tidy.source import ROOT

STOCK = 1_000_000
CLICKERS = 4


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Deployment]:
    one = Deployment(tmp_path, log_level="info")
    try:
        yield one.start()
    finally:
        one.stop()


def next_release(folder: Path) -> Path:
    """The code with a remark more in the script that sells, and so with another version of it."""
    for name in ("gateway", "admin", "lua"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    script = folder / "lua" / "admit.lua"
    text = script.read_text()
    script.write_text(text.replace("-- Writes", "-- The next release says a word more here.\n-- Writes"))
    assert sha_of(folder) != sha_of(ROOT)
    return folder


def sha_of(folder: Path) -> str:
    return scripts.parse("admit", scripts.expand(folder / "lua" / "admit.lua")).sha


class Gateways:
    """A second gateway beside the deployment's own, each of one release or the other."""

    def __init__(self, shop: Deployment, releases: dict[str, Path]) -> None:
        self.shop = shop
        self.releases = releases
        self.ports = {"first": shop.gateway_port, "second": free_port()}
        self.roles: dict[str, Role] = {"first": shop.roles["gateway"]}

    def start(self, which: str, release: str) -> None:
        """Start it in this release and wait until it sells."""
        environ = self.shop.environ("gateway") | {
            "PYTHONPATH": str(self.releases[release]),
            "SECKILL_METRICS_BIND": "127.0.0.1:0",
        }
        arguments = [*SECKILL, "gateway", "--port", str(self.ports[which]), "--workers", "1"]
        log = self.shop.folder / f"gateway-{which}-{release}.log"
        self.roles[which] = Role(which, arguments, environ, log).start()
        wait_until(lambda: self.answers(which), within_s=30, what=f"the {which} gateway")

    def answers(self, which: str) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[which]}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def restart(self, which: str, release: str) -> None:
        """Ask it to stop, as an upgrade does, and start the other release in its place."""
        role = self.roles[which]
        role.stop()
        assert role.exits == [0], role.tail()
        self.start(which, release)


class Crowd:
    """Shoppers who click once and, when a gateway goes in the middle, ask the other until they know."""

    def __init__(self, shop: Deployment, gateways: Gateways, offer: str) -> None:
        self.shop, self.gateways, self.offer = shop, gateways, offer
        self.numbers = itertools.count(1)
        self.tickets: dict[str, dict[str, Any]] = {}
        self.odd: list[Any] = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(CLICKERS)]

    def __enter__(self) -> Crowd:
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for each in self.threads:
            each.join()

    def _run(self) -> None:
        with httpx.Client(timeout=10) as client:
            while not self.stopping.is_set():
                number = next(self.numbers)
                sub = f"shopper-{number}"
                # Nobody is left without an answer, also when the crowd is told to go.
                for which in itertools.cycle(("first", "second") if number % 2 else ("second", "first")):
                    if self._settled(client, which, sub):
                        break

    def _settled(self, client: httpx.Client, which: str, sub: str) -> bool:
        url = f"http://127.0.0.1:{self.gateways.ports[which]}/seckill/{self.offer}"
        headers = {"Authorization": f"Bearer {self.shop.token(sub)}"}
        try:
            reply = client.post(url, headers=headers)
        except httpx.TransportError:
            return False
        if reply.status_code in (200, 201):
            self.tickets[sub] = reply.json()
            return True
        if reply.json()["outcome"] not in {"busy", "unavailable", "unknown"}:
            self.odd.append((sub, reply.text))
            return True
        return False

    def until_more(self, count: int) -> None:
        wanted = len(self.tickets) + count
        wait_until(lambda: len(self.tickets) >= wanted, within_s=20, what=f"{count} more winners")


@pytest.mark.soak
def test_two_releases_sell_side_by_side_and_lose_and_double_nothing(shop: Deployment, tmp_path: Path) -> None:
    offer = shop.campaign("rolling", stock=STOCK)
    gateways = Gateways(shop, {"old": ROOT, "new": next_release(tmp_path / "next")})
    gateways.start("second", "old")
    try:
        with Crowd(shop, gateways, offer) as crowd:
            crowd.until_more(100)
            gateways.restart("second", "new")
            # Both scripts are at work now; Redis forgets them, and each gateway brings its own again.
            both = [sha_of(folder) for folder in gateways.releases.values()]
            with shop.redis() as redis:
                assert redis.script_exists(*both) == [True, True]
                redis.script_flush()
                wait_until(lambda: redis.script_exists(*both) == [True, True], what="both scripts again")
            crowd.until_more(200)
            gateways.restart("first", "new")
            crowd.until_more(100)
    finally:
        for each in gateways.roles.values():
            each.stop()
    assert crowd.odd == []
    units = [unit for ticket in crowd.tickets.values() for unit in ticket["units"]]
    assert len(units) == len(set(units)) == len(crowd.tickets)
    # What shoppers were told is what the ledger has, to the unit.
    told = {ticket["order_no"]: (sub, ticket["units"]) for sub, ticket in crowd.tickets.items()}
    wait_until(lambda: ledger(shop, offer).keys() >= told.keys(), within_s=20, what="the ledger")
    assert ledger(shop, offer) == told


def ledger(shop: Deployment, offer: str) -> dict[str, tuple[str, list[int]]]:
    """Order number → shopper and units."""
    found = {}
    cursor = ""
    while True:
        page = shop.operate("GET", f"/orders?offer={offer}&limit=500{cursor}")
        found |= {each["order_no"]: (each["shopper"], each["units"]) for each in page["items"]}
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"
