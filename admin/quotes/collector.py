"""The garbage collector and a large shop: millions of objects that stay, through which it would look in vain."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 50_000
"""Objects; fewer are looked through in no time."""
MANY_PRODUCTS = 2_000
"""Products in memory; they, with their share of campaigns, are about as many objects."""


@contextmanager
def reading_much() -> Iterator[None]:
    """While a shop is read, nothing is collected: that would take as long again. If much was made, it is set
    aside.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_count()[0] > MANY:
            gc.freeze()
        if enabled:
            gc.enable()


class SettingAside:
    """Takes what a shop grew by out of the collector's sight, where each look at it would stop every request for a
    third of a second.
    """

    def __init__(self) -> None:
        self._collections = 0

    def check(self, products: int) -> None:
        """Set everything aside after a full collection, when there is hardly any garbage that would be kept for
        good, if the shop has many products.

        Objects themselves are not counted: to be handed a tuple that another thread is just building breaks it.
        """
        collections = gc.get_stats()[-1]["collections"]
        if collections != self._collections:
            self._collections = collections
            if products > MANY_PRODUCTS:
                gc.freeze()
