"""A window as people type it: two moments of the shop's time, as a browser's date fields send them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from admin.errors import FieldError, Invalid
from admin.pages.locales import gettext


@dataclass(frozen=True, slots=True)
class Window:
    """Start and end as typed; empty where nothing was."""

    starts_at: str
    ends_at: str

    def body(self, zone: ZoneInfo) -> dict[str, Any]:
        """Both as the API wants them; what was left empty is left out.

        Raises:
            Invalid: a moment cannot be read.
        """
        found, problems = {}, []
        for name in ("starts_at", "ends_at"):
            text = getattr(self, name)
            if not text:
                continue
            try:
                found[name] = datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()
            except ValueError:
                problems.append(FieldError(name, "bad_instant", gettext("Give a date and a time.")))
        if problems:
            raise Invalid(problems)
        return found


def days(first: str, last: str, zone: ZoneInfo) -> dict[str, str]:
    """`since` and `until` of a span of days, the last one included; what cannot be read is left out."""
    found = {}
    for name, text, moment in (("since", first, "00:00:00"), ("until", last, "23:59:59.999")):
        try:
            found[name] = datetime.fromisoformat(f"{text}T{moment}").replace(tzinfo=zone).isoformat()
        except ValueError:
            continue
    return found
