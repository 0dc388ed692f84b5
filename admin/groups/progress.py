"""How groups fill, for pages that are open: one thread per process reads all watched groups together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from admin.groups import views
from admin.resources import Resources
from admin.streaming import Streaming, Topic
from gateway.orders.database import reading

TOGETHER = 500
"""Groups read at once."""


class Watching(Streaming):
    """All event streams about groups of one process, and the rounds that feed them."""

    name = "watching of groups"
    streams_max = 500

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources

    def round(self) -> None:
        """Read all watched groups.

        Raises:
            SQLAlchemyError: the database is away; watchers hear of it when it is back.
        """
        watched = list(self.topics.items())
        for start in range(0, len(watched), TOGETHER):
            self._read(watched[start : start + TOGETHER])

    def _read(self, watched: Sequence[tuple[str, Topic]]) -> None:
        with reading(self._resources.engine) as connection:
            found = views.progress(connection, [group for group, _ in watched])
        for group, topic in watched:
            if group in found:
                told = found[group]
                json = told.model_dump_json().encode()
                topic.in_loop(partial(topic.publish, json, over=told.state != "open"))
