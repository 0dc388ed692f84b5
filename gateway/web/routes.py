"""Everything of the gateway that is not a click: list, status, tickets, events, page, health, demo tokens."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway import demo
from gateway.admission import tickets
from gateway.admission.gate import Gate
from gateway.crypto import from_base64url, to_base64url
from gateway.errors import RedisProblem, TokenError
from gateway.offers import Offer
from gateway.settings import Settings
from gateway.times import iso
from gateway.tokens import Shopper, TokenVerifier
from gateway.web import events as event_streams
from gateway.web import page_files
from gateway.web.answers import Answers
from gateway.web.bodies import BodyTooLarge, ClientGone, asgi_chunks, read_body
from gateway.web.events import Events
from gateway.web.offers_view import STATES, OffersView

PAGE_DEFAULT = 100
PAGE_MAX = 500


@dataclass(slots=True)
class Parts:
    """What the routes work with; made once per worker."""

    settings: Settings
    gate: Gate
    view: OffersView
    events: Events
    tokens: TokenVerifier
    answers: Answers
    timezone: ZoneInfo


def parts(request: Request) -> Parts:
    """The parts of the app that serves this request."""
    found: Parts = request.app.state.parts
    return found


def json(data: Any, status: int = 200, **headers: str) -> Response:
    """A JSON reply that nobody keeps."""
    names = {"cache-control": "no-store"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(orjson.dumps(data), status, names, "application/json")


def allow_query(request: Request, *names: str) -> None:
    """Refuse query parameters that are unknown or repeated, so that a typo is never silently ignored.

    Raises:
        HTTPException: 400, naming the parameter.
    """
    keys = [key for key, _ in request.query_params.multi_items()]
    for key in keys:
        if key not in names:
            allowed = f"known are {', '.join(names)}" if names else "there are none here"
            raise HTTPException(400, f"Unknown query parameter {key[:40]!r}; {allowed}.")
        if keys.count(key) > 1:
            raise HTTPException(400, f"Query parameter {key!r} is given twice.")


def authenticated(request: Request) -> Shopper:
    """The shopper of the request's token.

    Raises:
        HTTPException: 401, saying what is wrong with it.
    """
    try:
        value = request.headers.get("authorization", "").encode("latin-1")
        return parts(request).tokens.verify(value, time.time())
    except TokenError as error:
        raise HTTPException(401, f"{error.reason}.", {"www-authenticate": "Bearer"}) from None


async def list_offers(request: Request) -> Response:
    """`GET /seckill`: offers, running first."""
    allow_query(request, "state", "category", "session", "limit", "cursor")
    query = request.query_params
    state = query.get("state")
    if state is not None and state not in STATES:
        raise HTTPException(400, f"state must be one of {', '.join(STATES)}.")
    text = query.get("limit", str(PAGE_DEFAULT))
    if len(text) > len(str(PAGE_MAX)) or not text.isascii() or not text.isdigit() or not 1 <= int(text) <= PAGE_MAX:
        raise HTTPException(400, f"limit must be a whole number from 1 to {PAGE_MAX}.")
    limit = int(text)
    after = _read_cursor(query["cursor"]) if "cursor" in query else None
    view = parts(request).view
    page: list[dict[str, Any]] = []
    last: tuple[int, int, str] | None = None
    more = False
    for key, offer in view.ordered(await view.all()):
        if after is not None and key <= after:
            continue
        if ("category" in query and offer.card.get("category") != query["category"]) or (
            "session" in query and offer.card.get("session") != query["session"]
        ):
            continue
        if state is not None and STATES[key[0]] != state:
            continue
        if len(page) == limit:
            more = True
            break
        page.append(view.status(offer))
        last = key
    return json({"items": page, "next": to_base64url(orjson.dumps(last)).decode() if more else None})


def _read_cursor(text: str) -> tuple[int, int, str]:
    try:
        rank, starts_at_ms, offer_id = orjson.loads(from_base64url(text[:512].encode()))
        if type(rank) is int and type(starts_at_ms) is int and type(offer_id) is str:
            return rank, starts_at_ms, offer_id
    except (ValueError, TypeError):
        pass
    raise HTTPException(400, "cursor is not one of ours: take it from `next`.")


async def show_offer(request: Request) -> Response:
    """`GET /seckill/{offer}`: its status; unchanged apart from the clock is 304."""
    allow_query(request)
    view = parts(request).view
    offer = await view.offer(request.path_params["offer"])
    if offer is None:
        raise HTTPException(404, "There is no such offer.")
    status = view.status(offer)
    timeless = orjson.dumps({**status, "server_time": None})
    etag = f'W/"{hashlib.blake2b(timeless, digest_size=12).hexdigest()}"'
    if etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
        return Response(None, 304, {"etag": etag, "cache-control": "no-cache"})
    return json(status, etag=etag, cache_control="no-cache")


async def show_mine(request: Request) -> Response:
    """`GET /seckill/{offer}/mine`: the shopper's tickets, `pending` while a click is unsettled, or `none`."""
    allow_query(request)
    shopper = authenticated(request)
    here = parts(request)
    lane = await here.gate.lane(request.path_params["offer"])
    if lane is None:
        raise HTTPException(404, "There is no such offer.")
    held = await tickets.read(here.gate, lane, shopper.id)
    if held is None:
        raise HTTPException(404, "There is no such offer.")
    record, pending_until_ms = held
    outcome = "won" if record else "pending" if pending_until_ms else "none"
    shown = [
        orjson.Fragment(b"{" + here.answers.ticket_members(lane, shopper.id, ticket) + b"}")
        for ticket in (record.split(b"|") if record else ())
    ]
    reply: dict[str, Any] = {
        "outcome": outcome,
        "tickets": shown,
        "orders_url": here.settings.orders_url or None,
    }
    if pending_until_ms:
        reply["settled_at"] = iso(pending_until_ms, here.timezone)
    return json(reply)


async def watch_offer(request: Request) -> Response:
    """`GET /seckill/{offer}/events`: left, sold and state while the page is open."""
    allow_query(request)
    here = parts(request)
    offer_id = request.path_params["offer"]
    offer = await here.view.offer(offer_id)
    if offer is None:
        raise HTTPException(404, "There is no such offer.")
    return _EventStream(here.events, offer)


class _EventStream(Response):
    """Hands the connection over to the event streams."""

    def __init__(self, events: Events, offer: Offer) -> None:
        super().__init__()
        self._events = events
        self._offer = offer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._events.full:
            await event_streams.refuse(scope, receive, send)
        else:
            await self._events.stream(self._offer, scope, receive, send)


async def alive(request: Request) -> Response:
    """`GET /healthz`: the worker answers."""
    allow_query(request)
    return json({"status": "ok"})


async def ready(request: Request) -> Response:
    """`GET /readyz`: able to sell, or why not."""
    allow_query(request)
    here = parts(request)
    reasons = here.gate.problems()
    if here.events.closing:
        reasons.append("the worker is stopping")
    status = {"status": "ready" if not reasons else "not ready", "reasons": reasons}
    return json(status | {"durability": here.settings.durability}, 200 if not reasons else 503)


async def page_settings(request: Request) -> Response:
    """`GET /config.json`: what the sale page needs to know of this shop."""
    allow_query(request)
    settings = parts(request).settings
    return json(
        {
            "demo": settings.demo,
            "allowed_origins": list(settings.cors_origins),
            "currency": settings.currency,
            "timezone": settings.timezone,
            "orders_url": settings.orders_url or None,
        }
    )


async def make_demo_token(request: Request) -> Response:
    """`POST /demo/token`: a token for a made-up shopper; only in a demo, only for callers on this machine."""
    allow_query(request)
    settings = parts(request).settings
    if not demo.is_open(settings, request.client.host if request.client else ""):
        raise HTTPException(404, "There is nothing here.")
    try:
        length = request.headers.get("content-length", "0")
        wanted = orjson.loads(await read_body(asgi_chunks(request.receive), length, settings.body_max_bytes))
        if not isinstance(wanted, dict) or set(wanted) != {"name"} or type(wanted["name"]) is not str:
            raise ValueError
    except (ValueError, BodyTooLarge, ClientGone):
        raise HTTPException(400, 'Send {"name": "Amy"}.') from None
    try:
        token, subject, expires_at_s = demo.make(settings, wanted["name"])
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    expires_at = iso(expires_at_s * 1000, parts(request).timezone)
    return json({"token": token, "sub": subject, "expires_at": expires_at}, 201)


async def on_http_error(request: Request, error: Exception) -> Response:
    """An HTTP error as a problem document (RFC 9457), with the outcome's word where there is one."""
    assert isinstance(error, HTTPException)
    words = {400: "bad_request", 401: "unauthenticated", 404: "not_found", 413: "too_large"}
    return _problem(error.status_code, error.detail, words.get(error.status_code), dict(error.headers or {}))


async def on_redis_problem(request: Request, error: Exception) -> Response:
    """Redis is away: certainly nothing happened here, as these routes only read."""
    return _problem(503, f"The sale cannot be read right now: {error}.", "unavailable", {"retry-after": "1"})


def _problem(status: int, detail: str, outcome: str | None, headers: dict[str, str]) -> Response:
    body: dict[str, Any] = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status}
    body["detail"] = detail
    if outcome is not None:
        body["outcome"] = outcome
    return Response(orjson.dumps(body), status, {"cache-control": "no-store"} | headers, "application/problem+json")


_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}

ROUTES = [
    *page_files.ROUTES,
    Route("/config.json", page_settings),
    Route("/seckill", list_offers),
    # A click never comes here, but `Allow` has to name its method.
    Route("/seckill/{offer}", show_offer, methods=["GET", "POST"]),
    Route("/seckill/{offer}/mine", show_mine),
    Route("/seckill/{offer}/events", watch_offer),
    Route("/healthz", alive),
    Route("/readyz", ready),
    Route("/demo/token", make_demo_token, methods=["POST"]),
]

EXCEPTION_HANDLERS = {HTTPException: on_http_error, RedisProblem: on_redis_problem}
