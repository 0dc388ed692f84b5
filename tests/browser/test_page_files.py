"""The page's files as the gateway sends them: small, kept by browsers, never of two releases at once."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gateway.files import LOOK
from gateway.web import page_files

VISIT_MAX_BYTES = 50 * 1024


def get(path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=page_files.ROUTES))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.get(path, headers={name.replace("_", "-"): text for name, text in headers.items()})

    # The browser's event loop lives in this thread for the whole session.
    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(lambda: asyncio.run(ask())).result()


def named_files(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="(static/[^"]+)"', page)


def test_the_page_names_files_that_exist_and_may_be_kept_for_ever() -> None:
    page = get("/")
    assert page.headers["cache-control"] == "public, max-age=60"

    names = named_files(page.text)
    assert len(names) > 5
    for name in names:
        reply = get(f"/{name}")
        assert reply.status_code == 200
        assert "immutable" in reply.headers["cache-control"]
        assert reply.headers["vary"] == "accept-encoding"


def test_everything_together_is_small_on_the_wire(static: Path) -> None:
    paths = ["/", *(f"/static/{path.name}" for path in [*static.iterdir(), *LOOK.iterdir()])]
    replies = [get(path, accept_encoding="gzip") for path in paths]

    assert {reply.headers["content-encoding"] for reply in replies} == {"gzip"}
    assert sum(int(reply.headers["content-length"]) for reply in replies) <= VISIT_MAX_BYTES


def test_who_takes_no_compression_gets_plain_bytes(static: Path) -> None:
    reply = get("/static/sale.css", accept_encoding="identity")

    assert "content-encoding" not in reply.headers
    assert reply.content == (static / "sale.css").read_bytes()
    assert reply.headers["content-type"] == "text/css; charset=utf-8"


def test_a_browser_that_has_a_file_is_told_so() -> None:
    etag = get("/static/sale.js").headers["etag"]

    assert get("/static/sale.js", if_none_match=f'"other", {etag}').status_code == 304
    assert get("/static/sale.js", if_none_match='"other"').status_code == 200


def test_a_page_of_another_release_gets_files_that_are_not_kept() -> None:
    reply = get("/static/0123456789abcdef/sale.js")

    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/static/none.js", "/static/..%2froutes.py", "/static/x/y/sale.js"])
def test_nothing_else_is_served(path: str) -> None:
    assert get(path).status_code == 404
