"""Coupons: what they take off, from which carts, for whom, when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import Request
from starlette_admin import action, link_row_action
from starlette_admin.actions import ActionSelection

from admin.backoffice.records import bulk
from admin.backoffice.records.categories import CategoryChoice
from admin.backoffice.records.kinds import Choice, Flag, Line, Texts, Told, Whole
from admin.backoffice.records.values import Moment, Money, Percent, State, currency_of, percent_off
from admin.backoffice.records.view import RecordsView, filtered, group
from admin.pages import asking
from admin.pages.locales import gettext, money, ngettext, number
from admin.pages.locales import lazy_gettext as _


def _takes_off(request: Request, record: Any) -> str:
    currency = currency_of(request)
    if record.kind == "percent":
        return percent_off(record.percent_off)
    return gettext("%(amount)s off") % {"amount": money(record.amount_off, currency)}


def _used(_request: Request, record: Any) -> str:
    used = number(record.use.committed + record.use.reserved)
    return used if record.total is None else f"{used} / {number(record.total)}"


def _held(_request: Request, record: Any) -> str:
    return gettext("%(claims)s shoppers hold it, %(codes)s codes made") % {
        "claims": number(record.use.claims),
        "codes": number(record.use.codes),
    }


class CouponsView(RecordsView):
    """Coupons."""

    word = "coupon"
    plural = "coupons"
    key = "coupons"
    pk_attr = "code"
    icon = "fa-solid fa-ticket"
    menu_label = _("Coupons")
    display_name = _("coupon")
    actions = ("end", "delete", "export")
    row_actions = ("view", "edit", "codes", "delete")
    quick: ClassVar[Mapping[str, Any]] = {
        "state__is=running": _("Running"),
        "state__is=not_started": _("Not started"),
        "state__is=ended": _("Ended"),
    }
    emptied: ClassVar[Mapping[str, Any]] = {"audience": {"kind": "everyone"}}
    fields = (
        Line("code", _("Code"), required=True, help_text=_("What shoppers type. It never changes.")),
        Line("name", _("Name"), required=True),
        filtered(
            State(
                "state",
                _("State"),
                options={"running": _("running"), "not_started": _("not started"), "ended": _("ended")},
            ),
            "state",
        ),
        filtered(
            Choice(
                "kind",
                _("Takes off"),
                default="amount",
                required=True,
                options={"amount": _("an amount"), "percent": _("a percentage")},
                exclude_from_list=True,
            ),
            "kind",
        ),
        Told("takes_off", _("Discount"), getter=_takes_off, exclude_from_detail=True),
        Money("amount_off", _("Amount off"), when="kind=amount", exclude_from_list=True),
        Percent("percent_off", _("Percent off"), when="kind=percent", exclude_from_list=True),
        Money(
            "cap",
            _("At most"),
            when="kind=percent",
            help_text=_("Of a percentage. Empty: no limit."),
            exclude_from_list=True,
        ),
        Money(
            "threshold",
            _("From an amount of"),
            default=0,
            required=True,
            help_text=_("What its goods cost after promotions."),
        ),
        Choice(
            "scope",
            _("Which goods"),
            default="all",
            required=True,
            options={"all": _("all goods"), "category": _("categories"), "items": _("single products")},
            exclude_from_list=True,
        ),
        CategoryChoice("categories", _("Categories"), when="scope=category", several=True, exclude_from_list=True),
        Texts("items", _("SKUs"), when="scope=items", help_text=_("Separated by commas."), exclude_from_list=True),
        Moment("starts_at", _("Starts"), required=True),
        Moment("ends_at", _("Ends"), required=True),
        Whole("per_shopper", _("Orders per shopper"), help_text=_("Empty: no limit."), exclude_from_list=True),
        Whole("total", _("Orders in all"), help_text=_("Empty: no limit."), exclude_from_list=True),
        Told("used", _("Times used"), getter=_used),
        Told("held", _("Held"), getter=_held, exclude_from_list=True),
        Flag(
            "claim_required",
            _("Must be claimed"),
            default=False,
            help_text=_("Only who has claimed it, or has one of its codes, can use it."),
            exclude_from_list=True,
        ),
        Choice(
            "audience.kind",
            _("Audience"),
            default="everyone",
            required=True,
            options={"everyone": _("everyone"), "members": _("members who meet all of these")},
            exclude_from_list=True,
        ),
        Texts(
            "audience.levels",
            _("Levels"),
            when="audience.kind=members",
            numbers=True,
            help_text=_("Such as 1, 2."),
            exclude_from_list=True,
        ),
        Whole("audience.member_days", _("Member for days"), when="audience.kind=members", exclude_from_list=True),
        Choice(
            "audience.birthday",
            _("Birthday"),
            when="audience.kind=members",
            options={"day": _("on the day"), "month": _("in the month")},
            exclude_from_list=True,
        ),
        Flag(
            "audience.new_customer",
            _("New customers"),
            when="audience.kind=members",
            default=False,
            exclude_from_list=True,
        ),
    )
    exclude_fields_from_edit = ("code",)
    sortable_fields = ("code", "starts_at", "ends_at")
    searchable_fields = ("state", "kind")
    form_layout = (
        ("code", "name"),
        group(_("Discount"), ("kind", "amount_off", "percent_off"), ("cap", "threshold")),
        group(_("Goods"), ("scope", "categories", "items")),
        group(_("Period and limits"), ("starts_at", "ends_at"), ("per_shopper", "total"), "claim_required"),
        group(
            _("For whom"),
            ("audience.kind", "audience.levels", "audience.member_days"),
            ("audience.birthday", "audience.new_customer"),
        ),
    )

    @link_row_action(name="codes", text=_("Codes that work once"), icon_class="fa-solid fa-barcode")
    def row_action_codes(self, _request: Request, pk: Any) -> str:
        """The page with a coupon's codes."""
        return f"/admin/coupon-codes/{pk}"

    @action(
        name="end",
        text=_("End now"),
        confirmation=_("End the selected coupons? They apply to no cart from now on, and cannot begin again."),
        submit_btn_text=_("Yes, end"),
        submit_btn_class="action.modal_confirm_button_delete",
    )
    async def end(self, request: Request, selection: ActionSelection) -> None:
        """End the chosen coupons before their time."""

        async def end(code: str) -> None:
            await asking.ask(request, "end_coupon", path={"code": code})

        await bulk.each(
            request,
            await selection.pks(),
            end,
            lambda count: ngettext("%(count)s coupon ended.", "%(count)s coupons ended.", count) % {"count": count},
        )
