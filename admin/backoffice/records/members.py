"""Members: what the shop knows of its shoppers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import Request

from admin.backoffice.records.kinds import Line, Paragraphs, Told, Whole
from admin.backoffice.records.values import Moment
from admin.backoffice.records.view import RecordsView, filtered, group
from admin.pages.locales import gettext, when
from admin.pages.locales import lazy_gettext as _


def _bought(request: Request, record: Any) -> str | None:
    if record.bought is None:
        return None
    until = when(record.bought.until, request.state.resources.zone)
    return gettext("level %(level)s until %(until)s") % {"level": record.bought.level, "until": until}


class MembersView(RecordsView):
    """Members."""

    word = "member"
    plural = "members"
    sheet = "members"
    key = "members"
    pk_attr = "shopper"
    icon = "fa-solid fa-id-card"
    menu_label = _("Members")
    display_name = _("member")
    quick: ClassVar[Mapping[str, Any]] = {
        "effective_level__is=1": _("Level 1"),
        "effective_level__is=2": _("Level 2"),
    }
    fields = (
        Line("shopper", _("Shopper"), required=True, help_text=_("Their id: the “sub” of their tokens.")),
        filtered(
            Whole("effective_level", _("Level now"), exclude_from_create=True, exclude_from_edit=True), "level"
        ),
        Whole("level", _("Level"), default=0, required=True, help_text=_("0 is no member.")),
        Moment("since", _("Member since")),
        Line("birthday", _("Birthday"), help_text=_("Month and day: 02-29."), exclude_from_list=True),
        Moment(
            "first_paid_at",
            _("First paid order"),
            help_text=_("Also in an earlier shop: who has one is no new customer."),
            exclude_from_list=True,
        ),
        Whole("paid.level", _("Paid level"), exclude_from_list=True),
        Moment("paid.until", _("Paid until"), exclude_from_list=True),
        Told("bought", _("Bought in this shop"), getter=_bought),
        Paragraphs("note", _("Note"), help_text=_("Only operators see it.")),
    )
    exclude_fields_from_edit = ("shopper",)
    sortable_fields = ("shopper", "level")
    searchable_fields = ("effective_level",)
    form_layout = (
        ("shopper", "level"),
        ("since", "birthday"),
        "first_paid_at",
        group(_("Paid membership: it sets the level until its end"), ("paid.level", "paid.until")),
        "note",
    )
