"""Given a cart, a page learns which gifts and add-ons its shopper may pick, and what everything is called."""

from __future__ import annotations

from looking import campaign
from sidecar import Api, Shop


def test_what_a_cart_may_pick_follows_what_its_campaigns_reach(api: Api, shop: Shop) -> None:
    kettle, towel = shop.product(name="Kettle", price=10000, stock=3), shop.product(name="Towel", price=3000)
    mug, bow = shop.product(name="Mug", gift_only=True), shop.product(name="Bow", gift_only=True, stock=0)
    rule = {"by": "count", "mode": "best", "tiers": [{"at": 2, "choose": 1, "gifts": [{"sku": mug}, {"sku": bow}]}]}
    gift = campaign(api, shop, "threshold_gift", rule, kettle, priority=2)
    plus = campaign(
        api,
        shop,
        "add_on",
        {"tiers": [{"spend": 20000, "options": [{"sku": towel, "price": 900, "limit": 2}]}]},
        kettle,
    )

    one = api.post("/api/quote/options", {"lines": [{"sku": kettle, "quantity": 1}]}, key=None)
    assert [(each["code"], each["gifts"]) for each in one["campaigns"]] == [(gift, []), (plus, [])]
    # What the next step gives is told by name, too.
    assert [each["name"] for each in one["products"]] == ["Kettle", "Mug"]
    two = api.post("/api/quote/options", {"lines": [{"sku": kettle, "quantity": 2}]}, key=None)
    (grant,) = two["campaigns"][0]["gifts"]
    assert (grant["choose"], grant["times"], [each["sku"] for each in grant["gifts"]]) == (1, 1, [mug, bow])
    assert {each["sku"]: (each["in_stock"], each["left"]) for each in two["products"]} == {
        kettle: (True, 3),
        mug: (True, None),
        bow: (False, None),
    }
    pinned = api.post("/api/quote/options", {"lines": [{"sku": kettle, "quantity": 2, "campaign": plus}]}, key=None)
    assert [(each["sku"], each["price"], each["limit"]) for each in pinned["campaigns"][0]["add_ons"]] == [
        (towel, 900, 2)
    ]
    best = {"lines": [{"sku": kettle, "quantity": 2}], "strategy": "best"}
    assert api.post("/api/quote/options", best, key=None)["campaigns"][0]["code"] == gift


def test_goods_that_are_not_for_sale_are_not_told_of(api: Api, shop: Shop) -> None:
    hidden, gift = shop.product(on_sale=False), shop.product(gift_only=True)
    lines = [{"sku": sku, "quantity": 1} for sku in (hidden, gift, "nowhere")]
    assert api.post("/api/quote/options", {"lines": lines}, key=None) == {"products": [], "campaigns": []}
