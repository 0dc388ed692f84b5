"""What an entry of the audit log changed, value by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from admin.audit.service import AuditRecord
from admin.instants import parse_instant
from admin.pages import locales
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _
from admin.resources import Resources

FIELDS: Mapping[str, Any] = {
    "name": _("Name"),
    "slogan": _("Slogan"),
    "label": _("Label"),
    "state": _("State"),
    "status": _("State"),
    "starts_at": _("Start"),
    "ends_at": _("End"),
    "terminated_at": _("Ended for good"),
    "archived": _("Archived"),
    "priority": _("Priority"),
    "price": _("Price"),
    "cost": _("Cost"),
    "stock": _("Stock"),
    "item_count": _("Products"),
    "role": _("Role"),
    "amount": _("Amount"),
    "held_back": _("Held back"),
    "restock": _("Back on sale"),
    "note": _("Reason"),
    "carrier": _("Carrier"),
    "tracking_no": _("Tracking number"),
}
"""Fields whose name is not that of the API."""
_MONEY = {"price", "cost", "amount", "amount_off", "off", "spend", "cap", "deposit", "budget", "held_back"}
_DERIVED = {"labels", "revision", "created_at", "updated_at", "free", "demo"}
"""Follows from the rest, or says nothing of a change."""
TOLD_MAX = 40


@dataclass(frozen=True, slots=True)
class Change:
    """One value, as text; None where there was or is none."""

    field: str
    before: str | None
    after: str | None


def of(resources: Resources, record: AuditRecord) -> list[Change]:
    """What is different after an entry; of what was made or deleted, all that it says."""
    before, after = dict(_flat(record.before or {})), dict(_flat(record.after or {}))
    found = []
    for path in dict.fromkeys((*before, *after)):
        old, new = before.get(path), after.get(path)
        # Of what an entry does not speak of afterwards, nothing is known to have changed.
        silent = record.before and record.after is not None and path.split(".")[0] not in record.after
        if old == new or silent:
            continue
        found.append(Change(_title(path), _text(resources, path, old), _text(resources, path, new)))
    return found[:TOLD_MAX]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            if path or name not in _DERIVED:
                yield from _flat(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        for place, part in enumerate(value):
            key = part.get("sku", str(place + 1)) if isinstance(part, dict) else str(place + 1)
            yield from _flat(part, f"{path}.{key}")
    elif value not in (None, [], ""):
        yield path, value


def _title(path: str) -> str:
    *parents, last = path.split(".")
    return " › ".join([*parents, str(FIELDS.get(last, last))])


def _text(resources: Resources, path: str, value: Any) -> str | None:
    name = path.rpartition(".")[2]
    match value:
        case None:
            return None
        case bool():
            return gettext("yes") if value else gettext("no")
        case int() if name in _MONEY:
            return locales.money(value, resources.currency)
        case str() if name.endswith("_at"):
            return _moment(value, resources.zone)
        case list():
            return ", ".join(map(str, value))
    return str(value)


def _moment(text: str, zone: ZoneInfo) -> str:
    try:
        parse_instant(text)
    except ValueError:
        return text
    return locales.when(text, zone)
