"""The sale page as shoppers meet it: a real gateway, a real Redis, a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Route, expect

from gateway import tokens
from gateway.web.events import AGAIN
from tests.browser.conftest import SECRET, Gateway, Shop
from tests.browser.looking import Visit, buy_button, card, says, shop_as

pytestmark = pytest.mark.browser

TRANSFER_MAX_BYTES = 50 * 1024


def test_a_shopper_buys_and_the_next_one_hears_sold_out(gateway: Gateway, visit: Visit) -> None:
    # Given one unit, and two shoppers who look at it
    offer = gateway.offer(stock=1)
    amy, ben = visit(), visit()
    shop_as(amy, gateway, "Amy")
    shop_as(ben, gateway, "Ben")
    expect(card(ben, offer).locator(".left")).to_have_text("1 of 1 left")

    # When Amy buys
    buy_button(amy, offer).click()

    # Then she holds a ticket with all that a winner must know
    ticket = card(amy, offer).locator(".ticket")
    expect(ticket.locator("code")).to_have_text(re.compile(r"\S{8,}"))
    order_no = ticket.locator("code").inner_text()
    expect(ticket.locator(".stub b")).to_have_text("1")
    expect(ticket).to_contain_text("¥99.00")
    expect(ticket.locator(".digits")).to_have_text(re.compile(r"^1[45]:\d\d$"))
    expect(ticket.locator("h4")).to_be_focused()
    # and the ways to the shop: to this order, known by its receipt before it is written, and to all orders
    expect(ticket.locator("a")).to_have_attribute("href", re.compile(rf"/{order_no}\?receipt=[\w.-]{{40,}}$"))
    expect(amy.locator("#orders")).to_have_attribute("href", re.compile("^http://127.0.0.1:1/?$"))
    expect(buy_button(amy, offer)).to_be_hidden()
    # and Ben's page learns it without being reloaded
    expect(buy_button(ben, offer)).to_have_text("Sold out")
    expect(buy_button(ben, offer)).to_have_attribute("aria-disabled", "true")
    expect(card(ben, offer).locator(".left")).to_have_text("0 of 1 left")

    # When Amy reloads, then the same ticket is there again
    amy.reload()
    expect(card(amy, offer).locator(".ticket code")).to_have_text(order_no)
    # and when another shopper takes her place, it is not
    amy.click("#shopper")
    amy.get_by_role("button", name="Ben", exact=True).click()
    expect(card(amy, offer).locator(".ticket")).to_have_count(0)


def test_a_click_on_a_page_that_is_behind_is_told_sold_out(
    gateway: Gateway, visit: Visit, forgiving: Callable[[], None]
) -> None:
    # Given a page whose live figures do not arrive
    offer = gateway.offer(stock=1)
    behind, ahead = visit(), visit()
    behind.route("**/events", lambda route: route.abort())
    shop_as(behind, gateway, "Amy")
    shop_as(ahead, gateway, "Ben")
    buy_button(ahead, offer).click()
    expect(card(ahead, offer).locator(".ticket")).to_be_visible()

    # When its shopper clicks, then the outcome is told in words
    expect(buy_button(behind, offer)).to_have_text("Buy now")
    buy_button(behind, offer).click()
    expect(says(behind, offer)).to_have_text("Sold out. Every unit has found a buyer.")
    expect(buy_button(behind, offer)).to_have_text("Sold out")
    forgiving()


def test_a_stream_that_ends_as_it_has_grown_long_is_opened_again_at_once(gateway: Gateway, visit: Visit) -> None:
    # Given a page whose first stream ends after one event, as a gateway ends one that has grown long
    offer = gateway.offer(stock=9)
    page = visit()
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            return route.continue_()
        told = b'data: {"left": 7, "sold": 2, "state": "running"}\n\n' + AGAIN
        return route.fulfill(content_type="text/event-stream", body=told)

    page.route(f"**/{offer}/events", answer)
    shop_as(page, gateway, "Amy")
    # then the page shows what that one told, and soon what the next one does.
    expect(card(page, offer).locator(".left")).to_have_text("7 of 9 left")
    expect(card(page, offer).locator(".left")).to_have_text("9 of 9 left")
    assert len(asked) == 2


def test_the_countdown_follows_the_server_and_opens_the_sale(gateway: Gateway, visit: Visit) -> None:
    # Given a sale that opens in five seconds, and a device whose clock is an hour wrong
    offer = gateway.offer(starts_in_s=5)
    page = visit()
    page.add_init_script("const now = Date.now; Date.now = () => now() + 3600e3;")
    shop_as(page, gateway, "Chloe")
    expect(card(page, offer)).to_have_attribute("data-phase", "upcoming")
    expect(card(page, offer).locator(".timer")).to_have_text(
        re.compile(r"^Opens in\s*000[0-5]$|^Opens in\s*00000[0-5]$")
    )
    expect(buy_button(page, offer)).to_have_attribute("aria-disabled", "true")

    # When the time has come, then the same button in the same place sells, without a reload
    place = buy_button(page, offer).bounding_box()
    expect(buy_button(page, offer)).to_have_attribute("aria-disabled", "false", timeout=8000)
    opened = buy_button(page, offer).bounding_box()
    assert place is not None
    assert opened is not None
    assert abs(place["y"] - opened["y"]) < 60
    buy_button(page, offer).click()
    expect(card(page, offer).locator(".ticket")).to_be_visible()


def test_a_purchase_needs_no_mouse(gateway: Gateway, visit: Visit) -> None:
    offer = gateway.offer()
    page = visit()
    page.goto(gateway.url)
    expect(buy_button(page, offer)).to_have_text("Pick a name to buy")

    def tab_to(target: Locator) -> None:
        for _ in range(200):
            page.keyboard.press("Tab")
            if target.evaluate("element => element === document.activeElement"):
                return
        pytest.fail("the keyboard does not reach it")

    # Given a shopper who chose a name with the keyboard
    tab_to(buy_button(page, offer))
    page.keyboard.press("Enter")
    expect(page.locator("#who")).to_be_visible()
    tab_to(page.locator("#who-name"))
    page.keyboard.type("Dora")
    page.keyboard.press("Enter")
    expect(page.locator("#shopper")).to_have_text("Shopping as Dora")
    # and whose focus went back to where it was, visibly
    expect(buy_button(page, offer)).to_be_focused()
    assert buy_button(page, offer).evaluate("element => getComputedStyle(element).outlineStyle") == "solid"

    # When they press the button, then the ticket is there and has the focus
    page.keyboard.press("Enter")
    expect(card(page, offer).locator(".ticket h4")).to_be_focused()


@pytest.mark.parametrize("locale", ["en-US", "zh-TW"])
def test_a_phone_never_scrolls_sideways(gateway: Gateway, visit: Visit, locale: str) -> None:
    offer = gateway.offer(limit=3, name="Averyveryverylongnamewithoutanyspaces kettle", slogan="x" * 90)
    page = visit(locale=locale, viewport={"width": 360, "height": 780}, color_scheme="dark")
    shop_as(page, gateway, "Emma")

    def width() -> int:
        return int(page.evaluate("document.documentElement.scrollWidth"))

    assert width() == 360
    buy_button(page, offer).click()
    expect(card(page, offer).locator(".ticket")).to_be_visible()
    assert width() == 360
    page.click("#shopper")
    assert width() == 360


def test_the_page_speaks_the_browser_s_language_and_the_other_one(gateway: Gateway, visit: Visit) -> None:
    offer = gateway.offer()
    page = visit(locale="zh-TW")
    page.goto(gateway.url)

    expect(page.locator("h1")).to_have_text("限時秒殺")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hant")
    expect(buy_button(page, offer)).to_have_text("選名字後購買")
    expect(card(page, offer).locator(".off")).to_have_text("省 34%")
    assert not re.search(r"\{\w+\}|[a-z]+\.[a-z_]+", page.locator("main").inner_text())

    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text("Flash sale")
    expect(buy_button(page, offer)).to_have_text("Pick a name to buy")
    page.reload()
    expect(page.locator("h1")).to_have_text("Flash sale")


def test_a_visit_is_small_and_asks_nobody_else(gateway: Gateway, visit: Visit) -> None:
    gateway.offer()
    page = visit()
    asked: dict[str, str] = {}
    sizes: dict[str, int] = {}
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.on(
        "Network.requestWillBeSent", lambda event: asked.update({event["requestId"]: event["request"]["url"]})
    )
    network.on(
        "Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]})
    )

    shop_as(page, gateway, "Amy")
    page.wait_for_load_state("load")

    assert [url for url in asked.values() if not url.startswith(f"{gateway.url}/")] == []
    files = [number for number, url in asked.items() if "/static/" in url or url == f"{gateway.url}/"]
    assert len(files) > 5
    assert sum(sizes[number] for number in files) <= TRANSFER_MAX_BYTES


def test_several_units_are_bought_up_to_the_limit(gateway: Gateway, visit: Visit) -> None:
    offer = gateway.offer(limit=3, stock=9)
    page = visit()
    shop_as(page, gateway, "Ben")

    card(page, offer).get_by_role("button", name="One more").click()
    expect(card(page, offer).get_by_role("spinbutton", name="Quantity")).to_have_value("2")
    buy_button(page, offer).click()
    expect(card(page, offer).locator(".stub b")).to_have_text("1 · 2")
    expect(card(page, offer).locator(".ticket")).to_contain_text("¥198.00")

    # One is left of the limit; after it there is nothing more to press.
    expect(buy_button(page, offer)).to_have_text("Buy more")
    buy_button(page, offer).click()
    expect(card(page, offer).locator(".ticket")).to_have_count(2)
    expect(buy_button(page, offer)).to_be_hidden()


def shop_token(sub: str) -> str:
    return tokens.mint(SECRET.encode(), sub, ttl_s=600)


def test_a_token_in_the_fragment_is_used_and_leaves_no_trace(gateway: Gateway, visit: Visit) -> None:
    offer = gateway.offer()
    page = visit()
    token = shop_token("grace h. & co")
    page.goto(f"{gateway.url}/#token={token}")

    expect(page.locator("#shopper")).to_contain_text("grace h. & co")
    assert page.url == f"{gateway.url}/"
    buy_button(page, offer).click()
    expect(card(page, offer).locator(".ticket")).to_be_visible()
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert token not in kept


def test_a_token_is_taken_from_the_shop_s_window_only(gateway: Gateway, shop: Shop, visit: Visit) -> None:
    # Given a shop that frames the sale page and answers its call with a token
    offer = gateway.offer()
    page = visit()
    script = """addEventListener("message", ({data, source, origin}) => {
      if (data.type === "seckill.ready") source.postMessage({type: "seckill.token", token: TOKEN}, origin);
    })""".replace("TOKEN", json.dumps(shop_token("heidi")))
    icon = "<link rel=icon href=data:>"  # else the browser asks for one
    shop.html = f"{icon}<iframe src='{gateway.url}/' width=900 height=900></iframe><script>{script}</script>"
    page.goto(shop.origin)
    inside = page.frame_locator("iframe")
    expect(inside.locator("#shopper")).to_contain_text("heidi")
    inside.locator(f'[data-offer="{offer}"] button.buy').click()
    expect(inside.locator(f'[data-offer="{offer}"] .ticket')).to_be_visible()

    # When a window of another origin sends one, then it is not heard
    alone = visit()
    alone.goto(gateway.url)
    expect(buy_button(alone, offer)).to_be_visible()
    alone.evaluate("token => postMessage({type: 'seckill.token', token}, '*')", shop_token("mallory"))
    alone.evaluate("new Promise(resolve => setTimeout(resolve))")
    expect(alone.locator("#shopper")).to_have_text("Pick a name")


def test_without_a_shopper_the_page_says_where_to_sign_in(gateway: Gateway, visit: Visit) -> None:
    offer = gateway.offer()
    page = visit()

    def no_demo(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json=reply.json() | {"demo": False})

    page.route("**/config.json", no_demo)
    page.goto(gateway.url)

    expect(page.locator("#notice")).to_contain_text("open this page from the shop")
    expect(buy_button(page, offer)).to_have_text("Sign in at the shop")
    expect(buy_button(page, offer)).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#shopper")).to_be_hidden()


def test_what_operators_type_is_only_ever_text(gateway: Gateway, visit: Visit) -> None:
    name = "<img src=x onerror=alert(1)>"
    offer = gateway.offer(name=name, slogan="<b>bold</b>", image="javascript:alert(1)")
    page = visit()
    page.goto(gateway.url)

    expect(card(page, offer).locator("h3")).to_have_text(name)
    expect(card(page, offer).locator("img")).to_have_count(0)
    expect(card(page, offer).locator(".slogan")).to_have_text("<b>bold</b>")
