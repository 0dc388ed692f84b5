"""The order writer: moves winners from the streams into the ledger, and acknowledges after the commit.

It keeps nothing in memory that matters. Whatever fails, it drops what it holds, waits, and begins again with
the entries that Redis says it was given; writing an order twice changes nothing.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from redis.exceptions import RedisError
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from gateway import store
from gateway.errors import MessageError, SettingsError
from gateway.orders import dead_letters, tables
from gateway.orders.chores import Chores
from gateway.orders.database import open_engine, reading
from gateway.orders.fence import FenceWatcher
from gateway.orders.ledger import Ledger, Settlement
from gateway.orders.message import Entry
from gateway.orders.pacing import Outage, Timer, one_line
from gateway.orders.stream import START, RawEntry, WinnersStream, WinnersStreams
from gateway.settings import Settings
from gateway.telemetry import set_up_logging

WRITERS_PER_PROCESS = 2
BLOCK_MS = 100
FENCE_EVERY_S = 0.25
TAKE_OVER_EVERY_S = 1.0
TRIM_EVERY_S = 3.0
PROGRESS_EVERY_S = 5.0
FORGET_IDLE_MS = 60_000
REDIS_BACKOFF_MAX_S = 0.25
DATABASE_BACKOFF_MAX_S = 2.0

log = logging.getLogger(__name__)


class OrderWriter:
    """One writer. `run` blocks until `stop` is called, from another thread or a signal handler."""

    def __init__(
        self, settings: Settings, engine: Engine, ledger: Ledger, *, consumer: str, leads: bool = True
    ) -> None:
        """`consumer` must be unique among living writers. One that leads does the chores and speaks for all.

        Raises:
            SettingsError: the Redis URL has an unknown scheme.
        """
        self.consumer = consumer
        self._leads = leads
        self._settings = settings
        self._engine = engine
        self._stopping = False
        self._schema_seen = False
        self._client = store.connect(settings.redis_url)
        self._streams = WinnersStreams(self._client, self.consumer)
        self._ledger = ledger
        self._fence = FenceWatcher(settings, engine, ledger)
        self._redis = Outage("Redis", REDIS_BACKOFF_MAX_S, "nobody can buy", speaks=leads)
        self._database = Outage(
            "the database", DATABASE_BACKOFF_MAX_S, "sales go on and wait in Redis", speaks=leads
        )
        self._fence_timer = Timer(FENCE_EVERY_S)
        self._take_over_timer = Timer(TAKE_OVER_EVERY_S)
        self._trim_timer = Timer(TRIM_EVERY_S)
        self._progress_timer = Timer(PROGRESS_EVERY_S)
        self._progress: Counter[str] = Counter()
        self._entries = 1  # how many are read next

    def stop(self) -> None:
        """Finish the batch under way and return from `run`."""
        self._stopping = True

    def run(self) -> None:
        """Write until stopped, whatever goes away and comes back.

        Raises:
            SettingsError: the database does not have the newest schema.
        """
        log.info("order writer started consumer=%s", self.consumer)
        while not self._stopping:
            try:
                self._begin()
                while not self._stopping:
                    self._turn()
            except SQLAlchemyError as error:
                self._pause(self._database.failed(error))
            except RedisError as error:
                self._pause(self._redis.failed(error))
        self._leave()
        log.info("order writer stopped consumer=%s", self.consumer)

    def _begin(self) -> None:
        """Look whether both sides are there, then write what this consumer was given before."""
        if not self._schema_seen:
            _require_schema(self._engine)
            self._schema_seen = True
        if self._database.away:
            self._ledger.probe()
            self._database.worked()
        for stream in self._streams:
            stream.ensure_group()
        self._redis.worked()
        self._watch_fence()
        for stream in self._streams:
            while not self._stopping and (found := stream.read_own(self._entries)):
                self._learn(self._write(stream, found), len(found))

    def _turn(self) -> None:
        self._watch_fence()
        read = self._streams.read_new(self._entries, BLOCK_MS)
        written = [(self._write(stream, found), len(found)) for stream, found in read]
        if written:
            self._learn(*max(written))
        if self._take_over_timer.due():
            for stream in self._streams:
                self._take_over(stream)
        if self._leads and self._trim_timer.due():
            for stream in self._streams:
                stream.trim()
                stream.forget_gone(FORGET_IDLE_MS)
        self._report()

    def _watch_fence(self) -> None:
        if self._leads and self._fence_timer.due():
            self._fence.check()

    def _take_over(self, stream: WinnersStream) -> None:
        cursor = START
        while not self._stopping:
            found, cursor = stream.take_over(cursor, self._settings.writer_takeover_ms, self._entries)
            if found:
                log.warning("took over entries of a silent writer shard=%d entries=%d", stream.shard, len(found))
                self._learn(self._write(stream, found), len(found))
            if cursor == START:
                return

    def _learn(self, winners: int, entries: int) -> None:
        """Read next about as many entries as make a transaction, given what the fullest stream had.

        At most twice as many as came: full entries after a trickle of single clicks would otherwise be in hand for
        so long that another writer takes them for abandoned, and both write them.
        """
        self._entries = max(1, min(2 * entries, self._settings.writer_batch * entries // max(1, winners)))

    def _write(self, stream: WinnersStream, found: list[RawEntry]) -> int:
        """Write and settle all that was read, one transaction after the other; also when a stop is asked for.

        A read is about one transaction per busy stream, so a stop does not wait long and leaves nothing in this
        writer's hands. Returns how many winners that were.
        """
        winners = 0
        for readable, unreadable in self._batches(found):
            began = time.monotonic()
            settlements = self._ledger.write(stream.shard, readable) if readable else []
            settlements += unreadable
            _complain(stream.shard, settlements)
            settled, dead = stream.settle(settlements)
            winners += sum(each.winners for each in settlements)
            self._progress.update(
                orders=settled - dead,
                dead=dead,
                entries=len(settlements),
                transactions=1,
                busy_ms=round((time.monotonic() - began) * 1000),
            )
        return winners

    def _batches(self, found: list[RawEntry]) -> Iterator[tuple[list[Entry], list[Settlement]]]:
        """Cut into transactions of about `writer_batch` winners; no entry is ever split."""
        readable: list[Entry] = []
        unreadable: list[Settlement] = []
        winners = 0
        for entry_id, fields in found:
            try:
                readable.append(Entry.parse(entry_id, fields))
                winners += len(readable[-1].winners)
            except MessageError:
                count, letter = dead_letters.of_entry(fields)
                unreadable.append(Settlement(entry_id.decode(), count, (letter,)))
            if winners >= self._settings.writer_batch:
                yield readable, unreadable
                readable, unreadable, winners = [], [], 0
        if readable or unreadable:
            yield readable, unreadable

    def _report(self) -> None:
        if self._progress["entries"] and self._progress_timer.due():
            figures = " ".join(f"{name}={count}" for name, count in self._progress.items())
            log.info("wrote consumer=%s %s", self.consumer, figures)
            self._progress.clear()

    def _pause(self, wait_s: float) -> None:
        end = time.monotonic() + wait_s
        while not self._stopping and (left_s := end - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.05))

    def _leave(self) -> None:
        try:
            for stream in self._streams:
                stream.forget(self.consumer)
        except RedisError as error:
            log.info("left without signing off: %s", one_line(error))
        self._fence.close()
        self._client.close()


class WriterTeam:
    """The writers of one process: while one waits for the database, another prepares its orders."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        """Raises SettingsError when the Redis URL has an unknown scheme."""
        process = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        ledger = Ledger(engine, min_pay_window_ms=settings.min_pay_window_s * 1000, currency=settings.currency)
        self._members = [
            OrderWriter(settings, engine, ledger, consumer=f"{process}-{number}", leads=number == 0)
            for number in range(WRITERS_PER_PROCESS)
        ]
        self._chores = Chores(settings, engine)

    def stop(self) -> None:
        """Finish the batches under way and return from `run`; safe in a signal handler."""
        for member in self._members:
            member.stop()
        self._chores.stop()

    def run(self) -> None:
        """Write and do the chores until stopped; when one of them fails, all stop and its error is raised.

        Raises:
            SettingsError: the database does not have the newest schema.
        """
        with ThreadPoolExecutor(len(self._members) + 1, thread_name_prefix="order-writer") as pool:
            running = [*(pool.submit(each.run) for each in self._members), pool.submit(self._chores.run)]
            wait(running, return_when=FIRST_COMPLETED)
            self.stop()
        for each in running:
            each.result()


def _require_schema(engine: Engine) -> None:
    with reading(engine) as connection:
        inspector = inspect(connection)
        there = set(inspector.get_table_names())
        for table in tables.metadata.sorted_tables:
            columns = inspector.get_columns(table.name) if table.name in there else []
            missing = {column.name for column in table.columns} - {column["name"] for column in columns}
            if missing:
                raise SettingsError(
                    f"the database does not have the newest schema (table {table.name} lacks "
                    f"{', '.join(sorted(missing))}): run `seckill migrate` first"
                )


def _complain(shard: int, settlements: Sequence[Settlement]) -> None:
    reasons = Counter(
        (letter.offer.decode("utf-8", "replace"), letter.reason) for each in settlements for letter in each.letters
    )
    for (offer, reason), winners in reasons.items():
        log.error(
            "winners could not be written: shard=%d offer=%s reason=%s count=%d",
            shard,
            offer,
            reason,
            winners,
        )


def run(settings: Settings) -> int:
    """Run one order writer until SIGTERM or SIGINT; blocks.

    Returns:
        0 after a clean stop, 2 when it cannot start as configured (the log says why in one sentence).
    """
    set_up_logging(settings, "writer")
    try:
        engine = open_engine(settings.database_url)
    except (ArgumentError, ImportError) as error:
        log.error("SECKILL_DATABASE_URL cannot be used: %s", one_line(error))
        return 2
    try:
        team = WriterTeam(settings, engine)
        _on_signals(team.stop)
        team.run()
    except SettingsError as error:
        log.error("%s", error)
        return 2
    finally:
        engine.dispose()
    return 0


def _on_signals(stop: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop())
