"""Products: what there is to sell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette_admin import action
from starlette_admin.actions import ActionSelection

from admin.backoffice.records import bulk
from admin.backoffice.records.categories import CategoryChoice
from admin.backoffice.records.kinds import Flag, Image, Line, Paragraphs, Texts, Told, Whole
from admin.backoffice.records.values import Money
from admin.backoffice.records.view import RecordsView, filtered, group
from admin.pages import asking
from admin.pages.locales import gettext, ngettext, number
from admin.pages.locales import lazy_gettext as _


@dataclass
class Stock(Whole):
    """Units there are, with how many of them are still free."""

    def note(self, request: Request) -> str | None:
        """Free and promised units now."""
        record = getattr(request.state, "record", None)
        if record is None:
            return None
        return gettext("%(free)s free, %(reserved)s promised to campaigns and orders") % {
            "free": number(record.free),
            "reserved": number(record.reserved),
        }


def _grants(_request: Request, record: Any) -> str | None:
    if record.membership is None:
        return None
    return gettext("level %(level)s for %(days)s days") % {
        "level": record.membership.level,
        "days": number(record.membership.days),
    }


async def _category_form(request: Request) -> str:
    choice = CategoryChoice("category")
    await choice.prepare(request)
    none = Markup('<option value="">{}</option>').format(gettext("no category"))
    options = Markup("").join(
        Markup('<option value="{}">{}</option>').format(*each) for each in choice.choices(request)
    )
    label = escape(gettext("Category"))
    return Markup(
        '<form><label class="form-label" for="new-category">{}</label>'
        '<select class="form-select" id="new-category" name="category">{}{}</select></form>'
    ).format(label, none, options)


class ProductsView(RecordsView):
    """Products."""

    word = "product"
    plural = "products"
    sheet = "products"
    key = "products"
    pk_attr = "sku"
    icon = "fa-solid fa-box"
    menu_label = _("Products")
    display_name = _("product")
    actions = ("put_on_sale", "take_off_sale", "change_category", "delete", "export")
    quick: ClassVar[Mapping[str, Any]] = {
        "on_sale__is=true": _("On sale"),
        "on_sale__is=false": _("Off sale"),
        "gift_only__is=true": _("Gifts only"),
    }
    fields = (
        Image("image", _("Image"), help_text=_("An https address, or one of this site that begins with /.")),
        Line("sku", _("SKU"), required=True, help_text=_("Letters, digits, - . _; it never changes.")),
        Line("name", _("Name"), required=True),
        filtered(CategoryChoice("category", _("Category")), "category"),
        Money("price", _("Price"), required=True),
        Money("cost", _("Cost"), help_text=_("For the margin; shoppers never see it."), exclude_from_list=True),
        Stock("stock", _("Stock"), default=0, required=True),
        Whole("free", _("Free units"), exclude_from_create=True, exclude_from_edit=True),
        Whole(
            "reserved",
            _("Reserved units"),
            exclude_from_create=True,
            exclude_from_edit=True,
            exclude_from_list=True,
        ),
        filtered(Flag("on_sale", _("On sale"), default=True), "on_sale"),
        filtered(Flag("gift_only", _("Only as a gift"), default=False), "gift_only"),
        filtered(Texts("tags", _("Tags"), help_text=_("Separated by commas.")), "tag"),
        Paragraphs("description", _("Description"), exclude_from_list=True),
        Told("grants", _("Membership"), getter=_grants, exclude_from_list=True),
        Whole("membership.level", _("Level"), exclude_from_list=True, exclude_from_detail=True),
        Whole("membership.days", _("Days"), exclude_from_list=True, exclude_from_detail=True),
    )
    exclude_fields_from_edit = ("sku",)
    sortable_fields = ("sku", "name", "price", "stock")
    searchable_fields = ("category", "on_sale", "gift_only", "tags")
    form_layout = (
        ("sku", "name"),
        ("price", "cost", "stock"),
        ("category", "tags"),
        ("on_sale", "gift_only"),
        "image",
        "description",
        group(_("Membership that its buyer gets once the order is paid"), ("membership.level", "membership.days")),
    )

    async def _change_all(self, request: Request, selection: ActionSelection, body: dict[str, Any]) -> None:
        async def change(sku: str) -> None:
            await asking.ask(request, "change_product", path={"sku": sku}, body=body)

        await bulk.each(
            request,
            await selection.pks(),
            change,
            lambda count: (
                ngettext("%(count)s product changed.", "%(count)s products changed.", count) % {"count": count}
            ),
        )

    @action(name="put_on_sale", text=_("Put on sale"), confirmation=_("Put the selected products on sale?"))
    async def put_on_sale(self, request: Request, selection: ActionSelection) -> None:
        """Show the chosen products in the shop."""
        await self._change_all(request, selection, {"on_sale": True})

    @action(
        name="take_off_sale",
        text=_("Take off sale"),
        confirmation=_("Take the selected products off sale? Nobody can buy them then."),
    )
    async def take_off_sale(self, request: Request, selection: ActionSelection) -> None:
        """Hide the chosen products from the shop."""
        await self._change_all(request, selection, {"on_sale": False})

    @action(
        name="change_category",
        text=_("Change category"),
        confirmation=_("Put the selected products into another category."),
        form=_category_form,
    )
    async def change_category(self, request: Request, selection: ActionSelection) -> None:
        """Put the chosen products into another category."""
        form = await request.form()
        await self._change_all(request, selection, {"category": str(form.get("category") or "") or None})
