"""What orders hold of limits, budgets and coupons is no longer there for the next quote, whoever shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from buying import TOKEN_SECRET
from looking import Window
from quoted import LASTING_MS, RecordedShop
from sidecar import Api
from sqlalchemy import insert, select, true, update

from admin.coupons.tables import coupon_claims, coupon_codes
from admin.promotions.alone import Alone
from admin.promotions.cart import Cart
from admin.promotions.world import Left
from admin.quotes import forgetting, looking, replaying, snapshot
from admin.quotes.book import Listing
from admin.quotes.driver import driver_connection
from admin.quotes.quoting import Asked, Quoter
from admin.quotes.tables import quotes
from admin.quotes.terms import terms_of
from admin.reservations import ledger
from admin.reservations.kinds import Kind
from admin.reservations.ledger import Claim
from admin.resources import Resources
from admin.storefront.lineup import lineup
from admin.storefront.prices import Pricelists, Prices
from gateway.orders.database import reading, writing
from gateway.tokens import mint
from tests.conftest import wait_until
from tests.promotions.worlds import campaign, world


class Shop(RecordedShop):
    """A shop whose orders are nothing but what they hold."""

    def hold(self, order_no: str, kind: Kind, subject: str, amount: int = 1, owner: str = "") -> None:
        with writing(self.resources.engine) as connection:
            ledger.reserve(connection, order_no, [Claim(kind, subject, amount, None, owner)])

    def commit(self, order_no: str) -> None:
        with writing(self.resources.engine) as connection:
            ledger.commit(connection, order_no)

    def release(self, order_no: str) -> None:
        with writing(self.resources.engine) as connection:
            ledger.release(connection, order_no)

    def codes(self, coupon: str, codes: Iterable[str], **about: Any) -> None:
        rows = [{"code": code, "coupon": coupon, "batch": "b1", "shopper": None, **about} for code in codes]
        with writing(self.resources.engine) as connection:
            connection.execute(insert(coupon_codes), rows)

    def claim(self, coupon: str, shopper: str, code: str | None = None) -> None:
        row = {"coupon": coupon, "shopper": shopper, "code": code, "claimed_at_ms": self.now_ms()}
        with writing(self.resources.engine) as connection:
            connection.execute(insert(coupon_claims), [row])
            connection.execute(update(coupon_codes).where(coupon_codes.c.code == code).values(shopper=shopper))


@pytest.fixture
def recorded(resources: Resources) -> Shop:
    return Shop(resources)


def quote(api: Api, sub: str | None, cart: dict[str, Any]) -> Any:
    key = None if sub is None else mint(TOKEN_SECRET.encode(), sub, ttl_s=600)
    reply = api.send("POST", "/api/quote", json=cart, key=key)
    assert reply.status_code == 200, reply.text
    return reply.json()


def units(quantity: int, sku: str = "pan", **choice: Any) -> dict[str, Any]:
    return {"lines": [{"sku": sku, "quantity": quantity, **choice}], "explain": True}


def states(api: Api, sub: str | None, cart: dict[str, Any]) -> dict[str, str]:
    """By campaign, what became of it for the first line."""
    return {each["campaign"]: each["state"] for each in quote(api, sub, cart)["lines"][0]["choices"]}


def test_limits_count_what_orders_hold_until_they_let_go(api: Api, recorded: Shop) -> None:
    recorded.product("pan", 1000)
    limits = {"total": 3, "per_shopper": 2}
    recorded.campaign("few", "item_discount", {"amount_off": 100}, items=["pan"], limits=limits)

    def open_to(sub: str | None, quantity: int) -> bool:
        state = states(api, sub, units(quantity))["few"]
        assert state in {"applied", "exhausted"}
        return state == "applied"

    def as_operator(shopper: dict[str, Any] | None) -> str:
        reply = api.post("/quote", {**units(2), **({"shopper": shopper} if shopper else {})}, 200)
        return str(reply["lines"][0]["choices"][0]["state"])

    assert (open_to("ann", 2), open_to("ann", 3)) == (True, False)
    recorded.hold("o1", "campaign", "few", 1)
    recorded.hold("o2", "campaign_shopper", "few", 1, "ann")
    for _ in range(2):
        assert [open_to("ann", number) for number in (1, 2)] == [True, False]
        assert [open_to("bob", number) for number in (2, 3)] == [True, False]
        assert [open_to(None, number) for number in (2, 3)] == [True, False]
        told = [as_operator(shopper) for shopper in ({"sub": "ann"}, {"sub": "bob"}, {"level": 1}, None)]
        assert told == ["exhausted", "applied", "applied", "applied"]
        recorded.commit("o1")
        recorded.commit("o2")
    recorded.hold("o3", "campaign", "few", 2)
    assert not open_to("bob", 1)
    recorded.release("o1")
    recorded.release("o3")
    assert (open_to("bob", 2), open_to("ann", 2), open_to("ann", 1)) == (True, False, True)
    recorded.release("o2")
    assert open_to("ann", 2)


def test_budgets_and_orders_count_too(api: Api, recorded: Shop) -> None:
    recorded.product("pan", 1000)
    off = {"mode": "tiers", "tiers": [{"spend": 1000, "off": 300}]}
    recorded.campaign("pot", "threshold_reduction", off, items=["pan"], limits={"budget": 500}, priority=2)
    recorded.campaign("once", "threshold_reduction", off, items=["pan"], limits={"per_shopper": 1}, priority=1)
    recorded.hold("o1", "budget", "pot", 200)
    assert states(api, None, units(9)) == {"pot": "applied", "once": "beaten"}
    recorded.hold("o2", "budget", "pot", 1)
    assert states(api, "ann", units(9)) == {"pot": "exhausted", "once": "applied"}
    recorded.hold("o3", "campaign_shopper", "once", 1, "ann")
    assert states(api, "ann", units(9)) == {"pot": "exhausted", "once": "exhausted"}
    assert states(api, "bob", units(9)) == {"pot": "exhausted", "once": "applied"}
    # Of what the rule gives away only add-ons may be left.
    recorded.product("cloth", 400)
    option = {"tiers": [{"spend": 0, "options": [{"sku": "cloth", "price": 100}]}]}
    recorded.campaign("plus", "add_on", option, items=["pan"], limits={"budget": 600})
    added = {**units(1, campaign="plus"), "add_ons": [{"campaign": "plus", "sku": "cloth"}]}
    assert states(api, None, added)["plus"] == "applied"
    recorded.hold("o4", "budget", "plus", 301)
    reply = quote(api, None, added)
    assert (reply["add_ons"], [each["sku"] for each in reply["left_off"]]) == ([], ["cloth"])


def test_a_group_buy_counts_the_units_that_one_shopper_has_bought(api: Api, recorded: Shop) -> None:
    recorded.product("pan", 1000)
    recorded.campaign("team", "group_buy", {"price": 700, "size": 2, "limit_per_shopper": 3}, items=["pan"])

    def total(sub: str | None, quantity: int) -> int:
        return int(quote(api, sub, units(quantity, campaign="team"))["total"])

    assert (total("ann", 3), total("ann", 4)) == (2100, 4000)
    recorded.hold("o1", "campaign_shopper", "team", 2, "ann")
    assert (total("ann", 1), total("ann", 2)) == (700, 2000)
    assert (total("bob", 3), total(None, 3)) == (2100, 2100)
    recorded.commit("o1")
    recorded.hold("o2", "campaign_shopper", "team", 1, "ann")
    assert states(api, "ann", units(1, campaign="team")) == {"team": "exhausted"}
    assert total("ann", 1) == 1000


def coupon_state(api: Api, sub: str | None, code: str) -> str:
    told = quote(api, sub, {**units(1), "coupon": code})["coupon"]
    assert told["code"] == code
    assert (told["discount"] > 0) == (told["state"] == "applied")
    return str(told["state"])


def test_coupons_count_uses_in_all_and_of_each_shopper(api: Api, recorded: Shop) -> None:
    recorded.product("pan", 1000)
    recorded.coupon("FEW", total=2, per_shopper=1)
    recorded.hold("o1", "coupon", "FEW")
    recorded.hold("o2", "coupon_shopper", "FEW", 1, "ann")
    for _ in range(2):
        found = [coupon_state(api, sub, "FEW") for sub in ("ann", "bob", None)]
        assert found == ["exhausted", "applied", "applied"]
        recorded.commit("o2")
    recorded.hold("o3", "coupon", "FEW")
    assert [coupon_state(api, sub, "FEW") for sub in ("bob", None)] == ["exhausted", "exhausted"]
    recorded.release("o1")
    recorded.release("o2")
    assert [coupon_state(api, sub, "FEW") for sub in ("ann", "bob", None)] == ["applied"] * 3


def test_a_coupon_to_claim_is_for_those_who_hold_it(api: Api, recorded: Shop) -> None:
    recorded.product("pan", 1000)
    recorded.coupon("HELD", claim_required=True)
    recorded.claim("HELD", "ann")
    assert [coupon_state(api, sub, "HELD") for sub in ("ann", "bob", None)] == [
        "applied",
        "not_claimed",
        "not_claimed",
    ]
    operator = api.post("/quote", {**units(1), "coupon": "HELD", "shopper": {"sub": "ann"}}, 200)
    assert operator["coupon"]["state"] == "applied"


def test_one_code_of_many_stands_for_its_coupon_once(api: Api, recorded: Shop) -> None:
    recorded.product("pan", 1000)
    recorded.coupon("MANY", claim_required=True, total=3, per_shopper=2)
    recorded.codes("MANY", ("m-1", "m-2", "m-3"))
    recorded.codes("GONE", ("g-1",))
    assert [coupon_state(api, sub, "m-1") for sub in ("ann", None)] == ["applied", "applied"]
    assert [coupon_state(api, None, code) for code in ("m-4", "g-1", "GONE", "M-1")] == ["unknown"] * 4
    # Claimed, it is one shopper's alone, who must use it: the coupon's own code would not use it up.
    recorded.claim("MANY", "ann", "m-1")
    assert [coupon_state(api, sub, "m-1") for sub in ("ann", "bob", None)] == ["applied", "exhausted", "exhausted"]
    assert [coupon_state(api, sub, "MANY") for sub in ("ann", "bob")] == ["not_claimed", "not_claimed"]
    recorded.hold("o1", "coupon_code", "m-1")
    recorded.hold("o2", "coupon_code", "m-2")
    assert [coupon_state(api, "ann", code) for code in ("m-1", "MANY", "m-2", "m-3")] == [
        "exhausted",
        "not_claimed",
        "exhausted",
        "applied",
    ]
    recorded.release("o1")
    assert coupon_state(api, "ann", "m-1") == "applied"
    # The coupon's own limits hold for all of its codes.
    recorded.hold("o3", "coupon_shopper", "MANY", 2, "ann")
    assert [coupon_state(api, sub, "m-3") for sub in ("ann", "bob")] == ["exhausted", "applied"]
    recorded.hold("o4", "coupon", "MANY", 3)
    assert coupon_state(api, "bob", "m-3") == "exhausted"


def test_such_quotes_are_computed_again_whatever_was_bought_since(api: Api, recorded: Shop) -> None:
    recorded.product("pan", 1000)
    recorded.coupon("MANY", claim_required=True, per_shopper=2)
    recorded.codes("MANY", ("m-1",))
    recorded.claim("MANY", "ann")
    recorded.campaign("few", "item_discount", {"amount_off": 100}, items=["pan"], limits={"total": 3})
    recorded.hold("o1", "campaign", "few", 2)
    given = {}
    key = mint(TOKEN_SECRET.encode(), "ann", ttl_s=600)
    for number, code in ((1, "m-1"), (2, "MANY"), (1, "m-9")):
        reply = api.send("POST", "/api/quote", json={**units(number), "coupon": code}, key=key)
        given[reply.json()["token"]] = reply.content
    recorded.hold("o2", "campaign", "few", 1)
    recorded.hold("o3", "coupon_code", "m-1")
    assert {token: replaying.replay(recorded.resources.engine, token) for token in given} == given


def test_a_quote_from_before_codes_and_gifts_were_stored_is_computed_again(api: Api, recorded: Shop) -> None:
    recorded.product("pan", 1000)
    recorded.coupon("SAVE")
    recorded.campaign("few", "item_discount", {"amount_off": 100}, items=["pan"], limits={"total": 3})
    reply = api.send("POST", "/api/quote", json={**units(1), "coupon": "SAVE"}, key=None)
    token = reply.json()["token"]
    stored = orjson.loads(recorded.stored(token).snapshot)
    assert stored["coupon"] == [1, None, False]
    del stored["gifts"]
    with writing(recorded.resources.engine) as connection:
        connection.execute(update(quotes).values(snapshot=orjson.dumps(stored), terms=None))
    assert replaying.replay(recorded.resources.engine, token) == reply.content


def test_who_orders_by_a_code_is_told_the_coupon_that_it_stands_for(recorded: Shop) -> None:
    recorded.product("pan", 1000)
    recorded.coupon("MANY", total=5)
    recorded.codes("MANY", ("m-1",))
    cart = {**units(1), "coupon": "m-1"}
    quoter = Quoter(recorded.resources)
    asked = [Asked(Cart.model_validate(cart), cart, "en", shopper=sub, owner=sub) for sub in ("ann", "bob")]
    recorded.hold("o1", "coupon", "MANY", 1)
    moment = quoter.gather(asked)
    for place, each in enumerate(asked):
        made = quoter.price(each, moment, place)
        assert made.world.coupon is not None
        assert (made.world.coupon.code, made.world.coupon.uses_left) == ("MANY", 1)
        assert made.result["coupon"]["code"] == "m-1"


def test_a_shoppers_quote_is_stored_with_its_terms(api: Api, recorded: Shop) -> None:
    recorded.product("pan", 1000)
    recorded.product("mug", 100)
    gifts = {"gifts": [{"sku": "mug", "quantity": 2}], "per": 1}
    recorded.campaign("gift", "item_gift", gifts, items=["pan"])
    reply = quote(api, "ann", units(2))
    row = recorded.stored(reply["token"])
    assert row.terms == terms_of(reply)
    assert snapshot.read(row.snapshot).gifts == [["gift", "mug", 4]]
    assert recorded.stored(quote(api, None, units(2))["token"]).terms is None
    assert recorded.stored(api.post("/quote", units(2), 200)["token"]).terms is None


def test_prices_of_lists_are_kept_while_enough_is_left_for_one_unit() -> None:
    shop = world(
        campaign("item_discount", {"amount_off": 100}, code="less", items=["pan"]), prices={"pan": 500, "pot": 900}
    )
    listings = {sku: Listing(each, sku, None, (), None) for sku, each in shop.products.items()}
    lists = Pricelists()

    def prices(left: Left) -> Prices:
        now = lineup(shop.index.all(), shop.now_ms)
        return lists.get(Alone(replace(shop, left={"less": left})), listings, now)

    first = prices(Left(total=9, per_shopper=3, budget=5000))
    assert prices(Left(total=1, per_shopper=1, budget=900)) is first
    assert prices(Left()) is first
    little, less = prices(Left(budget=100)), prices(Left(budget=99))
    assert [each.by_sku["pan"] for each in (first, little, less)] == [400, 400, 500]
    assert prices(Left(total=0)).by_sku["pan"] == 500


def test_lists_pages_and_the_gate_show_what_is_left(api: Api, recorded: Shop) -> None:
    recorded.product("pan", 1000)
    now = recorded.now_ms()
    limits = {"total": 3, "per_shopper": 1, "budget": 5000}
    recorded.campaign("few", "item_discount", {"amount_off": 100}, items=["pan"], limits=limits)
    recorded.campaign("team", "group_buy", {"price": 700, "size": 2}, items=["pan"])
    ann, bob = Window(api, level=1), Window(api, level=2)
    draft = {
        "type": "item_discount",
        "name": "half",
        "rule": {"percent_off": 50},
        "items": [{"sku": "pan"}],
        "priority": -1,
        "starts_at": now,
        "ends_at": now + LASTING_MS,
    }

    def shown(window: Window) -> list[Any]:
        """The default choice and the price in a list and on the page, and the buttons."""
        (listed,) = window.listed(sort="promo_price")
        page = window.get("/api/products/pan")
        prices = [(each["campaign"], each["promo_price"]) for each in (listed, page)]
        return [*prices, [each["campaign"] for each in page["buttons"]]]

    def checked() -> Any:
        return api.post("/campaigns/check", draft)["priced"]["catalogue"]["items"][0]["before"]

    plain, reduced = [(None, 1000)] * 2, [("few", 900)] * 2
    assert [shown(window) for window in (ann, bob)] == [[*reduced, ["team"]]] * 2
    recorded.hold("o1", "campaign_shopper", "few", 1, "member 1")
    recorded.hold("o2", "campaign_shopper", "team", 1, "member 1")
    # What one shopper has used is seen at once.
    assert (shown(ann), shown(bob)) == ([*plain, []], [*reduced, ["team"]])
    assert checked() == 900
    recorded.hold("o3", "budget", "few", 4901)
    assert checked() == 1000
    wait_until(lambda: shown(bob) == [*plain, ["team"]], within_s=5, what="a list without the campaign")
    recorded.release("o3")
    wait_until(lambda: shown(bob) == [*reduced, ["team"]], within_s=5, what="a list with the campaign")
    recorded.hold("o4", "campaign", "few", 3)
    wait_until(lambda: shown(bob) == [*plain, ["team"]], within_s=5, what="a list without the campaign")


def test_what_is_held_is_looked_up_by_key(shared_resources: Resources) -> None:
    # On SQLite alone: PostgreSQL reads small tables whole, whatever their keys.
    with driver_connection(shared_resources.engine) as connection:
        statement = f"EXPLAIN QUERY PLAN {looking._STATEMENTS['sqlite', True, True]}"
        plan = [row[3] for row in connection.execute(statement, ("[]", "[]", "[]")).fetchall()]
    stored = ("tally", "code", "claim", "in_all", "own", "of_code")
    found = {name: step.split()[0] for step in plan for name in stored if step.split()[1] == name}
    assert found == dict.fromkeys(stored, "SEARCH")


def test_quotes_to_delete_are_found_past_any_number_that_were_ordered(shared_resources: Resources) -> None:
    # The very condition of the index, or it would not be used.
    for first, index in ((true(), "ix_quotes_created"), (quotes.c.shopper.is_(None), "ix_quotes_nobodys")):
        statement = select(quotes.c.token).where(forgetting._NOT_ORDERED, first)
        ordered = statement.order_by(quotes.c.created_at_ms)
        with reading(shared_resources.engine) as connection:
            plan = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {ordered.compile(shared_resources.engine)}"
            ).all()
        assert f"USING INDEX {index}" in plan[0][3]
