"""The sale page's files: read, compressed and fingerprinted once per worker, then answered from memory.

The page names its files under ``static/<version>/``, so browsers may keep them for ever and a page never mixes the
files of two releases.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"
VERSION_BYTES = 8

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}

KEEP_PAGE = "public, max-age=60"
KEEP_VERSIONED = "public, max-age=31536000, immutable"
KEEP_OTHERS = "no-cache"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent."""

    body: bytes
    compressed: bytes
    etag: str
    content_type: str

    @classmethod
    def make(cls, name: str, body: bytes) -> File:
        """Compress and fingerprint a file's content."""
        # Without a time of day in the archive, all workers and machines have the same bytes.
        return cls(body, gzip.compress(body, 9, mtime=0), f'W/"{_fingerprint(body)}"', TYPES[Path(name).suffix])

    def reply(self, request: Request, keep: str) -> Response:
        """The file, compressed for who takes that, or 304 for who has it."""
        headers = {"etag": self.etag, "cache-control": keep, "vary": "accept-encoding"}
        known = request.headers.get("if-none-match", "")
        if self.etag in [tag.strip() for tag in known.split(",")]:
            return Response(None, 304, headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(self.compressed, headers=headers, media_type=self.content_type)
        return Response(self.body, headers=headers, media_type=self.content_type)


def _fingerprint(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=VERSION_BYTES).hexdigest()


@cache
def files() -> tuple[str, dict[str, File]]:
    """The version of all files together, and every file by name."""
    bodies = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}
    version = _fingerprint(b"".join(name.encode() + body for name, body in bodies.items()))
    bodies[INDEX] = bodies[INDEX].replace(b'"static/', f'"static/{version}/'.encode())
    return version, {name: File.make(name, body) for name, body in bodies.items()}


async def page(request: Request) -> Response:
    """`GET /`: the sale page."""
    return files()[1][INDEX].reply(request, KEEP_PAGE)


async def part(request: Request) -> Response:
    """`GET /static/{version}/{file}`; for another release's version this one's file, not to be kept."""
    version, found = files()
    file = found.get(request.path_params["file"])
    if file is None:
        raise HTTPException(404, "There is no such file.")
    return file.reply(request, KEEP_VERSIONED if request.path_params.get("version") == version else KEEP_OTHERS)


ROUTES = [Route("/", page), Route("/static/{file}", part), Route("/static/{version}/{file}", part)]
