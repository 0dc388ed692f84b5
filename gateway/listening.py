"""Trying whether one may listen at an address, before a server is started there."""

from __future__ import annotations

import socket


def try_address(host: str, port: int, *, shared: bool) -> tuple[str, int]:
    """Bind and let go: the address as a number, and the port, a free one for 0.

    Args:
        host: an address of this machine, or a name of it.
        port: TCP port.
        shared: whether other processes may have it, too, if they also share it (SO_REUSEPORT).

    Raises:
        socket.gaierror: the host is no address.
        OSError: nobody may listen there.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        # Connections of a run that just ended linger; they do not keep anybody from listening.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        probe.bind(address)
        return str(address[0]), int(probe.getsockname()[1])
