"""Telling a receiver of events over HTTP: one POST each, signed."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import orjson

from admin.events.outbox import Event
from admin.payments.providers.signing import HEADER, signature
from admin.resources import Resources
from gateway.crypto import derive_key

EVENT_HEADER = "X-Seckill-Event"
ANSWER_WITHIN_S = 5.0
"""How long a receiver may be silent."""
DONE_WITHIN_S = 10.0
"""How long it may take in all, however many bytes it sends meanwhile."""
REPLY_MAX_BYTES = 4096
"""So much of a reply is read; what it says does not matter."""
ERROR_MAX_CHARS = 300


class NotTaken(Exception):
    """The receiver has not taken an event; the text says why."""


def secret_of(resources: Resources, webhook: str) -> str:
    """What a webhook's deliveries are signed with."""
    return f"whs_{derive_key(resources.settings.signing_secrets[0], f'webhook {webhook}').hex()}"


def body_of(resources: Resources, event: Event) -> bytes:
    """An event as it is sent."""
    return orjson.dumps(
        {
            "id": event.id,
            "kind": event.kind,
            "subject": event.subject,
            "at": resources.iso(event.at_ms),
            "number": event.number,
            "data": event.data,
        }
    )


class Receiver:
    """The way to one receiver, for some events one after the other. Another thread may hang up."""

    def __init__(self, url: str, secret: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._target = parts.path or "/"
        if parts.query:
            self._target += f"?{parts.query}"
        self._secure = parts.scheme == "https"
        self._key = secret.encode()
        self._connection: http.client.HTTPConnection | None = None
        self._busy = threading.Lock()
        self._since_s: float | None = None
        self._late = False

    def tell(self, event_id: str, body: bytes) -> None:
        """Send one event.

        Raises:
            NotTaken: the answer was no 2xx, or there was none.
        """
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "seckill",
            EVENT_HEADER: event_id,
            HEADER: signature(self._key, body, int(time.time())),
        }
        with self._busy:
            self._since_s, self._late = time.monotonic(), False
        try:
            status = self._post_steadily(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            if self._late:
                raise NotTaken("took too long") from error
            raise NotTaken((str(error) or type(error).__name__)[:ERROR_MAX_CHARS]) from error
        finally:
            with self._busy:
                self._since_s = None
        if not 200 <= status < 300:
            hint = "; redirects are not followed" if 300 <= status < 400 else ""
            raise NotTaken(f"answered {status}{hint}")

    def _post_steadily(self, body: bytes, headers: dict[str, str]) -> int:
        used = self._connection is not None
        try:
            return self._post(body, headers)
        except ConnectionError:
            # A receiver may close a connection at any time between two events; that alone is no refusal.
            if not used or self._late:
                raise
            self.close()
            return self._post(body, headers)

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        connection = self._connection = self._connection or self._open()
        connection.request("POST", self._target, body, headers)
        answer = connection.getresponse()
        answer.read(REPLY_MAX_BYTES)
        if answer.will_close or not answer.isclosed():
            self.close()
        return answer.status

    def _open(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=ANSWER_WITHIN_S, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_WITHIN_S)

    def hang_up_if_late(self) -> None:
        """End an exchange that lasts too long; whoever waits for it hears of it."""
        with self._busy:
            late = self._since_s is not None and time.monotonic() - self._since_s > DONE_WITHIN_S
        if late:
            self.hang_up()

    def hang_up(self) -> None:
        """End the exchange under way, if there is one."""
        with self._busy:
            connection = self._connection
            if self._since_s is None or connection is None or connection.sock is None:
                return
            self._late = True
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
