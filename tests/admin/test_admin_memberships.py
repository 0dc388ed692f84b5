"""Given products that make their buyer a member, paying grants it, refunds take it away, and prices know."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from buying import Shopper, an_order
from sidecar import ACTOR, Api, Shop
from sqlalchemy import select

from admin.flows.interface import Arrived
from admin.flows.registry import flow_of
from admin.instants import INSTANT_MAX_MS
from admin.members import service as members
from admin.members.facts import facts_of
from admin.members.models import MemberFilter
from admin.memberships import granting
from admin.memberships.tables import membership_grants
from admin.memberships.terms import days_later, windows
from admin.orders import placing, views
from admin.orders.placing import NewLine, NewOrder
from gateway.orders.database import reading, writing
from gateway.tokens import mint

TAIPEI, BERLIN = ZoneInfo("Asia/Taipei"), ZoneInfo("Europe/Berlin")
DAY_MS = 86_400_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-11-21T09:30:00.123+08:00", 30, "2026-12-21T09:30:00.123+08:00"),
        # A day of 23 hours, and one of 25.
        ("2026-03-28T12:00:00+01:00", 1, "2026-03-29T12:00:00+02:00"),
        ("2026-10-24T12:00:00+02:00", 1, "2026-10-25T12:00:00+01:00"),
        # The clocks skip 02:30; they show it twice.
        ("2026-03-28T02:30:00+01:00", 1, "2026-03-29T03:00:00+02:00"),
        ("2026-10-24T02:30:00+02:00", 1, "2026-10-25T02:30:00+02:00"),
        # Begun when clocks showed this time for the second time.
        ("2026-10-25T02:30:00+01:00", 1, "2026-10-26T02:30:00+01:00"),
    ],
)
def test_a_membership_ends_at_the_time_of_day_at_which_it_began(start: str, days: int, end: str) -> None:
    zone = TAIPEI if "+08:00" in start else BERLIN
    assert days_later(at(start), days, zone) == at(end)


def test_a_membership_never_ends_later_than_can_be_written() -> None:
    assert days_later(INSTANT_MAX_MS - 5, 36_500 * 9_999, TAIPEI) == INSTANT_MAX_MS
    assert days_later(at("2026-11-21T00:00:00+08:00"), 36_500 * 9_999, TAIPEI) == INSTANT_MAX_MS


def test_memberships_of_a_level_follow_each_other() -> None:
    first = at("2026-11-21T09:00:00+08:00")
    assert windows([], TAIPEI) == []
    assert windows([(first, 10), (first + DAY_MS, 5), (first + 99 * DAY_MS, 1)], TAIPEI) == [
        (first, first + 10 * DAY_MS),
        (first + 10 * DAY_MS, first + 15 * DAY_MS),
        (first + 99 * DAY_MS, first + 100 * DAY_MS),
    ]


class Club:
    """A shop that sells memberships."""

    def __init__(self, shop: Shop) -> None:
        self.resources = shop.resources
        self.now_ms = shop.now_ms()
        self.sku = shop.product(price=500)

    def order(self, shopper: str, *lines: tuple[int, int, int]) -> str:
        """A pending order of lines (level, days of each unit, units); level 0 grants nothing."""
        made = [
            NewLine(
                "goods",
                self.sku,
                "Club card",
                units,
                500,
                500,
                [500] * units,
                membership={"level": level, "days": days} if level else None,
            )
            for level, days, units in lines
        ]
        order = NewOrder("cart", shopper, "CNY", made, [], 900_000)
        with writing(self.resources.engine) as connection:
            return placing.place(connection, order, self.now_ms)

    def pay(self, order_no: str, days_ago: float = 0) -> str:
        """Pay an order, as if some time ago."""
        with writing(self.resources.engine) as connection:
            order = views.find(connection, order_no, lock=True)
            money = Arrived("full", "pay_1", int(self.now_ms - days_ago * DAY_MS))
            assert flow_of(order).take(self.resources, connection, order, money)
        return order_no

    def buy(self, shopper: str, *lines: tuple[int, int, int], days_ago: float = 0) -> str:
        return self.pay(self.order(shopper, *lines), days_ago)

    def refund(self, order_no: str, line: int, units: int) -> None:
        with writing(self.resources.engine) as connection:
            order = views.find(connection, order_no, lock=True)
            granting.revoke(self.resources, connection, order, line, units)

    def level(self, shopper: str, days: float = 0) -> int:
        """The level of a shopper some days from now."""
        with reading(self.resources.engine) as connection:
            return facts_of(connection, shopper, int(self.now_ms + days * DAY_MS), TAIPEI).level

    def terms(self, shopper: str) -> list[tuple[int, float, float]]:
        """(level, first day, last day) of every grant that was not taken back, from now."""
        table = membership_grants.c
        wanted = select(table.level, table.starts_at_ms, table.ends_at_ms).where(
            table.shopper == shopper, ~table.revoked
        )
        with reading(self.resources.engine) as connection:
            rows = connection.execute(wanted.order_by(table.level, table.starts_at_ms, table.line))
            return [(level, (a - self.now_ms) / DAY_MS, (b - self.now_ms) / DAY_MS) for level, a, b in rows]


@pytest.fixture
def club(shop: Shop) -> Club:
    return Club(shop)


def test_paying_makes_a_member_until_the_days_are_over(club: Club) -> None:
    order_no = club.order("amy", (0, 0, 1), (2, 30, 1))
    assert (club.level("amy"), club.terms("amy")) == (0, [])
    club.pay(order_no)
    assert [club.level("amy", day) for day in (-0.001, 0, 29.999, 30)] == [0, 2, 2, 0]
    assert club.level("bob") == 0
    with reading(club.resources.engine) as connection:
        # A bare record would outrank what the token claims.
        assert not facts_of(connection, "amy", club.now_ms, TAIPEI).member


def test_the_same_level_is_prolonged_and_of_several_the_highest_counts(club: Club) -> None:
    club.buy("amy", (1, 10, 2), (1, 5, 1), days_ago=1)
    club.buy("amy", (1, 10, 1), (3, 7, 1))
    assert club.terms("amy") == [(1, -1, 19), (1, 19, 24), (1, 24, 34), (3, 0, 7)]
    assert [club.level("amy", day) for day in (6.9, 7, 33.9, 34)] == [3, 1, 1, 0]
    # One that ended prolongs nothing.
    club.buy("bob", (1, 10, 1), days_ago=11)
    club.buy("bob", (1, 10, 1))
    assert club.terms("bob") == [(1, -11, -1), (1, 0, 10)]


def test_a_refund_shortens_what_was_bought_and_what_follows_moves_up(club: Club) -> None:
    first = club.buy("amy", (2, 10, 3), days_ago=5)
    second = club.buy("amy", (2, 10, 1), days_ago=3)
    assert club.terms("amy") == [(2, -5, 25), (2, 25, 35)]
    club.refund(first, 1, 2)
    assert club.terms("amy") == [(2, -5, 5), (2, 5, 15)]
    club.refund(first, 1, 1)
    # As if it had never been bought: the second counts from its own payment.
    assert club.terms("amy") == [(2, -3, 7)]
    club.refund(second, 1, 1)
    club.refund(second, 1, 1)
    club.refund(second, 7, 1)
    assert (club.terms("amy"), club.level("amy")) == ([], 0)


def test_a_paid_membership_on_record_counts_the_same_way(club: Club) -> None:
    def record(shopper: str, paid_level: int, days: int) -> None:
        until = club.now_ms + days * DAY_MS
        body = {"shopper": shopper, "level": 9, "paid": {"level": paid_level, "until": until}}
        members.create(club.resources, body, actor=ACTOR)

    club.buy("amy", (2, 20, 1))
    record("amy", 3, 10)
    assert [club.level("amy", day) for day in (0, 10, 20)] == [3, 2, 9]
    club.buy("bob", (4, 5, 1))
    record("bob", 3, 10)
    assert [club.level("bob", day) for day in (0, 5, 10)] == [4, 3, 9]

    def listed(level: int) -> list[str]:
        return [
            each.shopper
            for each in members.page(club.resources, MemberFilter.model_validate({"level": str(level)})).items
        ]

    assert [listed(level) for level in (2, 3, 4, 9)] == [[], ["amy"], ["bob"], []]
    bob = members.read(club.resources, "bob")
    assert bob.bought is not None
    assert (bob.effective_level, bob.bought.level) == (4, 4)
    assert bob.bought.until == club.resources.iso(club.now_ms + 5 * DAY_MS)


def test_an_order_of_the_gateway_grants_what_its_product_grants_now(shop: Shop) -> None:
    club = Club(shop)
    sku = shop.product(membership={"level": 6, "days": 2})
    offer = shop.campaign(items=[{"sku": sku, "stock": 9}], rule={"price": 9900, "limit_per_shopper": 3}).items[0]
    club.pay(shop.order(offer.offer, shopper="amy", quantity=3))
    assert club.terms("amy") == [(6, 0, 6)]
    club.pay(an_order(shop, shopper="bob"))
    assert club.terms("bob") == []


def test_a_membership_comes_with_the_money_and_goes_with_it(api: Api, shop: Shop) -> None:
    sku = shop.product(membership={"level": 4, "days": 30})
    offer = shop.campaign(items=[{"sku": sku, "stock": 9}], rule={"price": 9900, "limit_per_shopper": 3}).items[0]
    order_no = shop.order(offer.offer, shopper="amy", quantity=2)
    amy = Shopper(api, "amy")

    def days() -> list[int]:
        bought = api.get("/api/membership", key=amy.token)["bought"]
        return [round((at(each["until"]) - shop.now_ms()) / DAY_MS) for each in bought]

    assert days() == []
    amy.post(f"/{order_no}/pay")
    assert days() == [60]
    amy.post(f"/{order_no}/refund", {"lines": [{"line": 1, "quantity": 1}]})
    assert days() == [30]
    amy.post(f"/{order_no}/refund")
    assert days() == []


def test_two_orders_paid_at_once_follow_each_other(club: Club) -> None:
    first, second = (club.order("amy", (1, 10, 1)) for _ in range(2))
    with writing(club.resources.engine) as connection:
        granting.grant(club.resources, connection, views.find(connection, first), club.now_ms)
        other = threading.Thread(target=club.pay, args=(second,))
        other.start()
        # It waits for this transaction; if it did not, it would be over in a moment.
        other.join(0.5)
        assert other.is_alive()
    other.join()
    assert club.terms("amy") == [(1, 0, 10), (1, 10, 20)]


def test_shoppers_see_their_membership(api: Api, shop: Shop) -> None:
    club = Club(shop)

    def mine(sub: str, level: int = 0) -> Any:
        token = mint(b"t" * 32, sub, ttl_s=3600, level=level)
        return api.get("/api/membership", key=token)

    api.get("/api/membership", 401, key=None)
    assert mine("amy", 1) == {"level": 1, "until": None, "bought": []}
    club.buy("amy", (2, 10, 2), (3, 5, 1))
    day: Callable[[int], str] = lambda days: shop.resources.iso(club.now_ms + days * DAY_MS)  # noqa: E731
    bought = [{"level": 3, "until": day(5)}, {"level": 2, "until": day(20)}]
    assert mine("amy", 1) == {"level": 3, "until": day(5), "bought": bought}
    until = club.now_ms + 40 * DAY_MS
    api.post("/members", {"shopper": "amy", "paid": {"level": 3, "until": until}}, 201)
    assert mine("amy", 1) == {"level": 3, "until": day(40), "bought": bought}


def test_operators_see_what_was_bought(api: Api, shop: Shop) -> None:
    club = Club(shop)
    first = club.buy("amy", (2, 10, 2))
    second = club.buy("amy /", (3, 50, 1))
    club.refund(second, 1, 1)
    page = api.get("/memberships?limit=1")
    assert [(each["order_no"], each["units"], each["revoked"]) for each in page["items"]] == [(second, 0, True)]
    rest = api.get(f"/memberships?cursor={page['next']}")
    (grant,) = rest["items"]
    assert (grant["order_no"], grant["shopper"], grant["level"], grant["days"]) == (first, "amy", 2, 10)
    assert (grant["line"], grant["units"], rest["next"]) == (1, 2, None)
    assert at(grant["ends_at"]) - at(grant["starts_at"]) == 20 * DAY_MS
    assert [each["order_no"] for each in api.get("/memberships?shopper=amy%20/")["items"]] == [second]


def test_the_zone_of_the_shop_says_what_a_day_is(club: Club) -> None:
    """A long membership crosses a change of clocks in Berlin, and none in Taipei."""
    berlin = replace(club.resources, zone=BERLIN)
    start = at("2026-07-01T00:00:00+02:00")
    order_no = club.order("amy", (1, 180, 1))
    with writing(berlin.engine) as connection:
        order = views.find(connection, order_no)
        granting.grant(berlin, connection, order, start)
        ends = connection.execute(select(membership_grants.c.ends_at_ms)).scalar_one()
    assert ends == at("2026-12-28T00:00:00+01:00")
    assert datetime.fromtimestamp(ends / 1000, UTC).hour == 23
