"""What a quote comes to as an order: its lines, and everything that it takes of what can run out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row

from admin.catalog import service as catalog
from admin.orders.placing import NewLine
from admin.promotions.campaign import Campaign
from admin.promotions.coupon import Coupon
from admin.promotions.world import World
from admin.quotes.quoting import Priced
from admin.reservations.ledger import Claim


def skus_of(made: Priced) -> list[str]:
    """The products of all lines to order."""
    result = made.result
    return [each["sku"] for each in (*_goods(result), *result["add_ons"], *result["gifts"])]


def lines_of(connection: Connection, made: Priced) -> list[NewLine]:
    """The lines to order: goods, then add-ons, then gifts. Unselected lines are left out.

    Products must all be there and have enough stock; the caller has looked at the states of the lines.
    """
    return lines_from(catalog.find(connection, skus_of(made)), made)


def lines_from(known: Mapping[str, Row[Any]], made: Priced) -> list[NewLine]:
    """The same with products that were read before."""
    result, world = made.result, made.world
    reached = {group["campaign"] for group in result["groups"] if group["tier"] is not None}

    def line(kind: Any, each: Mapping[str, Any], payables: list[int], **more: Any) -> NewLine:
        product = known[each["sku"]]
        return NewLine(
            kind=kind,
            sku=each["sku"],
            name=product.name,
            quantity=each["quantity"],
            base_price=world.products[each["sku"]].price,
            unit_price=each["unit_price"],
            unit_payables=payables,
            campaign=each["campaign"] if each["campaign"] in reached else None,
            membership=None if kind == "gift" else product.membership,
            **more,
        )

    return [
        *(
            line(
                "goods",
                each,
                each["unit_payables"],
                discount=each["discount"],
                coupon_discount=each["coupon_discount"],
            )
            for each in _goods(result)
        ),
        *(line("add_on", each, [each["unit_price"]] * each["quantity"]) for each in result["add_ons"]),
        *(line("gift", each, [0] * each["quantity"]) for each in result["gifts"]),
    ]


def _goods(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [line for line in result["lines"] if line["state"] == "ok"]


def claims_of(made: Priced, lines: list[NewLine], shopper: str) -> list[Claim]:
    """What an order of these lines takes: stock, and of its campaigns' limits and its coupon's."""
    stock: Counter[str] = Counter()
    for line in lines:
        stock[line.sku] += line.quantity
    return [
        *(Claim("stock", sku, units) for sku, units in stock.items()),
        *_limits(made, shopper),
        *_coupon(made, shopper),
    ]


def _limits(made: Priced, shopper: str) -> Iterator[Claim]:
    reductions = _reductions(made.result, made.world)
    for group in made.result["groups"]:
        campaign = made.world.index.get(group["campaign"])
        if group["tier"] is None or campaign is None:
            continue
        own = _own_limit(campaign)
        if own is not None:
            yield Claim("campaign_shopper", campaign.code, group["units"], own, shopper)
        limits = campaign.limits
        if limits is None:
            continue
        assert campaign.type is not None
        count = group["units"] if campaign.type.counts_units else 1
        if limits.total is not None:
            yield Claim("campaign", campaign.code, count, limits.total)
        if limits.per_shopper is not None:
            yield Claim("campaign_shopper", campaign.code, count, limits.per_shopper, shopper)
        if limits.budget is not None:
            given = group["discount"] + reductions[campaign.code]
            yield Claim("budget", campaign.code, given, limits.budget)


def _own_limit(campaign: Campaign) -> int | None:
    """Units of one shopper, where the rule itself says so instead of the limits."""
    limit: int | None = getattr(campaign.rule, "limit_per_shopper", None)
    return limit


def _reductions(result: Mapping[str, Any], world: World) -> Counter[str]:
    """By campaign, what its add-ons cost less than their base price."""
    found: Counter[str] = Counter()
    for each in result["add_ons"]:
        found[each["campaign"]] += (world.products[each["sku"]].price - each["unit_price"]) * each["quantity"]
    return found


def _coupon(made: Priced, shopper: str) -> Iterator[Claim]:
    told, coupon = made.result["coupon"], made.world.coupon
    if told is not None and told["state"] == "applied" and coupon is not None:
        yield from coupon_claims(coupon, told["code"], shopper)


def coupon_claims(coupon: Coupon, code: str, shopper: str) -> Iterator[Claim]:
    """What an order takes of a coupon's limits; `code` is the one that was typed."""
    # Counted without a limit too: reports tell how often a coupon was used.
    yield Claim("coupon", coupon.code, 1, coupon.fields.total)
    if coupon.fields.per_shopper is not None:
        yield Claim("coupon_shopper", coupon.code, 1, coupon.fields.per_shopper, shopper)
    if code != coupon.code:
        yield Claim("coupon_code", code, 1, 1)
