"""What can be done with a campaign: which buttons its state and the operator's role allow, and doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request

from admin.backoffice.sales.area import Action, role_reason
from admin.campaigns.models import CampaignSummary
from admin.campaigns.states import LIVE, OPEN
from admin.pages import asking
from admin.pages.locales import lazy_gettext as _

TITLES: Mapping[str, Any] = {
    "publish": _("Publish"),
    "pause": _("Pause"),
    "resume": _("Resume"),
    "terminate": _("End for good"),
    "edit": _("Edit"),
    "copy": _("Copy"),
    "delete": _("Delete or archive"),
}
CONFIRMED = ("publish", "pause", "resume", "terminate", "delete")
"""Actions that are asked about once more."""
EFFECTS: Mapping[str, Any] = {
    "publish": _("Shoppers see it from now on, and it sells when its time comes."),
    "pause": _("Nobody can buy by it until it is resumed. Orders that were made stay."),
    "resume": _("It sells again at once, if its time has come."),
    "terminate": _(
        "It never sells again. Orders that wait for payment may still be paid, pre-sales keep their time for the "
        "balance, and open groups run on."
    ),
    "delete": _("What has orders is archived: out of the list, and still in reports. Everything else is deleted."),
}
DONE: Mapping[str, Any] = {
    "publish": _("%(code)s is published."),
    "pause": _("%(code)s is paused."),
    "resume": _("%(code)s goes on."),
    "terminate": _("%(code)s is over."),
    "delete": _("%(code)s is deleted."),
    "archive": _("%(code)s has orders, so it is archived."),
}
_REFUSALS: Mapping[str, tuple[Callable[[CampaignSummary], bool], Any]] = {
    "publish": (lambda each: each.state == "draft", _("It is published already.")),
    "pause": (lambda each: each.state in LIVE and each.state != "paused", _("Only what is on sale or announced.")),
    "resume": (lambda each: each.state == "paused", _("It is not paused.")),
    "terminate": (lambda each: each.state in LIVE, _("Only what is on sale or announced.")),
    "edit": (lambda each: each.state != "ended", _("It is over: copy it instead.")),
    "copy": (lambda _each: True, ""),
    "delete": (
        lambda each: each.state in {*OPEN, "ended"} and not each.archived,
        _("It is on sale, or archived already: end it first."),
    ),
}
_OPERATIONS = {"edit": "change_campaign"}


def operation(action: str) -> str:
    """The API's operation behind a button."""
    return _OPERATIONS.get(action, f"{action}_campaign")


def offered(request: Request, campaign: CampaignSummary) -> dict[str, Action]:
    """Every action by name, with the reason where it is not possible now."""
    found = {}
    for name, (fits, refusal) in _REFUSALS.items():
        reason = role_reason(request, operation(name))
        if reason is None and not fits(campaign):
            reason = str(refusal)
        found[name] = Action(name, str(TITLES[name]), reason)
    return found


async def do(
    request: Request, code: str, action: str, *, if_match: int | None = None, refund_all: bool = False
) -> str:
    """Do it; a sentence about what was done.

    Raises:
        AdminError: it was refused; nothing has changed.
    """
    body = {"refund_all": True} if refund_all else None
    reply = await asking.ask(request, operation(action), path={"code": code}, body=body, if_match=if_match)
    archived = action == "delete" and reply.archived is not None
    return str(DONE["archive" if archived else action]) % {"code": code}
