"""Campaigns as replies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row

from admin.campaigns.models import (
    Campaign,
    CampaignItem,
    CampaignSummary,
    OfferItem,
    OfferState,
    UnreadItem,
    item_with_terms,
)
from admin.campaigns.states import state_of
from admin.campaigns.stored import Readable, Stored, as_object
from admin.inputs import examine
from admin.promotions.model import LANGUAGES, CampaignFields
from admin.resources import Resources


@dataclass(frozen=True, slots=True)
class Brief:
    """What a list shows of a campaign's items: the labels made of them, and how many there are."""

    labels: Mapping[str, str]
    item_count: int


def campaign_view(
    resources: Resources, stored: Stored, *, languages: str = "", absent: Collection[str] = ()
) -> Campaign:
    """A campaign with its items; `absent` are offers that Redis has lost."""
    brief = brief_of(resources, stored.content, len(stored.listed))
    summary = summary_view(resources, stored.row, stored.content, brief, stored.now_ms, languages)
    listed = [_item_view(stored, item, absent) for item in sorted(stored.items, key=lambda each: each.removed)]
    return Campaign(**summary.model_dump(), items=listed)


def brief_of(resources: Resources, content: Readable | str, item_count: int) -> Brief:
    """What is shown of a campaign's items. One that cannot be read has no labels."""
    if isinstance(content, str):
        return Brief({}, item_count)
    return Brief(content.promotion.label(content.rule, content.items, resources.currency), item_count)


def remembered(resources: Resources, row: Row[Any]) -> Brief | None:
    """The brief that was written down with this revision of a campaign; None when there is none that holds."""
    kept = as_object(row.summary)
    if (kept.get("revision"), kept.get("currency")) != (row.revision, resources.currency):
        # Changed by an older version, which writes none down.
        return None
    return Brief(kept["labels"], kept["item_count"])


def summary_view(
    resources: Resources, row: Row[Any], content: Readable | str, brief: Brief, now_ms: int, languages: str
) -> CampaignSummary:
    """A campaign without its items; `content` may have been read without them too."""
    terms = as_object(row.terms)
    if isinstance(content, Readable):
        fields, error, labels = content.fields, None, brief.labels
        usual = content.promotion.coupons_allowed
    else:
        # As much as can be read; the rule is shown as it is stored.
        readable, _ = examine(CampaignFields, terms)
        fields, error, labels = readable or CampaignFields(), content, {}
        usual = True
    return CampaignSummary(
        code=row.code,
        type=row.type,
        state=state_of(row, now_ms),
        name=fields.name,
        slogan=fields.slogan,
        label=fields.label or labels.get(preferred(languages)),
        labels=dict(labels),
        texts={language: each.model_dump() for language, each in fields.texts.items()},
        starts_at=resources.iso_or_none(row.starts_at_ms),
        ends_at=resources.iso_or_none(row.ends_at_ms),
        priority=row.priority,
        channels=list(fields.channels),
        stores=fields.stores,
        audience=fields.audience.as_json(),
        scope=fields.scope,
        categories=fields.categories,
        exclude=fields.exclude,
        coupons_allowed=usual if fields.coupons_allowed is None else fields.coupons_allowed,
        limits=None if fields.limits is None else fields.limits.model_dump(),
        rule=_shown(resources, as_object(terms.get("rule"))),
        error=error,
        item_count=brief.item_count,
        archived=row.archived,
        demo=row.demo,
        terminated_at=resources.iso_or_none(row.terminated_at_ms),
        revision=row.revision,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )


def _shown(resources: Resources, rule: dict[str, Any]) -> dict[str, Any]:
    """A stored rule with its instants as the shop shows them."""
    return {
        name: resources.iso(value) if name.endswith("_at") and isinstance(value, int) else value
        for name, value in rule.items()
    }


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
    content = stored.content
    terms = as_object(item.terms)
    if item.sku in stored.offers or (isinstance(content, Readable) and content.promotion.sold_by_gateway):
        return _offer_view(stored, item, terms, absent)
    about = {"sku": item.sku, "removed": item.removed}
    if isinstance(content, Readable):
        # An item that is off the list may be unreadable although the campaign is not.
        with suppress(ValidationError):
            return item_with_terms(content.promotion.item).model_validate({**terms, **about})
    return UnreadItem(**about, terms=terms)


def _offer_view(stored: Stored, item: Row[Any], terms: dict[str, Any], absent: Collection[str]) -> OfferItem:
    offer = stored.offers.get(item.sku)
    state: OfferState | None = None
    if offer is not None:
        state = offer.state
        if offer.published_version < offer.version:
            state = "pending"
        if offer.id in absent:
            state = "unavailable"
    return OfferItem(
        sku=item.sku,
        stock=_whole(terms.get("stock")) if offer is None else offer.stock,
        price=_whole(terms.get("price")),
        removed=item.removed,
        offer=None if offer is None else offer.id,
        offer_price=None if offer is None else offer.price,
        offer_state=state,
    )


def _whole(value: Any) -> int | None:
    # What another version stored may be anything.
    return value if isinstance(value, int) else None
