"""Flash sales: their rounds in the channel, and the way to the gateway's sale page, which alone sells them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from admin.errors import NotFound, Unauthenticated
from admin.pages.locales import gettext as _
from admin.security import SHOPPER_COOKIE
from admin.storefront.pages.visit import Visit, page
from admin.storefront.window_models import FlashSale

NOW = "now"
"""The round of everything that has begun."""
SHOWN_MAX = 200
"""Most flash sales that the channel looks at."""


@dataclass(frozen=True, slots=True)
class Round:
    """Flash sales that open together; what has begun is one round. `turns_at` is when the next of them changes."""

    key: str
    session: str | None
    turns_at: str
    sales: list[FlashSale]

    @property
    def begun(self) -> bool:
        """Whether it is on."""
        return self.key == NOW


def rounds(sales: Iterable[FlashSale], now: str) -> list[Round]:
    """The rounds of the channel, what is on first."""
    by_key: dict[str, list[FlashSale]] = {}
    for each in sales:
        starts = datetime.fromisoformat(each.starts_at)
        begun = starts <= datetime.fromisoformat(now)
        by_key.setdefault(NOW if begun else str(int(starts.timestamp())), []).append(each)
    return [_round(key, found) for key, found in by_key.items()]


def _round(key: str, sales: list[FlashSale]) -> Round:
    names = {each.session for each in sales}
    turns_at = min((each.ends_at if key == NOW else each.starts_at for each in sales), key=datetime.fromisoformat)
    return Round(key, names.pop() if len(names) == 1 else None, turns_at, sales)


def gateway_url(visit: Visit) -> str | None:
    """Where the sale page is, if anybody has said so."""
    return visit.resources.settings.gateway_url.rstrip("/") or None


async def hand_over(visit: Visit) -> Response:
    """`POST /flash/{offer}`: to the sale page at this offer, with the shopper's token in the fragment, which no
    server and no log sees.

    Raises:
        Unauthenticated: nobody is signed in.
        NotFound: nobody has told the shop where its sale page is.
    """
    if visit.shopper is None:
        raise Unauthenticated("sign in first")
    gateway = gateway_url(visit)
    if gateway is None:
        raise NotFound(_("This shop has not been told where its flash sales are held."))
    token = visit.request.cookies[SHOPPER_COOKIE]
    offer = quote(visit.path["offer"], safe="")
    return RedirectResponse(f"{gateway}/#offer={offer}&token={token}", 303)


ROUTES = [page("POST", "/flash/{offer}", hand_over)]
