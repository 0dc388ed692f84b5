"""What the storefront shows. Amounts are minor units; `in_stock` is a hint, checkout decides."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from admin.inputs import Code, Query, QueryText, refuse
from admin.paging import Page
from admin.promotions import registry
from admin.promotions.model import Channel, StoreId

Sort = Literal["name", "price", "-price", "promo_price", "-promo_price", "newest"]


def known_type(name: str) -> str:
    """The name of a promotion type, if there is such a type.

    Raises:
        PydanticCustomError: there is none.
    """
    known = registry.available().keys()
    if name not in known:
        raise refuse("unknown_type", f"want one of {', '.join(sorted(known))}")
    return name


InChannel = Annotated[Channel, Field(description="where the shopper is")]
InStore = Annotated[StoreId | None, Field(description="with channel store: which one")]


class ShopFilter(Page):
    """Which products to show; all that is asked holds."""

    q: Annotated[
        QueryText | None,
        Field(description="words of products, their categories and promotions; all of them must be found"),
    ] = None
    type: Annotated[QueryText | None, AfterValidator(lambda name: name and known_type(name))] = None
    campaign: Annotated[Code | None, Field(description="in this campaign")] = None
    category: Annotated[QueryText | None, Field(description="or a descendant of it")] = None
    sort: Annotated[Sort | None, Field(description="by SKU when absent; - is descending")] = None
    channel: InChannel = "web"
    store: InStore = None


class ShopPlace(Query):
    """Where a shopper looks at one thing."""

    channel: InChannel = "web"
    store: InStore = None


class CampaignGoodsFilter(Page):
    """Which of a campaign's products to show."""

    channel: InChannel = "web"
    store: InStore = None


class ShopButton(BaseModel):
    """A way to buy a product besides the cart. `price` is what a unit costs in the end."""

    type: str
    campaign: str
    label: str | None
    price: int
    state: Literal["not_started", "running"]
    starts_at: str
    ends_at: str
    offer: Annotated[str | None, Field(description="seckill: the gateway's offer id")]
    deposit: Annotated[int | None, Field(description="presale: to be paid now")]


class ShopProduct(BaseModel):
    """A product in a list. `promo_price` is what one unit costs by the default campaign, `campaign`."""

    sku: str
    name: str
    image: str | None
    price: int
    promo_price: int
    label: str | None
    campaign: str | None
    type: str | None
    buttons: list[ShopButton]
    in_stock: bool


class ShopProductPage(BaseModel):
    """Products, in the order that was asked for."""

    currency: str
    items: list[ShopProduct]
    next: str | None


class ShopGift(BaseModel):
    """A product that is given away."""

    sku: str
    quantity: int
    name: str | None
    image: str | None


class ShopGrant(BaseModel):
    """Gifts that come together `times` times: all of them, or as many picks as `choose` says."""

    choose: int | None
    times: int
    gifts: list[ShopGift]


class ShopAddOn(BaseModel):
    """A product that may be added for less, at most `limit` units in an order."""

    sku: str
    price: int
    limit: int
    name: str | None
    image: str | None


class ShopChoice(BaseModel):
    """A campaign of a product. `choice` and `reason` are those of a quote for one unit.

    `reach_quantity` is the smallest number of units that reaches its first step; `unit_price` what the first of
    them costs then, `reach_total` all of them. `gifts` and `add_ons` are what it gives then.
    """

    code: str
    type: str
    name: str
    label: str | None
    slogan: str | None
    starts_at: str
    ends_at: str
    state: Literal["not_started", "running"]
    choice: str
    reason: str | None
    default: bool
    reach_quantity: int | None
    unit_price: int | None
    reach_total: int | None
    gifts: list[ShopGrant]
    add_ons: list[ShopAddOn]


class ShopProductData(ShopProduct):
    """What a product page shows. `left` is told when only few are."""

    description: str | None
    tags: list[str]
    category: str | None
    currency: str
    server_time: str
    left: int | None
    campaigns: list[ShopChoice]


class CampaignGood(ShopProduct):
    """A product of a campaign. `campaign_price` is what one unit costs in it; null when it cannot be had."""

    campaign_price: int | None


class ShopCampaign(BaseModel):
    """A campaign as shoppers see it: its rule in words and a page of its products."""

    code: str
    type: str
    name: str
    slogan: str | None
    label: str | None
    starts_at: str
    ends_at: str
    state: Literal["not_started", "running", "paused", "ended"]
    title: Annotated[str, Field(description="of the type")]
    sentence: Annotated[str, Field(description="what the type does")]
    rule: list[str]
    open: Annotated[bool, Field(description="whether this shopper may take part now")]
    reason: str | None
    currency: str
    server_time: str
    items: list[CampaignGood]
    next: str | None


class ShopPresale(BaseModel):
    """What a unit costs in a pre-sale, and when: the deposit now, the balance in its window.

    The deposit counts for `credit`; `total` is deposit and balance together. `mode` is `confirm` where the deposit
    confirms the order, and `on_unpaid` says what becomes of the deposit of who never pays the balance.
    """

    campaign: str
    sku: str
    name: str
    image: str | None
    title: Annotated[str, Field(description="of the campaign")]
    slogan: str | None
    label: str | None
    state: Literal["not_started", "running", "paused", "ended"]
    open: Annotated[bool, Field(description="whether this shopper may take part now")]
    reason: str | None
    starts_at: str
    ends_at: str
    base_price: int
    price: int
    deposit: int
    credit: int
    balance: int
    total: int
    mode: Literal["leverage", "confirm"]
    balance_starts_at: str
    balance_ends_at: str
    ships_at: str | None
    on_unpaid: Literal["forfeit", "refund"]
    coupons_allowed: bool
    in_stock: bool
    currency: str
    server_time: str


class SessionOffer(BaseModel):
    """One product in a session, sold by the gateway under the id `offer`."""

    offer: str
    campaign: str
    sku: str
    name: str
    image: str | None
    price: int
    original_price: int
    label: str | None
    state: Literal["not_started", "running", "paused", "ended"]


class SessionDay(BaseModel):
    """A session on a date, which is the one on which it starts."""

    date: str
    id: str
    name: str
    starts_at: str
    ends_at: str
    state: Literal["not_started", "running", "ended"]
    offers: list[SessionOffer]


class SessionDays(BaseModel):
    """Sessions of today and the next days, in order."""

    server_time: str
    currency: str
    items: list[SessionDay]
    next: str | None
