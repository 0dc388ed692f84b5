"""A receiver of webhooks under test: a real HTTP server that remembers what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import orjson

Answer = Callable[[Any, BaseHTTPRequestHandler], int]


class Received:
    """One event as it came."""

    def __init__(self, body: bytes, headers: dict[str, str]) -> None:
        self.body = body
        self.headers = headers
        self.event = orjson.loads(body)


class Receiver:
    """Answers 200, or whatever `answer` says of an event; `got` is everything in the order it came."""

    def __init__(self, answer: Answer = lambda *_: 200, port: int = 0) -> None:
        self.got: list[Received] = []
        self.answer = answer
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # It writes in pieces, which would wait for each other.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(Received(body, dict(self.headers.items())))
                status = outer.answer(outer.got[-1].event, self)
                if status:
                    self.send_response(status)
                    self.send_header("Location", outer.url)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")
                else:
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Nothing to say."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/in?from=shop"
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, _type: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def ids(self) -> list[str]:
        return [each.event["id"] for each in self.got]

    def subjects(self) -> list[str]:
        return [each.event["subject"] for each in self.got]
