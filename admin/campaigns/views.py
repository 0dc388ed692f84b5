"""Campaigns as replies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row

from admin.campaigns.models import Campaign, CampaignItem, CampaignSummary, OfferState
from admin.campaigns.states import state_of
from admin.campaigns.stored import Stored
from admin.promotions import registry
from admin.promotions.model import LANGUAGES
from admin.resources import Resources


def campaign_view(
    resources: Resources, stored: Stored, *, languages: str = "", absent: Collection[str] = ()
) -> Campaign:
    """A campaign with its items; `absent` are offers that Redis has lost."""
    summary = summary_view(
        resources, stored.row, [stored.item_body(item) for item in stored.listed], stored.now_ms, languages
    )
    listed = [_item_view(stored, item, absent) for item in sorted(stored.items, key=lambda each: each.removed)]
    return Campaign(**summary.model_dump(), items=listed)


def summary_view(
    resources: Resources, row: Row[Any], items: list[dict[str, Any]], now_ms: int, languages: str
) -> CampaignSummary:
    """A campaign without its items, which are needed for the generated label only."""
    promotion = registry.available()[row.type]
    body = {**row.terms, "starts_at": row.starts_at_ms, "ends_at": row.ends_at_ms, "items": items}
    fields: Any = promotion.fields.model_validate(body)
    labels = promotion.label(fields.rule, fields.items, resources.currency)
    terms = row.terms
    return CampaignSummary(
        code=row.code,
        type=row.type,
        state=state_of(row, now_ms),
        name=terms["name"],
        slogan=terms["slogan"],
        label=terms["label"] or labels[preferred(languages)],
        labels=labels,
        texts=terms["texts"],
        starts_at=resources.iso_or_none(row.starts_at_ms),
        ends_at=resources.iso_or_none(row.ends_at_ms),
        priority=row.priority,
        channels=terms["channels"],
        stores=terms["stores"],
        audience=terms["audience"],
        scope=terms["scope"],
        categories=terms["categories"],
        exclude=terms["exclude"],
        coupons_allowed=promotion.coupons_allowed if terms["coupons_allowed"] is None else terms["coupons_allowed"],
        limits=terms["limits"],
        rule=terms["rule"],
        item_count=len(items),
        archived=row.archived,
        demo=row.demo,
        terminated_at=resources.iso_or_none(row.terminated_at_ms),
        revision=row.revision,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )


def preferred(languages: str) -> str:
    """Which language of generated texts an Accept-Language header asks for first."""
    for part in languages.split(","):
        language = part.split(";")[0].strip().lower()
        if language.startswith("zh"):
            return "zh-Hant"
        if language.startswith("en"):
            return "en"
    return LANGUAGES[0]


def _item_view(stored: Stored, item: Row[Any], absent: Collection[str]) -> CampaignItem:
    offer = stored.offers.get(item.sku)
    state: OfferState | None = None
    if offer is not None:
        state = offer.state
        if offer.published_version < offer.version:
            state = "pending"
        if offer.id in absent:
            state = "unavailable"
    return CampaignItem(
        sku=item.sku,
        stock=item.terms["stock"] if offer is None else offer.stock,
        price=item.terms["price"],
        removed=item.removed,
        offer=None if offer is None else offer.id,
        offer_price=None if offer is None else offer.price,
        offer_state=state,
    )
