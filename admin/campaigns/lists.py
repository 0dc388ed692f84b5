"""Lists of campaigns, which do not read their items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from admin.campaigns.models import CampaignFilter, CampaignPage
from admin.campaigns.states import in_state
from admin.campaigns.stored import as_object, body_of, understand
from admin.campaigns.tables import campaign_items, campaigns
from admin.campaigns.views import Brief, brief_of, remembered, summary_view
from admin.instants import INSTANT_MAX_MS
from admin.paging import read_cursor, split, write_cursor
from admin.resources import Resources
from gateway.orders.database import now_ms, reading

_TYPED = ("name", "slogan", "label")
"""Terms in which a text is looked for."""


def page(resources: Resources, wanted: CampaignFilter, *, languages: str = "") -> CampaignPage:
    """A page of campaigns, the latest first.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, int, str)
    table = campaigns.c
    # Drafts may have no window yet.
    moments = {"created": table.created_at_ms, "start": func.coalesce(table.starts_at_ms, INSTANT_MAX_MS + 1)}
    moment = moments[wanted.sort]
    statement = (
        select(campaigns, moment.label("moment"))
        .where(table.removing.is_(False), table.archived == wanted.archived)
        .order_by(moment.desc(), table.code.desc())
        .limit(wanted.limit + 1)
    )
    if position is not None:
        at, code = position
        statement = statement.where(or_(moment < at, and_(moment == at, table.code < code)))
    if wanted.type is not None:
        statement = statement.where(table.type == wanted.type)
    if wanted.codes is not None:
        statement = statement.where(table.code.in_(wanted.codes.split(",")))
    if wanted.q is not None:
        searched = [table.code, *(table.terms[name].as_string() for name in _TYPED)]
        statement = statement.where(or_(*(each.icontains(wanted.q, autoescape=True) for each in searched)))
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        if wanted.state is not None:
            statement = statement.where(in_state(wanted.state, now))
        shown, last = split(connection.execute(statement).all(), wanted.limit)
        briefs = _briefs(resources, connection, shown)
    return CampaignPage(
        items=[
            summary_view(resources, row, understand(row.type, body_of(row, [])), briefs[row.code], now, languages)
            for row in shown
        ],
        next=write_cursor(last.moment, last.code) if last is not None else None,
    )


def _briefs(resources: Resources, connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, Brief]:
    """What is shown of the items of some campaigns; they are read only where nothing is remembered of them."""
    briefs: dict[str, Brief] = {}
    forgotten: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        brief = remembered(resources, row)
        if brief is None:
            forgotten[row.code] = []
        else:
            briefs[row.code] = brief
    if forgotten:
        listed = campaign_items.c.campaign.in_(list(forgotten)), campaign_items.c.removed.is_(False)
        order = campaign_items.c.campaign, campaign_items.c.position
        for item in connection.execute(select(campaign_items).where(*listed).order_by(*order)):
            forgotten[item.campaign].append({**as_object(item.terms), "sku": item.sku})
    for row in rows:
        items = forgotten.get(row.code)
        if items is not None:
            content = understand(row.type, body_of(row, items))
            briefs[row.code] = brief_of(resources, content, len(items))
    return briefs
