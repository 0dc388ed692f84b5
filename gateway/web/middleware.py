"""Plain ASGI middleware: of everything behind the hot path, and between it and CORS."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SecurityHeaders:
    """Sends a strict Content-Security-Policy and its companions with every reply.

    `frame_origins` may show the sale page inside their own.
    """

    def __init__(self, app: ASGIApp, frame_origins: tuple[str, ...] = ()) -> None:
        self._app = app
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:;"
            " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors "
        ) + " ".join(("'self'", *frame_origins))
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its reply."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A copy: the message may be one that is sent again and again.
                message = {**message, "headers": [*message["headers"], *self._headers]}
            await send(message)

        await self._app(scope, receive, send_with_headers)
