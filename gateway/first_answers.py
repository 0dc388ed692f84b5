"""Asking many for the same: whoever answers soon is heard, and nobody who is silent is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

ANSWER_WITHIN_S = 0.5
OTHERS_WITHIN_S = 0.1
"""How long after the first answer the others are waited for."""


async def first_answers(asking: Collection[asyncio.Future[Any]]) -> None:
    """Wait until enough have answered, and give the others up; those that are done have an answer or an error."""
    try:
        await asyncio.wait(asking, timeout=ANSWER_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if not all(each.done() for each in asking):
            found = any(each.done() and each.exception() is None for each in asking)
            await asyncio.wait(asking, timeout=OTHERS_WITHIN_S if found else ANSWER_WITHIN_S)
    finally:
        for each in asking:
            each.cancel()
