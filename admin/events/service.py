"""What operators do with events and webhooks."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row

from admin.audit import service as audit
from admin.errors import Invalid
from admin.events import outbox
from admin.events.models import (
    EventFilter,
    EventPage,
    EventView,
    ReplayInput,
    Tested,
    Webhook,
    WebhookChange,
    WebhookInput,
    WebhookPage,
    WebhookSecret,
    is_encrypted_or_here,
)
from admin.events.outbox import Event
from admin.events.sending import NotTaken, Receiver, body_of, secret_of
from admin.events.tables import webhooks
from admin.inputs import check
from admin.paging import Page
from admin.records import Records
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing

_WEBHOOKS = Records("webhook", webhooks, key="id", order=("created_at_ms", "id"), newest_first=True)
_AT_ONCE = {"attempts": 0, "next_try_at_ms": 0}
"""Forgets failed tries, and takes the webhook out of the hands of whoever is at it."""


def events_page(resources: Resources, wanted: EventFilter) -> EventPage:
    """Events after a number."""
    kinds = [] if wanted.kind is None else [wanted.kind]
    with reading(resources.engine) as connection:
        found, last = outbox.after(connection, wanted.after, kinds, wanted.limit)
    items = [
        EventView(
            id=each.id,
            kind=each.kind,
            subject=each.subject,
            at=resources.iso(each.at_ms),
            number=each.number,
            data=dict(each.data),
        )
        for each in found
    ]
    return EventPage(items=items, last=last)


def create(resources: Resources, body: object, *, actor: str) -> Webhook:
    """Make a webhook.

    Raises:
        Invalid: with every problem of the input.
    """
    given = check(WebhookInput, body)
    _require_encrypted(resources, given.url)
    with writing(resources.engine) as connection:
        values = {
            "id": f"wh-{secrets.token_hex(8)}",
            **given.model_dump(),
            **_AT_ONCE,
            "position": outbox.newest_number(connection),
        }
        made = _WEBHOOKS.create(connection, values, _viewer(resources, connection), actor=actor)
    return made.model_copy(update={"secret": secret_of(resources, made.id)})


def page(resources: Resources, wanted: Page) -> WebhookPage:
    """A page of webhooks, newest first.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    with reading(resources.engine) as connection:
        rows, following, _ = _WEBHOOKS.page(connection, wanted)
        view = _viewer(resources, connection)
    return WebhookPage(items=[view(row) for row in rows], next=following)


def read(resources: Resources, webhook: str) -> Webhook:
    """One webhook.

    Raises:
        NotFound: there is none.
    """
    with reading(resources.engine) as connection:
        return _viewer(resources, connection)(_WEBHOOKS.find(connection, webhook))


def change(resources: Resources, webhook: str, body: object, *, actor: str, if_match: int | None = None) -> Webhook:
    """Change some fields; what waits is tried at once.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Invalid: with every problem.
    """
    given = check(WebhookChange, body)
    values = given.model_dump(include=given.model_fields_set)
    if "url" in values:
        _require_encrypted(resources, given.url)
    with writing(resources.engine) as connection:
        row = _WEBHOOKS.lock(connection, webhook, if_match)
        view = _viewer(resources, connection)
        if all(getattr(row, name) == value for name, value in values.items()):
            return view(row)
        return _WEBHOOKS.change(connection, row, {**values, **_AT_ONCE}, view, actor=actor)


def remove(resources: Resources, webhook: str, *, actor: str, if_match: int | None = None) -> None:
    """Delete a webhook; what it has not had is not sent any more.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
    """
    with writing(resources.engine) as connection:
        row = _WEBHOOKS.lock(connection, webhook, if_match)
        _WEBHOOKS.remove(connection, row, _viewer(resources, connection), actor=actor)


def replay(resources: Resources, webhook: str, body: object, *, actor: str) -> Webhook:
    """Send everything after a number again, as far as it is kept.

    Raises:
        NotFound: there is no such webhook.
        Invalid: the number is none, or larger than any that was given out.
    """
    after = check(ReplayInput, body).after
    with writing(resources.engine) as connection:
        row = _WEBHOOKS.lock(connection, webhook, None)
        newest = outbox.newest_number(connection)
        if after > newest:
            raise Invalid.one("after", "too_large", f"the newest event has the number {newest}")
        values = {**_AT_ONCE, "position": after}
        return _WEBHOOKS.change(connection, row, values, _viewer(resources, connection), actor=actor)


def secret(resources: Resources, webhook: str, *, actor: str) -> WebhookSecret:
    """The key of a webhook's signatures; that it was asked for is in the audit log.

    Raises:
        NotFound: there is no such webhook.
    """
    with writing(resources.engine) as connection:
        _WEBHOOKS.find(connection, webhook)
        audit.record(connection, actor, "show_secret", "webhook", webhook)
    return WebhookSecret(secret=secret_of(resources, webhook))


def send_ping(resources: Resources, webhook: str) -> Tested:
    """Send an event of the kind ping, which is in no list, and wait for what becomes of it.

    Raises:
        NotFound: there is no such webhook.
    """
    with reading(resources.engine) as connection:
        row = _WEBHOOKS.find(connection, webhook)
        event = Event(f"ping-{secrets.token_hex(8)}", 0, "ping", webhook, now_ms(connection), {})
    receiver = Receiver(row.url, secret_of(resources, webhook))
    try:
        receiver.tell(event.id, body_of(resources, event))
    except NotTaken as error:
        return Tested(taken=False, error=str(error))
    finally:
        receiver.close()
    return Tested(taken=True, error=None)


def _require_encrypted(resources: Resources, url: str) -> None:
    if not resources.settings.webhook_http and not is_encrypted_or_here(url):
        raise Invalid.one("url", "not_https", "want https://, or allow http:// with SECKILL_WEBHOOK_HTTP=1")


def _viewer(resources: Resources, connection: Connection) -> Callable[[Row[Any]], Webhook]:
    newest = outbox.newest_number(connection)

    def view(row: Row[Any]) -> Webhook:
        return Webhook(
            id=row.id,
            url=row.url,
            kinds=row.kinds,
            paused=row.paused,
            position=row.position,
            behind=max(0, newest - row.position),
            attempts=row.attempts,
            next_try_at=resources.iso(row.next_try_at_ms) if row.attempts else None,
            last_error=row.last_error,
            last_taken_at=resources.iso_or_none(row.last_taken_at_ms),
            secret=None,
            revision=row.revision,
            created_at=resources.iso(row.created_at_ms),
            updated_at=resources.iso(row.updated_at_ms),
        )

    return view
