"""What a change of a campaign leaves behind in its transaction: an audit record, and what prices go by."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, update

from admin import changes
from admin.audit import service as audit
from admin.campaigns.models import Campaign
from admin.campaigns.stored import Stored, as_object, load
from admin.campaigns.tables import campaigns
from admin.campaigns.views import campaign_view
from admin.events import outbox
from admin.resources import Resources
from gateway.orders.database import now_ms

_KINDS = {
    "create": "published",
    "publish": "published",
    "pause": "paused",
    "resume": "resumed",
    "terminate": "terminated",
    "archive": "archived",
}
"""What events call an action; all others are changes."""


def changed(
    resources: Resources, connection: Connection, actor: str, action: str, code: str, before: Campaign | None
) -> None:
    """Record what a change made of a campaign; `before` is what it was, None when it was made just now.

    The last step of a transaction: whoever has the number of a change keeps others waiting for theirs.
    """
    stored = load(connection, code)
    after = campaign_view(resources, stored)
    summary = {
        "revision": after.revision,
        "currency": resources.currency,
        "labels": after.labels,
        "item_count": after.item_count,
    }
    connection.execute(update(campaigns).where(campaigns.c.code == code).values(summary=summary))
    audit.record(
        connection,
        actor,
        action,
        "campaign",
        code,
        before=None if before is None else before.model_dump(),
        after=after.model_dump(),
    )
    kind = "changed"
    if action in _KINDS:
        kind = "created" if action == "create" and after.state == "draft" else _KINDS[action]
    data = {"action": action, "type": after.type, "revision": after.revision}
    outbox.tell(connection, f"campaign.{kind}", code, data, stored.now_ms)
    changes.note(connection, "campaign", code, for_prices(stored))


def deleted(connection: Connection, actor: str, code: str, before: Campaign) -> None:
    """Record that a campaign is gone. The last step of a transaction, as above."""
    audit.record(connection, actor, "delete", "campaign", code, before=before.model_dump())
    data = {"action": "delete", "type": before.type, "revision": before.revision}
    outbox.tell(connection, "campaign.deleted", code, data, now_ms(connection))
    changes.note(connection, "campaign", code, None)


def for_prices(stored: Stored) -> dict[str, Any]:
    """A campaign as it is recorded for quotes: its terms, flags, window (epoch ms) and the items on the list."""
    row = stored.row
    return {
        **as_object(row.terms),
        "type": row.type,
        "revision": row.revision,
        "draft": row.draft,
        "paused": row.paused,
        "terminated_at": row.terminated_at_ms,
        "starts_at": row.starts_at_ms,
        "ends_at": row.ends_at_ms,
        "priority": row.priority,
        "items": [{**as_object(item.terms), "sku": item.sku} for item in stored.listed],
    }
