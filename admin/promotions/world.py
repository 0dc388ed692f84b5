"""Everything a price depends on besides the cart. Gathered by others; the engine only reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from admin.promotions.audience import GUEST, Shopper
from admin.promotions.coupon import Coupon
from admin.promotions.index import CampaignIndex


@dataclass(frozen=True, slots=True)
class Product:
    """What the engine knows of a product. `categories` are its own and all above it."""

    sku: str
    price: int
    categories: tuple[str, ...] = ()
    gift_only: bool = False
    on_sale: bool = True


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a campaign's limits for this shopper, in orders or units as its type counts; None: no limit.

    `per_shopper` is units where the rule itself has such a limit; `budget` is minor units.
    """

    total: int | None = None
    per_shopper: int | None = None
    budget: int | None = None


@dataclass(frozen=True, slots=True)
class World:
    """One instant of the shop, as one shopper sees it. `today` is the civil date in the shop's `zone`.

    `free` is the stock of products that may still be sold or given away; `left` has campaigns with limits;
    `operator` sees every campaign of a product, also broken ones.
    """

    now_ms: int
    today: date
    index: CampaignIndex
    products: Mapping[str, Product]
    free: Mapping[str, int]
    shopper: Shopper = GUEST
    left: Mapping[str, Left] = field(default_factory=dict)
    coupon: Coupon | None = None
    zone: ZoneInfo = ZoneInfo("UTC")
    currency: str = "CNY"
    language: str = "en"
    operator: bool = False
    nodes_max: int = 12_000
    """Steps that a search for a better choice may take."""
