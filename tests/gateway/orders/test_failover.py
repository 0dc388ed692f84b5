"""Given a primary that dies in mid-sale, whoever was told `won` keeps the ticket and has an order in the end."""

from __future__ import annotations

import itertools
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from gateway import keys
from gateway.orders.database import open_engine
from gateway.orders.message import Ticket
from gateway.orders.tables import metadata
from gateway.settings import Settings
from tests.conftest import wait_until
from tests.gateway.conftest import StartGateway, start_gateway  # noqa: F401 - a fixture
from tests.gateway.failover import Deployment, Server, deployed
from tests.gateway.orders.shop import Shop
from tests.gateway.serving import Gateway

CLICKERS = 8
ROUNDS = 4


class Crowd:
    """Shoppers who click once each, as fast as they are answered, and what each of them heard."""

    def __init__(self, gateway: Gateway, offer: str) -> None:
        self._gateway = gateway
        self.offer = offer
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self.heard: dict[str, tuple[str, str]] = {}
        """Shopper → (outcome, order number)."""

    def told(self, *outcomes: str) -> dict[str, str]:
        """Shopper → order number, of those who heard one of these."""
        return {shopper: number for shopper, (outcome, number) in self.heard.copy().items() if outcome in outcomes}

    def _shop(self) -> None:
        while not self._stop.is_set():
            name = f"s{next(self._numbers)}"
            try:
                said = self._gateway.spread(self.offer, name, 1)[0].json()
            except httpx.TransportError:
                continue
            self.heard[name] = (said["outcome"], said.get("order_no", ""))

    @contextmanager
    def clicking(self) -> Iterator[None]:
        """They come during the block."""
        self._stop.clear()
        threads = [threading.Thread(target=self._shop) for _ in range(CLICKERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def outcomes(self) -> Counter[str]:
        return Counter(outcome for outcome, _ in self.heard.copy().values())


def tickets(server: Server, offer: str) -> dict[str, list[Ticket]]:
    """Shopper → tickets, as this server has them."""
    with server.client as client:
        epoch = int(client.hget(keys.offer(offer), "epoch") or 0)  # type: ignore[arg-type]
        found: dict[bytes, bytes] = client.hgetall(keys.buyers(offer, epoch))  # type: ignore[assignment]
    return {
        shopper.decode(): [Ticket.parse(each) for each in record.split(b"|")] for shopper, record in found.items()
    }


def lost(told: dict[str, str], server: Server, offer: str) -> list[str]:
    """Who was told of an order that this server does not know."""
    there = tickets(server, offer)
    return [
        shopper
        for shopper, number in told.items()
        if number not in {ticket.order_no for ticket in there.get(shopper, [])}
    ]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def shop_on(deployment: Deployment, engine: Engine) -> Shop:
    return Shop(Settings(redis_url=deployment.url, database_url=str(engine.url)), engine)


def test_a_failover_in_mid_sale_loses_no_win_and_the_sale_goes_on(
    start_gateway: StartGateway,  # noqa: F811
    tmp_path: Path,
    engine: Engine,
    offer_id: str,
) -> None:
    with deployed(tmp_path) as deployment:
        shop = shop_on(deployment, engine)
        shop.publish(offer_id, stock=100_000)
        one = start_gateway(deployment.url, workers=2)
        crowd = Crowd(one, offer_id)
        with shop.writer():
            with crowd.clicking():
                wait_until(lambda: len(crowd.told("won")) > 100)
                old = deployment.servers[0]
                old.kill()
                before = crowd.told("won")
                new = deployment.primary()
                wait_until(lambda: len(crowd.told("won")) > len(before) + 100, within_s=20, what="further sales")
            told = crowd.told("won")
            assert not lost(told, new, offer_id)
            # Everybody hears the same again, whoever heard nothing certain learns it.
            for shopper in list(before)[:20]:
                # The other worker may need a moment longer to find the new primary.
                wait_until(lambda who=shopper: one.outcome(offer_id, who) == "already_won", what="the same ticket")
                assert one.click(offer_id, shopper).json()["order_no"] == told[shopper]
            for shopper in list(crowd.told("unknown"))[:20]:
                mine = one.get(f"/seckill/{offer_id}/mine", shopper).json()
                assert mine["outcome"] in {"won", "none"}
            wait_until(shop.settled, within_s=20, what="everything settled")
        orders = shop.orders()
        assert set(told.values()) <= set(orders)
        assert {number: orders[number][1] for number in told.values()} == {
            number: shopper for shopper, number in told.items()
        }
        units = [unit for _, _, held in orders.values() for unit in held]
        assert len(units) == len(set(units))
        shop.close()


@pytest.mark.soak
@pytest.mark.timeout(400)
@pytest.mark.parametrize("min_replicas", [1, 2])
def test_one_failover_after_the_other_while_old_primaries_return(
    start_gateway: StartGateway,  # noqa: F811
    tmp_path: Path,
    engine: Engine,
    offer_id: str,
    min_replicas: int,
) -> None:
    with deployed(tmp_path, min_replicas=min_replicas) as deployment:
        shop = shop_on(deployment, engine)
        shop.publish(offer_id, stock=1_000_000)
        one = start_gateway(deployment.url, workers=2)
        crowd = Crowd(one, offer_id)
        with shop.writer():
            for _ in range(ROUNDS):
                with crowd.clicking():
                    before = len(crowd.told("won"))
                    wait_until(lambda before=before: len(crowd.told("won")) > before + 100, within_s=30)
                    old = deployment.primary()
                    old.kill()
                    new = deployment.primary()
                    before = len(crowd.told("won"))
                    if min_replicas == 1:
                        wait_until(lambda before=before: len(crowd.told("won")) > before + 100, within_s=30)
                    # It comes back as a primary, and nobody may take it for one.
                    old.start()
                    wait_until(lambda old=old: old.replication()["role"] == "slave", within_s=40)
                    before = len(crowd.told("won"))
                    wait_until(lambda before=before: len(crowd.told("won")) > before + 100, within_s=30)
                assert not lost(crowd.told("won"), new, offer_id)
            wait_until(shop.settled, within_s=30, what="everything settled")
        told = crowd.told("won")
        orders = shop.orders()
        assert {shopper: orders[number][1] for shopper, number in told.items()} == {name: name for name in told}
        units = [unit for _, _, held in orders.values() for unit in held]
        assert len(units) == len(set(units))
        shop.close()


def test_wins_that_no_replica_has_are_lost_when_relaxed_and_were_never_told_when_strict(
    start_gateway: StartGateway,  # noqa: F811
    tmp_path: Path,
    engine: Engine,
    offer_id: str,
) -> None:
    # Given a shop that is strict and one that is not, and replicas that have stopped a moment ago, so that their
    # primary still counts on them,
    with deployed(tmp_path, max_lag_s=30) as deployment:
        shop = shop_on(deployment, engine)
        crowds = {}
        for durability in ("strict", "relaxed"):
            shop.publish(f"{offer_id}-{durability}", stock=100_000)
            one = start_gateway(deployment.url, durability=durability)
            crowds[durability] = Crowd(one, f"{offer_id}-{durability}")
        primary, *replicas = deployment.servers
        with crowds["strict"].clicking(), crowds["relaxed"].clicking():
            wait_until(lambda: all(len(crowd.told("won")) > 50 for crowd in crowds.values()))
            for replica in replicas:
                replica.send_signal(signal.SIGSTOP)
            stopped = {durability: len(crowd.heard) for durability, crowd in crowds.items()}
            # when shoppers go on clicking,
            for durability, crowd in crowds.items():
                wait_until(
                    lambda crowd=crowd, durability=durability: len(crowd.heard) > stopped[durability] + 2 * CLICKERS
                )
            primary.kill()
        # and the replicas come back without what was on the way to them, and one of them is made the primary,
        for replica in replicas:
            replica.kill()
        for replica in replicas:
            replica.start()
        new = deployment.primary()
        # then there was a gap: what shoppers were about to win is not there,
        for crowd in crowds.values():
            there = tickets(new, crowd.offer)
            assert [name for name in crowd.told("won", "unknown") if name not in there], crowd.outcomes()
        # and only in strict mode nobody had been told.
        assert lost(crowds["relaxed"].told("won"), new, crowds["relaxed"].offer)
        assert not lost(crowds["strict"].told("won"), new, crowds["strict"].offer)
        assert crowds["strict"].told("unknown")
        shop.close()
