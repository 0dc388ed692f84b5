"""What shop windows show besides products: flash sales, promotions, categories. Amounts are minor units."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from admin.inputs import Code, QueryText
from admin.inputs import Sku as SkuText
from admin.paging import Page
from admin.storefront.models import InChannel, InStore, known_type


class FlashFilter(Page):
    """Which flash sales to show; all that is asked holds."""

    campaign: Code | None = None
    sku: SkuText | None = None
    category: Annotated[QueryText | None, Field(description="or a descendant of it")] = None


class FlashSale(BaseModel):
    """One product that the gateway sells under the id `offer`, now or soon. `session` is the name of its 場次.

    What is sold is a second late at most; it is null while the gateway's store is away.
    """

    offer: str
    campaign: str
    sku: str
    name: str
    image: str | None
    category: str | None
    title: Annotated[str, Field(description="of the campaign")]
    slogan: str | None
    session: str | None
    price: int
    original_price: int
    limit: Annotated[int, Field(description="units that one shopper may have")]
    state: Literal["upcoming", "running", "paused", "sold_out"]
    starts_at: str
    ends_at: str
    stock: int | None
    left: int | None
    sold_percent: Annotated[int | None, Field(description="rounded down")]
    last_sale_at: str | None


class FlashSales(BaseModel):
    """Flash sales: those that have begun, then the others by their start."""

    server_time: str
    currency: str
    items: list[FlashSale]
    next: str | None


class ShopCampaignFilter(Page):
    """Which promotions to show."""

    type: Annotated[QueryText | None, AfterValidator(lambda name: name and known_type(name))] = None
    channel: InChannel = "web"
    store: InStore = None


class ShopCampaignSummary(BaseModel):
    """A promotion that is on or announced, and open to this shopper. `title` is its type's."""

    code: str
    type: str
    title: str
    name: str
    slogan: str | None
    label: str | None
    state: Literal["not_started", "running"]
    starts_at: str
    ends_at: str


class ShopCampaignPage(BaseModel):
    """Promotions: those that are on in the order in which they are chosen, then the others by their start."""

    server_time: str
    items: list[ShopCampaignSummary]
    next: str | None


class ShopCategory(BaseModel):
    """A category with products on sale. `products` counts those of its descendants, too."""

    id: str
    name: str
    parent: str | None
    products: int


class ShopCategories(BaseModel):
    """Categories that have products on sale; a parent comes before its children."""

    items: list[ShopCategory]
    next: str | None
