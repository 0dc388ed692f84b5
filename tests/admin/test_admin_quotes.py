"""Quotes over HTTP: who may ask, what is refused, what is answered, and that changes are seen at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal
from buying import TOKEN_SECRET
from quoted import RecordedShop, random_cart
from sidecar import Api, Shop, fields_of
from sqlalchemy import insert, select, text

from admin.quotes import desk, forgetting
from admin.quotes.models import Quote
from admin.quotes.tables import quotes
from admin.resources import Resources
from gateway.orders.database import reading, writing
from gateway.settings import Settings
from gateway.tokens import mint

DAY_MS = 86_400_000


@pytest.fixture
def recorded(resources: Resources) -> RecordedShop:
    return RecordedShop(resources)


@pytest.fixture(scope="module")
def one_api(shared_resources: Resources, portal: BlockingPortal) -> Iterator[Api]:
    with Api(shared_resources.settings, portal) as opened:
        yield opened


@pytest.fixture
def shelved(shared_resources: Resources) -> RecordedShop:
    """On one database for all of this module; `one_api` serves it."""
    return RecordedShop(shared_resources)


def ask(api: Api, cart: Any, status: int = 200, *, key: str | None = None, **about: Any) -> Any:
    reply = api.send("POST", "/api/quote", json=cart, key=key, **about)
    assert reply.status_code == status, reply.text
    return reply.json()


def ask_as(api: Api, cart: Any, status: int = 200) -> Any:
    return api.post("/quote", cart, status)


def one(sku: str, quantity: int = 1, **about: Any) -> dict[str, Any]:
    return {"lines": [{"sku": sku, "quantity": quantity, **about}]}


def token_of(sub: str, **claims: Any) -> str:
    return mint(TOKEN_SECRET.encode(), sub, ttl_s=600, **claims)


def test_guests_shoppers_and_operators_are_priced_and_kept_apart(one_api: Api, shelved: RecordedShop) -> None:
    shelved.product("pan", price=1000)
    shelved.campaign("members", "item_discount", {"amount_off": 300}, items=["pan"], audience={"kind": "members"})
    guest = ask(one_api, one("pan"))
    ann = ask(one_api, one("pan"), key=token_of("ann", level=1))
    bob = ask(one_api, one("pan"), key=token_of("bob"))
    operator = ask_as(one_api, {**one("pan"), "shopper": {"level": 1}})
    nobody = ask_as(one_api, one("pan"))
    assert [each["total"] for each in (guest, ann, bob, operator, nobody)] == [1000, 700, 1000, 700, 1000]
    rows = [shelved.stored(each["token"]) for each in (guest, ann, bob, operator, nobody)]
    assert [row.shopper for row in rows] == [None, "ann", "bob", None, None]
    assert all(row.valid_until_ms - row.created_at_ms == 1_800_000 for row in rows)
    assert all(abs(row.created_at_ms - shelved.now_ms()) < 60_000 for row in rows)
    assert b"ann" not in rows[1].snapshot


def test_a_token_that_is_no_good_is_refused_and_not_a_guest(one_api: Api) -> None:
    for key in ("nonsense", token_of("ann")[:-2]):
        assert ask(one_api, one("pan"), 401, key=key)["status"] == 401


@pytest.mark.parametrize(
    ("cart", "expected"),
    [
        ({}, {"lines": "missing"}),
        ([], {"": "not_an_object"}),
        ({"lines": [{"sku": "a", "quantity": 1}, {"sku": "a", "quantity": 2}]}, {"lines.1.sku": "duplicate_sku"}),
        (
            {"lines": [{"sku": "a", "quantity": 0}, {"sku": "a", "quantity": 2}], "typo": 1},
            {"lines.0.quantity": "too_small", "lines.1.sku": "duplicate_sku", "typo": "unknown_field"},
        ),
        (
            {"lines": [], "add_ons": [{"campaign": "c", "sku": "a"}, {"campaign": "c", "sku": "a", "quantity": 2}]},
            {"add_ons.1.sku": "repeated"},
        ),
        ({"lines": [{"sku": "a", "quantity": True}]}, {"lines.0.quantity": "not_an_integer"}),
        ({"lines": [{"sku": "a", "quantity": 1, "price": 1}]}, {"lines.0.price": "unknown_field"}),
        ({"lines": [{"sku": ["a"], "quantity": 1}, 7]}, {"lines.0.sku": "not_a_text", "lines.1": "not_an_object"}),
        ({"lines": [], "at": 1, "shopper": {"level": 1}}, {"at": "unknown_field", "shopper": "unknown_field"}),
    ],
    ids=lambda value: "" if isinstance(value, dict) and "lines" not in value else None,
)
def test_malformed_carts_are_refused_with_every_problem(one_api: Api, cart: Any, expected: dict[str, str]) -> None:
    assert fields_of(ask(one_api, cart, 422)) == expected


def test_operators_say_whom_and_when_in_one_way(one_api: Api) -> None:
    cart = one("pan")
    problem = ask_as(one_api, {**cart, "shopper": {"sub": "ann", "level": 2}, "at": "yesterday"}, 422)
    assert fields_of(problem) == {"shopper": "sub_alone", "at": "bad_instant"}
    assert fields_of(ask_as(one_api, {**cart, "at": None}, 422)) == {"at": "bad_instant"}


def test_equal_quotes_have_equal_bytes_but_for_the_token(one_api: Api, shelved: RecordedShop) -> None:
    shelved.fill(random.Random(1), campaigns=8)
    at = shelved.now_ms()
    for seed in range(10):
        cart = {**random_cart(random.Random(seed), 8), "at": at}
        first, second = (one_api.send("POST", "/quote", json=cart) for _ in range(2))
        tokens = [reply.json()["token"] for reply in (first, second)]
        assert tokens[0] != tokens[1]
        assert first.content.replace(tokens[0].encode(), b"") == second.content.replace(tokens[1].encode(), b"")


def test_replies_are_exactly_as_documented(one_api: Api, shelved: RecordedShop) -> None:
    shelved.fill(random.Random(2), campaigns=14)
    states, filled = set(), set()
    for seed in range(60):
        cart = random_cart(random.Random(f"documented {seed}"), 14)
        for reply in (ask(one_api, cart), ask_as(one_api, {**cart, "explain": True, "suggest": True})):
            # Strict, and without fields that it does not know; nothing has a default that could stand in.
            assert Quote.model_validate(reply).model_dump() == reply
            states |= {choice["state"] for line in reply["lines"] for choice in line["choices"]}
            filled |= {name for name, value in reply.items() if value not in (None, [])}
    assert {"applied", "beaten", "not_eligible", "own_button"} <= states
    assert filled >= set(Quote.model_fields) - {"presale", "gifts", "add_ons"}


def test_gifts_add_ons_and_pre_sales_are_as_documented(one_api: Api, shelved: RecordedShop) -> None:
    for sku in ("early", "tea", "spoon-1", "cloth"):
        shelved.product(sku)
    gifts = {"gifts": [{"sku": "spoon-1", "quantity": 1}], "per": 1}
    shelved.campaign("tea-gift", "item_gift", gifts, items=["tea"], priority=1)
    options = {"tiers": [{"spend": 100, "options": [{"sku": "cloth", "price": 10}]}]}
    shelved.campaign("tea-plus", "add_on", options, items=["tea"])
    added = [{"campaign": "tea-plus", "sku": "cloth"}]
    given = ask(one_api, one("tea"))
    plus = ask(one_api, {**one("tea", campaign="tea-plus"), "add_ons": added, "gifts": {"tea-gift": []}})
    assert [gift["sku"] for gift in given["gifts"]] == ["spoon-1"]
    assert [add_on["payable"] for add_on in plus["add_ons"]] == [10]
    for reply in (given, plus):
        assert Quote.model_validate(reply).model_dump() == reply
    presale = shelved.body(
        "presale",
        {
            "price": 900,
            "deposit": 100,
            "mode": "confirm",
            "balance_starts_at": shelved.now_ms() + 2 * DAY_MS,
            "balance_ends_at": shelved.now_ms() + 3 * DAY_MS,
            "on_unpaid": "refund",
        },
        items=["early"],
    )
    shelved.note("campaign", "early", presale)
    reply = ask(one_api, one("early", campaign="early"))
    assert reply["presale"] is not None
    assert Quote.model_validate(reply).model_dump() == reply


def test_texts_come_in_the_readers_language(one_api: Api, shelved: RecordedShop) -> None:
    shelved.product("cup", price=1000)
    shelved.campaign(
        "cups", "threshold_reduction", {"mode": "tiers", "tiers": [{"spend": 5000, "off": 500}]}, items=["cup"]
    )
    english, chinese = (
        ask(one_api, one("cup"), headers={"Accept-Language": language})["lines"][0]["choices"][0]
        for language in ("en", "zh-Hant-TW, en;q=0.5")
    )
    assert english["reason"].split(":")[0] == chinese["reason"].split(":")[0] == "spend_more"
    assert english["reason"].isascii()
    assert not chinese["reason"].isascii()
    assert not chinese["label"].isascii()


def test_another_moment_and_known_members(one_api: Api, shelved: RecordedShop) -> None:
    now = shelved.now_ms()
    shelved.product("vase", price=1000)
    shelved.campaign(
        "next-week",
        "item_discount",
        {"amount_off": 100},
        items=["vase"],
        starts_at=now + 7 * DAY_MS,
        ends_at=now + 8 * DAY_MS,
        audience={"kind": "members", "levels": [3], "member_days": 8},
    )
    one_api.post("/members", {"shopper": "carl", "level": 3, "since": now - 3 * DAY_MS}, 201)
    then = {**one("vase"), "at": now + 7 * DAY_MS + 1000}
    assert ask_as(one_api, {**then, "shopper": {"sub": "carl"}})["total"] == 900
    assert ask_as(one_api, {**one("vase"), "shopper": {"sub": "carl"}})["total"] == 1000
    assert ask_as(one_api, {**then, "shopper": {"sub": "nobody-known"}})["total"] == 1000
    made_up = {"level": 3, "since": now - 3 * DAY_MS}
    assert ask_as(one_api, {**then, "shopper": made_up})["total"] == 900
    assert ask_as(one_api, {**then, "shopper": {**made_up, "since": now}})["total"] == 1000
    # The record outranks the token.
    assert ask(one_api, one("vase"), key=token_of("carl"))["total"] == 1000


def test_coupons_are_told_apart_by_upper_and_lower_case(one_api: Api, shelved: RecordedShop) -> None:
    shelved.product("bowl", price=1000)
    shelved.coupon("Bowl", amount_off=400)
    shelved.note("coupon", "OLD", {"kind": "of another version", "revision": 1})
    states = {
        code: ask(one_api, {**one("bowl"), "coupon": code})["coupon"]["state"] for code in ("Bowl", "bowl", "OLD")
    }
    assert states == {"Bowl": "applied", "bowl": "unknown", "OLD": "unknown"}


def test_a_stored_rule_that_cannot_be_read_breaks_no_cart(one_api: Api, shelved: RecordedShop) -> None:
    shelved.product("jug", price=1000)
    shelved.campaign("future", "telepathy", {"thoughts": 3}, items=["jug"], priority=9)
    odd = shelved.body("item_discount", {"percent_off": "lots"}, priority=8)
    shelved.note("campaign", "odd", {**odd, "items": [{"sku": "jug"}, 7, {}]})
    shelved.note("campaign", "empty", {"priority": "high", "items": None, "categories": 7})
    shelved.campaign("good", "item_discount", {"amount_off": 100}, items=["jug"])
    shopper = ask(one_api, {**one("jug"), "explain": True})
    assert shopper["total"] == 900
    assert [choice["campaign"] for choice in shopper["lines"][0]["choices"]] == ["good"]
    pinned = ask(one_api, one("jug", campaign="future"))
    assert pinned["total"] == 900
    states = {
        choice["campaign"]: choice["state"]
        for choice in ask_as(one_api, {**one("jug"), "explain": True})["lines"][0]["choices"]
    }
    assert states == {"future": "error", "odd": "error", "good": "applied"}


def test_changes_are_seen_by_the_next_quote_of_another_process(
    api: Api, settings: Settings, portal: BlockingPortal, shop: Shop
) -> None:
    """Operators ask one process, shoppers another."""
    sku, now = shop.product(price=1000, stock=5), shop.now_ms()
    campaign = {
        "type": "item_discount",
        "code": shop.unique("deal"),
        "name": "Deal",
        "starts_at": now - 1,
        "ends_at": now + DAY_MS,
        "rule": {"amount_off": 100},
        "items": [{"sku": sku}],
    }
    code = campaign["code"]
    coupon = {
        "code": "Once",
        "name": "x",
        "kind": "amount",
        "amount_off": 50,
        "starts_at": now - 1,
        "ends_at": now + DAY_MS,
    }
    with Api(settings, portal) as other:

        def total(quantity: int = 1) -> tuple[int, str]:
            reply = ask(other, {**one(sku, quantity), "coupon": "Once"})
            return reply["total"], reply["lines"][0]["state"]

        assert total() == (1000, "ok")
        steps: list[tuple[str, str, Any, int, tuple[int, str]]] = [
            ("POST", "/campaigns", campaign, 201, (900, "ok")),
            ("POST", "/coupons", coupon, 201, (850, "ok")),
            ("PATCH", f"/products/{sku}", {"price": 2000}, 200, (1850, "ok")),
            ("POST", f"/campaigns/{code}/pause", {}, 200, (1950, "ok")),
            ("POST", f"/campaigns/{code}/resume", {}, 200, (1850, "ok")),
            ("PATCH", f"/products/{sku}", {"stock": 0}, 200, (1850, "short_stock")),
            ("PATCH", f"/products/{sku}", {"stock": 1}, 200, (1850, "ok")),
            ("POST", "/coupons/Once/end", {}, 200, (1900, "ok")),
            ("POST", f"/campaigns/{code}/terminate", {}, 200, (2000, "ok")),
            ("PATCH", f"/products/{sku}", {"on_sale": False}, 200, (0, "unavailable")),
        ]
        for method, path, body, status, expected in steps:
            reply = api.send(method, path, json=body)
            assert reply.status_code == status, reply.text
            assert total() == expected, path


def test_quotes_while_campaigns_change(api: Api, recorded: RecordedShop) -> None:
    """Whoever is answered sees a whole state of the shop, and what was changed before they asked."""
    recorded.product("a", price=1000)
    bodies = {off: recorded.body("item_discount", {"amount_off": off}, items=["a"]) for off in range(1, 13)}
    recorded.note("campaign", "c", bodies[1])
    newest = [1]

    def quote(_number: int) -> None:
        before = newest[0]
        reply = ask(api, one("a"))
        assert reply["discount"] == 1000 - reply["total"] >= before

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(quote, number) for number in range(60)]
        for off, body in bodies.items():
            recorded.note("campaign", "c", body)
            newest[0] = off
            assert ask(api, one("a"))["discount"] == off
        for each in asked:
            each.result()


def test_too_many_that_wait_are_sent_away(one_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.Desk, "waiting_max", 0)
    problem = ask(one_api, one("pan"), 503)
    assert problem["type"].endswith("quotes_waiting")


def test_a_quote_that_cannot_be_stored_is_not_given(api: Api, recorded: RecordedShop) -> None:
    recorded.product("a")
    for rename in ("quotes RENAME TO gone", "gone RENAME TO quotes"):
        with writing(recorded.resources.engine) as connection:
            connection.execute(text(f"ALTER TABLE {rename}"))
        ask(api, one("a"), 503 if rename.endswith("gone") else 200)


def test_old_quotes_go_and_of_too_many_guests_first_but_none_that_was_ordered(recorded: RecordedShop) -> None:
    now = recorded.now_ms()
    keep_ms = recorded.resources.settings.quote_keep_s * 1000
    kept = {
        "old-guest": (None, now - keep_ms - 1),
        "old-ann": ("ann", now - keep_ms - 1),
        "ann-1": ("ann", now - 9000),
        "guest-1": (None, now - 8000),
        "ann-2": ("ann", now - 7000),
        "guest-2": (None, now - 6000),
        # The shopper of the second was erased.
        "ordered-old": ("ann", now - 2 * keep_ms),
        "ordered-nobodys": (None, now - 9999),
    }
    with writing(recorded.resources.engine) as connection:
        connection.execute(
            insert(quotes),
            [
                {
                    "token": token,
                    "shopper": shopper,
                    "engine": 1,
                    "change_number": 0,
                    "created_at_ms": created_ms,
                    "valid_until_ms": created_ms,
                    "snapshot": b"",
                    "order_no": token if token.startswith("ordered") else None,
                }
                for token, (shopper, created_ms) in kept.items()
            ],
        )

    def left(most: int) -> set[str]:
        settings = Settings.from_env({"SECKILL_QUOTES_MAX": str(most)})
        while forgetting.forget(recorded.resources.engine, settings):
            pass
        with reading(recorded.resources.engine) as connection:
            found = set(connection.execute(select(quotes.c.token)).scalars())
        assert found >= {"ordered-old", "ordered-nobodys"}
        return found - {"ordered-old", "ordered-nobodys"}

    assert left(100) == {"ann-1", "guest-1", "ann-2", "guest-2"}
    assert left(4) == {"ann-1", "guest-1", "ann-2", "guest-2"}
    assert left(3) == {"ann-1", "ann-2", "guest-2"}
    assert left(1) == {"ann-2"}


def test_what_waits_when_the_sidecar_stops_is_answered(settings: Settings, portal: BlockingPortal) -> None:
    with Api(settings, portal) as stopping:
        assert ask(stopping, {"lines": []})["total"] == 0
    # The desk is closed now, and says so instead of letting anybody wait.
    assert ask(stopping, {"lines": []}, 503)["type"].endswith("stopping")
