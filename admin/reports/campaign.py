"""How a campaign sells: one shape for every type."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from admin.campaigns.stored import Stored, as_object, load
from admin.reports import group_buys, lines, presales, seckill
from admin.reports.models import Refunds, Report
from admin.reservations import ledger
from admin.resources import Resources
from gateway.orders.database import reading
from gateway.orders.tables import SECKILL


def make(resources: Resources, code: str) -> Report:
    """The report of a campaign.

    Raises:
        NotFound: there is no such campaign.
    """
    with reading(resources.engine) as connection:
        stored = load(connection, code)
        if stored.row.type == SECKILL:
            sold = seckill.read(connection, code)
        else:
            return _with_lines(resources, connection, stored)
    # The database is let go before Redis is asked.
    total, offers, live = seckill.figures(resources, stored, sold)
    back = Refunds(
        count=sum(row.number for row in sold.refunds.values()),
        amount=sum(int(row.amount) for row in sold.refunds.values()),
    )
    about = _about(resources, stored)
    return Report(
        **about,
        live=live,
        total=total,
        items=list(offers),
        offers=offers,
        refunds=back,
        presale=None,
        group_buy=None,
    )


def _with_lines(resources: Resources, connection: Connection, stored: Stored) -> Report:
    code, kind = stored.code, stored.row.type
    listed = [item.sku for item in stored.items]
    total, items, back = lines.figures(resources, connection, code, listed)
    about = _about(resources, stored)
    return Report(
        **{**about, **_left(connection, stored)},
        live=True,
        total=total,
        items=list(items),
        offers=[],
        refunds=Refunds(count=back.refunds, amount=sum(each.amount for each in back.by_sku.values())),
        presale=presales.figures(connection, code) if kind == "presale" else None,
        group_buy=group_buys.figures(connection, code) if kind == "group_buy" else None,
    )


def _about(resources: Resources, stored: Stored) -> dict[str, Any]:
    return {
        "code": stored.code,
        "type": stored.row.type,
        "name": as_object(stored.row.terms).get("name"),
        "state": stored.state,
        "currency": resources.currency,
        "generated_at": resources.iso(stored.now_ms),
        "limits_left": None,
        "budget_left": None,
    }


def _left(connection: Connection, stored: Stored) -> dict[str, Any]:
    """How much is left of what is limited for all shoppers together."""
    limits = as_object(as_object(stored.row.terms).get("limits"))
    used = ledger.used(connection, [("campaign", stored.code, ""), ("budget", stored.code, "")])

    def left(name: str, kind: str) -> int | None:
        limit = limits.get(name)
        # What another version stored may be anything.
        return max(limit - used.get((kind, stored.code, ""), 0), 0) if isinstance(limit, int) else None

    total = left("total", "campaign")
    return {
        "limits_left": None if total is None else {"total": total},
        "budget_left": left("budget", "budget"),
    }
