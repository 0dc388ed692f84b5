"""Just enough of Redis' protocol to find where commands and replies end, and what a command does."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

_LINES = b"+-:_#,("
_BLOBS = b"$=!"
_LISTS = b"*~>"
_HEADER = re.compile(rb"\A\s*--\[\[\s*(\w+):")


def frame_end(data: bytes | bytearray, start: int = 0) -> int | None:
    """Where the value that begins at `start` ends, or None while it is incomplete."""
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        return None
    kind, after = data[start : start + 1], line_end + 2
    if kind in _LINES:
        return after
    length = int(data[start + 1 : line_end])
    if kind in _BLOBS:
        end = after if length < 0 else after + length + 2
        return end if end <= len(data) else None
    if kind not in _LISTS and kind != b"%":
        raise ValueError(f"not the protocol of Redis: {bytes(data[start : start + 20])!r}")
    for _ in range(length * 2 if kind == b"%" else length):
        end_of_item = frame_end(data, after)
        if end_of_item is None:
            return None
        after = end_of_item
    return after


def is_push(frame: bytes) -> bool:
    """Whether this is a message that answers no command."""
    return frame[:1] == b">"


def words(frame: bytes, count: int = 3) -> list[bytes]:
    """The first words of a command."""
    found = []
    line_end = frame.find(b"\r\n")
    total, at = int(frame[1:line_end]), line_end + 2
    for _ in range(min(total, count)):
        line_end = frame.find(b"\r\n", at)
        length = int(frame[at + 1 : line_end])
        found.append(frame[line_end + 2 : line_end + 2 + length])
        at = line_end + 2 + length + 2
    return found


@dataclass
class ScriptNames:
    """Names of scripts by their SHA, learned from those that are loaded: a script's header begins with its name."""

    by_sha: dict[bytes, str] = field(default_factory=dict)

    def name_of(self, frame: bytes) -> str:
        """What a command is: a script's name, else the command itself in capitals."""
        said = words(frame)
        verb = said[0].upper()
        if verb == b"SCRIPT" and len(said) == 3 and said[1].upper() == b"LOAD":
            self._learn(said[2])
        if verb == b"EVAL" and len(said) > 1:
            return self._learn(said[1])
        if verb == b"EVALSHA" and len(said) > 1:
            return self.by_sha.get(said[1].lower(), "EVALSHA")
        return verb.decode("ascii", "replace")

    def _learn(self, source: bytes) -> str:
        match = _HEADER.match(source)
        name = match[1].decode() if match else "EVAL"
        self.by_sha[hashlib.sha1(source).hexdigest().encode()] = name
        return name
