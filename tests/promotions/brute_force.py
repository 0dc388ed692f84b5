"""The best assignment of a cart by trying them all, and searches held against it."""

from __future__ import annotations

import itertools
from collections import Counter

from admin.promotions import search
from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.pricing import Assignment, Priced
from admin.promotions.quoting import Quoting
from admin.promotions.search import Found
from admin.promotions.world import World

Key = tuple[int, int, int, tuple[int, ...]]


def code_of(campaign: Campaign | None) -> str | None:
    return None if campaign is None else campaign.code


def kept(priced: Priced) -> Counter[tuple[str, str, int]]:
    return Counter((each.campaign, each.sku, each.quantity) for each in priced.added.entries)


def key_of(quoting: Quoting, assignment: Assignment, priced: Priced) -> Key:
    """How assignments compare: total, value of gifts, changes from the default, then rank by rank."""
    products = quoting.world.products
    gifts = sum(
        products[sku].price * pieces for each in priced.gifts.values() for sku, pieces in each.pieces.items()
    )
    changes = sum(code_of(a) != code_of(b) for a, b in zip(assignment, quoting.default, strict=True))
    ranks = tuple(
        [code_of(each) for each in choices].index(code_of(chosen))
        for choices, chosen in zip(quoting.usable(), assignment, strict=True)
    )
    return priced.total, -gifts, changes, ranks


def allowed(quoting: Quoting, priced: Priced, before: Priced) -> bool:
    within = all(not quoting.pricing.over_limit(each, priced.added) for each in priced.joined.values())
    return within and not kept(before) - kept(priced)


def brute_force(quoting: Quoting) -> Key:
    """The least key of all assignments that are allowed."""
    before = quoting.price(quoting.default)
    keys = []
    for assignment in itertools.product(*quoting.usable()):
        priced = quoting.price(assignment)
        if allowed(quoting, priced, before):
            keys.append(key_of(quoting, assignment, priced))
    return min(keys)


def found_in(wanted: Cart, shop: World) -> tuple[Quoting, Found]:
    quoting = Quoting(wanted, shop)
    return quoting, search.best(quoting.pricing, quoting.default, quoting.usable())


def hold(wanted: Cart, shop: World) -> Found:
    """Hold what the search finds against brute force."""
    quoting, found = found_in(wanted, shop)
    best = brute_force(quoting)
    priced = quoting.price(found.assignment)
    default = quoting.price(quoting.default)
    assert found.total == priced.total <= default.total
    assert allowed(quoting, priced, default)
    assert all(each in choices for each, choices in zip(found.assignment, quoting.usable(), strict=True))
    assert 0 <= found.total - best[0] <= found.gap
    if found.proved:
        assert found.gap == 0
        assert key_of(quoting, found.assignment, priced) == best
    return found


def ways(quoting: Quoting) -> int:
    count = 1
    for each in quoting.usable():
        count *= len(each)
    return count
