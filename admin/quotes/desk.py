"""The thread that makes quotes. Those that come together are made together: one look at the database, one commit.

Pricing a cart is work of the interpreter, of which there is one: more threads would only hand its lock to and fro.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from admin.errors import Unavailable
from admin.quotes.quoting import Asked, Quoter
from admin.quotes.recording import Entry, Recorder
from admin.resources import Resources

WAITING_MAX = 1000
"""Quotes that may wait; at full speed about a second's."""
TOGETHER_MAX = 16
"""Quotes made from one look at the database."""
TOGETHER_MAX_S = 0.01
"""After so long those that are made are answered, and the others made then."""


@dataclass(slots=True, eq=False)
class _Waiting:
    asked: Asked
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[bytes]
    reply: bytes = b""
    failure: Exception | None = None


class Desk:
    """Makes quotes in a thread of its own, which starts with the first of them."""

    def __init__(self, resources: Resources) -> None:
        self._quoter = Quoter(resources)
        self._recorder = Recorder(resources.settings.database_url, resources.settings.quote_valid_s * 1000)
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def quote(self, asked: Asked) -> bytes:
        """The reply to a quote, once its snapshot is committed.

        Raises:
            Unavailable: too many quotes wait already, or the sidecar is stopping.
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(asked, loop, loop.create_future())
        with self._changed:
            if self._closed:
                raise Unavailable("the sidecar is stopping: ask again in a moment", code="stopping")
            if len(self._waiting) >= WAITING_MAX:
                raise Unavailable("too many quotes wait: ask again in a moment", code="quotes_waiting")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="quote desk", daemon=True)
                self._thread.start()
            self._waiting.append(waiting)
            self._changed.notify()
        return await waiting.future

    def close(self) -> None:
        """Make what waits, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._recorder.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER_MAX))]
            wanted = [each for each in taken if not each.future.cancelled()]
            if wanted:
                self._serve(wanted)

    def _serve(self, taken: Sequence[_Waiting]) -> None:
        """Make some quotes from one look; each is answered as soon as it is stored."""
        try:
            moment = self._quoter.gather([each.asked for each in taken])
        except Exception as error:
            _settle(taken, error)
            return
        made: list[_Waiting] = []
        entries: list[Entry] = []
        since_s = time.monotonic()
        for place, each in enumerate(taken):
            try:
                each.reply, entry = self._quoter.make(each.asked, moment, place)
                entries.append(entry)
            except Exception as error:
                each.failure = error
            made.append(each)
            if place == len(taken) - 1 or time.monotonic() - since_s > TOGETHER_MAX_S:
                self._finish(made, entries)
                made, entries, since_s = [], [], time.monotonic()

    def _finish(self, made: Sequence[_Waiting], entries: Sequence[Entry]) -> None:
        failure = None
        try:
            if entries:
                self._recorder.store(entries)
        except Exception as error:
            failure = error
        _settle(made, failure)


def _settle(served: Sequence[_Waiting], failure: Exception | None) -> None:
    """Hand replies to those who wait, each in its event loop, which is woken once for all of its own."""
    for loop in {each.loop for each in served}:
        # Who asked may have left, and the loop with them.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell, [each for each in served if each.loop is loop], failure)


def _tell(served: Sequence[_Waiting], failure: Exception | None) -> None:
    for each in served:
        if each.future.done():
            continue
        error = failure or each.failure
        if error is not None:
            each.future.set_exception(error)
        else:
            each.future.set_result(each.reply)
