"""The sale page's files, under `static/<version>/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.files import LOOK, Folder

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"
KEEP_PAGE = "public, max-age=60"


@cache
def folder() -> Folder:
    """All files of the sale page."""
    return Folder.read(STATIC, LOOK, index=INDEX)


async def page(request: Request) -> Response:
    """`GET /`: the sale page."""
    return folder().files[INDEX].reply(request, KEEP_PAGE)


async def part(request: Request) -> Response:
    """`GET /static/{version}/{file}`: one of its parts."""
    return await folder().part(request)


ROUTES = [Route("/", page), Route("/static/{file}", part), Route("/static/{version}/{file}", part)]
