"""The sidecar's main process: granian with one worker."""

from __future__ import annotations

from starlette.types import ASGIApp

from admin.app import create_app
from gateway.lifeline import die_with_parent
from gateway.serving import serve
from gateway.settings import Settings
from gateway.telemetry import set_up_logging

ROLE = "admin"


def create() -> ASGIApp:
    """The app of a granian worker, with settings from the environment."""
    die_with_parent()
    settings = Settings.from_env()
    set_up_logging(settings, ROLE)
    return create_app(settings)


def run(settings: Settings, host: str, port: int) -> int:
    """Serve on an address until SIGTERM or SIGINT; what is under way is finished first. Returns the exit code.

    Raises:
        SettingsError: there is no admin key.
    """
    settings.require("admin_key")
    die_with_parent()
    set_up_logging(settings, ROLE)
    serve("admin.serve:create", settings, host, port, workers=1)
    return 0
