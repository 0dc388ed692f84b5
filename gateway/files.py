"""Files of pages: read, compressed and fingerprinted once per worker, then answered from memory.

Pages name them under a version, so browsers may keep them for ever and never mix the files of two releases.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

VERSION_BYTES = 8
LOOK = Path(__file__).parent / "look"
"""Files that the sale page and the shop's own pages share."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}

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


@dataclass(frozen=True, slots=True)
class Folder:
    """All files of some folders, and the version of all of them together."""

    version: str
    files: Mapping[str, File]

    @classmethod
    def read(cls, *folders: Path, index: str | None = None) -> Folder:
        """Read the files; names must differ. In `index`, links to `static/` get the version.

        Raises:
            OSError: a folder cannot be read.
        """
        bodies = {
            path.name: path.read_bytes()
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.suffix in TYPES
        }
        version = _fingerprint(b"".join(name.encode() + body for name, body in bodies.items()))
        if index is not None:
            bodies[index] = bodies[index].replace(b'"static/', f'"static/{version}/'.encode())
        return cls(version, {name: File.make(name, body) for name, body in bodies.items()})

    async def part(self, request: Request) -> Response:
        """`GET …/{version}/{file}`; for another release's version this one's file, not to be kept.

        Raises:
            HTTPException: there is no such file.
        """
        file = self.files.get(request.path_params["file"])
        if file is None:
            raise HTTPException(404, "There is no such file.")
        current = request.path_params.get("version") == self.version
        return file.reply(request, KEEP_VERSIONED if current else KEEP_OTHERS)


def _fingerprint(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=VERSION_BYTES).hexdigest()
