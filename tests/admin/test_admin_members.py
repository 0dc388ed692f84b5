"""Given operators who keep records of members, the records outrank what tokens claim."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from reminded import offer_of
from sidecar import ACTOR, Api, Shop, fields_of
from sqlalchemy import event

from admin.members import service
from admin.members.facts import facts_of
from admin.promotions.audience import Shopper
from gateway import tokens
from gateway.orders.database import reading

ZONE = ZoneInfo("Asia/Taipei")
DAY_MS = 86_400_000
# Everything that a token's sub may hold: a slash, a percent, a space, a quote, a family of joined characters.
STRANGE = " a/b%2F..//'c\" 👩‍👩‍👧/"


def test_a_member_lives_and_dies(api: Api) -> None:
    body = {
        "shopper": STRANGE,
        "level": 1,
        "since": "2024-03-01T00:00:00+08:00",
        "birthday": "02-29",
        "first_paid_at": "2024-03-02T12:00:00+08:00",
        "paid": {"level": 3, "until": "2286-01-01T00:00:00+08:00"},
        "note": "One.\nTwo.",
    }
    made = api.post("/members", body, 201)
    assert {name: made[name] for name in body} == body
    assert made["effective_level"] == 3
    path = f"/members/{quote(STRANGE, safe='')}"
    assert api.get(path) == made
    changed = api.patch(path, {"paid": None, "birthday": None}, headers={"If-Match": '"1"'})
    assert (changed["paid"], changed["birthday"], changed["effective_level"]) == (None, None, 1)
    assert changed["note"] == body["note"]
    assert api.patch(path, {"level": 2}, 412, headers={"If-Match": '"1"'})["revision"] == 2
    api.post("/members", body, 409)
    assert api.delete(path, headers={"If-Match": '"2"'}) == {"deleted": STRANGE}
    api.get(path, 404)
    log = api.get(f"/audit?kind=member&subject={quote(STRANGE)}")["items"]
    assert [each["action"] for each in log] == ["delete", "change", "create"]


def test_what_cannot_be_is_refused(api: Api) -> None:
    def refused(**about: Any) -> dict[str, str]:
        return fields_of(api.post("/members", {"shopper": "amy", **about}, 422))

    assert refused(birthday="02-30") == {"birthday": "no_such_day"}
    assert refused(birthday="13-01") == {"birthday": "no_such_day"}
    assert refused(birthday="2-29") == {"birthday": "bad_form"}
    assert refused(shopper="") == {"shopper": "too_short"}
    assert refused(shopper="a" * 65) == {"shopper": "too_long"}
    assert refused(shopper="a\tb") == {"shopper": "control_character"}
    assert refused(level=-1, since="yesterday") == {"level": "too_small", "since": "bad_instant"}
    assert refused(paid={"level": 1}) == {"paid.until": "missing"}
    api.post("/members", {"shopper": "a" * 64, "birthday": "02-29"}, 201)


def test_lists_go_by_the_level_that_counts_now(api: Api, shop: Shop) -> None:
    soon, past = shop.now_ms() + DAY_MS, shop.now_ms() - 1
    api.post("/members", {"shopper": "amy", "level": 1, "paid": {"level": 5, "until": soon}}, 201)
    api.post("/members", {"shopper": "bob", "level": 2, "paid": {"level": 5, "until": past}}, 201)
    api.post("/members", {"shopper": "cy", "level": 5}, 201)

    def listed(query: str) -> list[str]:
        return [each["shopper"] for each in api.get(f"/members{query}")["items"]]

    assert listed("") == ["amy", "bob", "cy"]
    assert listed("?level=5") == ["amy", "cy"]
    assert listed("?level=2") == ["bob"]
    page = api.get("/members?limit=2")
    assert listed(f"?cursor={page['next']}") == ["cy"]


def token(sub: str = "amy", **claims: Any) -> tokens.Shopper:
    shopper = tokens.Shopper(sub.encode(), 10**10)
    for name, value in claims.items():
        setattr(shopper, name, value)
    return shopper


def facts(shop: Shop, shopper: tokens.Shopper | str, now_ms: int | None = None) -> Shopper:
    with reading(shop.resources.engine) as connection:
        return facts_of(connection, shopper, shop.now_ms() if now_ms is None else now_ms, ZONE)


def record(shop: Shop, **about: Any) -> None:
    service.create(shop.resources, {"shopper": "amy", **about}, actor=ACTOR)


# 2024-02-29 16:00 UTC is the first of March in Taipei.
LEAP_EVENING_S = 1_709_222_400


def test_without_a_record_the_token_tells(shop: Shop) -> None:
    claims = token(level=2, since_s=LEAP_EVENING_S, birthday="02-29")
    known = Shopper(sub="amy", level=2, since=date(2024, 3, 1), birthday="02-29", new_customer=True)
    assert facts(shop, claims) == known
    assert facts(shop, token()) == facts(shop, "amy") == Shopper(sub="amy", new_customer=True)
    # A second that no calendar reaches in this zone.
    assert facts(shop, token(since_s=tokens.INSTANT_S_MAX)).since is not None


def test_a_record_outranks_every_claim(shop: Shop) -> None:
    record(shop, level=0)
    claims = token(level=9, since_s=LEAP_EVENING_S, birthday="02-29")
    assert facts(shop, claims) == Shopper(sub="amy", member=True, level=0, new_customer=True)
    service.change(
        shop.resources, "amy", {"level": 4, "since": LEAP_EVENING_S * 1000, "birthday": "12-24"}, actor=ACTOR
    )
    known = Shopper(sub="amy", member=True, level=4, since=date(2024, 3, 1), birthday="12-24", new_customer=True)
    assert facts(shop, claims) == facts(shop, "amy") == known


def test_a_paid_membership_sets_the_level_until_its_end(shop: Shop) -> None:
    until = shop.now_ms() + DAY_MS
    record(shop, level=5, paid={"level": 2, "until": until})
    assert facts(shop, "amy", until - 1).level == 2
    assert facts(shop, "amy", until).level == 5


def test_who_has_paid_an_order_is_no_new_customer(shop: Shop) -> None:
    offer = offer_of(shop.campaign())
    shop.order(offer, shopper="amy", status="expired")
    shop.order(offer, shopper="amy2", status="paid", paid_at_ms=5)
    assert facts(shop, token()).new_customer
    shop.order(offer, shopper="amy", status="refunded", paid_at_ms=5)
    assert not facts(shop, token()).new_customer
    record(shop)
    assert not facts(shop, token()).new_customer


def test_a_record_may_know_of_an_order_in_an_earlier_shop(shop: Shop) -> None:
    record(shop, first_paid_at=1000)
    assert not facts(shop, "amy").new_customer


def test_facts_cost_one_statement(shop: Shop) -> None:
    statements: list[str] = []
    with reading(shop.resources.engine) as connection:
        facts_of(connection, token(), 1, ZONE)
        event.listen(connection, "before_cursor_execute", lambda *about: statements.append(about[2]))
        facts_of(connection, token(), 1, ZONE)
    assert len(statements) == 1


def test_whoever_has_no_record_is_not_found(api: Api) -> None:
    for shopper in ("zz/%", "amy", ""):
        api.get(f"/members/{quote(shopper, safe='')}", 404)
