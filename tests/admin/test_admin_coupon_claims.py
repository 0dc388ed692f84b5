"""Given shoppers who claim coupons: each once, never more than there are, and what each coupon does to a cart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from sidecar import ACTOR, Api, Shop
from sqlalchemy import insert, select, update

from admin.coupons import best, claiming, service
from admin.coupons.models import MyCoupon
from admin.coupons.standing import Uses, standing
from admin.coupons.tables import coupon_batches, coupon_claims, coupon_codes, coupons
from admin.errors import Conflict
from admin.privacy.erasing import erase
from admin.promotions.audience import GUEST, Shopper
from admin.promotions.cart import Cart
from admin.promotions.coupon import CouponFields
from admin.quotes.quoting import Asked
from admin.reservations import ledger
from admin.reservations.ledger import Claim
from gateway import tokens
from gateway.orders.database import now_ms, reading, writing
from gateway.tokens import mint

HOUR_MS = 3_600_000
TODAY = date(2026, 11, 21)


def terms(**about: Any) -> CouponFields:
    return CouponFields.model_validate(
        {"name": "Five off", "kind": "amount", "amount_off": 500, "starts_at": 1000, "ends_at": 2000, **about}
    )


@pytest.mark.parametrize(
    ("about", "uses", "also", "wanted"),
    [
        ({}, Uses(), {}, ("usable", None, None)),
        ({"total": 9, "per_shopper": 3}, Uses(in_all=7, own=1), {}, ("usable", None, 2)),
        ({}, Uses(), {"held": False}, ("claimable", "not_claimed", None)),
        ({}, Uses(), {"now_ms": 2000}, ("ended", "ended", None)),
        ({}, Uses(), {"ended": True}, ("ended", "ended", None)),
        ({}, Uses(), {"now_ms": 999}, ("not_started", "not_started", None)),
        # Claimed before it begins.
        ({}, Uses(), {"now_ms": 999, "held": False}, ("claimable", "not_claimed", None)),
        ({"audience": {"kind": "members"}}, Uses(), {"shopper": GUEST}, ("not_eligible", "members_only", None)),
        ({"audience": {"kind": "members", "levels": [2]}}, Uses(), {}, ("not_eligible", "level", None)),
        ({"per_shopper": 2}, Uses(own=2), {}, ("used", "used", 0)),
        ({"per_shopper": 2}, Uses(of_code=1), {"by_code": True}, ("used", "used", 0)),
        ({"per_shopper": 2}, Uses(), {"by_code": True}, ("usable", None, 1)),
        # Lowered below its uses before it began.
        ({"total": 5}, Uses(in_all=6), {}, ("exhausted", "used_up", 0)),
        ({"total": 5}, Uses(claims=5), {}, ("usable", None, 5)),
        ({"total": 5}, Uses(claims=5), {"held": False}, ("exhausted", "used_up", 5)),
    ],
)
def test_how_a_coupon_stands(about: Any, uses: Uses, also: Any, wanted: Any) -> None:
    facts: dict[str, Any] = {"ended": False, "held": True, "by_code": False, "now_ms": 1500, **also}
    shopper = facts.pop("shopper", Shopper(sub="amy", level=1))
    found = standing(terms(**about), uses, shopper, TODAY, **facts)
    assert (found.state, found.reason, found.uses_left) == wanted


@pytest.mark.parametrize(
    ("total", "uses", "left"),
    [
        (None, Uses(claims=9), None),
        (5, Uses(claims=3, in_all=1), 2),
        (5, Uses(in_all=4), 1),
        (5, Uses(claims=7), 0),
    ],
)
def test_it_is_told_how_many_more_may_claim_a_coupon(total: int | None, uses: Uses, left: int | None) -> None:
    about = {} if total is None else {"total": total}
    found = standing(terms(**about), uses, Shopper(sub="amy"), TODAY, 1500, ended=False, held=False, by_code=False)
    assert found.claims_left == left


class Desk:
    """Coupons, and shoppers who want them."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.resources = shop.resources

    def coupon(self, **about: Any) -> str:
        """One that runs now and must be claimed."""
        now = self.shop.now_ms()
        body = {
            "code": self.shop.unique("SAVE"),
            "name": "Five off",
            "kind": "amount",
            "amount_off": 500,
            "starts_at": now - HOUR_MS,
            "ends_at": now + HOUR_MS,
            "claim_required": True,
            **about,
        }
        return service.create(self.resources, body, actor=ACTOR).code

    def codes(self, coupon: str, *codes: str) -> None:
        """Codes of a coupon, as a batch of its own."""
        batch = self.shop.unique("batch")
        with writing(self.resources.engine) as connection:
            about = {"prefix": "", "count": len(codes), "made": len(codes), "requested_by": ACTOR}
            connection.execute(
                insert(coupon_batches).values(id=batch, coupon=coupon, created_at_ms=now_ms(connection), **about)
            )
            connection.execute(insert(coupon_codes), [{"code": c, "coupon": coupon, "batch": batch} for c in codes])

    def claim(self, code: str, shopper: str = "amy", level: int = 0) -> tuple[MyCoupon, bool]:
        claims = tokens.Shopper(shopper.encode(), 10**10)
        claims.level = level
        return claiming.claim(self.resources, claims, code, "en")

    def refused(self, code: str, shopper: str = "amy") -> str:
        with pytest.raises(Conflict) as caught:
            self.claim(code, shopper)
        return caught.value.code

    def use(self, *claims: Claim) -> None:
        """Let an order hold some of a coupon."""
        with writing(self.resources.engine) as connection:
            ledger.reserve(connection, self.shop.unique("order"), claims)

    def claims(self, coupon: str) -> list[tuple[str, str | None]]:
        """(shopper, code) of each claim; they have been counted."""
        table = coupon_claims.c
        with reading(self.resources.engine) as connection:
            assert claiming.miscounted(connection) == []
            rows = connection.execute(select(table.shopper, table.code).where(table.coupon == coupon))
            return sorted((row.shopper, row.code) for row in rows)


@pytest.fixture
def desk(shop: Shop) -> Desk:
    return Desk(shop)


def test_a_coupon_is_claimed_once(desk: Desk) -> None:
    code = desk.coupon(total=2, per_shopper=1)
    first, new = desk.claim(code)
    assert (first.code, first.coupon, first.state, first.uses_left, new) == (code, code, "usable", 1, True)
    assert desk.claim(code) == (first, False)
    assert desk.claim(code, "bob")[1]
    assert desk.refused(code, "cy") == "exhausted"
    # Who holds it already is not refused, also when nothing is left or it is over.
    desk.use(Claim("coupon", code, 2))
    assert desk.claim(code)[0].state == "exhausted"
    service.end(desk.resources, code, actor=ACTOR)
    assert desk.claim(code)[0].state == "ended"
    assert desk.refused(code, "cy") == "not_running"
    assert desk.claims(code) == [("amy", None), ("bob", None)]
    assert service.read(desk.resources, code).use.model_dump() == {
        "reserved": 2,
        "committed": 0,
        "claims": 2,
        "codes": 0,
    }


def test_who_may_not_have_a_coupon_cannot_claim_it(desk: Desk) -> None:
    members = desk.coupon(audience={"kind": "members", "levels": [2]})
    assert desk.refused(members) == "not_eligible"
    assert desk.claim(members, level=2)[1]
    open_to_all = desk.coupon(claim_required=False, per_shopper=1, total=3)
    desk.use(Claim("coupon_shopper", open_to_all, 1, owner="amy"))
    assert desk.refused(open_to_all) == "exhausted"
    assert desk.claim(open_to_all, "bob")[1]
    desk.use(Claim("coupon", open_to_all, 3))
    assert desk.refused(open_to_all, "cy") == "exhausted"
    soon = desk.coupon(starts_at=desk.shop.now_ms() + HOUR_MS, ends_at=desk.shop.now_ms() + 2 * HOUR_MS)
    assert desk.claim(soon)[0].state == "not_started"
    service.remove(desk.resources, soon, actor=ACTOR)
    assert desk.claims(soon) == []


def test_a_code_that_works_once_belongs_to_whoever_claims_it(desk: Desk) -> None:
    coupon = desk.coupon(per_shopper=2)
    one, two, three = (desk.shop.unique("ONE") for _ in range(3))
    desk.codes(coupon, one, two, three)
    assert desk.refused(coupon) == "code_needed"
    held, new = desk.claim(one)
    assert (held.code, held.coupon, held.uses_left, new) == (one, coupon, 1, True)
    assert desk.refused(one, "bob") == "taken"
    # The coupon is theirs: another code stays for somebody else.
    assert desk.claim(two) == desk.claim(coupon) == (held, False)
    assert desk.claim(two, "bob")[1]
    desk.use(Claim("coupon_code", three, 1, 1))
    assert desk.refused(three, "cy") == "taken"
    desk.use(Claim("coupon_code", one, 1, 1))
    assert desk.claim(one)[0].state == "used"
    assert desk.claims(coupon) == [("amy", one), ("bob", two)]


def all_at_once(tries: int, work: Any) -> list[Any]:
    """What each of many tries comes to; the first forty begin together."""
    start = threading.Barrier(40)

    def run(number: int) -> Any:
        if number < 40:
            start.wait()
        try:
            return work(number)
        except Conflict as refusal:
            return refusal.code

    with ThreadPoolExecutor(40) as pool:
        return list(pool.map(run, range(tries)))


def test_as_many_as_there_are_get_one_however_many_come_at_once(desk: Desk) -> None:
    coupon = desk.coupon(total=25)
    came = all_at_once(120, lambda number: desk.claim(coupon, f"shopper {number % 60}")[1])
    assert (came.count(True), came.count("exhausted"), came.count(False)) == (25, 70, 25)
    assert len(desk.claims(coupon)) == 25


def test_many_who_enter_one_code_at_once_are_one(desk: Desk) -> None:
    coupon, code = desk.coupon(), desk.shop.unique("ONE")
    desk.codes(coupon, code)
    came = all_at_once(40, lambda number: desk.claim(code, f"shopper {number}")[1])
    assert (came.count(True), came.count("taken")) == (1, 39)
    ((winner, held),) = desk.claims(coupon)
    with reading(desk.resources.engine) as connection:
        owner = connection.execute(select(coupon_codes.c.shopper).where(coupon_codes.c.code == code)).scalar_one()
    assert (owner, held) == (winner, code)


def test_who_is_erased_leaves_claims_under_another_name(desk: Desk) -> None:
    coupon, coded, code = desk.coupon(total=1), desk.coupon(), desk.shop.unique("ONE")
    desk.codes(coded, code)
    for each in (coupon, code):
        desk.claim(each)
    desk.use(Claim("coupon_shopper", coupon, 1, owner="amy"))
    erase(desk.resources.engine, desk.resources.redis, "amy")
    ((holder, _),), ((owner, held),) = desk.claims(coupon), desk.claims(coded)
    assert (holder == owner, holder.startswith("erased-"), held) == (True, True, code)
    assert desk.refused(coupon) == "exhausted"
    assert desk.refused(code) == "taken"
    with reading(desk.resources.engine) as connection:
        assert ledger.used(connection, [("coupon_shopper", coupon, "amy")]) == {}
        assert ledger.used(connection, [("coupon_shopper", coupon, holder)]) != {}


@pytest.mark.soak
def test_a_thousand_claim_at_once(desk: Desk) -> None:
    coupon = desk.coupon(total=300)
    came = all_at_once(1000, lambda number: desk.claim(coupon, f"shopper {number}")[1])
    assert (came.count(True), came.count("exhausted")) == (300, 700)
    assert len(desk.claims(coupon)) == 300


def test_a_count_that_is_wrong_is_found(desk: Desk) -> None:
    coupon = desk.coupon()
    desk.claim(coupon)
    with writing(desk.resources.engine) as connection:
        connection.execute(update(coupons).where(coupons.c.code == coupon).values(claimed=2))
        ((code, claimed, claims),) = claiming.miscounted(connection)
    assert (code, claimed, claims) == (coupon, 2, 1)


def test_claiming_and_listing_over_http(api: Api, shop: Shop) -> None:
    desk, now = Desk(shop), shop.now_ms()
    amy = mint(b"t" * 32, "amy", ttl_s=3600, level=1)
    first = desk.coupon(ends_at=now + 3 * HOUR_MS, kind="percent", amount_off=None, percent_off=12.5, cap=900)
    second = desk.coupon(audience={"kind": "members", "levels": [2]}, ends_at=now + 2 * HOUR_MS)
    over = desk.coupon()
    secret = desk.coupon(claim_required=False)
    coded, code = desk.coupon(), shop.unique("ONE")
    desk.codes(coded, code)

    def told(path: str = "", **about: Any) -> list[tuple[str, str, str | None]]:
        page = api.get(f"/api/coupons{path}", **about)
        return [(each["code"], each["state"], each["reason"]) for each in page["items"]]

    claimable = (first, "claimable", "not_claimed: it must be claimed first")
    assert told(key=None) == [
        claimable,
        (second, "not_eligible", "members_only: it is for members"),
        (over, "claimable", "not_claimed: it must be claimed first"),
    ]
    claimed = api.post(f"/api/coupons/{first}/claim", None, 201, key=amy)
    assert (claimed["percent_off"], claimed["cap"], claimed["threshold"]) == (12.5, 900, 0)
    assert api.post(f"/api/coupons/{first}/claim", {}, 200, key=amy) == claimed
    assert api.post(f"/api/coupons/{secret}/claim", None, 201, key=amy)["state"] == "usable"
    assert api.post(f"/api/coupons/{code}/claim", None, 201, key=amy)["coupon"] == coded
    refusal = api.post(f"/api/coupons/{second}/claim", None, 409, key=amy)
    assert refusal["type"].endswith(":not_eligible")
    assert refusal["reason"] == "level: it is for other member levels"
    api.post(f"/api/coupons/{over}/claim", None, 201, key=amy)
    api.post(f"/coupons/{over}/end", None, 200)
    api.post("/api/coupons/nowhere/claim", None, 404, key=amy)
    api.post(f"/api/coupons/{first}/claim", None, 401, key=None)
    mine = told(key=amy, headers={"Accept-Language": "zh-TW"})
    assert sorted(mine) == sorted(
        [
            (first, "usable", None),
            (second, "not_eligible", "level: 不符會員等級"),
            (over, "ended", "ended: 活動已結束"),
            (secret, "usable", None),
            (code, "usable", None),
        ]
    )
    page = api.get("/api/coupons?limit=2", key=amy)
    rest = api.get(f"/api/coupons?limit=9&cursor={page['next']}", key=amy)
    assert [each["code"] for each in (*page["items"], *rest["items"])] == [each[0] for each in mine]
    assert (page["items"][0], rest["next"]) == ({**claimed}, None)


def test_each_coupon_is_priced_on_a_cart(api: Api, shop: Shop) -> None:
    desk, sku = Desk(shop), shop.product(price=10_000)
    amy = mint(b"t" * 32, "amy", ttl_s=3600)
    small = desk.coupon(amount_off=300)
    tenth = desk.coupon(kind="percent", amount_off=None, percent_off=10)
    far = desk.coupon(amount_off=9000, threshold=50_000)
    for each in (small, tenth, far):
        desk.claim(each)
    cart = {"lines": [{"sku": sku, "quantity": 2}], "coupon": far}
    reply = api.post("/api/coupons/best", cart, key=amy)
    assert (reply["total"], reply["left_out"]) == (20_000, 0)
    assert [(each["coupon"], each["state"], each["total"], each["saves"]) for each in reply["items"]] == [
        (tenth, "applied", 18_000, 2000),
        (small, "applied", 19_700, 300),
        (far, "threshold_not_met", 20_000, 0),
    ]
    assert reply["items"][2]["reason"].startswith("spend_more: ")
    # Exactly what a quote says.
    quote = api.post("/api/quote", {**cart, "coupon": tenth}, key=amy)
    assert (quote["total"], quote["coupon"]["discount"]) == (18_000, reply["items"][0]["discount"])
    api.post("/api/coupons/best", {"lines": [{"sku": sku, "quantity": 0}]}, 422, key=amy)


def test_a_code_that_works_once_works_once(api: Api, shop: Shop) -> None:
    desk, sku = Desk(shop), shop.product(price=10_000)
    coupon, code = desk.coupon(), shop.unique("ONE")
    desk.codes(coupon, code)
    amy, bob = (mint(b"t" * 32, sub, ttl_s=3600) for sub in ("amy", "bob"))

    def quote(key: str, typed: str = code) -> Any:
        return api.post("/api/quote", {"lines": [{"sku": sku, "quantity": 1}], "coupon": typed}, key=key)

    def held() -> tuple[str, int]:
        ((state, left),) = [
            (each["state"], each["uses_left"]) for each in api.get("/api/coupons", key=amy)["items"]
        ]
        return state, left

    assert quote(amy, coupon)["coupon"]["state"] == "not_claimed"
    api.post(f"/api/coupons/{code}/claim", None, 201, key=amy)
    assert quote(bob)["coupon"]["state"] != "applied"
    # The coupon's own code would not use theirs up.
    assert quote(amy, coupon)["coupon"]["state"] == "not_claimed"
    asked = quote(amy)
    assert (asked["coupon"]["state"], asked["total"]) == ("applied", 9500)
    order = api.post("/api/orders", {"token": asked["token"]}, 201, key=amy)
    assert (order["total"], held()) == (9500, ("used", 0))
    for key in (amy, bob):
        for typed in (code, coupon):
            assert quote(key, typed)["coupon"]["state"] != "applied", typed
    assert api.get(f"/coupons/{coupon}")["use"] == {"reserved": 1, "committed": 0, "claims": 1, "codes": 1}
    api.post(f"/api/orders/{order['order_no']}/cancel", None, 200, key=amy)
    assert held() == ("usable", 1)
    assert quote(amy)["coupon"]["state"] == "applied"


def test_only_so_many_coupons_are_tried(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(best, "PRICED_MAX", 2)
    ends = desk.shop.now_ms() + HOUR_MS
    codes = [desk.coupon(ends_at=ends + place) for place in range(3)]
    for each in codes:
        desk.claim(each)
    cart = Cart(lines=[])
    found = best.best(desk.resources, Asked(cart, {}, "en", tokens.Shopper(b"amy", 10**10), "amy"))
    assert ([each.code for each in found.items], found.left_out) == (codes[:2], 1)
