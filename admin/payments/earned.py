"""Gifts of an order that its kept units no longer earn, by the rules under which it was priced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from admin import changes
from admin.payments.contents import Contents, Part
from admin.promotions.campaign import Campaign, read_campaign
from admin.promotions.kept_gifts import KeptUnits, not_earned
from admin.quotes.tables import quotes
from gateway.orders.tables import orders


def no_longer(connection: Connection, order_no: str, kept: Contents) -> list[dict[str, Any]]:
    """The gifts among what is kept that are not earned by it: line, SKU, quantity and value of each, by line."""
    given = _given(kept)
    return unearned(kept, _rules(connection, order_no, list(given))) if given else []


def unearned(kept: Contents, rules: Mapping[str, Campaign]) -> list[dict[str, Any]]:
    """The same by the rules of campaigns, by code. Gifts without one stay with whatever joined."""
    found = []
    for code, gifts in _given(kept).items():
        for part, pieces in _of_campaign(rules.get(code), code, gifts, kept):
            value = pieces * part.base_price
            found.append({"line": part.line, "sku": part.sku, "quantity": pieces, "value": value})
    return sorted(found, key=lambda each: each["line"])


def _given(kept: Contents) -> dict[str, list[Part]]:
    """Lines of gifts that are kept, by campaign."""
    given: dict[str, list[Part]] = defaultdict(list)
    for part in kept.parts:
        if part.kind == "gift" and part.campaign is not None and kept.held(part):
            given[part.campaign].append(part)
    return given


def _of_campaign(campaign: Campaign | None, code: str, gifts: list[Part], kept: Contents) -> list[tuple[Part, int]]:
    units = [
        KeptUnits(part.line, part.sku, len(kept.held(part)), part.base_price)
        for part in kept.parts
        if part.kind == "goods" and part.campaign == code
    ]
    pieces = {part.sku: len(kept.held(part)) for part in gifts}
    if campaign is None:
        lost = {} if any(each.quantity for each in units) else pieces
    else:
        lost = not_earned(campaign, units, pieces, {part.sku: part.base_price for part in gifts})
    return [(part, lost[part.sku]) for part in gifts if part.sku in lost]


def _rules(connection: Connection, order_no: str, codes: list[str]) -> dict[str, Campaign]:
    """Campaigns as they were when the order was priced; without those that cannot be read."""
    found = connection.execute(
        select(quotes.c.change_number, orders.c.currency)
        .join(orders, orders.c.order_no == quotes.c.order_no)
        .where(quotes.c.order_no == order_no)
        .order_by(quotes.c.created_at_ms)
        .limit(1)
    ).one_or_none()
    if found is None:
        return {}
    bodies = changes.as_of_some(connection, "campaign", codes, found.change_number)
    read = {code: read_campaign(code, body, found.currency) for code, body in bodies.items()}
    return {code: campaign for code, campaign in read.items() if campaign.broken is None}
