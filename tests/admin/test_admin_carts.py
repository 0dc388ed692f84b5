"""Given shoppers who fill their carts from several places at once, nothing is lost and each sees its price."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sidecar import Api, Shop

from admin.carts import contents, service
from admin.carts.ordered import remove_ordered
from admin.errors import Conflict, NotFound, StaleRevision
from admin.promotions.cart import LINES_MAX, QUANTITY_MAX, UNITS_MAX
from gateway.orders.database import writing
from gateway.tokens import mint

SECRET = b"t" * 32


@pytest.fixture
def settings(settings: Any) -> Any:
    return replace(settings, token_secret=(SECRET,))


def as_shopper(sub: str) -> dict[str, Any]:
    return {"key": mint(SECRET, sub, ttl_s=600)}


def line(sku: str, quantity: int = 1, **about: Any) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, **about}


def held(kept: service.Kept) -> dict[str, int]:
    return {each["sku"]: each["quantity"] for each in kept[0]["lines"]}


def test_a_cart_is_kept_and_always_shown_with_its_price(api: Api, shop: Shop) -> None:
    amy, bob = as_shopper(shop.unique("amy")), as_shopper(shop.unique("bob"))
    kettle, cup = shop.product(price=10000), shop.product(price=3000)
    shop.campaign(
        type="item_discount", rule={"percent_off": 10}, code=(ten := shop.unique("ten")), items=[{"sku": kettle}]
    )
    empty = api.get("/api/cart", **amy)
    assert (empty["revision"], empty["cart"]["lines"], empty["quote"]["total"]) == (0, [], 0)
    put = api.put("/api/cart", {"lines": [line(kettle), line(cup, 2, campaign=None)], "coupon": "NONE"}, **amy)
    assert put["cart"]["lines"] == [
        {"sku": kettle, "quantity": 1, "selected": True},
        {"sku": cup, "quantity": 2, "campaign": None, "selected": True},
    ]
    assert (put["cart"]["coupon"], put["cart"]["channel"], put["revision"]) == ("NONE", "web", 1)
    assert (put["quote"]["total"], put["quote"]["lines"][0]["campaign"]) == (15000, ten)
    assert put["quote"]["coupon"]["state"] == "unknown"
    assert len(put["quote"]["token"]) == 32
    # A choice of none is another thing than no choice, and both come back as they were sent.
    changed = api.patch(f"/api/cart/lines/{kettle}", {"campaign": None, "quantity": 2}, **amy)
    assert (changed["cart"]["lines"][0]["campaign"], changed["quote"]["total"]) == (None, 26000)
    unpinned = api.patch(f"/api/cart/lines/{kettle}", {"unpin": True, "selected": False}, **amy)
    assert "campaign" not in unpinned["cart"]["lines"][0]
    assert (unpinned["quote"]["lines"][0]["state"], unpinned["quote"]["total"]) == ("unselected", 6000)
    # What is there gets more; what no shop knows is kept and shown as that.
    added = api.post("/api/cart/lines", line(kettle, 3, selected=True), **amy)
    assert added["cart"]["lines"][0] == {"sku": kettle, "quantity": 5, "selected": True}
    unknown = api.post("/api/cart/lines", line("nobody-knows"), **amy)
    assert unknown["quote"]["lines"][2]["state"] == "unavailable"
    dropped = api.delete("/api/cart/lines/nobody-knows", **amy)
    assert dropped == {**added, "revision": 6, "quote": {**added["quote"], "token": dropped["quote"]["token"]}}
    # Nothing is stored, and no revision spent, where nothing changes.
    assert api.patch(f"/api/cart/lines/{cup}", {"quantity": 2}, **amy)["revision"] == 6
    assert api.get("/api/cart", **amy)["cart"] == dropped["cart"]
    assert api.get("/api/cart", **bob)["cart"]["lines"] == []


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
def test_what_is_wrong_with_a_cart_is_refused_and_changes_nothing(api: Api, shop: Shop) -> None:
    amy = as_shopper(shop.unique("amy"))
    cart = api.put("/api/cart", {"lines": [line("a")]}, **amy)
    twice = api.put("/api/cart", {"lines": [line("a"), line("a")]}, 422, **amy)
    assert [error["code"] for error in twice["errors"]] == ["duplicate_sku"]
    merged = {"merge_id": "m", "cart": {"lines": [line("a"), line("a")]}}
    assert api.post("/api/cart/merge", merged, 422, **amy)["errors"][0]["field"] == "cart.lines.1.sku"
    for body in ({"lines": [line("a", 0)]}, {"lines": []} | {"more": 1}, {}, [], {"lines": [line("?")]}):
        api.put("/api/cart", body, 422, **amy)
    api.patch("/api/cart/lines/b", {"quantity": 1}, 404, **amy)
    api.delete("/api/cart/lines/b", 404, **amy)
    api.patch("/api/cart/lines/a", {"campaign": "x", "unpin": True}, 422, **amy)
    assert api.post("/api/cart/lines", line("a", QUANTITY_MAX), 409, **amy)["limit"] == QUANTITY_MAX
    stale = {"headers": {"If-Match": '"7"'}, **amy}
    assert api.put("/api/cart", {"lines": []}, 412, **stale)["revision"] == 1
    api.post("/api/cart/lines", line("a"), 412, **stale)
    api.post("/api/cart/bundles/nobody-knows", {}, 404, **amy)
    api.get("/api/cart", 401, key=None)
    assert api.get("/api/cart", **amy)["cart"] == cart["cart"]
    assert api.delete("/api/cart/lines/a", headers={"If-Match": '"1"'}, **amy)["cart"]["lines"] == []


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
def test_a_bundle_is_added_with_one_call(api: Api, shop: Shop) -> None:
    amy = as_shopper(shop.unique("amy"))
    kettle, cup = shop.product(price=10000), shop.product(price=3000)
    components = [{"sku": kettle, "quantity": 1}, {"sku": cup, "quantity": 2}]
    body = {"type": "bundle", "rule": {"price": 12000, "components": components}, "items": []}
    tea = shop.campaign(**body).code
    api.put("/api/cart", {"lines": [line(cup, campaign=None, selected=False)]}, **amy)
    shown = api.post(f"/api/cart/bundles/{tea}", {"sets": 2}, **amy)
    assert shown["cart"]["lines"] == [
        line(cup, 5, campaign=tea, selected=True),
        line(kettle, 2, campaign=tea, selected=True),
    ]
    # Two sets, and the one cup that is in no set.
    assert shown["quote"]["total"] == 2 * 12000 + 3000
    assert api.post(f"/api/cart/bundles/{tea}", **amy)["quote"]["total"] == 3 * 12000 + 3000
    other = shop.campaign(type="item_discount", rule={"percent_off": 5}, items=[{"sku": kettle}]).code
    assert api.post(f"/api/cart/bundles/{other}", {}, 409, **amy)["type"].endswith("not_a_bundle")
    assert api.post(f"/api/cart/bundles/{shop.later(**body).code}", {}, 409, **amy)["type"].endswith("not_running")
    api.post(f"/api/cart/bundles/{shop.campaign(**body, draft=True).code}", {}, 404, **amy)


def test_a_guests_cart_is_merged_once(shop: Shop) -> None:
    service.replace(
        shop.resources, "amy", {"lines": [line("a", 2, campaign="x"), line("b")], "coupon": "OLD"}, None
    )
    guest = {"lines": [line("a", 3, campaign=None), line("c")], "gifts": {"g": ["mug"]}}
    wanted = {"merge_id": "login-1", "cart": guest}
    together = ThreadPoolExecutor(4)
    kept = list(together.map(lambda _: service.merge(shop.resources, "amy", wanted), range(4)))
    together.shutdown()
    assert {revision for _, revision in kept} == {2}
    body, _ = service.read(shop.resources, "amy")
    assert body == {
        "lines": [line("a", 5, campaign=None), line("b"), line("c")],
        "coupon": "OLD",
        "gifts": {"g": ["mug"]},
    }
    # The last twenty are remembered, and no more.
    for number in range(20):
        service.merge(shop.resources, "amy", {"merge_id": f"later-{number}", "cart": {"lines": []}})
        assert held(service.read(shop.resources, "amy"))["c"] == 1
    assert held(service.merge(shop.resources, "amy", wanted)) == {"a": 8, "b": 1, "c": 2}


def test_carts_merge_up_to_what_a_cart_may_hold() -> None:
    small = {"lines": [line("a", QUANTITY_MAX - 1)]}
    merged = contents.merge(small, {"lines": [line("a", 5), line("b", 5), line("c", 5)]})
    assert merged["lines"] == [line("a", QUANTITY_MAX), line("b", UNITS_MAX - QUANTITY_MAX)]
    many = {"lines": [line(f"x{number}") for number in range(LINES_MAX)]}
    merged = contents.merge(many, {"lines": [line("y"), line("x0", 2)]})
    assert merged["lines"] == [line("x0", 3), *many["lines"][1:]]
    chosen = {
        "lines": [],
        "coupon": "A",
        "gifts": {"g": ["mug"], "h": []},
        "add_ons": [{"campaign": "p", "sku": "t"}],
    }
    guest = {
        "lines": [],
        "coupon": "B",
        "gifts": {"g": []},
        "add_ons": [{"campaign": "p", "sku": "t", "quantity": 2}],
    }
    assert contents.merge(chosen, guest) == {**guest, "gifts": {"g": [], "h": []}}


def test_two_first_carts_at_once_are_one_cart(shop: Shop) -> None:
    for turn in range(5):
        shopper = f"amy{turn}"
        start = threading.Barrier(3)

        def put(name: str, shopper: str = shopper, start: threading.Barrier = start) -> str:
            start.wait()
            try:
                service.replace(shop.resources, shopper, {"lines": [line(name)]}, 0)
                return name
            except StaleRevision:
                return ""

        with ThreadPoolExecutor(3) as together:
            stored = [name for name in together.map(put, ("a", "b", "c")) if name]
        assert len(stored) == 1
        assert service.read(shop.resources, shopper) == ({"lines": [line(stored[0])]}, 1)


def test_units_added_from_many_places_at_once_all_count(shop: Shop) -> None:
    with ThreadPoolExecutor(6) as together:
        list(together.map(lambda _: service.add_line(shop.resources, "amy", line("a"), None), range(12)))
    assert service.read(shop.resources, "amy") == ({"lines": [line("a", 12)]}, 12)


def test_an_order_takes_out_what_was_ordered_and_nothing_else(shop: Shop) -> None:
    add_ons = [{"campaign": "plus", "sku": sku, "quantity": 1} for sku in ("towel", "soap")]
    cart = {"lines": [line("a", 3, campaign=None), line("b", 1)], "coupon": "SAVE", "add_ons": add_ons}
    service.replace(shop.resources, "amy", {**cart, "gifts": {"g": []}}, None)
    with writing(shop.resources.engine) as connection:
        remove_ordered(connection, "amy", {"a": 2, "b": 4, "z": 1}, coupon="SAVE", add_ons={("plus", "soap")})
        remove_ordered(connection, "nobody", {"a": 2})
    body, revision = service.read(shop.resources, "amy")
    assert body == {"lines": [line("a", 1, campaign=None)], "add_ons": add_ons[:1], "gifts": {"g": []}}
    assert revision == 2
    with writing(shop.resources.engine) as connection:
        remove_ordered(connection, "amy", {"a": 1})
        connection.rollback()
    assert service.read(shop.resources, "amy") == (body, 2)
    with writing(shop.resources.engine) as connection:
        remove_ordered(connection, "amy", {"a": 1}, coupon="OTHER")
    assert service.read(shop.resources, "amy") == ({"lines": []}, 3)


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
def test_a_cart_has_a_largest_size(shop: Shop) -> None:
    lines = [line(f"x{number}") for number in range(LINES_MAX)]
    service.replace(shop.resources, "amy", {"lines": lines}, None)
    with pytest.raises(Conflict, match="100 lines"):
        service.add_line(shop.resources, "amy", line("one-more"), None)
    gifts = {f"g{number}": ["s" * 64] * 500 for number in range(3)}
    with pytest.raises(Conflict, match="65536 bytes"):
        service.replace(shop.resources, "amy", {"lines": [], "gifts": gifts}, None)
    with pytest.raises(NotFound):
        service.drop_line(shop.resources, "amy", "one-more", None)
    assert service.read(shop.resources, "amy")[1] == 1
