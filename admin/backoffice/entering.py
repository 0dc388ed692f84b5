"""Signing in to the back office, with starlette-admin's page and our sessions."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.auth import AdminUser, AuthProvider
from starlette_admin.exceptions import LoginFailed
from starlette_admin.helpers import index_url, safe_redirect_url

from admin.errors import Unauthenticated
from admin.operators import signing_in
from admin.pages.wording import told


class Entrance(AuthProvider):
    """Who is signed in, is in `request.state.operator`."""

    async def authenticate(self, request: Request) -> AdminUser | None:
        """The operator of a session that has not ended."""
        token = request.cookies.get(signing_in.COOKIE)
        if token is None:
            return None
        operator = await run_in_threadpool(signing_in.find, request.state.resources, token)
        if operator is None:
            return None
        request.state.operator = operator
        return AdminUser(username=operator.name)

    async def login(self, username: str, password: str, remember_me: bool, request: Request) -> Response:
        """Begin a session. All last equally long; there is nothing to be remembered.

        Raises:
            LoginFailed: name and password do not fit, or too many did not.
        """
        try:
            token = await run_in_threadpool(signing_in.sign_in, request.state.resources, username, password)
        except Unauthenticated as error:
            request.state.tried_name = username
            raise LoginFailed(told(error)) from error
        home = index_url(request)
        reply = RedirectResponse(safe_redirect_url(request.query_params.get("next") or home, request, home), 303)
        reply.set_cookie(
            signing_in.COOKIE,
            token,
            request.state.resources.settings.operator_session_s,
            path="/admin",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return reply

    async def logout(self, request: Request) -> Response:
        """End the session."""
        token = request.cookies.get(signing_in.COOKIE)
        if token is not None:
            await run_in_threadpool(signing_in.sign_out, request.state.resources, token)
        reply = RedirectResponse(index_url(request), 303)
        reply.delete_cookie(signing_in.COOKIE, path="/admin")
        return reply
