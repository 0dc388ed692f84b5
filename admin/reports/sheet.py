"""Reports as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from admin.reports.models import CouponReport, DayFigures, Figures, OfferFigures, Report, ShopReport

OUTCOMES = (
    "won",
    "already_won",
    "sold_out",
    "limit_reached",
    "not_started",
    "ended",
    "paused",
    "not_eligible",
    "rate_limited",
    "busy",
    "unavailable",
    "unknown",
)
"""Outcomes of a click, in the order of the table's columns; others that a gateway reports follow them."""


def of_campaign(report: Report) -> str:
    """A row per product and one for the total; what is known of the whole only is in the total's row."""
    lines: list[Figures] = [*report.items, report.total]
    offers = [line for line in lines if isinstance(line, OfferFigures)]
    figures = [name for name in (OfferFigures if offers else Figures).model_fields if name != "clicks"]
    named = {outcome for line in offers for outcome in line.clicks}
    outcomes = [*OUTCOMES, *sorted(named - set(OUTCOMES))] if offers else []
    whole = _whole(report)
    head = ["campaign", "name", "state", "currency", *figures, *(f"clicks_{name}" for name in outcomes), *whole]
    rows = []
    for line in lines:
        cells: list[object] = [report.code, report.name, report.state, report.currency]
        cells += [getattr(line, name) for name in figures]
        cells += [line.clicks.get(name, 0) for name in outcomes] if isinstance(line, OfferFigures) else []
        cells += list(whole.values()) if line is report.total else [None] * len(whole)
        rows.append(cells)
    return _written(head, rows)


def _whole(report: Report) -> dict[str, object]:
    parts: dict[str, BaseModel | None] = {"presale": report.presale, "groups": report.group_buy}
    return {
        "refunds": report.refunds.count,
        "limit_left": (report.limits_left or {}).get("total"),
        "budget_left": report.budget_left,
        **{
            f"{part}_{name}": value
            for part, model in parts.items()
            if model is not None
            for name, value in model.model_dump().items()
        },
    }


def of_coupon(report: CouponReport) -> str:
    """One row."""
    told = report.model_dump()
    return _written(list(told), [list(told.values())])


def of_shop(report: ShopReport) -> str:
    """For each day a row per flow and one for all of them, whose flow is empty."""
    figures = list(DayFigures.model_fields)
    rows: list[list[object]] = []
    for day in report.days:
        for flow, part in (*day.flows.items(), (None, day)):
            refunded = day.refunded if part is day else None
            rows.append([day.day, flow, report.currency, *(getattr(part, name) for name in figures), refunded])
    return _written(["day", "flow", "currency", *figures, "refunded"], rows)


def _written(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def _cell(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(cell, str) and cell.lstrip()[:1] in {"=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"}:
        return f"'{cell}"
    return "" if cell is None else cell
