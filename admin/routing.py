"""One declaration per operation of the API: what it takes, what it answers, and the function that does it.

The router and the OpenAPI document are both made from these declarations, so neither can drift.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from tempfile import SpooledTemporaryFile
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from admin import problems
from admin.campaigns.publisher import Publisher
from admin.checkout.models import Ordered, Wish
from admin.errors import Forbidden, NotFound, Unauthenticated
from admin.inputs import Query, check
from admin.operators.roles import Role, may
from admin.quotes.desk import Desk
from admin.reading import copy_body, read_body, read_if_match, read_json, read_query
from admin.resources import Resources
from admin.rounds import Rounds
from admin.security import shopper_asking
from admin.together import Together
from gateway.tokens import Shopper

QueryT = TypeVar("QueryT", bound=Query)
BodyT = TypeVar("BodyT", bound=BaseModel)
Answer = BaseModel | Response

SPOOLED_BYTES = 1024 * 1024
"""A body that is a text waits in memory up to this size, and in a temporary file beyond it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read and checked. `actor` is who asks, `role` theirs if they are an operator; `if_match` is the
    revision they know.

    `shopper` is set where the endpoint is for shoppers; `raw` is the body as it came.
    """

    resources: Resources
    publisher: Publisher
    desk: Desk
    checkouts: Together[Wish, Ordered]
    rounds: tuple[Rounds, ...]
    actor: str
    role: Role | None
    path: Mapping[str, str]
    given_query: Query
    body: Any
    if_match: int | None
    languages: str
    headers: Headers
    raw: bytes
    signed_in: Shopper | None

    @property
    def shopper(self) -> str:
        """The id of the shopper who asks, where the endpoint is for shoppers."""
        assert self.signed_in is not None
        return self.signed_in.id.decode()

    def query(self, kind: type[QueryT]) -> QueryT:
        """The query parameters, as the endpoint's declared type."""
        assert isinstance(self.given_query, kind)
        return self.given_query

    def read(self, kind: type[BodyT]) -> BodyT:
        """The body as a model.

        Raises:
            Invalid: with every problem found.
        """
        return check(kind, self.body)


@dataclass(frozen=True, slots=True)
class Body:
    """What a body may be: JSON of one of `models`, checked by the endpoint, or else a text without models.

    A text may be large: the endpoint gets it as an open binary file, closed after the reply. Examples are sent
    by a test.
    """

    models: tuple[type[BaseModel], ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `run` is called in a worker thread and returns a `reply` (or a ready response); a coroutine is
    awaited in the event loop instead, and must never keep it.

    `caller` says who may ask: an operator with a key, a shopper with a token, a guest (a shopper with a token or
    without), or anybody, whose header is not looked at. `role` is the one that an operator needs; when it is not
    said, viewers may look (GET) and editors change. `also` are further
    statuses with the same reply, `headers` those it reads, with their meaning. A reply of None is never JSON but
    one of `other_types`.
    """

    method: str
    path: str
    name: str
    summary: str
    run: Callable[[Call], Answer | Awaitable[Answer]]
    reply: type[BaseModel] | None
    status: int = 200
    body: Body | None = None
    query: type[Query] = Query
    problems: tuple[int, ...] = ()
    caller: Literal["operator", "shopper", "guest", "anybody"] = "operator"
    other_types: tuple[str, ...] = ()
    also: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    role: Role | None = None

    @property
    def needs(self) -> Role:
        """The role that an operator needs."""
        return self.role or ("viewer" if self.method == "GET" else "editor")

    @property
    def tag(self) -> str:
        """The first word after the API's root; shoppers' operations are a group of their own."""
        root, word = ("", "/admin/api/") if self.path.startswith("/admin/api/") else ("shop ", "/api/")
        return root + re.split(r"[/.]", self.path.removeprefix(word).removeprefix("/"))[0]

    @property
    def public_path(self) -> str:
        """The path as callers write it: parameters that may hold slashes look like others, and come encoded."""
        return self.path.replace(":path}", "}")


def routes(endpoints: Iterable[Endpoint], body_max_bytes: int) -> list[Route]:
    """Routes for Starlette: one per path, so that a wrong method hears of all the right ones."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for each in endpoints:
        methods = by_path.setdefault(each.path, {})
        assert each.method not in methods, f"{each.method} {each.path} is declared twice"
        methods[each.method] = each
    known = [_route(path, methods, body_max_bytes) for path, methods in by_path.items()]
    return [*known, *(Route(f"{root}/{{nothing:path}}", _Nothing(known)) for root in ("/api", "/admin/api"))]


class _Nothing:
    """What is below the API's root and no operation: told as the API tells it, before any page is looked for."""

    def __init__(self, known: Sequence[Route]) -> None:
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed: set[str] = set()
        for route in self._known:
            if route.matches(scope)[0] is Match.PARTIAL:
                allowed |= route.methods or set()
        error = HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))}) if allowed else HTTPException(404)
        await problems.describe(error)(scope, receive, send)


def _route(path: str, methods: dict[str, Endpoint], body_max_bytes: int) -> Route:
    async def dispatch(request: Request) -> Response:
        endpoint = methods["GET" if request.method == "HEAD" else request.method]
        with ExitStack() as opened:
            try:
                call = await _read(request, endpoint, body_max_bytes, opened)
                reply = await run(endpoint, call)
            except ClientDisconnect:
                raise
            except Exception as error:
                return problems.describe(error)
        return reply if isinstance(reply, Response) else _send(reply, endpoint)

    return Route(path, dispatch, methods=list(methods))


async def run(endpoint: Endpoint, call: Call) -> Answer:
    """Do what an endpoint does, where it should be done.

    Raises:
        Forbidden: the operator who asks may not.
    """
    if endpoint.caller == "operator" and (call.role is None or not may(call.role, endpoint.needs)):
        raise Forbidden(
            f"this needs the role {endpoint.needs}, and {call.actor} is {call.role}", needs=endpoint.needs
        )
    if iscoroutinefunction(endpoint.run):
        return cast(Answer, await endpoint.run(call))
    return cast(Answer, await run_in_threadpool(endpoint.run, call))


async def _read(request: Request, endpoint: Endpoint, body_max_bytes: int, opened: ExitStack) -> Call:
    signed_in = None
    if endpoint.caller in {"shopper", "guest"}:
        signed_in = shopper_asking(request, request.state.resources)
        if signed_in is None and endpoint.caller == "shopper":
            raise Unauthenticated("want Authorization: Bearer <token>")
    raw, body = b"", None
    if endpoint.body is not None and endpoint.body.media_type != "application/json":
        body = opened.enter_context(SpooledTemporaryFile(SPOOLED_BYTES))  # noqa: SIM115 - the stack closes it
        await copy_body(request, request.state.resources.settings.csv_max_bytes, body)
    else:
        raw = await read_body(request, body_max_bytes)
    for value in request.path_params.values():
        # A path that no stored name can have; databases would stumble over some of these characters.
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
            raise NotFound("there is no such path")
    if endpoint.body is not None and body is None:
        body = read_json(raw, may_be_empty=endpoint.body.optional)
    return Call(
        resources=request.state.resources,
        publisher=request.state.publisher,
        desk=request.state.desk,
        checkouts=request.state.checkouts,
        rounds=request.state.rounds,
        actor="shopper" if signed_in else cast(str, request.scope.get("actor", "nobody")),
        role=request.scope.get("role"),
        path=request.path_params,
        given_query=check(endpoint.query, read_query(request)),
        body=body,
        if_match=read_if_match(request),
        languages=request.headers.get("accept-language", ""),
        headers=request.headers,
        raw=raw,
        signed_in=signed_in,
    )


def _send(reply: BaseModel, endpoint: Endpoint) -> Response:
    headers = {}
    revision = getattr(reply, "revision", None)
    if revision is not None:
        headers["ETag"] = f'"{revision}"'
    return Response(reply.model_dump_json(), endpoint.status, headers, "application/json")
