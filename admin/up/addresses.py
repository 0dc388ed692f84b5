"""Ports: whether one is free, which one is, and the URL that people open."""

from __future__ import annotations

import errno
import ipaddress
import socket

from admin.up.errors import CannotStart
from gateway.listening import try_address
from gateway.settings import Bind

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised here, never bound here


def reserve(host: str, port: int, purpose: str, *others: Bind) -> Bind:
    """Check that nothing listens there, and that no other part will; port 0 picks a free one.

    Not as one that is shared: the gateway's workers do that, and would then share a stranger's port. Neither would
    two parts of ours notice that they share one, so `others` are those that have theirs already.

    Raises:
        CannotStart: the port is taken or not allowed, or the host is not an address of this machine.
    """
    ports = {other.port for other in others}
    if port in ports:
        raise CannotStart(f"port {port} is given twice: give the {purpose} a port of its own")
    try:
        found = Bind(host, try_address(host, port, shared=False)[1])
    except socket.gaierror as error:
        raise CannotStart(f"{host} is not an address that the {purpose} can listen on") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(f"port {port} on {host} is taken, so the {purpose} cannot start") from error
        raise CannotStart(f"the {purpose} cannot listen on {host}:{port}: {error.strerror}") from error
    return found if found.port not in ports else reserve(host, port, purpose, *others)


def reserve_metrics(wanted: Bind, *others: Bind, may_move: bool) -> Bind:
    """The wanted port; a free one when it is taken and nobody asked for that very port.

    Raises:
        CannotStart: the port is taken and may not move.
    """
    try:
        return reserve(wanted.host, wanted.port, "metrics page", *others)
    except CannotStart:
        if not may_move:
            raise
        return reserve(wanted.host, 0, "metrics page", *others)


def text(bind: Bind) -> str:
    """As `Bind.parse` reads it."""
    return f"[{bind.host}]:{bind.port}" if ":" in bind.host else f"{bind.host}:{bind.port}"


def url(bind: Bind) -> str:
    """Where a browser on this machine reaches the bind; without a slash at the end."""
    return f"http://{text(Bind(_WILDCARDS.get(bind.host, bind.host), bind.port))}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host's ports."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
