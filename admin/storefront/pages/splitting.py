"""Prices of single pieces, told together where they are the same."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby


def pieces(amounts: Iterable[int]) -> list[tuple[int, int]]:
    """How many pieces in a row cost how much."""
    return [(len(list(same)), amount) for amount, same in groupby(amounts)]
