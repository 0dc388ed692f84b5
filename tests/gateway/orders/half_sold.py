"""A sale half-way in Redis and ledger, to be broken by hand and looked at again."""

from __future__ import annotations

from dataclasses import replace

from gateway import keys, offers
from gateway.errors import MessageError
from gateway.orders import dead_letters, releases, states
from gateway.orders.ledger import Settlement
from gateway.orders.message import Entry, Ticket, tickets_of
from gateway.orders.reconcile.looking import Stores
from gateway.orders.stream import WinnersStreams
from tests.gateway.orders.shop import Shop

OFFER = "kettle-noon"


class HalfSold:
    """Twenty units, limit two: five orders written, one of them cancelled and one paid; nothing is broken.

    `won`: the tickets of shoppers a to e; e has given theirs back.
    """

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.stores = Stores(replace(shop.settings, lease_ms=1), shop.redis, shop.engine, shop.ledger())
        shop.publish(OFFER, stock=20, limit=2)
        self.won = shop.click(OFFER, list("abcde"))
        settle_all(shop)
        with shop.engine.begin() as connection:
            states.move(connection, self.won["a"].order_no, "pending", "paid", actor="a", at_ms=1)
        self.cancel("e")
        releases.apply_waiting(shop.engine, shop.redis, lease_ms=0)

    def cancel(self, shopper: str) -> None:
        """The ledger's side of it; Redis has not heard of it."""
        cancel(self.shop, shopper, self.won[shopper])

    def whole_as_sold(self, *, gone: set[str]) -> None:
        """Winners have their tickets; what is left can be sold, each number once."""
        shop = self.shop
        settle_all(shop)
        found = offers.read(shop.redis, OFFER)
        assert shop.approved(OFFER)
        kept = {shopper: won for shopper, won in self.won.items() if shopper not in gone}
        for shopper, won in kept.items():
            [there] = tickets_of(shop.redis.hget(keys.buyers(OFFER, found.epoch), shopper))
            assert there == won
        left = found.stock - len(kept)
        assert found.left == left
        more = shop.click(OFFER, [f"more-{number}" for number in range(left + 1)], epoch=found.epoch)
        units = [unit for each in [*kept.values(), *more.values()] for unit in each.units]
        assert sorted(units) == list(range(1, found.stock + 1))
        settle_all(shop)
        assert not shop.dead()


def cancel(shop: Shop, shopper: str, won: Ticket) -> None:
    """A shopper cancels an unpaid order; Redis has not heard of it."""
    with shop.engine.begin() as connection:
        states.move(connection, won.order_no, "pending", "cancelled", actor=shopper, at_ms=1)
        releases.request(connection, won.order_no, OFFER, shopper, won.units, at_ms=1)


def settle_all(shop: Shop) -> None:
    """What the order writer does, at once and without its threads."""
    streams, ledger = WinnersStreams(shop.redis, "a-writer"), shop.ledger()
    for each in streams:
        each.ensure_group()
    while given := streams.read_new(100, 1):
        for stream, found in given:
            entries, letters = [], []
            for entry_id, fields in found:
                try:
                    entries.append(Entry.parse(entry_id, fields))
                except MessageError:
                    count, letter = dead_letters.of_entry(fields)
                    letters.append(Settlement(entry_id.decode(), count, (letter,)))
            stream.settle([*ledger.write(stream.shard, entries), *letters])
