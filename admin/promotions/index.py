"""Which campaigns may concern a product, found without looking at the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import merge

from admin.promotions.campaign import Campaign


class CampaignIndex:
    """Campaigns by code, and by what they may concern. Lists are kept in order of rank.

    Changing one campaign costs what its own lists cost, whatever the others are.
    """

    def __init__(self, campaigns: Iterable[Campaign] = ()) -> None:
        self._by_code: dict[str, Campaign] = {}
        self._by_sku: dict[str, tuple[Campaign, ...]] = {}
        self._by_category: dict[str, tuple[Campaign, ...]] = {}
        self._everywhere: tuple[Campaign, ...] = ()
        for campaign in sorted(campaigns, key=lambda each: each.rank):
            self._by_code[campaign.code] = campaign
            self._file(campaign)

    def __len__(self) -> int:
        return len(self._by_code)

    def get(self, code: str) -> Campaign | None:
        """A campaign by its code."""
        return self._by_code.get(code)

    def all(self) -> Iterable[Campaign]:
        """Every campaign, in no order."""
        return self._by_code.values()

    def candidates(self, sku: str, categories: Iterable[str]) -> tuple[Campaign, ...]:
        """Campaigns whose scope holds a product, in order of rank; also those that exclude it by name.

        `categories` are the product's own and all above it.
        """
        lists = [self._by_sku.get(sku, ()), *(self._by_category.get(each, ()) for each in categories)]
        filled = [each for each in (*lists, self._everywhere) if each]
        if not filled:
            return ()
        if len(filled) == 1:
            return filled[0]
        # A campaign may name a category and one below it.
        return tuple({each.code: each for each in merge(*filled, key=lambda each: each.rank)}.values())

    def listing(self, sku: str) -> tuple[Campaign, ...]:
        """Of these, the ones that list a product, in order of rank."""
        return self._by_sku.get(sku, ())

    def covering(self, categories: Iterable[str]) -> tuple[Campaign, ...]:
        """Of these, the ones that hold whatever is in some categories, in order of rank."""
        lists = [self._by_category.get(each, ()) for each in categories]
        found = {each.code: each for each in merge(*lists, self._everywhere, key=lambda each: each.rank)}
        return tuple(found.values())

    def changed(self, campaigns: Mapping[str, Campaign | None]) -> CampaignIndex:
        """Another index in which some campaigns are different, new or (None) gone; this one stays as it is."""
        other = CampaignIndex()
        other._by_code = self._by_code.copy()
        other._by_sku = self._by_sku.copy()
        other._by_category = self._by_category.copy()
        other._everywhere = self._everywhere
        for code, campaign in campaigns.items():
            known = other._by_code.pop(code, None)
            if known is not None:
                other._unfile(known)
            if campaign is not None:
                other._by_code[code] = campaign
                other._file(campaign)
        return other

    def _file(self, campaign: Campaign) -> None:
        if campaign.scope == "all":
            self._everywhere = _with(self._everywhere, campaign)
        elif campaign.scope == "category":
            for category in campaign.categories:
                self._by_category[category] = _with(self._by_category.get(category, ()), campaign)
        else:
            for sku in campaign.items:
                self._by_sku[sku] = _with(self._by_sku.get(sku, ()), campaign)

    def _unfile(self, campaign: Campaign) -> None:
        if campaign.scope == "all":
            self._everywhere = _without(self._everywhere, campaign)
        elif campaign.scope == "category":
            for category in campaign.categories:
                self._by_category[category] = _without(self._by_category[category], campaign)
        else:
            for sku in campaign.items:
                self._by_sku[sku] = _without(self._by_sku[sku], campaign)


def _with(campaigns: tuple[Campaign, ...], one: Campaign) -> tuple[Campaign, ...]:
    if not campaigns or campaigns[-1].rank < one.rank:
        return (*campaigns, one)
    return tuple(sorted((*campaigns, one), key=lambda each: each.rank))


def _without(campaigns: tuple[Campaign, ...], one: Campaign) -> tuple[Campaign, ...]:
    return tuple(each for each in campaigns if each.code != one.code)
