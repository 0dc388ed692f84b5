"""The pictures of the README, made of a private shop: `make screenshots`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from rich.progress import track

from gateway.tokens import mint
from tests.browser.finding import CHROMIUM_ARGUMENTS, chromium
from tests.faults.client import ask
from tests.system.running import Up, environment

DOCS = Path(__file__).parents[2] / "docs"
WIDTH, HEIGHT = 1280, 800
CLICKERS = 6
CLICK_EVERY_S = 0.02
WATCHED_S = 25


class Shop:
    """A running shop, an operator in a browser, and shoppers who click."""

    def __init__(self, up: Up, browser: Browser) -> None:
        self.url, self.gateway = up.ready["admin"], up.ready["gateway"]
        self._secrets = up.secrets()
        self._browser = browser
        self._signing_in = (up.folder / "operator.txt").read_text().split()

    def page(self) -> Page:
        """A new browser of the pictures' size."""
        context = self._browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT},
            locale="en-US",
            reduced_motion="reduce",
            color_scheme="light",
        )
        return context.new_page()

    def office(self, path: str) -> Page:
        """A page of the back office."""
        page = self.page()
        page.goto(f"{self.url}/admin/login")
        for field, text in zip(("username", "password"), self._signing_in, strict=True):
            page.fill(f"[name={field}]", text)
        page.click("button[type=submit]")
        page.goto(f"{self.url}{path}")
        return page

    def api(self, method: str, path: str, body: Any) -> Any:
        """Ask the operators' API.

        Raises:
            SystemExit: it refuses.
        """
        status, reply = ask(
            f"{self.url}/admin/api{path}", method=method, token=self._secrets["SECKILL_ADMIN_KEY"], body=body
        )
        if status >= 300:
            raise SystemExit(f"{method} {path}: {status} {reply}")
        return reply

    def crowd(self, offer: str, stop: threading.Event) -> list[threading.Thread]:
        """Shoppers who click until they are told to stop, and pay now and then."""
        threads = [threading.Thread(target=self._click, args=(offer, name, stop)) for name in range(CLICKERS)]
        for thread in threads:
            thread.start()
        return threads

    def _click(self, offer: str, name: int, stop: threading.Event) -> None:
        secret = self._secrets["SECKILL_TOKEN_SECRET"].encode()
        number = 0
        while not stop.wait(CLICK_EVERY_S):
            number += 1
            # Every third click is one that somebody makes again.
            token = mint(secret, f"shopper-{name}-{number // 3}", ttl_s=600)
            _, ticket = ask(f"{self.gateway}/seckill/{offer}", method="POST", token=token)
            if isinstance(ticket, dict) and ticket.get("outcome") == "won" and number % 2:
                ask(f"{self.url}/api/orders/{ticket['order_no']}/pay", method="POST", token=token)


def _sale_page(shop: Shop) -> Page:
    page = shop.page()
    page.goto(shop.gateway)
    page.locator("[data-offer]").first.wait_for()
    return page


def _storefront(shop: Shop) -> Page:
    page = shop.page()
    page.goto(shop.url)
    return page


def _wizard(shop: Shop) -> Page:
    tiers = [{"spend": 20_000, "off": 2_000}, {"spend": 50_000, "off": 8_000}]
    draft = {
        "type": "threshold_reduction",
        "code": "autumn",
        "name": "Autumn for the kitchen",
        "draft": True,
        "rule": {"mode": "tiers", "tiers": tiers},
        "items": [{"sku": "demo-kettle"}, {"sku": "demo-tea"}],
    }
    shop.api("POST", "/campaigns", draft)
    return shop.office("/admin/wizard/autumn/rule")


def _monitor(shop: Shop) -> Page:
    product = {"sku": "teapot", "name": "Iron teapot", "price": 16_800, "stock": 2000}
    shop.api("POST", "/products", product)
    now_ms = int(time.time() * 1000)
    sale = {
        "type": "seckill",
        "code": "teatime",
        "name": "Teatime",
        "starts_at": now_ms,
        "ends_at": now_ms + 3_600_000,
        "rule": {"price": 8_800},
        "items": [{"sku": "teapot", "stock": 1000}],
    }
    shop.api("POST", "/campaigns", sale)
    page = shop.office("/admin/live/teatime")
    stop = threading.Event()
    threads = shop.crowd("teatime-teapot", stop)
    try:
        page.wait_for_timeout(WATCHED_S * 1000)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return page


PICTURES: dict[str, Callable[[Shop], Page]] = {
    "sale-page": _sale_page,
    "storefront": _storefront,
    "wizard": _wizard,
    "monitor": _monitor,
}


def main(arguments: list[str] | None = None) -> int:
    """Make all pictures; exit code 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=DOCS, help="where they go (%(default)s)")
    parser.add_argument("--only", choices=sorted(PICTURES), help="only this one")
    chosen = parser.parse_args(arguments)
    binary = chromium()
    if binary is None:
        sys.stderr.write("Chromium is missing: install the package chromium-headless-shell or chromium\n")
        return 2
    given = environment(SECKILL_TIMEZONE="Asia/Taipei", SECKILL_RATE_PER_IP="0")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        up = Up(Path(folder), environ=given).start()
        browser = playwright.chromium.launch(executable_path=binary, args=CHROMIUM_ARGUMENTS)
        try:
            shop = Shop(up.until_ready(), browser)
            wanted = [chosen.only] if chosen.only else list(PICTURES)
            for name in track(wanted, description="pictures"):
                page = PICTURES[name](shop)
                page.wait_for_load_state("load")
                page.screenshot(path=chosen.folder / f"{name}.png", animations="disabled")
                page.context.close()
        finally:
            browser.close()
            up.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
