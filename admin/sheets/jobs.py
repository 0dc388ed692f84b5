"""Imports that take longer than a request should: a thread of the process that took them does one by one."""

from __future__ import annotations

import logging
import os
import queue
from contextlib import closing
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from admin.errors import AdminError
from admin.resources import Resources
from admin.rounds import Rounds
from admin.sheets import importing
from admin.sheets.importing import Interrupted, Order
from admin.sheets.record import Progress
from gateway.orders.pacing import one_line

_log = logging.getLogger(__name__)


class Importing(Rounds):
    """Does the imports that were put in line."""

    name = "importer"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._engine = resources.engine
        self._line: queue.SimpleQueue[tuple[Order, Progress]] = queue.SimpleQueue()

    def put(self, order: Order) -> Progress:
        """Put an import in line. Its file is kept open apart from the caller's.

        Raises:
            SQLAlchemyError: the database cannot be used.
        """
        progress = importing.begin(self._engine, order)
        file = os.fdopen(os.dup(order.file.fileno()), "rb")
        self._line.put((replace(order, file=file, told=self._told), progress))
        return progress

    def round(self) -> None:
        """Do all that is in line; when the process stops, its record says so."""
        while not self._line.empty():
            order, progress = self._line.get()
            with closing(order.file):
                try:
                    importing.run(self._engine, order, progress)
                except (SQLAlchemyError, AdminError) as error:
                    _log.warning("import %s failed: %s", progress.id, one_line(error))

    def stop(self) -> None:
        """Stop after the step under way; what waits in line is interrupted, too."""
        super().stop()
        self.round()

    def _told(self, _progress: Progress) -> None:
        self.progress()
        if self.stopping:
            raise Interrupted
