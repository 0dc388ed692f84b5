"""The gateway, put together: clicks in front, Starlette behind, one gate to Redis per worker.

`create` makes a worker of granian (RSGI), `create_asgi` the same for any ASGI server.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from gateway.admission.gate import Gate
from gateway.admission.outcome import Outcome
from gateway.lifeline import die_with_parent
from gateway.receipts import ReceiptSigner
from gateway.settings import Settings
from gateway.telemetry import Metrics, deltas, set_up_logging
from gateway.tokens import TokenVerifier, demo_secret
from gateway.web.answers import Answers
from gateway.web.clicks import Clicks
from gateway.web.events import Events
from gateway.web.hot_path import AsgiFront, RsgiFront
from gateway.web.middleware import SecurityHeaders
from gateway.web.offers_view import OffersView
from gateway.web.routes import EXCEPTION_HANDLERS, ROUTES, Parts
from gateway.web.shedding import Shedding

log = logging.getLogger(__name__)

METRICS_EVERY_S = 0.25
COLLECT_AFTER = (20_000, 20, 20)
"""Allocations between garbage collections: a click leaves no cycles behind, so looking often finds nothing."""


@dataclass(frozen=True, slots=True)
class App:
    """One worker's app on both interfaces."""

    asgi: ASGIApp
    rsgi: RsgiFront


def create_app(settings: Settings) -> App:
    """One worker's app.

    Raises:
        SettingsError: a secret is missing.
    """
    settings.require("token_secret")
    metrics = Metrics()
    answers = Answers(settings, ReceiptSigner(settings.signing_secrets))
    gate = Gate(settings, metrics.batch_done, answers)
    timezone = ZoneInfo(settings.timezone)
    tokens = TokenVerifier(
        settings.token_secret,
        token_max_bytes=settings.token_max_bytes,
        cache_max=settings.token_cache_max,
        demo_secret=demo_secret(settings.signing_secrets[0]) if settings.demo else None,
    )
    view = OffersView(gate, timezone)
    events = Events(view, settings.watchers_max, settings.events_per_s)
    shedding = Shedding(settings.lag_max_ms)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        await gate.start()
        await events.start()
        shedding.start()
        reporting = asyncio.create_task(_report(metrics, gate, clicks, events), name="metrics")
        # What lives now lives as long as the worker: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        yield
        shedding.stop()
        await events.stop()
        await gate.stop()
        reporting.cancel()

    rest = Starlette(
        routes=ROUTES,
        exception_handlers=EXCEPTION_HANDLERS,
        middleware=[Middleware(SecurityHeaders, frame_origins=settings.cors_origins)],
        lifespan=lifespan,
    )
    clicks = Clicks(settings, gate, tokens, answers, shedding)
    rest.state.parts = Parts(settings, gate, view, events, tokens, answers, timezone)
    asgi: ASGIApp = AsgiFront(clicks, rest, settings.body_max_bytes)
    if settings.cors_origins:
        asgi = CORSMiddleware(
            asgi,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "idempotency-key"],
            expose_headers=["retry-after"],
            max_age=600,
        )
    rsgi = RsgiFront(clicks, asgi, lifespan(rest), settings.body_max_bytes, cors=bool(settings.cors_origins))
    return App(asgi, rsgi)


async def _report(metrics: Metrics, gate: Gate, clicks: Clicks, events: Events) -> None:
    """Hand the click path's plain counts over to the metrics, a few times a second."""
    outcomes = list(Outcome)
    before: dict[object, list[int]] = {}
    locally = 0
    while True:
        await asyncio.sleep(METRICS_EVERY_S)
        now = {lane: lane.counts for lane in gate.all_lanes()} | {clicks: clicks.counts}
        for source, counts in now.items():
            for index, more in deltas(counts, before.get(source) or [0] * len(outcomes)):
                metrics.clicks.labels(outcomes[index].word).inc(more)
        before = {source: counts.copy() for source, counts in now.items()}
        metrics.local.inc(clicks.answered_locally - locally)
        locally = clicks.answered_locally
        metrics.ready.set(0 if gate.problems() else 1)
        metrics.watchers.set(events.watchers)


def create() -> RsgiFront:
    """The app of a granian worker, with settings from the environment."""
    die_with_parent()
    return create_app(_settings()).rsgi


def create_asgi() -> ASGIApp:
    """The app for any ASGI server, with settings from the environment."""
    return create_app(_settings()).asgi


def _settings() -> Settings:
    settings = Settings.from_env()
    set_up_logging(settings, "gateway")
    return settings
