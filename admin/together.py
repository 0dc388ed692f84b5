"""A thread that serves requests: those that come together are served together, with one look at the database and
one commit.

Most of the work is the interpreter's, of which there is one: more threads would only hand its lock to and fro.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from admin.errors import Unavailable

AskedT = TypeVar("AskedT")
ReplyT = TypeVar("ReplyT")


@dataclass(slots=True, eq=False)
class Waiting(Generic[AskedT, ReplyT]):
    """A request that waits in an event loop; it gets `reply`, or `failure` if there is one."""

    asked: AskedT
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[ReplyT]
    reply: ReplyT | None = None
    failure: Exception | None = None


class Together(ABC, Generic[AskedT, ReplyT]):
    """Serves requests in a thread of its own, which starts with the first of them."""

    name: str
    """Of the thread."""
    requests: str
    """What they are called in messages, in the plural."""
    waiting_max: int
    """Requests that may wait; more are refused."""
    together_max: int
    """Requests served together."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting[AskedT, ReplyT]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def ask(self, asked: AskedT) -> ReplyT:
        """The reply to a request, once everything about it is committed.

        Raises:
            Unavailable: too many wait already, or the sidecar is stopping.
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        loop = asyncio.get_running_loop()
        waiting: Waiting[AskedT, ReplyT] = Waiting(asked, loop, loop.create_future())
        with self._changed:
            if self._closed:
                raise Unavailable("the sidecar is stopping: ask again in a moment", code="stopping")
            if len(self._waiting) >= self.waiting_max:
                raise Unavailable(
                    f"too many {self.requests} wait: ask again in a moment", code=f"{self.requests}_waiting"
                )
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
            self._waiting.append(waiting)
            self._changed.notify()
        return await waiting.future

    def close(self) -> None:
        """Serve what waits, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    @abstractmethod
    def serve(self, taken: Sequence[Waiting[AskedT, ReplyT]]) -> None:
        """Serve some requests, and `settle` each of them."""

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self.together_max))]
            wanted = [each for each in taken if not each.future.cancelled()]
            if wanted:
                self.serve(wanted)


def settle(served: Sequence[Waiting[AskedT, ReplyT]], failure: Exception | None = None) -> None:
    """Hand replies, or one failure, to those who wait, each in its event loop, which is woken once for all."""
    for loop in {each.loop for each in served}:
        # Who asked may have left, and the loop with them.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell, [each for each in served if each.loop is loop], failure)


def _tell(served: Sequence[Waiting[AskedT, ReplyT]], failure: Exception | None) -> None:
    for each in served:
        if each.future.done():
            continue
        error = failure or each.failure
        if error is not None:
            each.future.set_exception(error)
        else:
            assert each.reply is not None
            each.future.set_result(each.reply)
