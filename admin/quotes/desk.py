"""The thread that makes quotes: those that come together with one look at the database and one commit."""

from __future__ import annotations

import time
from collections.abc import Sequence

from admin.quotes.quoting import Asked, Quoter
from admin.quotes.recording import Entry, Recorder
from admin.resources import Resources
from admin.together import Together, Waiting, settle

TOGETHER_MAX_S = 0.01
"""After so long those that are made are answered, and the others made then."""


class Desk(Together[Asked, bytes]):
    """Makes quotes; each is answered once its snapshot is committed."""

    name = "quote desk"
    requests = "quotes"
    waiting_max = 1000
    together_max = 16

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._quoter = Quoter(resources)
        self._recorder = Recorder(resources.settings.database_url, resources.settings.quote_valid_s * 1000)

    async def quote(self, asked: Asked) -> bytes:
        """The reply to a quote, once its snapshot is committed.

        Raises:
            Unavailable: too many quotes wait already, or the sidecar is stopping.
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        return await self.ask(asked)

    def close(self) -> None:
        """Make what waits, then stop."""
        super().close()
        self._recorder.close()

    def serve(self, taken: Sequence[Waiting[Asked, bytes]]) -> None:
        """Make some quotes from one look; each is answered as soon as it is stored."""
        try:
            moment = self._quoter.gather([each.asked for each in taken])
        except Exception as error:
            settle(taken, error)
            return
        made: list[Waiting[Asked, bytes]] = []
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

    def _finish(self, made: Sequence[Waiting[Asked, bytes]], entries: Sequence[Entry]) -> None:
        failure = None
        try:
            if entries:
                self._recorder.store(entries)
        except Exception as error:
            failure = error
        settle(made, failure)
