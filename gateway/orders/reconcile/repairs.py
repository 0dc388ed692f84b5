"""Putting right what has one right answer."""

from __future__ import annotations

import logging
import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway import buckets, keys, offers
from gateway.errors import OfferError, RecoveryError
from gateway.orders import dead_letters, holdings, recovery, releases, runs, unsettled
from gateway.orders.dead_letters import Filed
from gateway.orders.fence import FenceWatcher, approve
from gateway.orders.ledger import Settlement
from gateway.orders.message import Ticket, tickets_of
from gateway.orders.reconcile import streams
from gateway.orders.reconcile.breaches import Breach, Remedy
from gateway.orders.reconcile.looking import Stores, broken
from gateway.orders.seating import Seating, seat
from gateway.orders.stream import WinnersStream

ROUNDS = 4
"""So often what was repaired is looked at again: one repair may show what the next has to do."""

_SHARD_REMEDIES = frozenset({Remedy.GROUP, Remedy.ACKNOWLEDGE, Remedy.COUNT})

log = logging.getLogger(__name__)


def repair(stores: Stores, found: Sequence[Breach], offer: str | None = None) -> tuple[list[Breach], list[Breach]]:
    """Put right what has one right answer, and look again.

    Args:
        stores: what is held against each other.
        found: what `broken` has found.
        offer: the offer that it was asked for, or None for all.

    Returns:
        What was broken and no longer is, and what still is.

    Raises:
        redis.RedisError, sqlalchemy.exc.SQLAlchemyError: a part may be done; ask again.
    """
    repaired: dict[tuple[object, ...], Breach] = {}
    left = list(found)
    stuck: dict[tuple[object, ...], Breach] = {}
    for _ in range(ROUNDS):
        todo = [each for each in left if each.remedy is not Remedy.ASK and each.place not in stuck]
        if not todo:
            break
        stuck |= _Repairs(stores).all_of(todo)
        left = broken(stores, offer)
        repaired |= {each.place: each for each in todo}
    still = [stuck.get(each.place, each) for each in left]
    for each in left:
        repaired.pop(each.place, None)
    return list(repaired.values()), still


class _Repairs:
    """One round of repairs."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._client = stores.client
        self._runs = runs.now(stores.client)
        self._stuck: dict[tuple[object, ...], Breach] = {}

    def all_of(self, todo: Sequence[Breach]) -> dict[tuple[object, ...], Breach]:
        """Repair; place → what is asked, for those that turned out to have no right answer."""
        by_offer: dict[str, set[Remedy]] = defaultdict(set)
        for each in todo:
            by_offer[each.offer].add(each.remedy)
        for offer, remedies in by_offer.items():
            if remedies & _SHARD_REMEDIES:
                self._shards([each for each in todo if each.offer == offer])
            elif remedies & {Remedy.REBUILD, Remedy.APPROVE}:
                reasons = [each.says for each in todo if each.offer == offer and each.remedy is Remedy.REBUILD]
                self._rebuild(offer, reasons)
            elif Remedy.WRITE in remedies:
                recovery.rescue(self._client, self._stores.engine, self._stores.ledger, offer)
        for offer in {each.offer for each in todo if each.remedy is Remedy.FINISH}:
            self._finish(offer)
        if any(each.remedy is Remedy.RELEASE for each in todo):
            self._release()
        for each in todo:
            if each.remedy in {Remedy.SEAT, Remedy.REMOVE}:
                self._settle_letter(each)
        return self._stuck

    def _shards(self, todo: Sequence[Breach]) -> None:
        for shard in keys.shards():
            stream = WinnersStream(self._client, shard, "reconcile")
            stream.ensure_group()
            gone = [each.entry for each in todo if each.remedy is Remedy.ACKNOWLEDGE]
            if gone:
                stream.settle([Settlement(entry, 0) for entry in gone])
            error = streams.backlog_error(self._client, shard)
            if error:
                # By a difference, so that what is sold and settled meanwhile stays counted.
                self._client.hincrby(keys.counters(shard), "committed", error)
                log.warning("corrected the totals of shard %d by %d winners", shard, error)

    def _rebuild(self, offer: str, reasons: Sequence[str]) -> None:
        """Rebuild an offer if there is a reason, else hold it against the ledger; then let it sell."""
        stores = self._stores
        if reasons:
            self._close(offer)
        else:
            watcher = FenceWatcher(stores.settings, stores.engine, stores.ledger)
            watcher.check()
            watcher.close()
            return
        try:
            recovery.recover(
                self._client,
                stores.engine,
                stores.ledger,
                offer,
                self._runs,
                lease_ms=stores.settings.lease_ms,
                why=reasons[0],
            )
        except RecoveryError as error:
            log.error("%s", error)
        entries = unsettled.by_offer(self._client, [offer]).get(offer, [])
        reason = approve(self._client, stores.engine, offer, self._runs, entries)
        if reason is not None:
            log.error("offer %s stays closed: %s", offer, reason)

    def _close(self, offer: str) -> None:
        """Let nobody buy until the offer is approved again."""
        with holdings.locked(self._stores.engine, offer) as (_, row):
            if row is not None:
                # A name of its own, so that an approval in between is noticed.
                runs.close(self._client, offer, row.buckets, f"closed-{secrets.token_hex(8)}")

    def _finish(self, offer: str) -> None:
        """Bring units on their way to where they belong; whoever began it has gone away."""
        with holdings.locked(self._stores.engine, offer) as (_, row):
            found = [] if row is None else buckets.read_all(self._client, offer, row.epoch, row.buckets)
        there = [each for each in found if each is not None]
        try:
            finished = buckets.finish_all(self._client, offer, there) if there else 0
        except OfferError as error:
            log.error("%s", error)
        else:
            log.warning("finished transfers between the buckets of %s: %d", offer, finished)

    def _release(self) -> None:
        stores, after = self._stores, 0
        while True:
            applied = releases.apply_waiting(
                stores.engine, self._client, lease_ms=stores.settings.lease_ms, after=after
            )
            if applied.after is None:
                return
            after = applied.after

    def _settle_letter(self, breach: Breach) -> None:
        for shard in keys.shards():
            filed = dead_letters.find(self._client, shard, breach.entry)
            if filed is None or not filed.letter.ticket.startswith(f"{breach.order_no},".encode()):
                continue
            asks = ""
            if breach.remedy is Remedy.REMOVE:
                dead_letters.remove(self._client, shard, filed.id)
            else:
                asks = self._seat(breach, shard, filed)
            if asks:
                self._stuck[breach.place] = replace(breach, code="dead_letter_stuck", asks=asks)

    def _seat(self, breach: Breach, shard: int, filed: Filed) -> str:
        """Seat the winner of a letter; what an operator has to decide, or empty: it is done, or the offer is
        closed, and once that is repaired the next round seats them.
        """
        stores, ticket = self._stores, Ticket.parse(filed.letter.ticket)
        if self._has_ticket(breach, filed):
            # It carries a unit that is not theirs.
            self._rebuild(breach.offer, [breach.says])
        with holdings.locked(stores.engine, breach.offer) as (_, row):
            epoch, count = (row.epoch, row.buckets) if row is not None else (0, 1)
        shopper = filed.letter.shopper
        for any_unit in (False, True):
            found = seat(self._client, breach.offer, count, epoch, shopper, ticket, any_unit=any_unit)
            if found.ticket is not None:
                log.warning("seated order=%s offer=%s units=%s", ticket.order_no, breach.offer, found.ticket.units)
                dead_letters.remove(self._client, shard, filed.id)
                return ""
        match found.outcome:
            case Seating.TOO_FEW:
                return "raise the stock and repair again, or settle with the shopper and delete the letter"
            case Seating.OVER_LIMIT:
                return "the shopper holds as much as the limit allows: raise it, or delete the letter"
        log.warning("order=%s waits for a seat, for offer %s is closed", ticket.order_no, breach.offer)
        return ""

    def _has_ticket(self, breach: Breach, filed: Filed) -> bool:
        """Whether the shopper's record has the order, though it is not on its way to the ledger."""
        offer = breach.offer
        there = offers.read(self._client, offer)
        if there is None:
            return False
        shopper = filed.letter.shopper
        home = keys.home_bucket(shopper, there.buckets)
        record: Any = self._client.hget(keys.buyers(offer, there.epoch, home), shopper)
        if breach.order_no not in {ticket.order_no for ticket in tickets_of(record)}:
            return False
        waiting = unsettled.by_offer(self._client, [offer]).get(offer, [])
        prefix = f"{breach.order_no},".encode()
        return not any(winner.ticket.startswith(prefix) for entry in waiting for winner in entry.winners)
