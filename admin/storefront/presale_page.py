"""What a pre-sale's page shows: the parts of the price and their times."""

from __future__ import annotations

from admin.errors import NotFound
from admin.promotions.campaign import Campaign
from admin.promotions.reasons import reason
from admin.promotions.types import presale
from admin.promotions.world import Product
from admin.storefront.campaign_page import published, state_of, why_closed
from admin.storefront.models import ShopPresale
from admin.storefront.visit import Visit


def read(visit: Visit, code: str, sku: str) -> ShopPresale:
    """The terms of a product in a pre-sale, also when it is over.

    Raises:
        NotFound: there is no such pre-sale, or not of this product, or it is not for sale.
    """
    campaign, listing = published(visit, code), visit.listing(sku)
    rule = campaign.rule
    if campaign.type is not presale.PROMOTION or listing is None or sku not in campaign.items:
        raise NotFound(f"there is no pre-sale {code} of {sku}")
    product = listing.product
    parts, why = presale.parts_of(rule, campaign.items[sku], product.price), _why_closed(visit, campaign, product)
    return ShopPresale(
        campaign=campaign.code,
        sku=sku,
        name=listing.name,
        image=listing.image,
        title=campaign.text("name", visit.language) or campaign.code,
        slogan=campaign.text("slogan", visit.language),
        label=campaign.text("label", visit.language),
        state=state_of(campaign, visit.now_ms),
        open=why is None,
        reason=None if why is None else reason(why, visit.language),
        starts_at=visit.resources.iso(campaign.starts_at_ms),
        ends_at=visit.resources.iso(campaign.ends_at_ms),
        base_price=product.price,
        price=parts.price,
        deposit=parts.deposit,
        credit=parts.credit,
        balance=parts.price - parts.credit,
        total=parts.paid,
        mode=rule.mode,
        balance_starts_at=visit.resources.iso(rule.balance_starts_at),
        balance_ends_at=visit.resources.iso(rule.balance_ends_at),
        ships_at=visit.resources.iso_or_none(rule.ships_at),
        on_unpaid=rule.on_unpaid,
        coupons_allowed=campaign.coupons_allowed,
        in_stock=visit.free([sku]).get(sku, 0) > 0,
        currency=visit.world.currency,
        server_time=visit.resources.iso(visit.now_ms),
    )


def _why_closed(visit: Visit, campaign: Campaign, product: Product) -> str | None:
    left_out = visit.alone.left_out(campaign, product)
    return why_closed(visit, campaign) if left_out is None else left_out.reason
