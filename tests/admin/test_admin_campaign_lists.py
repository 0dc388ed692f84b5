"""Given many campaigns, lists find and show them without reading their items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from campaigning import example, goods
from sidecar import ACTOR, Shop
from sqlalchemy import event, update

from admin.campaigns import lists, service
from admin.campaigns.models import CampaignFilter
from admin.campaigns.tables import campaign_items, campaigns
from admin.promotions import registry
from admin.resources import Resources
from gateway.orders.database import writing


@contextmanager
def statements(resources: Resources) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    asked: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(resources.engine, "before_cursor_execute", listen)
    yield asked
    event.remove(resources.engine, "before_cursor_execute", listen)


def test_lists_show_labels_without_reading_items(shared_shop: Shop) -> None:
    promotion = registry.available()["item_discount"]
    goods(shared_shop, promotion)
    made = service.create(shared_shop.resources, example(shared_shop, promotion), actor=ACTOR)
    wanted = CampaignFilter(q=made.code)
    with statements(shared_shop.resources) as asked:
        listed = lists.page(shared_shop.resources, wanted).items
    assert [(each.code, each.label, each.item_count) for each in listed] == [(made.code, made.label, 2)]
    assert not any("campaign_items" in statement for statement in asked)
    # A change by an older version, which writes no labels down: then they are read off the items.
    with writing(shared_shop.resources.engine) as connection:
        one = update(campaigns).where(campaigns.c.code == made.code)
        connection.execute(one.values(revision=campaigns.c.revision + 1))
        mine = campaign_items.c.campaign == made.code, campaign_items.c.position == 1
        connection.execute(update(campaign_items).where(*mine).values(removed=True))
    listed = lists.page(shared_shop.resources, wanted).items
    assert [(each.label, each.item_count) for each in listed] == [("15% off", 1)]


def test_lists_find_what_was_typed(shop: Shop) -> None:
    word = shop.unique("word")
    codes = {
        "code": shop.campaign(code=f"a-{word}").code,
        "name": shop.campaign(name=f"銅壺 {word.upper()}").code,
        "slogan": shop.campaign(slogan=f"Only {word}!").code,
        "label": shop.campaign(label=word[-20:]).code,
    }
    shop.campaign()
    found = lists.page(shop.resources, CampaignFilter(q=word)).items
    assert {each.code for each in found} == set(codes.values())
    assert [each.code for each in lists.page(shop.resources, CampaignFilter(q="銅壺")).items] == [codes["name"]]
    assert lists.page(shop.resources, CampaignFilter(q="100%")).items == []
    assert lists.page(shop.resources, CampaignFilter(q=word, type="bundle")).items == []
