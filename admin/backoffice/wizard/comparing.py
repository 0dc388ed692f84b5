"""What two operators changed in one campaign, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from admin.audit.service import AuditRecord
from admin.backoffice.wizard.spelling import spell
from admin.campaigns.models import Campaign


@dataclass(frozen=True, slots=True)
class Row:
    """One field: what it was, what this operator wants, and what it is now."""

    field: str
    before: str | None
    mine: str
    now: str
    mine_changed: bool
    theirs_changed: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Somebody else's changes beside one's own. `who` and `at` are unknown when the log does not tell."""

    who: str | None
    at: str | None
    rows: list[Row]


def changed(body: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a body that say something else than `base`, which is a whole campaign."""
    found: dict[str, Any] = {}
    typed = _typed(base)
    for name, value in body.items():
        known = typed.get(name)
        if name == "rule" and isinstance(value, dict) and isinstance(known, dict):
            parts = {key: each for key, each in value.items() if not _same(each, known.get(key))}
            if parts:
                found[name] = parts
        elif not _same(value, known):
            found[name] = value
    return found


def difference(request: Request, body: Mapping[str, Any], base: AuditRecord | None, now: Campaign) -> Difference:
    """What the operator's form and the campaign say differently."""
    present = _flat(now.model_dump(mode="json"))
    wanted = _flat(body)
    before = None if base is None else _flat(base.before or {})
    rows = []
    for name in dict.fromkeys([*wanted, *(() if before is None else _touched(before, present))]):
        mine, theirs = wanted.get(name, present.get(name)), present.get(name)
        was = None if before is None else before.get(name)
        mine_changed = name in wanted and (before is None or not _same(mine, was))
        theirs_changed = before is None or not _same(theirs, was)
        if (not _same(mine, theirs) and (mine_changed or theirs_changed)) or (
            theirs_changed and before is not None
        ):
            if before is not None and not mine_changed:
                mine = was
            rows.append(
                Row(
                    name,
                    None if before is None else spell(request, name, was),
                    spell(request, name, mine),
                    spell(request, name, theirs),
                    mine_changed,
                    theirs_changed,
                )
            )
    # What both changed alike is nothing to decide, unless it is all there is.
    told = [row for row in rows if row.mine != row.now] or rows
    return Difference(None if base is None else base.actor, None if base is None else base.at, told)


_ASIDE = frozenset(
    {"revision", "updated_at", "created_at", "labels", "state", "item_count", "error", "demo", "archived"}
)


def _touched(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [name for name in now if name not in _ASIDE and name in before and not _same(before[name], now[name])]


def _flat(body: Mapping[str, Any]) -> dict[str, Any]:
    """A campaign with each part of its rule as a field."""
    body = _typed(body)
    flat = {name: value for name, value in body.items() if name != "rule"}
    rule = body.get("rule")
    if isinstance(rule, Mapping):
        flat |= {f"rule.{name}": value for name, value in rule.items()}
    return flat


def _typed(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A campaign without a label that was made for it: that one follows the rule."""
    if body.get("label") in (body.get("labels") or {}).values():
        return {**body, "label": None}
    return body


def _same(one: Any, other: Any) -> bool:
    return _plain(one) == _plain(other)


def _plain(value: Any) -> str:
    """A value without what is absent: the API shows absent terms as null."""
    return json.dumps(_bare(value), sort_keys=True)


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _bare(each)
            for name, each in value.items()
            if each is not None and name not in {"removed", "offer", "offer_price", "offer_state"}
        } or None
    if isinstance(value, list | tuple):
        return [_bare(each) for each in value]
    return value
