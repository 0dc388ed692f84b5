"""Pages ask the API: the same operation, checks, audit log and errors as over HTTP, without the way there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import Request

from admin.endpoints import ENDPOINTS
from admin.errors import Unauthenticated
from admin.inputs import check
from admin.operators.roles import Role, may
from admin.operators.signing_in import Operator
from admin.pages import locales
from admin.routing import Call, Endpoint, run
from gateway.tokens import Shopper


@cache
def _by_name() -> Mapping[str, Endpoint]:
    return {each.name: each for each in ENDPOINTS}


def operator_of(request: Request) -> Operator | None:
    """Who is signed in to the back office."""
    return getattr(request.state, "operator", None)


def needed(name: str) -> Role:
    """The role that an operation needs."""
    return _by_name()[name].needs


def allowed(request: Request, name: str) -> bool:
    """Whether the operator who looks at a page may do what an operation does."""
    operator = operator_of(request)
    return operator is not None and may(operator.role, needed(name))


async def ask(
    request: Request,
    name: str,
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    if_match: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """What the operation `name` answers to whoever is signed in: its reply model, or a ready response.

    Raises:
        AdminError: whatever the operation raises.
        Unauthenticated: it is for people who are signed in, and nobody is.
    """
    endpoint = _by_name()[name]
    shopper: Shopper | None = getattr(request.state, "shopper", None)
    operator = operator_of(request)
    if endpoint.caller == "operator":
        if operator is None:
            raise Unauthenticated("sign in first")
        shopper = None
    elif endpoint.caller == "shopper" and shopper is None:
        raise Unauthenticated("sign in first")
    state = request.state
    call = Call(
        resources=state.resources,
        publisher=state.publisher,
        desk=state.desk,
        checkouts=state.checkouts,
        rounds=state.rounds,
        actor="shopper" if shopper else operator.name if operator else "nobody",
        role=operator.role if operator and endpoint.caller == "operator" else None,
        path=path or {},
        given_query=check(endpoint.query, dict(query or {})),
        body={} if body is None else body,
        if_match=if_match,
        languages=locales.tag(),
        headers=Headers(headers or {}),
        raw=b"",
        signed_in=shopper if endpoint.caller in {"shopper", "guest"} else None,
    )
    return await run(endpoint, call)


async def ask_all(request: Request, name: str, *, query: Mapping[str, str] | None = None, most: int) -> list[Any]:
    """The items of a whole list, page by page, but at most `most` of them."""
    items: list[BaseModel] = []
    following: str | None = None
    while len(items) < most:
        wanted = {**(query or {}), "limit": str(min(500, most - len(items)))}
        page = await ask(request, name, query=wanted | ({"cursor": following} if following else {}))
        items.extend(page.items)
        following = page.next
        if following is None:
            break
    return items
