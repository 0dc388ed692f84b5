"""Given a quote, it is ordered once, at its price or not at all, and everything that it takes is held for it."""

from __future__ import annotations

from typing import Any

import pytest
from checking_out import GIFT_TIER, Buyer, Market
from sidecar import Api, fields_of
from sqlalchemy import event

from admin.groups.tables import groups
from admin.orders import expiring, views
from admin.orders.models import MyOrders
from admin.quotes.tables import quotes
from admin.resources import Resources
from gateway.orders import expiry
from gateway.orders.database import writing
from gateway.orders.tables import orders

ADDRESS = {"name": "Ann", "phone": "+886 2 1234", "line1": "1 Long Street", "city": "Taipei", "country": "TW"}


@pytest.fixture
def market(resources: Resources) -> Market:
    return Market(resources)


@pytest.fixture
def ann(api: Api) -> Buyer:
    return Buyer(api, "ann")


def fill(market: Market) -> None:
    """A discount with limits, a gift, an add-on and a coupon."""
    market.campaign(
        "half", "item_discount", {"percent_off": 50}, items=["lamp"], limits={"total": 10, "budget": 9000}
    )
    market.campaign("mugs", "threshold_gift", GIFT_TIER, items=["kettle"])
    option = {"spend": 1000, "options": [{"sku": "towel", "price": 100, "limit": 1}]}
    market.campaign("plus", "add_on", {"tiers": [option]}, items=["kettle"], priority=-1)
    market.coupon("SAVE", amount_off=333, total=5, per_shopper=1)


def test_a_quote_becomes_an_order_and_holds_what_it_takes(api: Api, market: Market, ann: Buyer) -> None:
    fill(market)
    market.put_in_cart("ann", {"lines": [{"sku": "kettle", "quantity": 3}, {"sku": "mug", "quantity": 1}]})
    quote = ann.quote({"kettle": 2, "lamp": 3}, coupon="SAVE")
    order = ann.checkout(quote["token"], address=ADDRESS, note="ring\ntwice")
    assert (order["flow"], order["status"], order["total"]) == ("cart", "pending", quote["total"])
    assert (order["offer"], order["price"], order["won_at"], order["sku"]) == (None, None, None, None)
    assert order["pay_by"] == order["expire_at"]
    assert order["address"] == ADDRESS
    assert order["note"] == "ring\ntwice"
    assert [order[name] for name in ("subtotal", "discount", "coupon", "coupon_discount")] == [
        4100,
        1050,
        "SAVE",
        333,
    ]
    assert order["total"] == sum(line["payable"] for line in order["lines"])
    assert [(line["line"], line["kind"], line["sku"], line["units"]) for line in order["lines"]] == [
        (1, "goods", "kettle", [1, 2]),
        (2, "goods", "lamp", [3, 4, 5]),
        (3, "gift", "mug", [6]),
    ]
    for line, quoted in zip(order["lines"], quote["lines"], strict=False):
        assert line["unit_payables"] == quoted["unit_payables"]
    assert order["campaigns"] == ["mugs", "half"]
    held = {
        ("campaign", "half", ""): (3, 0),
        ("budget", "half", ""): (1050, 0),
        ("coupon", "SAVE", ""): (1, 0),
        ("coupon_shopper", "SAVE", "ann"): (1, 0),
    }
    assert market.held() == held
    assert [market.stock(sku) for sku in ("kettle", "lamp", "mug")] == [(50, 2), (50, 3), (50, 1)]
    # What was ordered has left the cart, and nothing else.
    assert market.cart("ann")["lines"] == [{"sku": "kettle", "quantity": 1}, {"sku": "mug", "quantity": 1}]
    # Paid, it is used up.
    paid = ann.post(f"/{order['order_no']}/pay")
    assert (paid["status"], paid["paid"], paid["refunded"]) == ("paid", order["total"], 0)
    assert market.held() == {thing: (0, amount) for thing, (amount, _) in held.items()}
    assert [market.stock(sku) for sku in ("kettle", "lamp", "mug")] == [(48, 0), (47, 0), (49, 0)]
    market.check()
    # Lists find it by what is in it.
    for name, value in (("campaign", "half"), ("sku", "mug"), ("coupon", "SAVE"), ("flow", "cart")):
        assert [each["order_no"] for each in api.get(f"/orders?{name}={value}")["items"]] == [order["order_no"]]
    assert api.get("/orders?flow=presale")["items"] == []
    assert api.get("/orders?sku=towel")["items"] == []
    assert ann.get("?flow=cart&status=paid")["items"][0]["lines"] == paid["lines"]


def test_add_ons_are_lines_between_goods_and_gifts(market: Market, ann: Buyer) -> None:
    fill(market)
    quote = ann.quote({"kettle": 1}, add_ons=[{"campaign": "plus", "sku": "towel"}])
    market.note("campaign", "mugs", None)
    quote = ann.quote({"kettle": 1}, add_ons=[{"campaign": "plus", "sku": "towel"}])
    order = ann.checkout(quote["token"])
    assert [(line["kind"], line["sku"], line["base_price"], line["payable"]) for line in order["lines"]] == [
        ("goods", "kettle", 1000, 1000),
        ("add_on", "towel", 500, 100),
    ]
    assert order["total"] == quote["total"] == 1100
    market.check()


def test_a_token_orders_once_and_a_key_is_for_one_body(market: Market, ann: Buyer) -> None:
    first, second = (ann.quote({"kettle": 1})["token"] for _ in range(2))
    order = ann.checkout(first, key="k 1", note="one")
    # The same token is the same order, under its key, another or none; so is the same key with the same body.
    for key in ("k 1", None, "k 2"):
        assert ann.checkout(first, 200, key=key, note="one" if key == "k 1" else "other") == order
    for body in ({"token": second}, {"token": first, "note": "two"}, {"token": "no-such-token"}):
        problem = ann.post("", body, 400, headers={"Idempotency-Key": "k 1"})
        assert problem["type"].endswith("key_reused")
    # Another shopper's key is another key.
    bob = Buyer(ann.api, "bob")
    assert bob.checkout(bob.quote({"lamp": 1})["token"], key="k 1")["order_no"] != order["order_no"]
    for key in ("", "k" * 65):
        assert ann.checkout(second, 400, key=key)["type"].endswith("bad_key")
    assert len(market.ordered()) == 2
    ann.checkout(second, key="k" * 64)
    market.check()


def test_only_ones_own_quote_can_be_ordered(api: Api, market: Market, ann: Buyer) -> None:
    cart = {"lines": [{"sku": "kettle", "quantity": 1}]}
    tokens = [
        Buyer(api, "bob").quote({"kettle": 1})["token"],
        api.post("/api/quote", cart, key=None)["token"],
        api.post("/quote", {**cart, "shopper": {"sub": "ann"}})["token"],
        "never-given",
    ]
    for token in tokens:
        assert ann.checkout(token, 404)["type"].endswith("not_found")
    api.post("/api/orders", {"token": tokens[0]}, 401, key=None)
    assert market.ordered() == []


def test_bad_input_is_told_by_field(ann: Buyer) -> None:
    wrong: tuple[tuple[str, dict[str, Any]], ...] = (
        ("token", {"token": None}),
        ("token", {"token": "with space"}),
        ("note", {"note": "n" * 501}),
        ("note", {"note": "a\0b"}),
        ("address.phone", {"address": {**ADDRESS, "phone": "x"}}),
        ("accept_missing_gifts", {"accept_missing_gifts": 1}),
        ("coupon", {"coupon": "SAVE"}),
    )
    for field, about in wrong:
        assert list(fields_of(ann.post("", {"token": "t", **about}, 422))) == [field]


def test_another_price_is_told_with_a_quote_that_can_be_ordered(market: Market, ann: Buyer) -> None:
    market.campaign("half", "item_discount", {"percent_off": 50}, items=["lamp"])
    changes = (
        ("a dearer product", lambda: market.change("kettle", price=1001)),
        ("a cheaper product", lambda: market.change("kettle", price=900)),
        ("another campaign", lambda: market.campaign("half", "item_discount", {"percent_off": 60}, items=["lamp"])),
        ("no campaign", lambda: market.note("campaign", "half", None)),
    )
    for why, change in changes:
        token = ann.quote({"kettle": 2, "lamp": 1}, explain=True)["token"]
        change()
        problem = ann.checkout(token, 409)
        assert problem["type"].endswith("quote_changed"), why
        fresh = problem["quote"]
        # As it was asked for, with everything that explains it.
        assert fresh["lines"][0]["choices"] is not None
        assert ann.checkout(fresh["token"])["total"] == fresh["total"], why
        # The old one is still refused.
        ann.checkout(token, 409)
    # What has no part in the price changes nothing.
    token = ann.quote({"kettle": 1})["token"]
    market.change("lamp", price=1)
    ann.checkout(token)
    market.check()


def test_gifts_that_are_gone_are_told_and_may_be_done_without(market: Market, ann: Buyer) -> None:
    market.campaign("mugs", "threshold_gift", GIFT_TIER, items=["kettle"])
    token = ann.quote({"kettle": 2})["token"]
    market.change("mug", stock=0)
    problem = ann.checkout(token, 409)
    assert problem["type"].endswith("gifts_missing")
    assert problem["quote"]["gifts"] == []
    order = ann.checkout(token, accept_missing_gifts=True)
    assert [line["kind"] for line in order["lines"]] == ["goods"]
    # What would be given in its place was not promised, and is not given to who does without.
    market.change("mug", stock=5)
    pick = {"at": 2, "gifts": [{"sku": "mug", "quantity": 1}, {"sku": "towel", "quantity": 1}], "choose": 1}
    rule = {"by": "count", "mode": "best", "tiers": [pick]}
    market.campaign("picks", "threshold_gift", rule, items=["lamp"])
    token = ann.quote({"lamp": 2})["token"]
    market.change("mug", stock=0)
    problem = ann.checkout(token, 409)
    assert problem["type"].endswith("gifts_missing")
    assert [gift["sku"] for gift in problem["quote"]["gifts"]] == ["towel"]
    order = ann.checkout(token, accept_missing_gifts=True)
    assert [line["sku"] for line in order["lines"]] == ["lamp"]
    # Accepting that gifts are missing accepts no other price.
    token = ann.quote({"kettle": 2})["token"]
    market.change("kettle", price=1100)
    assert ann.checkout(token, 409, accept_missing_gifts=True)["type"].endswith("quote_changed")
    market.check()


def test_what_cannot_be_had_is_refused_with_a_fresh_quote(market: Market, ann: Buyer) -> None:
    token = ann.quote({"kettle": 2})["token"]
    Buyer(ann.api, "bob").buy({"kettle": 49})
    problem = ann.checkout(token, 409)
    assert problem["type"].endswith("not_available")
    assert problem["quote"]["lines"][0]["state"] == "short_stock"
    token = ann.quote({"lamp": 1, "towel": 1})["token"]
    market.remove_product("lamp")
    assert ann.checkout(token, 409)["quote"]["lines"][0]["state"] == "unavailable"
    nothing = ann.quote({})["token"]
    assert ann.checkout(nothing, 409)["type"].endswith("nothing_selected")
    market.check()


def test_an_expired_quote_is_refused_with_a_fresh_one(market: Market, ann: Buyer) -> None:
    token = ann.quote({"kettle": 1})["token"]
    with writing(market.resources.engine) as connection:
        connection.execute(quotes.update().values(valid_until_ms=market.now_ms() - 1))
    problem = ann.checkout(token, 409)
    assert problem["type"].endswith("quote_expired")
    ann.checkout(problem["quote"]["token"])
    assert len(market.ordered()) == 1


def test_goods_with_a_button_of_their_own_are_not_checked_out(market: Market, ann: Buyer) -> None:
    market.campaign("early", "presale", presale_rule(market), items=[{"sku": "kettle"}])
    market.campaign("team", "group_buy", {"price": 600, "size": 2, "hours": 24}, items=[{"sku": "lamp"}])
    for sku, code, endpoint in (
        ("kettle", "early", "POST /api/presales/early/kettle/deposit"),
        ("lamp", "team", "POST /api/groups"),
    ):
        line = {"sku": sku, "quantity": 1, "campaign": code}
        quote = ann.api.post("/api/quote", {"lines": [line]}, key=ann.token)
        problem = ann.checkout(quote["token"], 409)
        assert problem["type"].endswith("own_button")
        assert problem["endpoint"] == endpoint
    assert market.ordered() == []


def presale_rule(market: Market) -> dict[str, Any]:
    ends = market.now_ms() + 2 * 86_400_000
    return {
        "price": 900,
        "deposit": 100,
        "mode": "leverage",
        "multiplier": 2,
        "balance_starts_at": ends,
        "balance_ends_at": ends + 86_400_000,
        "on_unpaid": "forfeit",
    }


def test_an_order_that_costs_nothing_is_paid_at_once(market: Market, ann: Buyer) -> None:
    market.coupon("ALL", amount_off=100_000, total=3)
    order = ann.buy({"kettle": 1}, coupon="ALL")
    assert (order["total"], order["status"], order["payments"]) == (0, "paid", [])
    assert market.stock("kettle") == (49, 0)
    assert market.held() == {("coupon", "ALL", ""): (0, 1)}
    assert [each["after"] for each in order["history"]] == ["pending", "paid"]
    market.check()


@pytest.mark.parametrize("end", ["cancelled", "expired"])
def test_an_order_that_ends_unpaid_gives_everything_back(market: Market, ann: Buyer, end: str) -> None:
    fill(market)
    order_no = ann.buy({"kettle": 2, "lamp": 1}, coupon="SAVE")["order_no"]
    # The order writer has nothing to do with it.
    assert expiry.first_unpaid(market.resources.engine)[0] == []
    if end == "cancelled":
        order = ann.post(f"/{order_no}/cancel")
    else:
        assert expiring.expire(market.resources.engine) == 0
        with writing(market.resources.engine) as connection:
            connection.execute(orders.update().values(expire_at_ms=market.now_ms()))
        assert expiring.expire(market.resources.engine) <= 1
        order = ann.get(f"/{order_no}")
        assert ann.post(f"/{order_no}/pay", status=409)["type"].endswith("order_expired")
    assert (order["status"], order["units"], order["units_released"]) == (end, [], [1, 2, 3, 4])
    assert market.held() == {}
    assert [market.stock(sku) for sku in ("kettle", "lamp", "mug")] == [(50, 0)] * 3
    market.check()
    # The coupon may be used again.
    assert ann.buy({"lamp": 1}, coupon="SAVE")["coupon"] == "SAVE"


def test_what_orders_need_is_not_deleted(api: Api, market: Market, ann: Buyer) -> None:
    market.campaign("mugs", "threshold_gift", GIFT_TIER, items=["kettle"])
    order_no = ann.buy({"kettle": 2})["order_no"]
    ann.post(f"/{order_no}/pay")
    for sku in ("kettle", "mug"):
        assert api.delete(f"/products/{sku}", 409)["type"].endswith("product_in_use")
    market.note("campaign", "mugs", None)
    api.post(f"/orders/{order_no}/ship", {"carrier": "Fast & Far", "tracking_no": "FF-1"})
    assert api.delete("/products/mug", 409)["type"].endswith("product_in_use")
    api.post(f"/orders/{order_no}/complete")
    api.delete("/products/mug")


def test_a_campaign_is_archived_once_everything_is_settled(api: Api, market: Market, ann: Buyer) -> None:
    lasting = {"starts_at": market.now_ms() - 1000, "ends_at": market.now_ms() + 3_600_000}
    body = {"type": "item_discount", "code": "half", "name": "Half", "rule": {"percent_off": 50}, **lasting}
    api.post("/campaigns", {**body, "items": [{"sku": "kettle"}]}, 201)
    order_no = ann.buy({"kettle": 2})["order_no"]
    api.post("/campaigns/half/terminate")

    def refused() -> tuple[str, Any, Any, Any]:
        problem = api.delete("/campaigns/half", 409)
        return problem["type"].split(":")[-1], problem["orders"], problem["deposits"], problem["groups"]

    assert refused() == ("orders_pending", [order_no], [], [])
    with writing(market.resources.engine) as connection:
        connection.execute(orders.update().values(status="deposit_paid"))
        connection.execute(groups.insert().values(open_group("half")))
    assert refused() == ("deposits_open", [], [order_no], ["g1"])
    with writing(market.resources.engine) as connection:
        connection.execute(orders.update().values(status="paid"))
    assert refused() == ("groups_open", [], [], ["g1"])
    with writing(market.resources.engine) as connection:
        connection.execute(groups.update().values(state="full", settled=True))
    assert api.delete("/campaigns/half") == {"deleted": None, "archived": "half"}
    assert ann.get(f"/{order_no}")["campaigns"] == ["half"]


def open_group(code: str) -> dict[str, Any]:
    terms = {"name": "Kettle", "base_price": 1000, "price": 600, "size": 2, "limit_per_shopper": 1}
    state = {"state": "open", "leader": "ann", "virtual_fill": False, "virtual_seats": 0, "settled": False}
    return {"id": "g1", "campaign": code, "sku": "kettle", **terms, **state, "opened_at_ms": 1, "deadline_ms": 2}


def test_a_list_of_many_orders_needs_no_more_statements_than_of_one(market: Market, ann: Buyer) -> None:
    fill(market)
    counted: list[int] = []
    statements: list[str] = []
    event.listen(market.resources.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    for count in (1, 5):
        for _ in range(count):
            ann.buy({"kettle": 2, "lamp": 1})
        statements.clear()
        page = views.page(market.resources, MyOrders(), shopper="ann")
        assert len(page.items[-1].lines) == 3
        counted.append(len(statements))
    assert counted[0] == counted[1] < 8


def test_the_address_may_change_until_the_goods_are_sent(market: Market, ann: Buyer) -> None:
    order_no = ann.buy({"kettle": 1})["order_no"]
    for state, status in (
        *((state, 200) for state in ("pending", "deposit_paid", "balance_due", "awaiting_group", "paid")),
        *((state, 409) for state in ("shipped", "completed", "cancelled", "expired", "refunded")),
    ):
        with writing(market.resources.engine) as connection:
            connection.execute(orders.update().values(status=state))
        ann.ask("PUT", f"/{order_no}/address", {**ADDRESS, "city": state}, status)
    assert ann.get(f"/{order_no}")["address"]["city"] == "paid"
