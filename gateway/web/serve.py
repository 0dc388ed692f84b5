"""The gateway's main process: granian with its workers, and the metrics of all of them."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile

from granian.constants import Interfaces
from prometheus_client import start_http_server

from gateway.errors import SettingsError
from gateway.event_streams import CLOSE_STREAMS
from gateway.lifeline import die_with_parent
from gateway.serving import serve
from gateway.settings import Settings
from gateway.telemetry import registry_of_all_workers, set_up_logging

log = logging.getLogger(__name__)

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def run(settings: Settings, host: str, port: int, workers: int) -> int:
    """Serve until SIGTERM or SIGINT; in-flight clicks are answered first. Returns the exit code.

    Raises:
        SettingsError: a secret is missing, or an address is taken.
    """
    settings.require("token_secret")
    _ = settings.signing_secrets
    die_with_parent()
    set_up_logging(settings, "gateway")
    folder = tempfile.mkdtemp(prefix="seckill-metrics-")
    os.environ[MULTIPROCESS_VARIABLE] = folder
    try:
        _serve_metrics(settings)
        serve(
            "gateway.web.app:create",
            settings,
            host,
            port,
            workers,
            interface=Interfaces.RSGI,
            stopping=CLOSE_STREAMS,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _serve_metrics(settings: Settings) -> None:
    bind = settings.metrics_bind
    try:
        server, _ = start_http_server(bind.port, bind.host, registry_of_all_workers(settings))
    except OSError as error:
        raise SettingsError(
            f"SECKILL_METRICS_BIND: cannot listen on {bind.host}:{bind.port} ({error.strerror}); choose another"
        ) from error
    log.info("metrics at http://%s:%s/metrics", bind.host, server.server_port)
