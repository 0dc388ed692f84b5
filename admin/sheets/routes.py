"""CSV files over HTTP: a sheet is exported from where it is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from admin.errors import Invalid
from admin.inputs import Query, QueryFlag
from admin.routing import Body, Call, Endpoint
from admin.sheets import exporting, files, importing, record
from admin.sheets.importing import Order
from admin.sheets.jobs import Importing
from admin.sheets.model import Sheet
from admin.sheets.record import Import, ImportFilter, ImportPage, Progress
from admin.sheets.registry import SHEETS
from admin.sheets.sending import CSV, as_reply

AT_ONCE_MAX = 1000
"""Rows of a file that is imported before the reply; a longer one is put in line."""

_EXAMPLES = {
    "products": "sku,name,price,stock,tags\r\nteapot,Teapot,8900,40,new|kitchen\r\n",
    "categories": "id,name,parent,position,name.zh-Hant\r\ncups,Cups,,3,杯子\r\n",
    "members": "shopper,level,since,birthday\r\nbob,1,2025-01-31T00:00:00+08:00,12-24\r\n",
}


class ExportOptions(Query):
    """How to write the file."""

    bom: Annotated[QueryFlag, Field(description="begin with a byte order mark, which Excel needs")] = False


class ImportOptions(Query):
    """How to import."""

    dry_run: Annotated[QueryFlag, Field(description="judge everything, store nothing")] = False
    partial: Annotated[QueryFlag, Field(description="store good rows though others have errors")] = False


def _export(sheet: Sheet) -> Callable[[Call], Response]:
    def run(call: Call) -> Response:
        file = exporting.export(call.resources, sheet, mark=call.query(ExportOptions).bom)
        return as_reply(file, sheet.name)

    return run


def _import(sheet: Sheet) -> Callable[[Call], Import | Response]:
    def run(call: Call) -> Import | Response:
        options = call.query(ImportOptions)
        survey = files.survey(sheet, call.body)
        order = Order(sheet, call.body, survey, call.actor, dry_run=options.dry_run, partial=options.partial)
        if survey.rows > AT_ONCE_MAX:
            (line,) = (each for each in call.rounds if isinstance(each, Importing))
            begun = record.read(call.resources, line.put(order).id)
            return Response(begun.model_dump_json(), 202, media_type="application/json")
        progress = importing.begin(call.resources.engine, order)
        importing.run(call.resources.engine, order, progress)
        if progress.state == "refused":
            raise _refusal(progress)
        return record.read(call.resources, progress.id)

    return run


def _refusal(progress: Progress) -> Invalid:
    refusal = Invalid(progress.errors)
    refusal.detail = f"nothing was imported: {progress.error_count} errors in {progress.rows_total} rows"
    refusal.members = {"import": progress.id, "error_count": progress.error_count}
    return refusal


def _list(call: Call) -> ImportPage:
    return record.page(call.resources, call.query(ImportFilter))


def _read(call: Call) -> Import:
    return record.read(call.resources, call.path["id"])


def _of_sheet(sheet: Sheet) -> Iterator[Endpoint]:
    path = f"/admin/api/{sheet.name}.csv"
    yield Endpoint(
        "GET",
        path,
        f"export_{sheet.name}",
        f"All {sheet.name} as CSV",
        _export(sheet),
        None,
        query=ExportOptions,
        other_types=(CSV,),
    )
    yield Endpoint(
        "POST",
        path,
        f"import_{sheet.name}",
        f"Make and change {sheet.name} from CSV; 202 while a long file is imported",
        _import(sheet),
        Import,
        also=(202,),
        body=Body(examples={"short": _EXAMPLES[sheet.name]}, media_type=CSV),
        query=ImportOptions,
        problems=(409,),
    )


ENDPOINTS = (
    *(endpoint for sheet in SHEETS.values() for endpoint in _of_sheet(sheet)),
    Endpoint(
        "GET", "/admin/api/imports", "list_imports", "Imports, newest first", _list, ImportPage, query=ImportFilter
    ),
    Endpoint(
        "GET",
        "/admin/api/imports/{id}",
        "read_import",
        "How far an import is, or what came of it",
        _read,
        Import,
        problems=(404,),
    ),
)
