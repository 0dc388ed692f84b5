"""Forms of the back office prove that they are its own, also those with a long pasted text."""

from __future__ import annotations

from starlette.requests import Request
from starlette_admin.security.csrf import CSRFMiddleware


class FormProof(CSRFMiddleware):
    """Reads forms with fields as long as a body may be; the library's own stops at 1 MiB a field."""

    async def _get_submitted_token(self, request: Request) -> str | None:
        """The proof that was sent, if any."""
        if "multipart/form-data" in request.headers.get("content-type", ""):
            # Kept by the request, so that the library gets this form when it asks for it.
            await request.form(max_part_size=max(1, len(await request.body())))
        return await super()._get_submitted_token(request)
