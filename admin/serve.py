"""The sidecar's main process: granian with one worker. The app itself is imported in the worker only."""

from __future__ import annotations

from gateway.event_streams import CLOSE_STREAMS
from gateway.lifeline import die_with_parent
from gateway.serving import serve
from gateway.settings import Settings
from gateway.telemetry import set_up_logging


def run(settings: Settings, host: str, port: int) -> int:
    """Serve on an address until SIGTERM or SIGINT; what is under way is finished first. Returns the exit code.

    Raises:
        SettingsError: there is no admin key, or nobody may listen there.
    """
    settings.require("admin_key")
    die_with_parent()
    set_up_logging(settings, "admin")
    serve("admin.app:create", settings, host, port, workers=1, stopping=CLOSE_STREAMS)
    return 0
