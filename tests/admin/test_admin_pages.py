"""What every page does, whoever made it: its headers, its language, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from sidecar import Api, settings_for

from admin import migrations
from admin.pages import locales
from gateway.settings import Settings
from gateway.tokens import mint


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, redis_server: Any) -> Settings:
    url = f"sqlite:///{tmp_path_factory.mktemp('pages') / 'ledger.db'}"
    migrations.upgrade(url)
    given = settings_for(url, redis_server.url)
    return replace(given, gateway_url="https://sale.example/x", demo=True, admin_body_max_bytes=20_000)


class Browser:
    """Keeps cookies, and follows no redirect."""

    def __init__(self, shop: Api, portal: BlockingPortal, peer: str = "192.0.2.7") -> None:
        transport = httpx.ASGITransport(app=shop.serve, client=(peer, 4711))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://shop.example")
        self._portal = portal
        self.cookies = self._client.cookies

    def get(self, path: str, **about: Any) -> httpx.Response:
        return self._portal.call(partial(self._client.get, path, **about))

    def post(self, path: str, **about: Any) -> httpx.Response:
        return self._portal.call(partial(self._client.post, path, **about))


@pytest.fixture(scope="module")
def shop(settings: Settings, portal: BlockingPortal) -> Iterator[Api]:
    with Api(settings, portal) as opened:
        yield opened


@pytest.fixture
def browser(shop: Api, portal: BlockingPortal) -> Browser:
    """A browser that has not been there before."""
    return Browser(shop, portal)


def proof_in(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def signed_in(browser: Browser, settings: Settings, name: str = "amy") -> str:
    token = mint(settings.token_secret[0], name, ttl_s=600)
    page = browser.get("/sign-in")
    reply = browser.post("/sign-in", data={"csrf": proof_in(page), "token": token})
    assert reply.status_code == 303
    return token


def test_nothing_but_our_own_scripts_may_run(browser: Browser) -> None:
    page, office, api = (browser.get(path) for path in ("/sign-in", "/admin/login", "/api/products"))
    for reply in (page, office, api):
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "form-action 'self' https://sale.example;" in page.headers["content-security-policy"]
    nonce = re.search(r"script-src 'self' 'nonce-([^']+)'", office.headers["content-security-policy"])
    assert nonce is not None
    scripts = re.findall(r"<(?:script|style)\b[^>]*", office.text)
    assert len(scripts) > 4
    assert all(f'nonce="{nonce[1]}"' in each for each in scripts)
    assert nonce[1] not in browser.get("/admin/login").text
    assert not re.search(r'\son\w+="', office.text)


@pytest.mark.parametrize(
    ("asked", "tag"),
    [
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-Hant"),
        ("zh-CN", "zh-Hant"),
        ("fr-FR,en;q=0.5,zh;q=0.4", "en"),
        ("zh;q=0,de", "en"),
        ("", "en"),
        ("zh;q=x,en", "en"),
    ],
)
def test_the_language_is_the_browser_s(browser: Browser, asked: str, tag: str) -> None:
    page = browser.get("/sign-in", headers={"Accept-Language": asked})
    assert f'<html lang="{tag}"' in page.text


def test_the_switch_of_languages_outranks_the_browser_and_leads_nowhere_else(browser: Browser) -> None:
    reply = browser.get("/language/zh_Hant?next=/sign-in")
    assert reply.headers["location"] == "/sign-in"
    assert '<html lang="zh-Hant"' in browser.get("/sign-in", headers={"Accept-Language": "en"}).text
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        reply = browser.get("/language/en", params={"next": elsewhere})
        assert reply.headers["location"] == "/"
    assert browser.get("/language/xx").status_code == 404


def test_a_form_without_the_page_s_proof_changes_nothing(browser: Browser, settings: Settings) -> None:
    token = mint(settings.token_secret[0], "amy", ttl_s=600)
    page = browser.get("/sign-in")
    for proof in ("", "x", proof_in(page)[:-1] + "~"):
        reply = browser.post("/sign-in", data={"csrf": proof, "token": token})
        assert reply.status_code == 403
        assert "set-cookie" not in reply.headers or "seckill_shopper=" not in reply.headers["set-cookie"]
    # The proof of another browser is none.
    browser.cookies.clear()
    browser.get("/sign-in")
    assert browser.post("/sign-in", data={"csrf": proof_in(page), "token": token}).status_code == 403


def test_the_cookie_of_a_shopper_needs_proof_where_it_changes_something(
    browser: Browser, settings: Settings
) -> None:
    signed_in(browser, settings)
    assert browser.get("/api/cart").status_code == 200
    body = {"sku": "none", "quantity": 1}
    assert browser.post("/api/cart/lines", json=body).status_code == 403
    proof = re.search(r'data-csrf="([^"]+)"', browser.get("/sign-in").text)
    assert proof is not None
    assert browser.post("/api/cart/lines", json=body, headers={"X-CSRF-Token": proof[1]}).status_code != 403


def test_a_token_that_is_none_signs_nobody_in(browser: Browser) -> None:
    page = browser.get("/sign-in")
    reply = browser.post("/sign-in", data={"csrf": proof_in(page), "token": "a.b.c"})
    assert reply.status_code == 401
    assert "seckill_shopper" not in browser.cookies


def test_a_form_has_a_limit(browser: Browser, settings: Settings) -> None:
    page = browser.get("/sign-in")
    most = settings.admin_body_max_bytes
    reply = browser.post("/sign-in", data={"csrf": proof_in(page), "name": "x" * most})
    assert reply.status_code == 413
    many = "&".join(f"f{number}=1" for number in range(600))
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert browser.post("/sign-in", content=many, headers=form).status_code == 400


def test_cookies_keep_to_themselves(browser: Browser, settings: Settings) -> None:
    page = browser.get("/sign-in")
    token = mint(settings.token_secret[0], "amy", ttl_s=600)
    reply = browser.post("/sign-in", data={"csrf": proof_in(page), "token": token})
    (cookie,) = [each for each in reply.headers.get_list("set-cookie") if each.startswith("seckill_shopper=")]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "secure" not in cookie.lower()


def test_behind_a_trusted_proxy_with_tls_cookies_and_links_are_for_tls(
    settings: Settings, portal: BlockingPortal
) -> None:
    trusted = Settings.from_env({"SECKILL_TRUSTED_PROXIES": "10.0.0.0/8"}).trusted_proxies
    headers = {"X-Forwarded-Proto": "https"}
    with Api(replace(settings, trusted_proxies=trusted), portal) as shop:
        for peer, secure in (("10.1.2.3", True), ("192.0.2.1", False)):
            browser = Browser(shop, portal, peer)
            cookie = browser.get("/sign-in", headers=headers).headers["set-cookie"]
            assert ("secure" in cookie.lower()) == secure
            office = browser.get("/admin/login", headers=headers).text
            assert ("https://shop.example/admin/static" in office) == secure


@pytest.mark.parametrize(
    ("amount", "currency", "english", "chinese"),
    [
        (123_456_789, "TWD", "NT$1,234,567.89", "$1,234,567.89"),
        (-5, "CNY", "-CN¥0.05", "-CN¥0.05"),
        (1500, "JPY", "¥1,500", "¥1,500"),
        (10**15 + 1, "USD", "$10,000,000,000,000.01", "US$10,000,000,000,000.01"),
    ],
)
def test_money_is_exact_and_as_the_language_writes_it(
    amount: int, currency: str, english: str, chinese: str
) -> None:
    for tag, text in (("en", english), ("zh-TW", chinese)):
        locales.use(None, tag)
        assert locales.money(amount, currency) == text
    locales.use(None, "en")


def test_the_back_office_opens_without_a_slash_at_the_end(browser: Browser) -> None:
    reply = browser.get("/admin")
    assert (reply.status_code, reply.headers["location"]) == (308, "/admin/")
    assert browser.get("/admin/").headers["location"].startswith("http://shop.example/admin/login?")


def test_what_belongs_to_the_api_is_answered_by_it(browser: Browser) -> None:
    for path in ("/api/nothing", "/admin/api/nothing"):
        reply = browser.get(path)
        assert reply.status_code in {401, 404}
        assert reply.headers["content-type"] == "application/problem+json"


def test_an_address_with_nothing_is_a_page_for_people_and_a_problem_for_programs(browser: Browser) -> None:
    for path in ("/nothing", "/cart/lines"):
        reply = browser.get(path, headers={"Accept": "text/html"})
        assert (reply.status_code, reply.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "there is no such page" in reply.text
        assert 'href="/"' in reply.text
    assert browser.get("/nothing").headers["content-type"] == "application/problem+json"
