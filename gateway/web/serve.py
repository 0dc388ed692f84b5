"""Serving the gateway: granian's main process, its workers, and the metrics of all of them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import shutil
import tempfile
from wsgiref.simple_server import WSGIServer

from granian import Granian
from granian.constants import Interfaces, Loops, RuntimeModes
from granian.log import LogLevels
from prometheus_client import start_http_server

from gateway.errors import SettingsError
from gateway.lifeline import die_with_parent
from gateway.settings import Settings
from gateway.telemetry import registry_of_all_workers, set_up_logging

log = logging.getLogger(__name__)

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
FILES_PER_CONNECTION = 2


def run(settings: Settings, host: str, port: int, workers: int) -> int:
    """Serve until SIGTERM or SIGINT; in-flight clicks are answered first. Returns the exit code.

    Raises:
        SettingsError: a secret is missing, or an address is taken.
    """
    settings.require("token_secret")
    _ = settings.signing_secrets
    die_with_parent()
    set_up_logging(settings, "gateway")
    _raise_file_limit(settings.connections_max * FILES_PER_CONNECTION)
    folder = tempfile.mkdtemp(prefix="seckill-metrics-")
    os.environ[MULTIPROCESS_VARIABLE] = folder
    # Workers are born fresh: a fork would copy the metrics server's locks and miss the variable above.
    multiprocessing.set_start_method("spawn", force=True)
    try:
        _serve_metrics(settings)
        server = Granian(
            "gateway.web.app:create",
            factory=True,
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            workers=workers,
            loop=Loops.uvloop,
            # One runtime thread per worker: the work is Python's, more threads only contend.
            runtime_mode=RuntimeModes.st,
            websockets=False,
            backlog=settings.listen_backlog,
            # Granian stops accepting at so many open connections, idle ones and event streams included.
            backpressure=settings.connections_max,
            respawn_failed_workers=True,
            workers_kill_timeout=settings.shutdown_timeout_s,
            log_level=LogLevels.warning,
        )
        server.serve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _serve_metrics(settings: Settings) -> WSGIServer:
    bind = settings.metrics_bind
    try:
        server, _ = start_http_server(bind.port, bind.host, registry_of_all_workers(settings))
    except OSError as error:
        raise SettingsError(
            f"SECKILL_METRICS_BIND: cannot listen on {bind.host}:{bind.port} ({error.strerror}); choose another"
        ) from error
    log.info("metrics at http://%s:%s/metrics", bind.host, server.server_port)
    return server


def _raise_file_limit(wanted: int) -> None:
    """Every connection needs a file descriptor; the usual soft limit of 1024 is no limit for a sale."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
