"""Sessions 場次: times of day at which flash sales are held."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from admin.backoffice.records.kinds import Line, Told
from admin.backoffice.records.values import Clock
from admin.backoffice.records.view import RecordsView
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _


def _lasts(_request: Request, record: Any) -> str:
    return gettext("until the next day") if record.crosses_midnight else gettext("within a day")


class SessionsView(RecordsView):
    """Sessions."""

    word = "session"
    plural = "sessions"
    key = "sessions"
    pk_attr = "id"
    icon = "fa-solid fa-clock"
    menu_label = _("Sessions")
    display_name = _("session")
    fields = (
        Line("name", _("Name"), required=True, help_text=_("What operators pick it by: Evening.")),
        Line("id", _("Id"), help_text=_("Made from the name when empty. It never changes.")),
        Clock("starts", _("Starts"), required=True, help_text=_("In the shop's time zone.")),
        Clock("ends", _("Ends"), required=True, help_text=_("Before the start: on the next day.")),
        Told("lasts", _("Lasts"), getter=_lasts),
    )
    exclude_fields_from_edit = ("id",)
    sortable_fields = ("starts", "name", "id")
    searchable_fields = ()
    form_layout = (("name", "id"), ("starts", "ends"))
