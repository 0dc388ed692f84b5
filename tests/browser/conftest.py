"""A real gateway on a real Redis, and Chromium to look at its page."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gateway import offers
from gateway.settings import Settings
from tests.browser.finding import CHROMIUM_ARGUMENTS, chromium
from tests.browser.house import come, enter, house
from tests.browser.visiting import watched
from tests.conftest import RedisServer, free_port, need, wait_until
from tests.faults.client import ask
from tests.system.running import SECKILL, environment

__all__ = ["come", "enter", "house"]

SECRET = "browser-tests-token-secret-0123456789"
_numbers = itertools.count(1)


@dataclass
class Gateway:
    """A gateway in demo mode, with offers of a test's choosing."""

    url: str
    redis: RedisServer

    def offer(
        self, *, sku: str = "kettle", starts_in_s: float = -60, stock: int = 5, limit: int = 1, **card: Any
    ) -> str:
        """Publish an offer and return its id. Shown as a demo offer with a name of its own."""
        number = next(_numbers)
        now_ms = int(time.time() * 1000)
        terms = offers.Terms(
            offer=f"sale{number}-{sku}",
            version=1,
            epoch=1,
            state="open",
            starts_at_ms=now_ms + int(starts_in_s * 1000),
            ends_at_ms=now_ms + 3_600_000,
            price=9900,
            limit=limit,
            pay_within_ms=900_000,
            card={"name": f"Kettle {number}", "sku": sku, "original_price": 15000, "currency": "CNY", "demo": True}
            | card,
        )
        client = self.redis.client()
        offers.publish(client, terms, seed=stock, lease_ms=Settings().lease_ms)
        client.close()

        def listed() -> bool:
            # The list may be half a second old, and a page that loads it now would wait for its next look.
            return terms.offer in {item["id"] for item in ask(f"{self.url}/seckill")[1]["items"]}

        wait_until(listed, what="the offer in the list")
        return terms.offer


class Shop(ThreadingHTTPServer):
    """A shop's own page, at an origin that the gateway allows; a test sets its `html`."""

    html = ""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            assert isinstance(self.server, Shop)
            self.wfile.write(self.server.html.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    with Shop(("127.0.0.1", 0), Shop.Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def gateway(running_gateway: Gateway) -> Iterator[Gateway]:
    """The session's gateway with an empty list of offers."""
    yield running_gateway
    client = running_gateway.redis.client()
    client.flushall()
    client.close()
    wait_until(lambda: ask(f"{running_gateway.url}/seckill")[1]["items"] == [], what="an empty list")


@pytest.fixture(scope="session")
def running_gateway(tmp_path_factory: pytest.TempPathFactory, shop: Shop) -> Iterator[Gateway]:
    redis = RedisServer(tmp_path_factory.mktemp("browser-redis"))
    redis.start()
    port, metrics = free_port(), free_port()
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*SECKILL, "gateway", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            env=environment(
                SECKILL_REDIS_URL=redis.url,
                SECKILL_TOKEN_SECRET=SECRET,
                SECKILL_ADMIN_KEY="browser-tests-admin-key-0123456789abc",
                SECKILL_METRICS_BIND=f"127.0.0.1:{metrics}",
                SECKILL_TIMEZONE="Asia/Taipei",
                SECKILL_CORS_ORIGINS=shop.origin,
                SECKILL_ORDERS_URL="http://127.0.0.1:1",
                SECKILL_DEMO="1",
            ),
            stderr=errors,
        )
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None, log.read_text()
        return ask(f"{url}/readyz")[0] == 200

    try:
        wait_until(ready, within_s=20, what="the gateway")
        yield Gateway(url, redis)
    finally:
        process.terminate()
        process.wait()
        redis.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one module: while it runs, Playwright keeps an event loop that no other test could share."""
    binary = chromium() or need("Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What browsers said on their consoles; a test that expects some takes them out."""
    return []


@pytest.fixture
def forgiving(complaints: list[str]) -> Callable[[], None]:
    """Forget what the browser said about replies that a test broke on purpose, or that say no."""

    def forgive() -> None:
        complaints[:] = [text for text in complaints if "Failed to load resource" not in text]

    return forgive


@pytest.fixture
def visit(browser: Browser, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Open a fresh browser for one shopper; `locale`, `viewport` and so on as Playwright has them."""
    contexts: list[BrowserContext] = []

    def open_context(**options: Any) -> Page:
        page = watched(browser, complaints, **options)
        contexts.append(page.context)
        return page

    yield open_context
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def static() -> Path:
    """The folder of the page's files."""
    return Path(__file__).parents[2] / "gateway" / "web" / "static"
