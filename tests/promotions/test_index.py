"""Given campaigns of every scope, the index finds those of a product in order of rank, however it was built."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from admin.promotions.campaign import Campaign
from admin.promotions.index import CampaignIndex
from tests.promotions.worlds import NOW_MS, campaign

SKUS = ["a", "b", "c"]
PATHS = {"a": ("cups", "home"), "b": ("home",), "c": ()}


def made(dice: random.Random, code: str) -> Campaign:
    scope = dice.choice(("items", "category", "all"))
    terms = {
        "items": {"items": dice.sample(SKUS, dice.randint(1, 3))},
        "category": {"categories": dice.sample(["cups", "home", "toys"], dice.randint(1, 3))},
        "all": {},
    }[scope]
    return campaign(
        "item_discount",
        {"percent_off": 1},
        code=code,
        scope=scope,
        priority=dice.randint(0, 2),
        starts_at=NOW_MS - dice.randint(0, 2),
        **terms,
    )


def expected(campaigns: dict[str, Campaign], sku: str) -> list[str]:
    path = set(PATHS[sku])
    found = [
        each
        for each in campaigns.values()
        if each.scope == "all"
        or (each.scope == "category" and path & each.categories)
        or (each.scope == "items" and sku in each.items)
    ]
    return [each.code for each in sorted(found, key=lambda each: each.rank)]


def finds(index: CampaignIndex, sku: str) -> list[str]:
    return [each.code for each in index.candidates(sku, PATHS[sku])]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**9))
def test_changes_lead_to_the_same_index_as_building_it_anew(seed: int) -> None:
    dice = random.Random(seed)
    known = {f"c{number}": made(dice, f"c{number}") for number in range(dice.randint(0, 6))}
    index = CampaignIndex(known.values())
    for _ in range(4):
        codes = [f"c{dice.randint(0, 8)}" for _ in range(dice.randint(0, 3))]
        changes = {code: made(dice, code) if dice.random() < 0.6 else None for code in codes}
        before, told = index, {sku: finds(index, sku) for sku in SKUS}
        index = index.changed(changes)
        assert {sku: finds(before, sku) for sku in SKUS} == told, "the old index stays as it was"
        for code, change in changes.items():
            if change is None:
                known.pop(code, None)
            else:
                known[code] = change
        for sku in SKUS:
            assert finds(index, sku) == finds(CampaignIndex(known.values()), sku) == expected(known, sku)
        assert {each.code for each in index.all()} == set(known)
        assert len(index) == len(known)
        assert all(index.get(code) is known.get(code) for code in (*known, "c9"))


def test_a_campaign_that_names_a_category_and_one_above_it_is_found_once() -> None:
    both = campaign("item_discount", {"percent_off": 1}, scope="category", categories=["cups", "home"])
    assert finds(CampaignIndex([both]), "a") == ["promo"]


def test_a_product_in_no_campaign_has_no_candidates() -> None:
    assert finds(CampaignIndex(), "a") == []
