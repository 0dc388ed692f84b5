"""Speaking to the deployment as the contract says: tokens made from its words alone, HTTP by hand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import struct
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

NO_ANSWER = (0, None)


def mint(secret: str, shopper: str) -> str:
    """A shopper's token."""

    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    # Long, and from long ago: clocks are stepped here.
    claims = {"sub": shopper, "exp": int(time.time()) + 30 * 24 * 3600}
    signed = encode(b'{"alg":"HS256","typ":"JWT"}') + "." + encode(json.dumps(claims).encode())
    return f"{signed}.{encode(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def ask(
    url: str,
    *,
    method: str = "GET",
    token: str = "",
    body: Any = None,
    headers: dict[str, str] | None = None,
    within_s: float = 10.0,
) -> tuple[int, Any]:
    """One request that waits: status and JSON (or text); status 0 when nobody answered."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, method=method, data=data, headers=headers or {})
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=within_s) as reply:
            status, text = reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            try:
                status, text = error.code, error.read().decode()
            except OSError:
                return NO_ANSWER
    except (OSError, ValueError):
        return NO_ANSWER
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def encode(url: str, method: str, token: str, body: Any, headers: dict[str, str] | None) -> bytes:
    """A request as bytes."""
    parts = urlsplit(url)
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(data)}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += ["Content-Type: application/json"] if data else []
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + data


class Line:
    """One shopper's connection, kept between requests."""

    def __init__(self) -> None:
        self._address: tuple[str, int] | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self,
        url: str,
        *,
        method: str = "POST",
        token: str = "",
        body: Any = None,
        headers: dict[str, str] | None = None,
        within_s: float = 6.0,
    ) -> tuple[int, Any]:
        """One request: status and JSON; status 0 when no whole answer came in time."""
        data = encode(url, method, token, body, headers)
        try:
            return await asyncio.wait_for(self._exchange(url, data), within_s)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError, IndexError):
            self.close()
            return NO_ANSWER

    async def abort(self, url: str, token: str, after_bytes: int, *, reset: bool) -> None:
        """Send the beginning of a click (or all of it) and be gone before the answer."""
        data = encode(url, "POST", token, None, None)
        try:
            _, writer = await self._connected(url)
            writer.write(data[:after_bytes])
            await writer.drain()
            if reset:
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        except (OSError, ValueError):
            pass
        self.close()

    async def _connected(self, url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(url)
        address = (parts.hostname or "", parts.port or 80)
        if self._streams is None or self._address != address:
            self.close()
            self._streams = await asyncio.open_connection(*address)
            self._address = address
        return self._streams

    async def _exchange(self, url: str, data: bytes) -> tuple[int, Any]:
        reader, writer = await self._connected(url)
        writer.write(data)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        try:
            return status, json.loads(body)
        except ValueError:
            return status, body.decode("utf-8", "replace")

    def close(self) -> None:
        """Give the connection up; the next request opens another."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
