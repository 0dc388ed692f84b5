"""How much memory and traffic a stack's own Redis has, as Redis itself says it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hiredis

from loadtest.errors import StartError

WITHIN_S = 60.0
SAMPLES_ALL = "0"
"""Of `MEMORY USAGE`: look at every element, and estimate nothing."""


class RedisMemory:
    """A connection to Redis at a Unix socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = hiredis.Reader(encoding="utf-8", errors="replace")

    def _ask(self, *words: str) -> Any:
        command: tuple[Any, ...] = words  # as hiredis is typed
        self._connection.sendall(hiredis.pack_command(command))
        while (reply := self._reader.gets()) is False:
            self._reader.feed(self._connection.recv(65_536))
        if isinstance(reply, Exception):
            raise StartError(f"Redis refuses {words[0]}: {reply}")
        return reply

    def used_bytes(self) -> int:
        """What all data and buffers use now."""
        return self.stat("used_memory")

    def stat(self, name: str) -> int:
        """A whole number of INFO."""
        return next(
            int(line.partition(":")[2]) for line in self._ask("INFO").splitlines() if line.startswith(f"{name}:")
        )

    def keys(self, part: str) -> list[str]:
        """Every key in whose name `part` stands between colons or at the end."""
        return sorted({key for key in self._scan() if part in key.split(":")})

    def _scan(self) -> Iterator[str]:
        cursor = "0"
        while True:
            cursor, some = self._ask("SCAN", cursor, "COUNT", "1000")
            yield from some
            if cursor == "0":
                return

    def bytes_of(self, part: str) -> int:
        """What all keys of one kind use."""
        return sum(self._ask("MEMORY", "USAGE", key, "SAMPLES", SAMPLES_ALL) or 0 for key in self.keys(part))

    def fields_of(self, part: str) -> int:
        """How many fields all hashes of one kind have."""
        return sum(int(self._ask("HLEN", key)) for key in self.keys(part))


@contextlib.contextmanager
def connected(path: Path) -> Iterator[RedisMemory]:
    """Ask the Redis that listens at `path`."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(WITHIN_S)
        connection.connect(str(path))
        yield RedisMemory(connection)
