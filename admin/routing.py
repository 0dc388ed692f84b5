"""One declaration per operation of the API: what it takes, what it answers, and the function that does it.

The router and the OpenAPI document are both made from these declarations, so neither can drift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from admin import problems
from admin.campaigns.publisher import Publisher
from admin.errors import NotFound
from admin.inputs import Query, check
from admin.reading import read_body, read_if_match, read_json, read_query
from admin.resources import Resources
from admin.rounds import Rounds
from admin.security import shopper_of
from gateway.tokens import Shopper

QueryT = TypeVar("QueryT", bound=Query)
BodyT = TypeVar("BodyT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read and checked. `actor` is who asks; `if_match` the revision they know.

    `shopper` is set where the endpoint is for shoppers; `raw` is the body as it came.
    """

    resources: Resources
    publisher: Publisher
    rounds: tuple[Rounds, ...]
    actor: str
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
    """What a body may be: one of `models`, checked by the endpoint. Examples are sent by a test."""

    models: tuple[type[BaseModel], ...]
    examples: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `run` is called in a worker thread and returns a `reply` (or a ready response).

    `caller` says who may ask: an operator with a key, a shopper with a token, or anybody. `also` are further
    statuses with the same reply, `headers` those it reads, with their meaning.
    """

    method: str
    path: str
    name: str
    summary: str
    run: Callable[[Call], BaseModel | Response]
    reply: type[BaseModel]
    status: int = 200
    body: Body | None = None
    query: type[Query] = Query
    problems: tuple[int, ...] = ()
    caller: Literal["operator", "shopper", "anybody"] = "operator"
    other_types: tuple[str, ...] = ()
    also: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The first word after the API's root; shoppers' operations are a group of their own."""
        root, word = ("", "/admin/api/") if self.path.startswith("/admin/api/") else ("shop ", "/api/")
        return root + self.path.removeprefix(word).split("/")[0]


def routes(endpoints: Iterable[Endpoint], body_max_bytes: int) -> list[Route]:
    """Routes for Starlette: one per path, so that a wrong method hears of all the right ones."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for each in endpoints:
        methods = by_path.setdefault(each.path, {})
        assert each.method not in methods, f"{each.method} {each.path} is declared twice"
        methods[each.method] = each
    return [_route(path, methods, body_max_bytes) for path, methods in by_path.items()]


def _route(path: str, methods: dict[str, Endpoint], body_max_bytes: int) -> Route:
    async def dispatch(request: Request) -> Response:
        endpoint = methods["GET" if request.method == "HEAD" else request.method]
        try:
            call = await _read(request, endpoint, body_max_bytes)
            reply = await run_in_threadpool(endpoint.run, call)
        except ClientDisconnect:
            raise
        except Exception as error:
            return problems.describe(error)
        return reply if isinstance(reply, Response) else _send(reply, endpoint)

    return Route(path, dispatch, methods=list(methods))


async def _read(request: Request, endpoint: Endpoint, body_max_bytes: int) -> Call:
    signed_in = None
    if endpoint.caller == "shopper":
        signed_in = shopper_of(request.headers.get("authorization", ""), request.state.resources.tokens)
    raw = await read_body(request, body_max_bytes)
    for value in request.path_params.values():
        # A path that no stored name can have; databases would stumble over some of these characters.
        if not str(value).isprintable():
            raise NotFound("there is no such path")
    body = None
    if endpoint.body is not None:
        body = read_json(raw, may_be_empty=endpoint.body.optional)
    return Call(
        resources=request.state.resources,
        publisher=request.state.publisher,
        rounds=request.state.rounds,
        actor="shopper" if signed_in else cast(str, request.scope.get("actor", "nobody")),
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
