"""Importing a file: rows are judged some at a time, and stored all together or, where asked, as far as good.

All together means one transaction, so that a crash or a refusal at the end leaves nothing behind. What was judged
waits in a temporary file meanwhile: neither the file nor its rows are ever in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from tempfile import TemporaryFile
from typing import IO

import orjson
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from admin.audit import service as audit
from admin.errors import AdminError, Conflict, FieldError
from admin.sheets import files, record
from admin.sheets.cells import unguard
from admin.sheets.files import Survey
from admin.sheets.model import TOGETHER, Plan, Record, RowError, Sheet, judge, plan
from admin.sheets.record import Progress
from gateway.orders.database import reading, writing


class Refused(AdminError):
    """Rows have errors; nothing was stored."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__("rows have errors")
        self.errors = list(errors)


class Interrupted(AdminError):
    """The process stops; what is not stored yet stays so."""

    def __init__(self) -> None:
        super().__init__("the process that imported it was stopped")


_FAILED = "the database could not be used, or somebody else changed the same rows meanwhile; import the file again"


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants imported. `told` is called after every step, and may raise `Interrupted`."""

    sheet: Sheet
    file: IO[bytes]
    survey: Survey
    actor: str
    dry_run: bool = False
    partial: bool = False
    told: Callable[[Progress], None] = lambda _progress: None


def begin(engine: Engine, order: Order) -> Progress:
    """Note that an import begins.

    Raises:
        SQLAlchemyError: the database cannot be used.
    """
    with writing(engine) as connection:
        return record.begin(
            connection,
            order.sheet.name,
            order.survey.rows,
            actor=order.actor,
            dry_run=order.dry_run,
            partial=order.partial,
        )


def run(engine: Engine, order: Order, progress: Progress) -> None:
    """Do it; `progress` says what came of it, and so does its record.

    Raises:
        Conflict: somebody else made or changed the same rows meanwhile.
        SQLAlchemyError: the database cannot be used. The record tells, as soon as it can be written.
    """
    try:
        _run(engine, order, progress)
    except Exception as error:
        if not order.partial:
            progress.made = progress.changed = progress.unchanged = 0
        progress.state = "interrupted" if isinstance(error, Interrupted) else "failed"
        progress.problem = error.detail if isinstance(error, AdminError) else _FAILED
        with writing(engine) as connection:
            record.save(connection, progress)
            if order.partial and not order.dry_run:
                _audit(connection, order, progress)
        if isinstance(error, IntegrityError):
            raise Conflict(_FAILED, code="changed_meanwhile") from error
        if not isinstance(error, Interrupted):
            raise


def _run(engine: Engine, order: Order, progress: Progress) -> None:
    at_once = order.partial and not order.dry_run
    seen: dict[str, int] = {}
    places: dict[str, int] = {}
    with TemporaryFile() as waiting:
        for batch in files.batches(order.file, _size(order.sheet)):
            records, meant = _judge(engine, order, batch, seen)
            progress.complain(meant.errors)
            progress.rows_done += len(batch)
            if order.dry_run:
                _count(progress, meant)
            elif not at_once:
                _put_aside(waiting, places, records)
            with writing(engine) as connection:
                if at_once:
                    _store(connection, order, progress, records)
                record.save(connection, progress)
            order.told(progress)
        try:
            with writing(engine) as connection:
                if progress.error_count and not order.partial:
                    raise Refused([])
                if not at_once and not order.dry_run:
                    _store_all(connection, order, progress, waiting, places)
                progress.state = "done"
                if not order.dry_run:
                    _audit(connection, order, progress)
                record.save(connection, progress)
        except Refused as refusal:
            progress.complain(refusal.errors)
            progress.state = "refused"
            if not order.dry_run:
                progress.made = progress.changed = progress.unchanged = 0
            with writing(engine) as connection:
                record.save(connection, progress)


def _judge(
    engine: Engine, order: Order, batch: Mapping[int, Sequence[str]], seen: dict[str, int]
) -> tuple[list[Record], Plan]:
    """The rows that are good as far as one can see now, and what storing them would mean; all errors are in it."""
    sheet, columns = order.sheet, order.survey.columns
    records: list[Record] = []
    errors: list[RowError] = []
    with reading(engine) as connection:
        present = sheet.existing(connection, _keys(sheet, order.survey, batch.values()))
        for judged in judge(sheet, columns, batch, present):
            if not isinstance(judged, Record):
                errors += judged
                continue
            first = seen.setdefault(judged.key, judged.row)
            if first == judged.row:
                records.append(judged)
            else:
                errors.append(RowError(sheet.key, "repeated", f"row {first} has it already", judged.row))
        wrong = sheet.misplaced(connection, records)
    meant = plan(sheet, order.survey.stored, [each for each in records if each.key not in wrong], present)
    meant.errors = sorted([*errors, *_told(records, wrong), *meant.errors], key=lambda each: each.row)
    failed = {each.row for each in meant.errors}
    return [each for each in records if each.row not in failed], meant


def _keys(sheet: Sheet, survey: Survey, rows: Iterable[Sequence[str]]) -> set[str]:
    at = next(index for index, each in enumerate(survey.columns) if each.name == sheet.key)
    # PostgreSQL takes no text with NUL, not even in a question.
    return {key for cells in rows if at < len(cells) and "\0" not in (key := unguard(cells[at]))}


def _told(records: Sequence[Record], wrong: Mapping[str, FieldError]) -> list[RowError]:
    return [RowError(**asdict(wrong[each.key]), row=each.row) for each in records if each.key in wrong]


def _put_aside(waiting: IO[bytes], places: dict[str, int], records: Sequence[Record]) -> None:
    for each in records:
        places[each.key] = waiting.tell()
        waiting.write(orjson.dumps([each.row, each.key, each.values]) + b"\n")


def _fetch(waiting: IO[bytes], place: int) -> Record:
    waiting.seek(place)
    return Record(*orjson.loads(waiting.readline()))


def _store_all(
    connection: Connection, order: Order, progress: Progress, waiting: IO[bytes], places: Mapping[str, int]
) -> None:
    """Rows are locked first, and the number is taken then, as by everybody else who needs both."""
    sheet, size = order.sheet, _size(order.sheet)
    keys = sorted(places)
    fates: list[list[list[int]]] = []
    for start in range(0, len(keys), size):
        records = [_fetch(waiting, places[key]) for key in keys[start : start + size]]
        meant = _settle(connection, order, records)
        if meant.errors:
            raise Refused(meant.errors)
        _count(progress, meant)
        groups = (meant.made, meant.changed, meant.restocked)
        fates.append([[places[each.key] for each in group] for group in groups])
        order.told(progress)
    number = sheet.take_number(connection)
    for fate in fates:
        made, changed, restocked = ([_fetch(waiting, place) for place in group] for group in fate)
        sheet.write(connection, Plan(made, changed, restocked), order.survey.stored, number)
        order.told(progress)


def _store(connection: Connection, order: Order, progress: Progress, records: Sequence[Record]) -> None:
    meant = _settle(connection, order, records)
    progress.complain(meant.errors)
    order.sheet.write(connection, meant, order.survey.stored, order.sheet.take_number(connection))
    _count(progress, meant)


def _settle(connection: Connection, order: Order, records: Sequence[Record]) -> Plan:
    """What storing means, true until the transaction ends."""
    sheet = order.sheet
    wrong = sheet.misplaced(connection, records, lock=True)
    present = sheet.existing(connection, (each.key for each in records), lock=True)
    meant = plan(sheet, order.survey.stored, [each for each in records if each.key not in wrong], present)
    meant.errors += _told(records, wrong)
    return meant


def _count(progress: Progress, meant: Plan) -> None:
    progress.made += len(meant.made)
    progress.changed += len(meant.changed) + len(meant.restocked)
    progress.unchanged += meant.unchanged


def _size(sheet: Sheet) -> int:
    return sheet.rows_max if sheet.whole else TOGETHER


def _audit(connection: Connection, order: Order, progress: Progress) -> None:
    after = {
        "sheet": order.sheet.name,
        "partial": order.partial,
        "rows": progress.rows_done,
        "created": progress.made,
        "changed": progress.changed,
        "unchanged": progress.unchanged,
        "errors": progress.error_count,
    }
    audit.record(connection, order.actor, "import", order.sheet.kind, progress.id, after=after)
