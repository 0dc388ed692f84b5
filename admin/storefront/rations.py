"""What is left of campaigns' limits, as lists and pages show it: a little late, as they are asked for so often.

What all shoppers together have used is read again after `KEPT_S`; what one has used, each time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from sqlalchemy import Engine

from admin.promotions.campaign import Campaign
from admin.promotions.index import CampaignIndex
from admin.promotions.world import Left
from admin.quotes.left import Tally, Used, left_of, used_in_all
from admin.quotes.looking import look
from admin.storefront.lineup import Lineup
from gateway.orders.database import reading

KEPT_S = 1.0
"""How old what is shown may be. A quote is never late."""


class Rations:
    """What is left for everybody together, in the newest index."""

    def __init__(self) -> None:
        self._index: CampaignIndex | None = None
        self._limited: tuple[Campaign, ...] = ()
        self._used: Used = {}
        self._read_at_s = float("-inf")
        self._left: Mapping[str, Left] = {}
        # Held while it is read, so that those who want the same wait for it.
        self._reading = threading.Lock()

    def left(self, engine: Engine, index: CampaignIndex, lineup: Lineup, owner: str) -> Mapping[str, Left]:
        """What is left for somebody, by campaign; `owner` is empty for nobody.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        used, left = self._in_all(engine, index)
        wishes: list[Tally] = [("campaign_shopper", each.code, owner) for each in lineup.rationed if owner]
        if not wishes:
            return left
        own = look(engine, (), wishes).used
        both = {**used, **own} if own else used
        mine = {code: left_of(each, both, owner) for _, code, _ in own if (each := index.get(code)) is not None}
        return {**left, **mine}

    def _in_all(self, engine: Engine, index: CampaignIndex) -> tuple[Used, Mapping[str, Left]]:
        with self._reading:
            if self._index is not index:
                self._limited = tuple(each for each in index.all() if each.limited)
                self._index, self._read_at_s = index, float("-inf")
            now_s = time.monotonic()
            if now_s - self._read_at_s >= KEPT_S:
                used: Used = {}
                if self._limited:
                    with reading(engine) as connection:
                        used = used_in_all(connection)
                self._used, self._read_at_s = used, now_s
                self._left = {each.code: left_of(each, used) for each in self._limited}
            return self._used, self._left
