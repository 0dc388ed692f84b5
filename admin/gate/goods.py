"""The products that a campaign would hold, and those that it shares with another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from admin.promotions.campaign import Campaign
from admin.promotions.world import Product


@dataclass(frozen=True, slots=True)
class Goods:
    """Products for sale, by SKU and by the path of their category; in order of SKU."""

    products: Mapping[str, Product]
    by_path: Mapping[tuple[str, ...], Sequence[str]]

    def __len__(self) -> int:
        return len(self.products)

    def shared(self, other: Campaign) -> list[str]:
        """Those that another campaign holds, too."""
        if other.scope == "items":
            return sorted(sku for sku in other.items if sku in self.products and sku not in other.exclude)
        found = [
            sku
            for path, skus in self.by_path.items()
            if other.scope == "all" or not other.categories.isdisjoint(path)
            for sku in skus
            if sku not in other.exclude
        ]
        return sorted(found)


def goods_of(campaign: Campaign, products: Iterable[Product]) -> Goods:
    """What a campaign holds of some products, which come in order."""
    found: dict[str, Product] = {}
    by_path: dict[tuple[str, ...], list[str]] = {}
    for product in products:
        if product.gift_only or not product.on_sale or product.sku in campaign.exclude:
            continue
        if campaign.scope == "items" and product.sku not in campaign.items:
            continue
        if campaign.scope == "category" and campaign.categories.isdisjoint(product.categories):
            continue
        found[product.sku] = product
        by_path.setdefault(product.categories, []).append(product.sku)
    return Goods(found, by_path)
