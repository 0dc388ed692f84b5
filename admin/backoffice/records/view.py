"""Lists, pages and forms of starlette-admin for records that the API keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette_admin import action, row_action
from starlette_admin.actions import ActionSelection
from starlette_admin.exceptions import ActionFailed, FormValidationError
from starlette_admin.filters import BaseFilter
from starlette_admin.filters.base import FilterDataType, FilterGroup, FilterRule
from starlette_admin.flash import flash
from starlette_admin.views import BaseModelView
from starlette_admin.widgets import BaseWidget, FieldsetWidget

from admin.backoffice.records import bulk, editing
from admin.backoffice.records.editing import Basis, Clash, Difference
from admin.backoffice.records.export import Spreadsheet
from admin.backoffice.records.kinds import Line
from admin.errors import AdminError, Forbidden, NotFound, StaleRevision
from admin.pages import asking
from admin.pages.locales import gettext, ngettext
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import told

WALKED_MAX = 100_000
"""Records of a list that are exported at once."""
Verb = Literal["create", "change", "delete"]


class Is(BaseFilter):
    """One value of a list's parameter."""

    name = "is"
    label = _("is")
    data_type = FilterDataType.STRING
    field: ClassVar[Line]

    def get_choices(self, request: Request) -> Sequence[tuple[Any, str]] | None:
        """The values of the field, if they can be picked."""
        return self.field.choices(request)

    def apply(self, ctx: Any) -> Any:
        """The API filters."""
        raise NotImplementedError


class RecordsView(BaseModelView):
    """A model view whose records are kept by the API's operations `list_…`, `read_…`, `create_…` and so on.

    `word` names one record in the operations, `plural` many; `quick` are filters in one click.
    """

    word: ClassVar[str]
    plural: ClassVar[str]
    quick: ClassVar[Mapping[str, Any]] = {}
    sheet: ClassVar[str | None] = None
    # What a group of fields is when nothing of it is given, where that is not null.
    emptied: ClassVar[Mapping[str, Any]] = {}
    fields: Sequence[Line] = ()
    fields_default_sort: Sequence[tuple[str, bool] | str] | None = ()
    exporters = (Spreadsheet(escape_formulas=True),)
    importers = ()
    page_size = 25
    page_size_options = (25, 50, 100)
    show_pk_in_forms = True
    list_template = "records/list.html"
    create_template = "records/create.html"
    edit_template = "records/edit.html"
    detail_template = "records/detail.html"

    # What the API is asked.

    async def find_all(
        self,
        request: Request,
        skip: int = 0,
        limit: int = 100,
        q: str | None = None,
        sorts: Sequence[tuple[str, str]] | None = None,
        filters: FilterGroup | None = None,
    ) -> Sequence[Any]:
        """A page of the list, or all of it."""
        query = self._query(request, q, filters)
        if sorts:
            name, direction = sorts[0]
            query["sort"] = f"-{name}" if direction == "desc" else name
        operation = f"list_{self.plural}"
        await self._prepare(request)
        if limit < 0:
            return await asking.ask_all(request, operation, query=query, most=WALKED_MAX)
        page = await asking.ask(request, operation, query=query | {"limit": str(limit), "offset": str(skip)})
        items: Sequence[Any] = page.items
        return items

    async def count(self, request: Request, q: str | None = None, filters: FilterGroup | None = None) -> int:
        """How many there are in all."""
        query = self._query(request, q, filters) | {"limit": "1", "count": "true"}
        return int((await asking.ask(request, f"list_{self.plural}", query=query)).total)

    async def find_by_pk(self, request: Request, pk: Any) -> Any:
        """One record, or None."""
        try:
            found = await asking.ask(request, f"read_{self.word}", path=self._path(pk))
        except NotFound:
            return None
        request.state.record = found
        return found

    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[Any]:
        """Those that are still there."""
        await self._prepare(request)
        found = [await self.find_by_pk(request, pk) for pk in pks]
        return [each for each in found if each is not None]

    async def create(self, request: Request, data: dict[str, Any]) -> Any:
        """Make a record of what was typed.

        Raises:
            FormValidationError: by field.
        """
        fields = self._form_fields(request)
        body = self._body(request, data, {each.name for each in fields}, None)
        try:
            return await asking.ask(request, f"create_{self.word}", body=body)
        except Forbidden:
            raise
        except AdminError as error:
            raise self._by_field(request, error) from error

    async def edit(self, request: Request, pk: Any, data: dict[str, Any]) -> Any:
        """Change what was changed in the form.

        Raises:
            FormValidationError: by field; also where somebody else has changed the record meanwhile.
        """
        before = editing.basis_in(await request.form())
        request.state.basis = before
        touched = {each.name for each in self._form_fields(request)}
        touched = {name for name in touched if name not in before.texts or before.texts[name] != data[name]}
        record = request.state.record
        if not touched:
            return record
        body = self._body(request, data, touched, record)
        try:
            return await asking.ask(
                request, f"change_{self.word}", path=self._path(pk), body=body, if_match=before.revision
            )
        except Forbidden:
            raise
        except StaleRevision:
            await self._clash(request, pk, data, touched)
            raise FormValidationError({}) from None
        except AdminError as error:
            raise self._by_field(request, error) from error

    async def delete(self, request: Request, pks: list[Any]) -> int | None:
        """Delete records.

        Raises:
            AdminError: as the API refuses it.
        """
        for pk in pks:
            await asking.ask(request, f"delete_{self.word}", path=self._path(pk))
        return len(pks)

    # What may be done.

    def may(self, request: Request, verb: Verb) -> bool:
        """Whether the operator who is signed in may do it."""
        return asking.allowed(request, f"{verb}_{self.word}")

    def can_create(self, request: Request) -> bool:
        """Whether they may make records."""
        return self.may(request, "create")

    def can_edit(self, request: Request) -> bool:
        """Whether they may change records."""
        return self.may(request, "change")

    def can_delete(self, request: Request) -> bool:
        """Whether they may delete records."""
        return self.may(request, "delete")

    async def is_action_allowed(self, request: Request, name: str) -> bool:
        """Exporting is for everybody who looks, all else for those who change."""
        return name == "export" or self.may(request, "delete" if name == "delete" else "change")

    async def handle_action(self, request: Request, selection: ActionSelection, name: str) -> Response | None:
        """Do something to the chosen records.

        Raises:
            Forbidden: this operator may not.
        """
        if name in self._actions and not await self.is_action_allowed(request, name):
            raise Forbidden(gettext("Your role only looks. Ask an owner for the role of an editor."))
        return await super().handle_action(request, selection, name)

    async def handle_row_action(self, request: Request, pk: Any, name: str) -> Response | None:
        """Do something to one record.

        Raises:
            Forbidden: this operator may not.
        """
        if name in self._row_actions and not await self.is_row_action_allowed(request, name):
            raise Forbidden(gettext("Your role only looks. Ask an owner for the role of an editor."))
        return await super().handle_row_action(request, pk, name)

    @action(
        name="delete",
        text=_("Delete"),
        confirmation=_("Delete what is selected? What is still needed somewhere stays, and you are told why."),
        submit_btn_text=_("Yes, delete"),
        submit_btn_class="action.modal_confirm_button_delete",
    )
    async def delete_action(self, request: Request, selection: ActionSelection) -> None:
        """Delete the chosen records, as far as they may be deleted."""

        async def delete(key: str) -> None:
            await self.delete(request, [key])

        await bulk.each(
            request,
            await selection.pks(),
            delete,
            lambda count: ngettext("%(count)s deleted.", "%(count)s deleted.", count) % {"count": count},
        )

    @row_action(
        name="delete",
        text=_("Delete"),
        confirmation=_("Delete this for good?"),
        icon_class="default_actions.delete",
        submit_btn_text=_("Yes, delete"),
        submit_btn_class="action.modal_confirm_button_delete",
        action_btn_class="action.row_item_delete",
    )
    async def row_action_3_delete(self, request: Request, pk: Any) -> None:
        """Delete one record.

        Raises:
            ActionFailed: with the reason.
        """
        try:
            await self.delete(request, [pk])
        except Forbidden:
            raise
        except AdminError as error:
            raise ActionFailed(told(error)) from error
        flash(request, gettext("%(key)s is deleted.") % {"key": pk}, "success")

    # How it is shown.

    async def repr(self, obj: Any, request: Request) -> str:
        """What a record is called."""
        return str(getattr(obj, "name", None) or getattr(obj, str(self.pk_attr)))

    def basis(self, request: Request, record: Any) -> Basis:
        """What the form on the page is shown with."""
        kept = getattr(request.state, "basis", None)
        return kept or editing.basis_of(request, self._form_fields(request), record)

    def clash(self, request: Request) -> Clash | None:
        """What somebody else has changed meanwhile, if they have."""
        return getattr(request.state, "clash", None)

    # Parts of the above.

    def _parse_sorts(self, raw_sorts: list[str], accessible_sortable: set[str]) -> Any:
        # The API sorts by one thing.
        return super()._parse_sorts(raw_sorts, accessible_sortable)[:1]

    def _default_sort(self) -> list[tuple[str, bool]]:
        return []

    def _path(self, pk: Any) -> dict[str, str]:
        return {str(self.pk_attr): str(pk)}

    def _query(self, request: Request, q: str | None, filters: FilterGroup | None) -> dict[str, str]:
        query = {} if not (q or "").strip() else {"q": str(q).strip()}
        if filters is None or filters.is_empty():
            return query
        asked = {each.name: each.asks for each in self.fields if each.asks is not None}
        for rule in filters.rules:
            if not isinstance(rule, FilterRule) or filters.logic != "and" or asked[rule.field] in query:
                raise HTTPException(400, gettext("Each filter can be used once, and all of them must hold."))
            query[str(asked[rule.field])] = str(rule.value)
        return query

    def _form_fields(self, request: Request) -> list[Line]:
        return [each for each in self.get_fields_list(request) if isinstance(each, Line)]

    async def _prepare(self, request: Request) -> None:
        for each in self.fields:
            await each.prepare(request)

    def _body(self, request: Request, data: Mapping[str, Any], touched: set[str], record: Any) -> dict[str, Any]:
        body = editing.body_of(request, self._form_fields(request), data, touched, record)
        for name in {name.partition(".")[0] for name in touched if "." in name}:
            body[name] = editing.pruned(body[name]) or self.emptied.get(name)
        return body

    def _by_field(self, request: Request, error: AdminError) -> FormValidationError:
        fields = self._form_fields(request)
        labels = {each.name: str(each.label) for each in self.fields}
        return editing.by_field(error, [each.name for each in fields], labels)

    async def _clash(self, request: Request, pk: Any, data: dict[str, Any], touched: set[str]) -> None:
        """Show the form again as the record is now, but for what was changed here."""
        now = await asking.ask(request, f"read_{self.word}", path=self._path(pk))
        query = {"kind": self.word, "subject": str(pk), "limit": "1"}
        newest = (await asking.ask(request, "list_changes", query=query)).items
        fields = self._form_fields(request)
        basis = editing.basis_of(request, fields, now)
        differences = []
        for each in fields:
            if each.name not in touched:
                data[each.name] = basis.texts[each.name]
            elif basis.texts[each.name] not in (request.state.basis.texts.get(each.name), data[each.name]):
                differences.append(Difference(str(each.label), data[each.name], basis.texts[each.name]))
        request.state.basis = basis
        request.state.record = now
        who, at = (newest[0].actor, newest[0].at) if newest else (None, None)
        request.state.clash = Clash(who, at, differences)


def filtered(field: Line, asks: str) -> Line:
    """A field that its list can be filtered by, with the API's parameter `asks`."""
    field.asks = asks
    field.filters = [type("IsOfField", (Is,), {"field": field})]
    return field


def group(legend: Any, *rows: str | tuple[str, ...]) -> FieldsetWidget:
    """Fields of a form under one heading, those of a row side by side."""
    return FieldsetWidget(legend, cast("list[BaseWidget]", list(rows)))
