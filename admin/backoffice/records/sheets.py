"""CSV files: fetched, tried without storing anything, and imported while their progress is shown."""

from __future__ import annotations

import json
from tempfile import SpooledTemporaryFile
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from admin.backoffice.showing import go, show
from admin.errors import AdminError, FieldError, Forbidden, Invalid, NotFound
from admin.pages import asking
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import field_told, told
from admin.sheets.registry import SHEETS

NAMES = {"products": _("Products"), "categories": _("Categories"), "members": _("Members")}
_UTF8 = "utf-8-sig"


class Sheets(CustomView):
    """Imports and exports of whole lists."""

    menu_label = _("CSV files")
    icon = "fa-solid fa-file-csv"
    path = "/csv"

    @route("")
    async def index(self, request: Request) -> Response:
        """What can be fetched and imported, and the newest imports."""
        imports = await asking.ask(request, "list_imports", query={"limit": "25"})
        return show(self, request, "records/sheets.html", title=_("CSV files"), sheets=NAMES, imports=imports.items)

    @route("/imports/{id}", name="csv-import")
    async def one(self, request: Request) -> Response:
        """How far an import is, or what came of it."""
        found = await asking.ask(request, "read_import", path={"id": request.path_params["id"]})
        return show(self, request, "records/import.html", **_outcome(found))

    @route("/imports/{id}/outcome", name="csv-outcome")
    async def outcome(self, request: Request) -> Response:
        """What came of an import, as the part of a page that a script puts in place."""
        found = await asking.ask(request, "read_import", path={"id": request.path_params["id"]})
        return show(self, request, "records/part.html", **_outcome(found))

    @route("/{sheet}", methods=["GET", "POST"], name="csv-sheet")
    async def of_sheet(self, request: Request) -> Response:
        """A form that takes a file, or its text."""
        sheet = request.path_params["sheet"]
        if sheet not in SHEETS:
            raise NotFound(gettext("There is no such list."))
        form: dict[str, Any] = {"text": "", "partial": False, "error": None, "found": None}
        if request.method == "POST":
            reply = await self._take(request, sheet, form)
            if reply is not None:
                return reply
        columns = ", ".join(each.name for each in SHEETS[sheet].columns)
        context = {"sheet": sheet, "name": NAMES[sheet], "columns": columns, **form}
        if form["found"] is not None:
            context |= _outcome(form["found"])
        title = gettext("CSV: %(list)s") % {"list": NAMES[sheet]}
        limit = request.state.resources.settings.admin_body_max_bytes
        status = 422 if form["error"] else 200
        return show(self, request, "records/sheet.html", status=status, limit=limit, **context | {"title": title})

    async def _take(self, request: Request, sheet: str, form: dict[str, Any]) -> Response | None:
        """Try or import what was sent; None where the form is shown again."""
        limit = request.state.resources.settings.admin_body_max_bytes
        given = await request.form(max_part_size=limit)
        upload = given.get("file")
        raw = await upload.read() if isinstance(upload, UploadFile) and upload.filename else b""
        raw = raw or str(given.get("text") or "").encode()
        dry_run = given.get("do") != "import"
        form |= {"text": raw.decode(_UTF8, "replace"), "partial": given.get("partial") is not None}
        query = {"dry_run": str(dry_run).lower(), "partial": str(form["partial"]).lower()}
        try:
            with SpooledTemporaryFile() as file:
                file.write(raw)
                found = await asking.ask(request, f"import_{sheet}", body=file, query=query)
        except Forbidden:
            raise
        except Invalid as error:
            if "import" not in error.members:
                form["error"] = " ".join(field_told(each) for each in error.errors)
                return None
            found = await asking.ask(request, "read_import", path={"id": error.members["import"]})
        except AdminError as error:
            form["error"] = told(error)
            return None
        if isinstance(found, Response):
            begun = json.loads(bytes(found.body))
            found = await asking.ask(request, "read_import", path={"id": begun["id"]})
        if dry_run or found.state == "refused":
            form["found"] = found
            return None
        return go(request, f"/csv/imports/{found.id}")


def _outcome(found: Any) -> dict[str, Any]:
    errors = [(each, field_told(FieldError(each.field, each.code, each.message))) for each in found.errors]
    return {"title": gettext("Import"), "found": found, "row_errors": errors, "list_name": NAMES[found.sheet]}
