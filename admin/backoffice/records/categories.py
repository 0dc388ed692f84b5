"""The tree of categories, as a choice in forms and as a list of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from starlette.requests import Request

from admin.backoffice.records.kinds import Choice, Line, Whole
from admin.backoffice.records.view import RecordsView, filtered, group
from admin.pages import asking
from admin.pages.locales import current
from admin.pages.locales import lazy_gettext as _

CHOICES_MAX = 10_000


@dataclass
class CategoryChoice(Choice):
    """A category, or several, each shown with its path: Kitchen › Cups."""

    list_template: str = "records/cells/text.html"

    async def prepare(self, request: Request) -> None:
        """Fetch the tree, once for a page."""
        if not hasattr(request.state, "category_paths"):
            found = await asking.ask_all(request, "list_categories", most=CHOICES_MAX)
            request.state.category_paths = paths(found, current())

    def choices(self, request: Request) -> list[tuple[str, str]]:
        """All categories by their path, and what the record has though it is in no tree."""
        known: dict[str, str] = request.state.category_paths
        record = getattr(request.state, "record", None)
        value = getattr(record, self.name, None)
        has = value if isinstance(value, list) else [value]
        strange = [(each, each) for each in has if isinstance(each, str) and each not in known]
        return [*known.items(), *strange]


def paths(found: list[Any], locale: str) -> dict[str, str]:
    """What every category is called with all above it, by its id; in the order of the tree."""
    by_id = {each.id: each for each in found}
    language = {"zh_Hant": "zh-Hant"}.get(locale, locale)

    def name(each: Any) -> str:
        return each.texts[language].name if language in each.texts else str(each.name)

    def way(each: Any) -> list[Any]:
        seen = [each]
        while (parent := by_id.get(seen[-1].parent)) is not None and parent not in seen:
            seen.append(parent)
        return seen[::-1]

    ordered = sorted(found, key=lambda each: [(step.position, step.id) for step in way(each)])
    return {each.id: " › ".join(name(step) for step in way(each)) for each in ordered}


class CategoriesView(RecordsView):
    """Categories and where they hang."""

    word = "category"
    plural = "categories"
    sheet = "categories"
    key = "categories"
    pk_attr = "id"
    icon = "fa-solid fa-folder-tree"
    menu_label = _("Categories")
    display_name = _("category")
    emptied: ClassVar[Mapping[str, Any]] = {"texts": {}}
    fields = (
        Line("id", _("Id"), required=True, help_text=_("Short and lasting: kitchen. It never changes.")),
        Line("name", _("Name"), required=True),
        filtered(CategoryChoice("parent", _("Parent category"), help_text=_("Empty: at the top.")), "parent"),
        Whole("position", _("Position"), default=0, required=True, help_text=_("Smaller ones come first.")),
        Line("texts.zh-Hant.name", _("Name in Chinese"), exclude_from_list=True),
        Line("texts.en.name", _("Name in English"), exclude_from_list=True),
    )
    exclude_fields_from_edit = ("id",)
    sortable_fields = ("id", "name", "position")
    searchable_fields = ("parent",)
    form_layout = (
        ("id", "name"),
        ("parent", "position"),
        group(_("Names in other languages"), ("texts.zh-Hant.name", "texts.en.name")),
    )
