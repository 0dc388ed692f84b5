"""Serving the sidecar with granian until it is told to stop."""

from __future__ import annotations

import functools
import logging
import resource
from collections.abc import Callable
from typing import Any

from granian import Granian
from granian.constants import Interfaces, Loops

from admin.app import create_app
from gateway.settings import Settings

SHUTDOWN_GRACE_S = 15
"""What requests under way get to finish when the process is told to stop."""

_log = logging.getLogger(__name__)


def _load(settings: Settings, _target: str) -> Any:
    return create_app(settings)


def _raise_file_limit() -> None:
    """Allow as many open connections as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(settings: Settings, host: str, port: int) -> int:
    """Serve on an address until SIGTERM or SIGINT; what is under way is finished first.

    Returns:
        The process's exit code.

    Raises:
        SettingsError: there is no admin key.
    """
    settings.require("admin_key")
    _raise_file_limit()
    server = Granian(
        "admin.app:create_app",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=1,
        loop=Loops.uvloop,
        websockets=False,
        log_level=settings.log_level,  # type: ignore[arg-type]
        respawn_failed_workers=True,
        workers_kill_timeout=settings.shutdown_timeout_s,
        process_name="seckill-admin",
    )
    loader: Callable[[str], Any] = functools.partial(_load, settings)
    server.serve(target_loader=loader)
    return 0
