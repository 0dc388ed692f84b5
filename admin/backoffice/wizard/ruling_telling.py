"""Why a rule cannot be published, as people who fill in its form want to hear it."""

from __future__ import annotations

from collections.abc import Mapping

from admin.errors import FieldError
from admin.gate.models import CheckError
from admin.pages import wording
from admin.pages.locales import lazy_gettext as _

_SENTENCES: Mapping[str, str] = {
    "missing": _("Still needed."),
    "tier_not_increasing": _("Must be more than in the row above."),
    "off.too_large": _("At most what has to be spent for it."),
    "cap.too_small": _("At least what is taken off once."),
    "at.too_large": _("More than a cart can hold."),
    "not_below_base": _("Must stay below the base price of every product that takes part."),
    "above_the_parts": _("More than the products of the set cost together."),
    "too_few_units": _("A set needs two pieces or more."),
    "unknown_sku": _("There is no product with this SKU. Search for it by its name."),
    "sku.bad_form": _("This is not a SKU. Search for the product by its name."),
    "duplicate_sku": _("Listed twice: keep one."),
    "must_be_gift_only": _("This shop gives away only goods that are not for sale: choose one of those."),
    "gift_only": _("This product is only given as a gift: choose another one."),
    "not_on_sale": _("This product is not on sale: choose another one, or put it on sale."),
    "one_way_only": _("Fill in only one of these fields."),
    "before_campaign_ends": _("Not before the campaign ends."),
    "before_balance": _("Not before the balance can be paid."),
    "balance_ends_at.not_after_start": _("Must be later than when the balance can first be paid."),
    "deposit_too_small": _("The deposit would be rounded to nothing: raise it."),
    "deposit_too_large": _("The deposit would count for the whole price: lower it, or how often it counts."),
    "more_than_listed": _("More than there are gifts here."),
    "one_tier_only": _("With every multiple there can be only one tier: remove the others."),
    "same_item_alone": _("One more of what was bought stands alone in its tier: remove the other gifts."),
    "not_for_same_item": _("The shopper picks among what was bought anyway: leave this empty."),
    "not_a_percent": _("Want more than 0 and less than 100, such as 15 for 15% off."),
    "too_many_decimals": _("At most two decimals, such as 12.5 or 33.33."),
    "bad_multiplier": _("Want 1 to 1000, such as 3."),
}


def told(error: CheckError) -> str:
    """A sentence about one error of a rule."""
    for known in (f"{error.field.rpartition('.')[2]}.{error.code}", error.code):
        if known in _SENTENCES:
            return str(_SENTENCES[known])
    return wording.field_told(FieldError(error.field, error.code, error.message))
