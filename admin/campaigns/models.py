"""Campaigns as operators see them, and the small bodies of actions on them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import BaseModel, Field, SerializeAsAny, create_model

from admin.campaigns.states import State
from admin.inputs import STOCK_MAX, Code, Input, Instant, OperationId, Query, QueryFlag, QueryText
from admin.paging import Page
from admin.promotions import registry
from admin.promotions.model import Item, Name

CODES_MAX = 41 * 500
"""Characters of codes that are named in one request."""

OfferState = Literal["open", "paused", "terminated", "pending", "unavailable"]


class CampaignItem(BaseModel):
    """One product of a campaign. `removed`: taken off the list while the campaign ran."""

    sku: str
    removed: bool


class OfferItem(CampaignItem):
    """One product of a campaign that the gateway sells.

    `price` is its own, if it has one; `offer_price` what a unit costs. `offer_state` is null in a draft; `pending`
    until Redis has the newest terms; `unavailable` when Redis has lost the offer and recovery must look first.
    """

    stock: int | None
    price: int | None
    offer: str | None
    offer_price: int | None
    offer_state: OfferState | None


class UnreadItem(CampaignItem):
    """One product of a campaign that this version cannot read."""

    terms: dict[str, Any] = Field(description="as they are stored")


@cache
def item_with_terms(item: type[Item]) -> type[CampaignItem]:
    """The reply for products of types with such items: with the terms they have of their own, null where not."""
    terms: dict[str, Any] = {
        name: (each.rebuild_annotation(), Field(description=each.description))
        for name, each in item.model_fields.items()
        if name not in CampaignItem.model_fields
    }
    if not terms:
        return CampaignItem
    # No type's own name for its items may be that of a reply: the API's document tells them apart by name.
    name, about = f"Campaign{item.__name__}", "One product of a campaign, with terms of its own."
    return create_model(name, __base__=CampaignItem, __doc__=about, **terms)


_TYPES = registry.available().values()
_ITEMS = {item_with_terms(each.item) for each in _TYPES if not each.sold_by_gateway} - {CampaignItem}
_SHAPES = (OfferItem, *sorted(_ITEMS, key=lambda shape: shape.__name__), UnreadItem, CampaignItem)
if TYPE_CHECKING:
    AnyItem = CampaignItem
else:
    # Serialized as what each is, also of a type that was registered later.
    AnyItem = Annotated[Union[_SHAPES], SerializeAsAny()]  # noqa: UP007


class CampaignSummary(BaseModel):
    """A campaign without its items. `label` is in the reader's language when it was not typed.

    `error` says why this version cannot read what is stored: then `rule` is as stored, and shoppers do not see it.
    """

    code: str
    type: str
    state: State
    name: str | None
    slogan: str | None
    label: str | None
    labels: dict[str, str]
    texts: dict[str, Any]
    starts_at: str | None
    ends_at: str | None
    priority: int
    channels: list[str]
    stores: list[str]
    audience: dict[str, Any]
    scope: str
    categories: list[str]
    exclude: list[str]
    coupons_allowed: bool
    limits: dict[str, Any] | None
    rule: dict[str, Any]
    error: str | None
    item_count: int
    archived: bool
    demo: bool
    terminated_at: str | None
    revision: int
    created_at: str
    updated_at: str


class Campaign(CampaignSummary):
    """A campaign with its items, in the operator's order; removed ones last."""

    items: list[AnyItem]


class CampaignChoice(Query):
    """Which campaigns."""

    state: State | None = None
    type: QueryText | None = None
    archived: QueryFlag = False
    q: Annotated[QueryText | None, Field(description="part of a code, or of a typed name, slogan or label")] = None
    codes: Annotated[
        str | None,
        Field(pattern=r"^[a-z0-9-]{1,40}(,[a-z0-9-]{1,40})*$", max_length=CODES_MAX, description="only these: a,b"),
    ] = None
    sort: Annotated[
        Literal["created", "start"], Field(description="latest first; without a start before all others")
    ] = "created"


class CampaignFilter(CampaignChoice, Page):
    """Which campaigns to show."""


class CampaignPage(BaseModel):
    """Campaigns, the latest first."""

    items: list[CampaignSummary]
    next: str | None


class TerminateInput(Input):
    """How to stop for good."""

    refund_all: bool = Field(default=False, description="cancel what is unpaid, pay back what is paid")


class CopyInput(Input):
    """What the copy, a draft, has of its own. Without a window, it has none yet."""

    code: Code | None = None
    name: Name | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None


class StockInput(Input):
    """A change of stock. Repeated with the same id, it is applied once and answered the same."""

    delta: int = Field(ge=-STOCK_MAX, le=STOCK_MAX, description="units; negative cuts")
    operation_id: OperationId


class StockReply(BaseModel):
    """The stock after the operation, and how many units of it were left to sell."""

    operation_id: str
    offer: str
    delta: int
    stock: int
    left: int


class Removed(BaseModel):
    """What became of a deleted campaign: gone, or archived because it has orders."""

    deleted: str | None
    archived: str | None
