"""Campaigns as operators see them, and the small bodies of actions on them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from admin.campaigns.states import State
from admin.inputs import STOCK_MAX, Code, Input, Instant, OperationId, QueryFlag, QueryText
from admin.paging import Page
from admin.promotions.model import Name

OfferState = Literal["open", "paused", "terminated", "pending", "unavailable"]


class CampaignItem(BaseModel):
    """One product of a campaign. `price` is its own, if it has one; `offer_price` what a unit costs.

    `offer_state` is null in a draft; `pending` until Redis has the newest terms; `unavailable` when Redis has lost
    the offer and recovery must look first.
    """

    sku: str
    stock: int | None
    price: int | None
    removed: bool
    offer: str | None
    offer_price: int | None
    offer_state: OfferState | None


class CampaignSummary(BaseModel):
    """A campaign without its items. `label` is in the reader's language when it was not typed."""

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
    item_count: int
    archived: bool
    demo: bool
    terminated_at: str | None
    revision: int
    created_at: str
    updated_at: str


class Campaign(CampaignSummary):
    """A campaign with its items, in the operator's order; removed ones last."""

    items: list[CampaignItem]


class CampaignFilter(Page):
    """Which campaigns to show."""

    state: State | None = None
    type: QueryText | None = None
    archived: QueryFlag = False


class CampaignPage(BaseModel):
    """Campaigns, newest first."""

    items: list[CampaignSummary]
    next: str | None


class TerminateInput(Input):
    """How to stop for good."""

    refund_all: bool = Field(default=False, description="not available yet")


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
