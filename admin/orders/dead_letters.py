"""Winners that could not become orders, from the dead-letter streams."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from admin.errors import Invalid
from admin.paging import Page, read_cursor, split, write_cursor
from admin.resources import Resources
from gateway import keys


class DeadLetter(BaseModel):
    """A winner that could not be written, with the reason. `ticket` is the stream's own text."""

    id: str
    entry: str
    shopper: str
    ticket: str
    offer: str
    epoch: int
    reason: str


class DeadLetterPage(BaseModel):
    """Dead letters, newest first."""

    items: list[DeadLetter]
    next: str | None


def page(resources: Resources, wanted: Page) -> DeadLetterPage:
    """A page of winners that could not be written, shard after shard.

    Raises:
        Invalid: the cursor is not one of this list.
        RedisError: Redis cannot be reached.
    """
    position = read_cursor(wanted.cursor, int, str)
    start_shard, start_id = (0, "+") if position is None else (int(position[0]), f"({position[1]}")
    if position is not None and re.fullmatch(r"\d{1,20}-\d{1,20}", str(position[1]), re.ASCII) is None:
        raise Invalid.one("cursor", "bad_cursor", "want the `next` of an earlier page of this list")
    found: list[tuple[int, DeadLetter]] = []
    for shard in keys.shards():
        if shard < start_shard or len(found) > wanted.limit:
            continue
        newest = start_id if shard == start_shard else "+"
        entries: Any = resources.redis.xrevrange(
            keys.dead(shard), max=newest, min="-", count=wanted.limit + 1 - len(found)
        )
        found += [(shard, _letter(entry_id, fields)) for entry_id, fields in entries]
    shown, last = split(found, wanted.limit)
    return DeadLetterPage(
        items=[letter for _, letter in shown],
        next=write_cursor(last[0], last[1].id) if last is not None else None,
    )


def _letter(entry_id: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    def text(name: str) -> str:
        return fields.get(name.encode(), b"").decode("utf-8", "replace")

    return DeadLetter(
        id=entry_id.decode(),
        entry=text("entry"),
        shopper=text("shopper"),
        ticket=text("ticket"),
        offer=text("offer"),
        epoch=int(text("epoch") or 0),
        reason=text("reason"),
    )
