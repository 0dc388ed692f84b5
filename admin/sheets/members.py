"""The sheet of members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from admin.members import service
from admin.members.models import MemberInput
from admin.members.tables import members
from admin.resources import Resources
from admin.sheets.cells import read_text, read_whole
from admin.sheets.model import Column, Plan, Sheet
from admin.sheets.storing import write_rows


class Members(Sheet):
    """Members, by shopper id. Instants are ISO 8601 with an offset."""

    name = "members"
    kind = "member"
    key = "shopper"
    table = members
    model = MemberInput
    columns = (
        Column("shopper", ("shopper",), "shopper", read_text),
        Column("level", ("level",), "level", read_whole),
        Column("since", ("since",), "since_ms", read_text, clears=True),
        Column("birthday", ("birthday",), "birthday", read_text, clears=True),
        Column("first_paid_at", ("first_paid_at",), "first_paid_at_ms", read_text, clears=True),
        Column("paid_level", ("paid", "level"), "paid_level", read_whole, clears=True),
        Column("paid_until", ("paid", "until"), "paid_until_ms", read_text, clears=True),
        Column("note", ("note",), "note", read_text, clears=True),
    )

    def shown(self, resources: Resources, row: Row[Any]) -> Mapping[str, Any]:
        """A member, with instants in the shop's zone."""
        found = self.present(row)
        for name in ("since", "first_paid_at"):
            found[name] = resources.iso_or_none(found[name])
        found["paid"]["until"] = resources.iso_or_none(found["paid"]["until"])
        return found

    def present(self, row: Row[Any]) -> dict[str, Any]:
        """A member."""
        return {
            "shopper": row.shopper,
            "level": row.level,
            "since": row.since_ms,
            "birthday": row.birthday,
            "first_paid_at": row.first_paid_at_ms,
            "paid": {"level": row.paid_level, "until": row.paid_until_ms},
            "note": row.note,
        }

    def values(self, given: MemberInput) -> dict[str, Any]:
        """The columns of a record."""
        return service.columns(given.model_dump())

    def take_number(self, connection: Connection) -> None:
        """What members are is asked afresh for every quote, so it has no numbers."""

    def write(self, connection: Connection, plan: Plan, columns: Sequence[str], number: int | None) -> None:
        """Just the rows."""
        write_rows(connection, members, plan, columns, made={}, changed={})
