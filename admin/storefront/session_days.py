"""Sessions of today and the next days with what is sold in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select

from admin.promotions.campaign import Campaign
from admin.sessions.occurrence import occurrence
from admin.sessions.tables import sessions
from admin.storefront.campaign_page import state_of
from admin.storefront.models import SessionDay, SessionDays, SessionOffer
from admin.storefront.visit import Visit
from gateway.orders.database import reading

DAYS = 7
"""Days after today."""


def read(visit: Visit) -> SessionDays:
    """Every session on every one of these days, with its offers; also one of yesterday that is still on."""
    with reading(visit.resources.engine) as connection:
        rows = connection.execute(select(sessions).order_by(sessions.c.id)).all()
    held = _by_session(visit)
    found = []
    for row in rows:
        for ahead in range(-1, DAYS + 1):
            day = visit.world.today + timedelta(days=ahead)
            starts_at_ms, ends_at_ms = occurrence(row, day, visit.resources.zone)
            if ahead < 0 and ends_at_ms <= visit.now_ms:
                continue
            ended, begun = ends_at_ms <= visit.now_ms, starts_at_ms <= visit.now_ms
            made = SessionDay(
                date=day.isoformat(),
                id=row.id,
                name=row.name,
                starts_at=visit.resources.iso(starts_at_ms),
                ends_at=visit.resources.iso(ends_at_ms),
                state="ended" if ended else "running" if begun else "not_started",
                offers=[
                    offer for each in held.get((row.id, day.isoformat()), ()) for offer in _offers(visit, each)
                ],
            )
            found.append((starts_at_ms, row.id, made))
    found.sort(key=lambda each: each[:2])
    return SessionDays(
        server_time=visit.resources.iso(visit.now_ms),
        currency=visit.world.currency,
        items=[made for *_, made in found],
        next=None,
    )


def _by_session(visit: Visit) -> dict[tuple[str, str], list[Campaign]]:
    held: dict[tuple[str, str], list[Campaign]] = {}
    for campaign in visit.book.index.all():
        if campaign.broken is not None or campaign.draft or campaign.terminated:
            continue
        session = getattr(campaign.rule, "session", None)
        if session is not None:
            held.setdefault((session.id, session.date), []).append(campaign)
    for campaigns in held.values():
        campaigns.sort(key=lambda each: each.rank)
    return held


def _offers(visit: Visit, campaign: Campaign) -> Iterator[SessionOffer]:
    for sku in campaign.items:
        listing = visit.listing(sku)
        price = None if listing is None else visit.alone.price_in(campaign, listing.product)
        if listing is not None and price is not None:
            yield SessionOffer(
                offer=f"{campaign.code}-{sku}",
                campaign=campaign.code,
                sku=sku,
                name=listing.name,
                image=listing.image,
                price=price,
                original_price=listing.product.price,
                label=campaign.text("label", visit.language),
                state=state_of(campaign, visit.now_ms),
            )
