"""One way to break the code."""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """One change of one line or a few, and where it must be noticed."""

    name: str
    file: str
    old: str
    new: str
    tests: str
