"""Running an app under granian until a signal says stop; the gateway and the sidecar share it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import socket
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels

from gateway.errors import SettingsError
from gateway.listening import try_address
from gateway.settings import Settings

FILES_PER_CONNECTION = 2

HEAD_MAX_BYTES = 64 * 1024
"""A request line with its headers; twice as much is 431. A connection that sends them slowly holds no more."""


def serve(
    factory: str,
    settings: Settings,
    host: str,
    port: int,
    workers: int,
    *,
    interface: Interfaces = Interfaces.ASGI,
    stopping: signal.Signals | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; what is in flight is answered first, within `shutdown_timeout_s`.

    Args:
        factory: ``module:function`` that makes a worker's app, called in the worker.
        settings: limits on connections and time.
        host: address to listen on, or a name of it.
        port: TCP port.
        workers: processes; one that dies is replaced.
        interface: what the app speaks.
        stopping: sent to the workers before they are asked to stop, for replies that never end by themselves.

    Raises:
        SettingsError: nobody may listen there.
    """
    address = listening_address(host, port)
    # Workers are born fresh: a fork would copy the locks of this process's threads.
    multiprocessing.set_start_method("spawn", force=True)
    _raise_file_limit(settings.connections_max * FILES_PER_CONNECTION)
    _Server.stopping = stopping
    _Server(
        factory,
        factory=True,
        address=address,
        port=port,
        interface=interface,
        workers=workers,
        loop=Loops.uvloop,
        # One runtime thread per worker: the work is Python's, more threads only contend.
        runtime_mode=RuntimeModes.st,
        # One request at a time per connection, so that limits on connections limit requests.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(max_buffer_size=HEAD_MAX_BYTES),
        websockets=False,
        backlog=settings.listen_backlog,
        # Granian stops accepting at so many open connections, idle ones and event streams included.
        backpressure=settings.connections_max,
        respawn_failed_workers=True,
        workers_kill_timeout=settings.shutdown_timeout_s,
        log_level=LogLevels.warning,
    ).serve()


def listening_address(host: str, port: int) -> str:
    """The host as a number, which is all that granian understands; its own way to say no is a stack trace.

    Raises:
        SettingsError: the host is not an address of this machine, or the port is taken or not allowed.
    """
    try:
        # Shared, as granian does it: processes of ours may have the same port.
        return try_address(host, port, shared=True)[0]
    except socket.gaierror as error:
        raise SettingsError(f"{host} is not an address to listen on: give --host one of this machine") from error
    except OSError as error:
        raise SettingsError(
            f"cannot listen on port {port} of {host} ({error.strerror}): give another --port or --host"
        ) from error


class _Server(Granian):  # type: ignore[misc,valid-type]
    """Granian, whose workers hear of a stop before it waits for every reply to end.

    And which replaces a worker that was killed however often that happens. By itself it ends when the same one dies
    twice within 5.5 seconds; that is left for workers that end with an error, as those that cannot start do.
    """

    stopping: signal.Signals | None = None

    def _respawn_workers(self, workers: list[int], target: Any, loader: Any, delay: float = 0) -> None:
        ended = {index: each.inner.exitcode for index, each in enumerate(self.wrks) if not each.is_alive()}
        # With a delay they are to be renewed. Else some have died, and of two at once it may hear twice or never.
        super()._respawn_workers(workers if delay else list(ended), target, loader, delay)
        for index, code in ended.items():
            if code <= 0:  # by a signal, or asked to stop by one
                self.respawned_wrks.pop(index, None)

    def shutdown(self, exit_code: int = 0) -> None:
        if self.stopping is not None:
            for worker in multiprocessing.active_children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid or 0, self.stopping)
        super().shutdown(exit_code)


def _raise_file_limit(wanted: int) -> None:
    """Every connection needs a file descriptor; the usual soft limit of 1024 is no limit for a sale."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
