"""Campaigns as CSV, for spreadsheets: a row for each, piece by piece."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import orjson
from starlette.responses import Response, StreamingResponse

from admin.campaigns import lists
from admin.campaigns.models import CampaignChoice, CampaignFilter, CampaignSummary
from admin.paging import PAGE_MAX
from admin.routing import Call
from admin.sheets.cells import guard

_PLAIN = (
    "code",
    "type",
    "state",
    "name",
    "slogan",
    "label",
    "starts_at",
    "ends_at",
    "priority",
    "scope",
    "item_count",
    "coupons_allowed",
    "archived",
    "terminated_at",
    "created_at",
)
_LISTS = ("channels", "stores", "categories", "exclude")
_OBJECTS = ("audience", "limits", "rule")


def export(call: Call) -> Response:
    """All campaigns that are asked for. What is no plain value is JSON in its cell."""
    headers = {"Content-Disposition": 'attachment; filename="campaigns.csv"'}
    return StreamingResponse(_pieces(call, call.query(CampaignChoice)), headers=headers, media_type="text/csv")


def _pieces(call: Call, wanted: CampaignChoice) -> Iterator[str]:
    yield _written([(*_PLAIN, *_LISTS, *_OBJECTS)])
    following: str | None = None
    while True:
        chosen = CampaignFilter.model_construct(**wanted.model_dump(), limit=PAGE_MAX, cursor=following)
        page = lists.page(call.resources, chosen, languages=call.languages)
        yield _written(_row(each) for each in page.items)
        following = page.next
        if following is None:
            return


def _row(campaign: CampaignSummary) -> list[str]:
    values = [
        *(getattr(campaign, name) for name in _PLAIN),
        *("|".join(getattr(campaign, name)) for name in _LISTS),
        *(None if (it := getattr(campaign, name)) is None else orjson.dumps(it).decode() for name in _OBJECTS),
    ]
    return ["" if value is None else guard(str(value)) for value in values]


def _written(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
