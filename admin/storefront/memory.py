"""Values that cost too much to make for each request, kept as long as what they were made from is the newest.

Nothing here is told when the shop changes: a value is found by the very objects that it was made from, which
nobody ever changes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from admin.promotions.model import LANGUAGES
from admin.quotes.book import Listing
from admin.storefront.figures import Figures
from admin.storefront.lineup import Lineups
from admin.storefront.prices import Pricelists
from admin.storefront.rations import Rations

ValueT = TypeVar("ValueT")


class Memory:
    """Values by name, all made from one source; another source makes it forget them all."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._source: tuple[object, ...] = ()
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        # Held while a value is made, so that those who want the same wait for it.
        self._making = threading.Lock()

    def get(self, source: tuple[object, ...], name: Hashable, make: Callable[[], ValueT]) -> ValueT:
        """The value of a name, made now if it is not known for this source."""
        with self._making:
            if len(source) != len(self._source) or any(
                ours is not theirs for ours, theirs in zip(self._source, source, strict=True)
            ):
                self._values.clear()
                self._source = source
            if name in self._values:
                self._values.move_to_end(name)
            else:
                self._values[name] = make()
                if len(self._values) > self._size:
                    self._values.popitem(last=False)
            value: ValueT = self._values[name]
            return value


class Skus:
    """All SKUs in order. After a change the order is made from the one before, which is much quicker."""

    def __init__(self) -> None:
        self._listings: Mapping[str, Listing] = {}
        self._order: list[str] = []
        self._making = threading.Lock()

    def of(self, listings: Mapping[str, Listing]) -> list[str]:
        """The SKUs of a book's products in order."""
        with self._making:
            if self._listings is not listings:
                known = self._listings
                order = [sku for sku in self._order if sku in listings]
                order += [sku for sku in listings if sku not in known]
                order.sort()
                self._order, self._listings = order, listings
            return self._order


class Shelf:
    """Everything a process keeps for its lists."""

    def __init__(self) -> None:
        self.skus = Skus()
        self.orders = Memory(8)
        self.prices = Pricelists()
        self.categories = Memory(1)
        self.counts = Memory(len(LANGUAGES))
        self.figures = Figures()
        self.rations = Rations()
        self.lineups = Lineups()
        self.product_texts: dict[str, tuple[object, str]] = {}
        self.campaign_texts: dict[str, tuple[object, str]] = {}
