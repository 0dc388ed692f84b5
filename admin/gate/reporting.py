"""The findings of the gate as its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from admin.errors import FieldError
from admin.gate.models import (
    BeatenGood,
    CheckDead,
    CheckError,
    CheckOverlap,
    PricedCatalogue,
    PricedGood,
    PricedOrders,
)
from admin.gate.overlaps import Overlap
from admin.gate.pricing import Bill, Good
from admin.gate.warnings import FIRST
from admin.promotions.audience import Shopper
from admin.promotions.campaign import Campaign
from admin.promotions.model import Channel
from admin.resources import Resources

OVERLAPS_MAX = 100
ITEMS_MAX = 50
"""Products listed in one part of the report."""
_CHANNELS: tuple[Channel, ...] = ("web", "app", "mini_program", "store")


def error_view(error: FieldError) -> CheckError:
    """Why publishing would be refused."""
    return CheckError(field=error.field, code=error.code, message=error.message)


def place_of(draft: Campaign) -> tuple[Channel, str | None]:
    """Where a draft is priced: in the first of its channels, and of its stores."""
    named = [each for each in _CHANNELS if each in draft.channels]
    channel = named[0] if named else _CHANNELS[0]
    return channel, min(draft.stores, default=None) if channel == "store" else None


def overlap_view(
    resources: Resources, draft: Campaign, overlap: Overlap, now_ms: int, language: str
) -> CheckOverlap:
    """One other campaign."""
    other = overlap.other
    winner = other.code if overlap.first else draft.code
    running = "running" if other.running(now_ms) else "not_started"
    return CheckOverlap.model_validate(
        {
            "code": other.code,
            "type": other.type_name,
            "name": other.text("name", language),
            "state": "paused" if other.paused else running,
            "starts_at": resources.iso(other.starts_at_ms),
            "ends_at": resources.iso(other.ends_at_ms),
            "priority": -other.rank[0],
            "goods": len(overlap.shared),
            "skus": overlap.shared[:FIRST],
            "winner": None if overlap.why == "own_button" else winner,
            "why": overlap.why,
        },
    )


def dead_view(beaten: Mapping[str, list[str]], looked_at: int, goods: int, audience: str | None) -> CheckDead:
    """What nobody would ever get by default."""
    everything = goods > 0 and len(beaten) == looked_at == goods
    return CheckDead(
        whole=everything or audience is not None,
        count=len(beaten),
        goods=[BeatenGood(sku=sku, beaten_by=codes) for sku, codes in list(beaten.items())[:ITEMS_MAX]],
        audience=audience,
    )


def shopper_view(shopper: Shopper) -> dict[str, Any]:
    """For whom was priced."""
    return {
        "guest": shopper.guest,
        "level": shopper.level,
        "since": None if shopper.since is None else shopper.since.isoformat(),
        "birthday": shopper.birthday,
        "new_customer": shopper.new_customer,
    }


def catalogue_view(priced: Sequence[Good], goods: int) -> PricedCatalogue:
    """The goods, and how their prices change."""
    changes = [each.after - each.before for each in priced if each.after != each.before]
    count = len(changes)
    return PricedCatalogue(
        goods=goods,
        priced=len(priced),
        stopped=len(priced) < goods,
        changed=count,
        min_change=min(changes, default=0),
        max_change=max(changes, default=0),
        avg_change=(2 * sum(changes) + count) // (2 * count) if count else 0,
        worst_margin=min((each.margin for each in priced if each.margin is not None), default=None),
        items=[_good_view(each) for each in priced[:ITEMS_MAX]],
    )


def _good_view(good: Good) -> PricedGood:
    reached = good.reached
    return PricedGood(
        sku=good.product.sku,
        base=good.product.price,
        before=good.before,
        after=good.after,
        price=good.price,
        reach_quantity=None if reached is None else reached.group.units,
        unit_price=None if reached is None else reached.unit_prices(1, reached.shares()[0])[0],
        cost=good.cost,
        margin=good.margin,
    )


def orders_view(bill: Bill) -> PricedOrders:
    """The carts of the newest orders."""
    return PricedOrders(
        orders=bill.carts,
        skipped=bill.skipped,
        changed=bill.changed,
        given_before=bill.given_before,
        given_after=bill.given_after,
    )
