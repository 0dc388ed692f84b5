"""What the sale page says and does when a click is not simply won: a real gateway behind a line that fails."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Gateway
from tests.browser.looking import Visit, buy_button, card, says, shop_as

pytestmark = pytest.mark.browser


def test_a_lost_reply_is_cleared_up_by_asking(
    gateway: Gateway, visit: Visit, forgiving: Callable[[], None]
) -> None:
    # Given a connection that breaks after the gateway has sold
    offer = gateway.offer(limit=2)
    page = visit()
    shop_as(page, gateway, "Chloe")

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route(f"**/seckill/{offer}", lose)
    buy_button(page, offer).click()

    # Then the page says that it does not know, asks, and shows the ticket
    expect(says(page, offer)).to_contain_text("We are checking")
    expect(card(page, offer).locator(".ticket")).to_have_count(1)
    forgiving()


def answer(outcome: str, status: int, **fields: object) -> Callable[[Route], None]:
    body = json.dumps({"outcome": outcome, **fields})
    headers = {"Retry-After": "1", "Content-Type": "application/json"}
    return lambda route: route.fulfill(status=status, headers=headers, body=body)


REFUSALS: list[tuple[str, int, dict[str, object], str]] = [
    ("limit_reached", 409, {"limit": 1, "held": 1}, "The limit is 1"),
    ("ended", 410, {"ended_at": "2026-01-01T12:00:00+08:00"}, "ended Jan 1, 12:00"),
    ("paused", 403, {}, "paused"),
    ("not_eligible", 403, {}, "other members"),
    ("not_started", 403, {"starts_at": "2099-01-01T12:00:00+08:00"}, "opens Jan 1, 12:00"),
    ("rate_limited", 429, {"retry_after_ms": 60000}, "in 60 s"),
    ("busy", 503, {}, "Nothing was bought"),
    ("unavailable", 503, {}, "Nothing was bought"),
    ("not_found", 404, {"detail": "x"}, "does not exist"),
    ("bad_request", 400, {"detail": "a reason"}, "a reason"),
    ("sold_out", 409, {"left": 0, "may_return_at": "2099-01-01T12:00:00+08:00"}, "may come back"),
    ("unheard_of", 418, {"detail": "teapot"}, "teapot"),
]


def test_every_refusal_is_told_in_words(gateway: Gateway, visit: Visit, forgiving: Callable[[], None]) -> None:
    told = [(gateway.offer(), *refusal) for refusal in REFUSALS]
    page = visit()
    shop_as(page, gateway, "David")

    for offer, outcome, status, fields, words in told:
        page.route(f"**/seckill/{offer}", answer(outcome, status, **fields))
        buy_button(page, offer).click()
        expect(says(page, offer)).to_contain_text(words)
    forgiving()


def test_unknown_is_settled_and_the_retry_keeps_its_key(
    gateway: Gateway, visit: Visit, forgiving: Callable[[], None]
) -> None:
    # Given a gateway that cannot tell what became of the first click
    offer = gateway.offer(limit=2)
    page = visit()
    shop_as(page, gateway, "Amy")
    keys: list[str] = []

    def first_unknown(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            return answer("unknown", 504, settled_at="2026-01-01T00:00:00Z")(route)
        return route.continue_()

    page.route(f"**/seckill/{offer}", first_unknown)
    buy_button(page, offer).click()
    expect(says(page, offer)).to_contain_text("nothing was bought")

    # When the shopper tries again, then it is the same attempt; the purchase after it is another
    expect(buy_button(page, offer)).to_have_text("Try again")
    buy_button(page, offer).click()
    expect(card(page, offer).locator(".ticket")).to_have_count(1)
    buy_button(page, offer).click()
    expect(card(page, offer).locator(".ticket")).to_have_count(2)
    assert keys[0] == keys[1] != keys[2]
    forgiving()


@pytest.mark.soak
def test_busy_is_tried_again_only_when_asked_to(
    gateway: Gateway, visit: Visit, forgiving: Callable[[], None]
) -> None:
    offer = gateway.offer()
    page = visit()
    shop_as(page, gateway, "Ben")
    clicks: list[str] = []

    def busy_twice(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        clicks.append(route.request.url)
        return answer("busy", 503)(route) if len(clicks) <= 2 else route.continue_()

    page.route(f"**/seckill/{offer}", busy_twice)
    buy_button(page, offer).click()
    expect(buy_button(page, offer)).to_have_text("Try again")
    expect(buy_button(page, offer)).to_have_attribute("aria-disabled", "false")
    assert len(clicks) == 1

    page.get_by_role("button", name="Keep trying for me").click()
    expect(card(page, offer).locator(".ticket")).to_be_visible()
    assert len(clicks) == 3
    forgiving()
