"""Saving one step: what is right is stored, what is wrong stays in the form, nobody goes over anybody unasked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from admin.audit.service import AuditRecord
from admin.backoffice.wizard import comparing
from admin.backoffice.wizard.comparing import Difference
from admin.campaigns.models import Campaign
from admin.errors import Conflict, Deferred, Invalid, StaleRevision
from admin.pages.asking import ask
from admin.pages.wording import by_field, told

TRIES_MAX = 5
"""How often the parts that are wrong are left out before nothing is stored."""

Errors = dict[str, list[str]]


@dataclass(slots=True)
class Saved:
    """What became of a step. `difference` is there when somebody else was faster, and nothing was stored."""

    campaign: Campaign
    errors: Errors = field(default_factory=dict)
    difference: Difference | None = None
    note: str | None = None


async def save(
    request: Request, code: str, body: Mapping[str, Any], errors: Errors, revision: int, over: int | None
) -> Saved:
    """Store the parts of a step that are right; of a published campaign all of it, or nothing.

    `revision` is the one that the form was filled from. `over` is a later one whose changes the operator has seen
    and wants to go over: then only what the operator changed is sent, and everything else stays.

    Raises:
        AdminError: the campaign is gone, or may not be changed by this operator.
    """
    given = dict(body)
    if over is not None:
        base = await _base(request, code, revision)
        given = given if base is None else comparing.changed(given, base.before or {})
    saved = Saved(await ask(request, "read_campaign", path={"code": code}), errors)
    known = revision if over is None else over
    # What shoppers see changes as a whole or not at all; of a draft everything that is right is kept.
    in_parts = saved.campaign.state == "draft"
    if errors and not in_parts:
        return saved
    for _ in range(TRIES_MAX):
        if not given and saved.campaign.revision == known:
            break
        try:
            saved.campaign = await ask(request, "change_campaign", path={"code": code}, body=given, if_match=known)
            break
        except StaleRevision:
            base = await _base(request, code, revision)
            saved.campaign = await ask(request, "read_campaign", path={"code": code})
            saved.difference = comparing.difference(request, given, base, saved.campaign)
            break
        except Invalid as error:
            _add(saved.errors, by_field(error.errors))
            if not in_parts:
                break
            given = _without(given, (each.field for each in error.errors))
        except Conflict as error:
            _add(saved.errors, {str(error.members.get("field", "")): [told(error)]})
            break
        except Deferred as error:
            saved.note = told(error)
            saved.campaign = await ask(request, "read_campaign", path={"code": code})
            break
    return saved


async def _base(request: Request, code: str, revision: int) -> AuditRecord | None:
    """The change that replaced a revision, as the audit log has it."""
    page = await ask(request, "list_changes", query={"kind": "campaign", "subject": code, "limit": "100"})
    for record in page.items:
        if record.before is not None and record.before.get("revision") == revision:
            found: AuditRecord = record
            return found
    return None


def _add(errors: Errors, more: Errors) -> None:
    for name, texts in more.items():
        known = errors.setdefault(name, [])
        known += [text for text in texts if text not in known]


def _without(body: dict[str, Any], fields: Any) -> dict[str, Any]:
    """A body without the parts that some errors are about: a part of the rule, a term of a product, or a field.

    A part is left out as a whole, so that no half of it means something else.
    """
    rest = dict(body)
    dropped: set[int] = set()
    for name in fields:
        parts = name.split(".")
        if parts[0] == "rule" and len(parts) > 1 and isinstance(rest.get("rule"), dict):
            rest["rule"] = {key: value for key, value in rest["rule"].items() if key != parts[1]}
        elif parts[0] == "items" and len(parts) > 1 and parts[1].isdigit() and "items" in rest:
            rest["items"] = _without_term(rest["items"], int(parts[1]), parts[2:], dropped)
        else:
            rest.pop(parts[0], None)
    if dropped and "items" in rest:
        rest["items"] = [item for place, item in enumerate(rest["items"]) if place not in dropped]
    if rest.get("rule") == {}:
        del rest["rule"]
    return {} if rest == body else rest


def _without_term(
    items: list[dict[str, Any]], place: int, term: list[str], dropped: set[int]
) -> list[dict[str, Any]]:
    if not term or term[0] == "sku":
        dropped.add(place)
        return items
    changed = {name: value for name, value in items[place].items() if name != term[0]}
    return [*items[:place], changed, *items[place + 1 :]]
