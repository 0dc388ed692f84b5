"""A Redis that loses what it had, and the look that brings it back."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway import keys, offers
from gateway.orders.message import Ticket, tickets_of
from tests.conftest import RedisServer
from tests.gateway.orders.half_sold import OFFER, settle_all
from tests.gateway.orders.shop import Shop


def check(shop: Shop) -> dict[str, str]:
    """One look of a watcher; what stays closed, and why."""
    watcher = shop.watcher()
    watcher.check()
    watcher.close()
    return watcher.closed


def lose_everything(server: RedisServer) -> None:
    server.kill()
    shutil.rmtree(server.folder / "appendonlydir")
    server.start()


def copy_files(server: RedisServer) -> Path:
    """An older copy of Redis's files, to be restored later."""
    server.kill()
    copy = server.folder / "copy"
    shutil.copytree(server.folder / "appendonlydir", copy)
    server.start()
    return copy


def restore_files(server: RedisServer, copy: Path) -> None:
    server.kill()
    shutil.rmtree(server.folder / "appendonlydir")
    shutil.copytree(copy, server.folder / "appendonlydir")
    server.start()


def held(shop: Shop, epoch: int) -> dict[str, list[Ticket]]:
    records = shop.redis.hgetall(keys.buyers(OFFER, epoch))
    return {shopper.decode(): tickets_of(record) for shopper, record in records.items()}


def sell_out(shop: Shop, epoch: int) -> list[int]:
    """Sell what is left; the units sold."""
    left = offers.read(shop.redis, OFFER).left
    won: dict[str, Ticket] = {}
    for start in range(0, left + 3, 1000):
        last = [f"last-{epoch}-{number}" for number in range(start, min(start + 1000, left + 3))]
        won |= shop.click(OFFER, last, epoch=epoch)
    assert offers.read(shop.redis, OFFER).left == 0
    settle_all(shop)
    assert not shop.dead()
    return [unit for ticket in won.values() for unit in ticket.units]
