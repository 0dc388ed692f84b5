"""Campaigns as CSV, for spreadsheets: a row for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from starlette.responses import Response

from admin.campaigns import lists
from admin.campaigns.models import CampaignChoice, CampaignFilter, CampaignSummary
from admin.paging import PAGE_MAX
from admin.routing import Call
from admin.sheets.sending import table

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
    return table("campaigns", (*_PLAIN, *_LISTS, *_OBJECTS), _rows(call, call.query(CampaignChoice)))


def _rows(call: Call, wanted: CampaignChoice) -> Iterator[list[Any]]:
    """A page of campaigns at a time, each read in a transaction of its own."""
    following: str | None = None
    while True:
        chosen = CampaignFilter.model_construct(**wanted.model_dump(), limit=PAGE_MAX, cursor=following)
        page = lists.page(call.resources, chosen, languages=call.languages)
        yield from map(_row, page.items)
        following = page.next
        if following is None:
            return


def _row(campaign: CampaignSummary) -> list[Any]:
    return [
        *(getattr(campaign, name) for name in _PLAIN),
        *("|".join(getattr(campaign, name)) for name in _LISTS),
        *(None if (it := getattr(campaign, name)) is None else orjson.dumps(it).decode() for name in _OBJECTS),
    ]
