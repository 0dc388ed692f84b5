"""Why something did not happen to a shopper, in words that say what they can do next."""

from __future__ import annotations

from collections.abc import Mapping

from admin.errors import AdminError
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import told

_BY_CODE: Mapping[str, object] = {
    "no_seat_left": _("Every seat is taken just now. One is free again when somebody does not pay in time."),
    "group_full": _("This group is full. Open one of your own, and you have the first seat."),
    "group_over": _("This group is over. Open one of your own, and you have the first seat."),
    "already_in_group": _("You have a seat in this group already."),
    "not_in_group": _("You have no seat in this group any more."),
    "not_available": _("Too little of this product is left. Try a smaller quantity."),
    "just_ran_out": _("Too little of this product is left. Try a smaller quantity."),
    "too_many_reminders": _("You have as many reminders as there may be. Take one back first."),
    "offer_started": _("The sale has begun already: you can buy now."),
    "offer_ended": _("The sale is over, so there is nothing to remind you of."),
    "code_needed": _("This coupon is claimed with a code of your own. Type that one."),
    "taken": _("This code was used, or somebody else has claimed it."),
    "coupon_fixed": _("This balance has a coupon already, and it stays. Pay without typing another."),
    "payment_under_way": _("A payment is on its way, so a coupon cannot change the amount any more."),
    "balance_not_open": _("The balance cannot be paid yet."),
    "order_expired": _("The time to pay is over."),
}


def why(error: AdminError) -> str:
    """A sentence about a refusal; what the engine gave as its reason is told as it is."""
    reason = error.members.get("reason")
    if isinstance(reason, str):
        return gettext("That is not possible: %(reason)s.") % {"reason": plain(reason)}
    known = _BY_CODE.get(error.code)
    return told(error) if known is None else str(known)


def plain(reason: str) -> str:
    """A reason of the engine without its code, for people: `level: for other levels`."""
    return reason.partition(": ")[2] or reason
