"""The Redis protocol's request side."""

from __future__ import annotations


def pack(*parts: bytes | str | int) -> bytes:
    """Encode one command."""
    encoded = [b"*%d\r\n" % len(parts)]
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        encoded.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(encoded)
