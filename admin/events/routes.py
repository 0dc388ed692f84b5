"""Events and webhooks over HTTP."""

from __future__ import annotations

from admin.crud import Models, Summaries, operations
from admin.events import service
from admin.events.models import (
    EventFilter,
    EventPage,
    ReplayInput,
    Tested,
    Webhook,
    WebhookChange,
    WebhookInput,
    WebhookPage,
    WebhookSecret,
)
from admin.inputs import Nothing
from admin.paging import Page
from admin.routing import Body, Call, Endpoint


def _events(call: Call) -> EventPage:
    return service.events_page(call.resources, call.query(EventFilter))


def _replay(call: Call) -> Webhook:
    return service.replay(call.resources, call.path["id"], call.body, actor=call.actor)


def _secret(call: Call) -> WebhookSecret:
    call.read(Nothing)
    return service.secret(call.resources, call.path["id"], actor=call.actor)


def _ping(call: Call) -> Tested:
    call.read(Nothing)
    return service.send_ping(call.resources, call.path["id"])


ENDPOINTS = (
    Endpoint(
        "GET",
        "/admin/api/events",
        "list_events",
        "What happened, in order, after a number",
        _events,
        EventPage,
        query=EventFilter,
    ),
    *operations(
        service,
        "/admin/api/webhooks",
        "id",
        "webhook",
        Models(Webhook, WebhookPage, Page),
        Summaries(
            create="Have events sent to an address from now on",
            list="Webhooks, newest first",
            change="Change the address or the kinds, pause or go on",
            delete="Delete a webhook",
        ),
        create=Body(
            (WebhookInput,),
            {"orders": {"url": "https://127.0.0.1:9/events", "kinds": ["order.*", "refund.settled"]}},
        ),
        change=Body((WebhookChange,)),
    ),
    Endpoint(
        "POST",
        "/admin/api/webhooks/{id}/replay",
        "replay_webhook",
        "Send everything after a number again",
        _replay,
        Webhook,
        body=Body((ReplayInput,)),
        problems=(404,),
    ),
    Endpoint(
        "POST",
        "/admin/api/webhooks/{id}/test",
        "test_webhook",
        "Send an event of the kind ping now",
        _ping,
        Tested,
        body=Body((Nothing,), optional=True),
        problems=(404,),
    ),
    Endpoint(
        "POST",
        "/admin/api/webhooks/{id}/secret",
        "read_webhook_secret",
        "The key of a webhook's signatures",
        _secret,
        WebhookSecret,
        body=Body((Nothing,), optional=True),
        problems=(404,),
    ),
)
