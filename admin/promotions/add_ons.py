"""Products added at the price that a campaign offers; whatever cannot be had is left off, never charged in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from admin.promotions.cart import CartAddOn
from admin.promotions.effects import Effect
from admin.promotions.world import World


@dataclass(frozen=True, slots=True)
class AddOn:
    """One product that was added, at the price of a unit."""

    campaign: str
    sku: str
    quantity: int
    unit_price: int

    @property
    def payable(self) -> int:
        """For all its units."""
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Added:
    """What was added, what was left off (product, campaign, code of the reason), and what was given away."""

    entries: tuple[AddOn, ...] = ()
    left_off: tuple[tuple[str, str, str], ...] = ()
    reductions: Mapping[str, int] = field(default_factory=dict)

    @property
    def payable(self) -> int:
        """For all of them."""
        return sum(entry.payable for entry in self.entries)


def add(wanted: Sequence[CartAddOn], effects: Mapping[str, Effect], world: World, stock: dict[str, int]) -> Added:
    """Add what the groups' campaigns allow. `stock` is what is free; what is added is taken out of it."""
    entries: list[AddOn] = []
    left_off: list[tuple[str, str, str]] = []
    reductions: dict[str, int] = {}
    for each in wanted:
        effect = effects.get(each.campaign)
        option = next((one for one in effect.options if one.sku == each.sku), None) if effect is not None else None
        product = world.products.get(each.sku)
        if effect is None:
            why = "not_joined"
        elif option is None:
            why = "not_reached" if _offered_later(each, world) else "not_an_option"
        elif product is None or not product.on_sale or product.gift_only:
            why = "unavailable"
        elif each.quantity > option.limit:
            why = "over_limit"
        elif option.price >= product.price:
            why = "not_below_base"
        elif stock.get(each.sku, 0) < each.quantity:
            why = "out_of_stock"
        else:
            stock[each.sku] -= each.quantity
            entries.append(AddOn(each.campaign, each.sku, each.quantity, option.price))
            saved = (product.price - option.price) * each.quantity
            reductions[each.campaign] = reductions.get(each.campaign, 0) + saved
            continue
        left_off.append((each.sku, each.campaign, why))
    return Added(tuple(entries), tuple(left_off), reductions)


def _offered_later(wanted: CartAddOn, world: World) -> bool:
    campaign = world.index.get(wanted.campaign)
    return campaign is not None and campaign.type is not None and wanted.sku in campaign.type.named(campaign.rule)
