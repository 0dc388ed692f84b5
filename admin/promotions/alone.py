"""What one product costs alone in a cart, for lists and product pages.

The steps and the cents are those of a quote; what is spared is everything that only several lines need.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from admin.promotions.add_ons import Added
from admin.promotions.campaign import Campaign
from admin.promotions.cart import QUANTITY_MAX, Cart
from admin.promotions.choosing import EXHAUSTED, Judge, Refusal
from admin.promotions.effects import Effect, Group, Line
from admin.promotions.joined import Joined
from admin.promotions.model import Channel
from admin.promotions.pricing import Pricing
from admin.promotions.world import Product, World

_NOTHING_ADDED = Added()


@dataclass(slots=True)
class _Units:
    sku: str = ""
    quantity: int = 1
    price: int = 0


class Alone:
    """Prices products one by one in one world, for one channel."""

    def __init__(self, world: World, channel: Channel = "web", store: str | None = None) -> None:
        self.world = world
        cart = Cart(lines=[], channel=channel, store=store)
        self.judge = Judge(world, cart, alone=True)
        self._pricing = Pricing(cart, world, ())
        # One for all products: a hundred thousand of them are judged in a row.
        self._units = _Units()

    def default(self, product: Product) -> Joined | None:
        """The campaign that one unit joins unless somebody says otherwise, with its effect."""
        for campaign in self.world.index.candidates(product.sku, product.categories):
            if self._admits(campaign, product):
                joined = self.joined(campaign, product)
                if not self._pricing.over_limit(joined, _NOTHING_ADDED):
                    return joined
        return None

    def joined(self, campaign: Campaign, product: Product, quantity: int = 1) -> Joined:
        """What a campaign that holds a product would make of some units, whoever may join it."""
        group, effect = self._effect(campaign, product, quantity)
        return Joined(campaign, (1,), group, effect)

    def one(self, campaign: Campaign, product: Product) -> Joined | None:
        """The same for one unit; None when the campaign leaves it out."""
        return self.joined(campaign, product) if self.left_out(campaign, product) is None else None

    def left_out(self, campaign: Campaign, product: Product) -> Refusal | None:
        """Why a campaign that lists a product leaves one unit of it out."""
        return self.judge.left_out(campaign, _Units(product.sku, 1, product.price), chosen=True)

    def price_in(self, campaign: Campaign, product: Product) -> int | None:
        """What one unit costs in a campaign that holds the product; None when that leaves it out."""
        assert campaign.type is not None
        if campaign.type.sold_by_gateway:
            own = campaign.items[product.sku].price
            price: int | None = own if own is not None else campaign.rule.price
            return price
        joined = self.one(campaign, product)
        return payable(product, joined) if joined is not None else None

    def reach(self, campaign: Campaign, product: Product) -> Joined | None:
        """The smallest number of units that reaches the first step of a campaign; None when no number does.

        Whoever asks and when they ask makes no difference, so that it can be announced. More units never lose a
        step that fewer have reached.
        """
        found = self.joined(campaign, product)
        if not found.effect.reached:
            found = self.joined(campaign, product, QUANTITY_MAX)
            if not found.effect.reached:
                return None
            short, enough = 1, QUANTITY_MAX
            while enough - short > 1:
                middle = (short + enough) // 2
                tried = self.joined(campaign, product, middle)
                if tried.effect.reached:
                    enough, found = middle, tried
                else:
                    short = middle
        closed = self.judge.closed(campaign)
        if (closed is not None and closed.state == EXHAUSTED) or self._pricing.over_limit(found, _NOTHING_ADDED):
            return None
        units = _Units(product.sku, found.group.units, product.price)
        return found if self.judge.left_out(campaign, units, chosen=True) is None else None

    def prices(self, products: Iterable[Product]) -> dict[str, int]:
        """What one unit of each product costs: `payable` of `default`, for whole catalogues."""
        index, judge = self.world.index, self.judge
        wide: dict[tuple[str, ...], tuple[Campaign, ...]] = {}
        found = {}
        for product in products:
            path = product.categories
            if path not in wide:
                wide[path] = tuple(each for each in index.covering(path) if judge.closed(each) is None)
            campaign = self._first(product, index.listing(product.sku), wide[path])
            if campaign is None:
                found[product.sku] = product.price
            elif campaign.code in self.world.left:
                found[product.sku] = payable(product, self.default(product))
            else:
                found[product.sku] = product.price - self._effect(campaign, product, 1)[1].discount
        return found

    def _effect(self, campaign: Campaign, product: Product, quantity: int) -> tuple[Group, Effect]:
        group = Group((Line(1, product.sku, quantity, product.price, campaign.items.get(product.sku)),))
        assert campaign.type is not None
        assert campaign.type.evaluate is not None
        return group, campaign.type.evaluate(campaign.rule, group)

    def _first(self, product: Product, listing: Iterable[Campaign], wide: Iterable[Campaign]) -> Campaign | None:
        """The first campaign that admits a product, of two lists in order of rank; in `wide` none is closed."""
        judge, units = self.judge, self._units
        units.sku, units.price = product.sku, product.price
        best = None
        for campaign in listing:
            if judge.closed(campaign) is None and judge.left_out(campaign, units) is None:
                best = campaign
                break
        for campaign in wide:
            if best is not None and best.rank < campaign.rank:
                break
            if judge.left_out(campaign, units) is None:
                return campaign
        return best

    def _admits(self, campaign: Campaign, product: Product) -> bool:
        units = self._units
        units.sku, units.price = product.sku, product.price
        return self.judge.refusal(campaign, units) is None


def payable(product: Product, joined: Joined | None) -> int:
    """What the units of a product that joined a campaign cost, or one unit that joined none."""
    if joined is None:
        return product.price
    return joined.group.subtotal - joined.effect.discount
