"""Given a campaign that this version cannot read, it is shown, can be stopped, and harms nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from campaigning import EVERYTHING, example, goods, noted, overwrite
from sidecar import ACTOR, Shop, click
from sqlalchemy import select, update

from admin.campaigns import editing, lists, service
from admin.campaigns.tables import campaign_items, campaigns
from admin.errors import Conflict
from admin.promotions import registry
from admin.promotions.model import PromotionType
from gateway.orders.database import reading, writing


@pytest.fixture(params=sorted(registry.available()))
def promotion(request: pytest.FixtureRequest, shared_shop: Shop) -> PromotionType:
    found = registry.available()[request.param]
    goods(shared_shop, found)
    return found


def test_a_rule_that_cannot_be_read_is_shown_and_stopped(shared_shop: Shop, promotion: PromotionType) -> None:
    resources, code = shared_shop.resources, shared_shop.unique("broken")
    made = service.create(resources, example(shared_shop, promotion, code=code), actor=ACTOR)
    with reading(resources.engine) as connection:
        terms = connection.execute(select(campaigns.c.terms).where(campaigns.c.code == code)).scalar_one()
    overwrite(shared_shop, code, terms={**terms, "rule": {**terms["rule"], "colour": "red"}})
    shown = service.read(resources, code)
    assert "rule.colour" in (shown.error or "")
    assert (shown.rule["colour"], shown.name, shown.state) == ("red", made.name, "running")
    assert [each.sku for each in shown.items] == [each.sku for each in made.items]
    listed = {each.code: each for each in lists.page(resources, EVERYTHING).items}
    assert listed[code].model_dump() == shown.model_dump(exclude={"items"})
    assert all(each.error is None for each in listed.values() if each.code.startswith("any"))
    for change in (
        lambda: editing.change(resources, code, {"name": "Other"}, actor=ACTOR),
        lambda: editing.add_item(resources, code, {"sku": "lamp"}, actor=ACTOR),
        lambda: editing.remove_item(resources, code, "kettle", actor=ACTOR),
        lambda: service.resume(resources, code, actor=ACTOR),
    ):
        with pytest.raises(Conflict, match=r"rule\.colour") as refused:
            change()
        assert refused.value.code == "unreadable"
    assert service.pause(resources, code, actor=ACTOR).state == "paused"
    assert service.terminate(resources, code, {}, actor=ACTOR).state == "ended"
    assert noted(shared_shop, code)[-1]["rule"]["colour"] == "red"
    # The copy is where it is repaired: what cannot be read is left out.
    repaired = service.copy(resources, code, {}, actor=ACTOR)
    assert (repaired.error, repaired.rule) == (None, made.rule)
    assert service.delete_campaign(resources, code, actor=ACTOR).deleted == code


@pytest.mark.parametrize(
    "values",
    [
        {"type": "lottery"},
        {"terms": {}},
        {"terms": []},
        {"terms": {"rule": "none", "name": 7, "audience": [], "scope": "moon", "texts": 1, "limits": {"a": 1}}},
    ],
    ids=["unknown type", "no terms", "a list", "nonsense"],
)
def test_whatever_is_stored_can_be_shown_and_deleted(shared_shop: Shop, values: dict[str, Any]) -> None:
    sku, resources = shared_shop.product(), shared_shop.resources
    made = shared_shop.campaign(items=[{"sku": sku, "stock": 5}])
    overwrite(shared_shop, made.code, **values)
    shown = service.read(resources, made.code)
    assert (shown.type, shown.items[0].offer, shown.items[0].stock) == (
        values.get("type", "seckill"),
        made.items[0].offer,
        5,
    )
    assert made.code in [each.code for each in lists.page(resources, EVERYTHING).items]
    # The gateway follows, although nobody knows what the campaign says.
    service.pause(resources, made.code, actor=ACTOR)
    assert click(resources.redis, made.items[0].offer, ["ann"]) == ["P"]
    service.terminate(resources, made.code, {}, actor=ACTOR)
    assert click(resources.redis, made.items[0].offer, ["ann"]) == ["E"]
    if shown.error is not None and "type" in values:
        with pytest.raises(Conflict, match="no promotion type lottery"):
            service.copy(resources, made.code, {}, actor=ACTOR)
    service.delete_campaign(resources, made.code, actor=ACTOR)
    assert shared_shop.free(sku) == 500


def test_an_item_that_cannot_be_read_is_shown_as_stored(shared_shop: Shop) -> None:
    promotion = registry.available()["item_discount"]
    goods(shared_shop, promotion)
    made = service.create(shared_shop.resources, example(shared_shop, promotion), actor=ACTOR)
    with writing(shared_shop.resources.engine) as connection:
        mine = campaign_items.c.campaign == made.code, campaign_items.c.sku == made.items[0].sku
        connection.execute(update(campaign_items).where(*mine).values(terms={"price_in_shells": 3}))
    shown = service.read(shared_shop.resources, made.code)
    assert shown.items[0].model_dump()["terms"] == {"price_in_shells": 3}
    assert "items.0.price_in_shells" in (shown.error or "")
