"""Given prices that are made from earlier ones, they are the same as if all had been computed anew."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from admin.promotions.alone import Alone
from admin.promotions.audience import GUEST, Shopper
from admin.promotions.campaign import Campaign
from admin.promotions.index import CampaignIndex
from admin.promotions.world import Left, World
from admin.quotes.book import Listing
from admin.storefront.lineup import Lineups, lineup
from admin.storefront.prices import KINDS_MAX, Pricelists, Prices
from admin.storefront.visit import Products
from tests.promotions.random_shops import draw
from tests.promotions.worlds import DAY_MS, HOUR_MS, NOW_MS, campaign

ROUNDS = 25


class Market:
    """A shop in which anything may change between two looks at its prices."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(f"market {seed}")
        drawn = draw(f"market {seed}")
        self._world = drawn.world
        self._campaigns: dict[str, Campaign] = {each.code: each for each in drawn.campaigns}
        self._listings: Mapping[str, Listing] = {
            sku: Listing(product, sku, None, (), product.categories[0] if product.categories else None)
            for sku, product in drawn.world.products.items()
        }
        self._spare = [each for number in range(4) for each in draw(f"market {seed} {number}").campaigns]

    def turn(self) -> None:
        """Change one thing."""
        dice = self._dice
        match dice.randrange(6):
            case 0:
                sku = dice.choice(sorted(self._listings))
                listing = self._listings[sku]
                product = replace(listing.product, price=dice.choice((0, 100, 999, 5000)))
                self._listings = {**self._listings, sku: replace(listing, product=product)}
            case 1:
                sku = dice.choice(sorted(self._listings))
                if len(self._listings) > 3:
                    self._listings = {name: each for name, each in self._listings.items() if name != sku}
            case 2 if self._spare:
                each = self._spare.pop()
                self._campaigns[each.code] = each
                self._index()
            case 3 if self._campaigns:
                del self._campaigns[dice.choice(sorted(self._campaigns))]
                self._index()
            case 4:
                codes = sorted(self._campaigns)
                left = {
                    code: Left(total=dice.choice((0, 1, None)), budget=dice.choice((1, None))) for code in codes
                }
                self._world = replace(self._world, left={code: left[code] for code in codes if dice.random() < 0.3})
            case _:
                shopper = dice.choice((GUEST, Shopper(member=True, level=2), Shopper(level=1, new_customer=True)))
                now_ms = NOW_MS + dice.choice((-2, 0, 0, 2)) * DAY_MS
                self._world = replace(self._world, shopper=shopper, now_ms=now_ms)

    def _index(self) -> None:
        self._world = replace(self._world, index=CampaignIndex(self._campaigns.values()))

    def look(self, lists: Pricelists) -> Prices:
        """The prices of now."""
        world: World = replace(self._world, products=Products(self._listings))
        now = lineup(world.index.all(), world.now_ms)
        return lists.get(Alone(world), self._listings, now)


@pytest.mark.parametrize("seed", range(20))
def test_prices_made_from_others_are_right(seed: int) -> None:
    market, lists = Market(seed), Pricelists()
    for _ in range(ROUNDS):
        kept, fresh = market.look(lists), market.look(Pricelists())
        assert kept.by_sku == fresh.by_sku
        assert kept.order(1) == fresh.order(1)
        assert kept.order(-1) == fresh.order(-1)
        market.turn()


def test_the_same_shop_is_priced_once_for_each_kind_of_shoppers() -> None:
    lists, market = Pricelists(), Market(1)
    first = market.look(lists)
    assert market.look(lists) is first
    world = market._world
    for level in range(KINDS_MAX + 1):
        market._campaigns[f"level-{level}"] = campaign(
            "item_discount",
            {"price": 0},
            code=f"level-{level}",
            items=["a"],
            audience={"kind": "members", "levels": [level]},
        )
    market._index()
    world = market._world
    seen = []
    for level in (*range(KINDS_MAX + 1), KINDS_MAX, 0):
        market._world = replace(world, shopper=Shopper(member=True, level=level))
        seen.append(market.look(lists))
    assert seen[KINDS_MAX] is seen[KINDS_MAX + 1]
    assert seen[0] is not seen[-1]


def test_a_lineup_holds_until_a_campaign_begins_or_ends() -> None:
    early = campaign("item_discount", {"price": 1}, code="early", ends_at=NOW_MS + HOUR_MS)
    late = campaign("item_discount", {"price": 1}, code="late", starts_at=NOW_MS, ends_at=NOW_MS + 2 * HOUR_MS)
    off = campaign("item_discount", {"price": 1}, code="off", paused=True, channels=["app"])
    index, lineups = CampaignIndex([early, late, off]), Lineups()
    turns = [NOW_MS - 1, NOW_MS, NOW_MS + HOUR_MS - 1, NOW_MS + HOUR_MS, NOW_MS + 2 * HOUR_MS]
    found = [lineups.at(index, turn) for turn in turns]
    assert [sorted(each.code for each in one.on) for one in found] == [
        ["early"],
        ["early", "late"],
        ["early", "late"],
        ["late"],
        [],
    ]
    assert found[1] is found[2]
    assert found[1].picky == ()
