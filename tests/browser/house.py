"""A whole shop for browser tests: `seckill up` with demo data, people who sign in, and the API beside the pages."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.faults.client import ask
from tests.system.crowd import mint
from tests.system.running import Up, environment

PASSWORD = "a password of the tests"
_numbers = itertools.count(1)


@dataclass
class House:
    """One running shop. `url` is the sidecar's, `gateway` the gateway's.

    `key` is that of operators' programs; `secret` signs tokens of shoppers.
    """

    url: str
    gateway: str
    key: str
    owner: tuple[str, str]
    secret: str
    states: dict[str, Any] = field(default_factory=dict)

    def api(self, method: str, path: str, body: Any = None, *, expect: int | None = None) -> Any:
        """Ask the operators' API, and be answered well (or as expected)."""
        status, reply = ask(f"{self.url}/admin/api{path}", method=method, token=self.key, body=body)
        assert status == expect if expect is not None else 200 <= status < 300, (status, reply)
        return reply

    def product(self, **given: Any) -> str:
        """Make a product of its own for a test, and return its SKU."""
        sku = given.get("sku") or f"thing-{next(_numbers)}"
        self.api("POST", "/products", {"sku": sku, "name": f"Thing {sku}", "price": 10_000, "stock": 1000} | given)
        return sku

    def campaign(self, type: str, rule: Any, items: list[Any], **given: Any) -> str:
        """Publish a campaign that has begun, and return its code."""
        code = f"deal-{next(_numbers)}"
        window = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2036-01-01T00:00:00Z"}
        body = {"type": type, "code": code, "name": f"Deal {code}", "rule": rule, "items": items} | window | given
        self.api("POST", "/campaigns", body)
        return code

    def click(self, offer: str, shopper: str) -> str:
        """Click on an offer of the gateway; the outcome."""
        reply = ask(f"{self.gateway}/seckill/{offer}", method="POST", token=mint(self.secret, shopper))[1]
        return str(reply["outcome"])

    def operator(self, role: str) -> tuple[str, str]:
        """Name and password of an operator with a role, who is made when there is none."""
        if role == "owner":
            return self.owner
        if role not in self.states:
            self.api("POST", "/operators", {"name": role, "role": role, "password": PASSWORD})
        return role, PASSWORD


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    up = Up(folder, environ=environment(SECKILL_TIMEZONE="Asia/Taipei")).start()
    try:
        up.until_ready()
        name, password = Path(folder, "operator.txt").read_text().split()
        secrets = up.secrets()
        key = secrets["SECKILL_ADMIN_KEY"]
        yield House(up.ready["admin"], up.ready["gateway"], key, (name, password), secrets["SECKILL_TOKEN_SECRET"])
    finally:
        up.stop()


def sign_in(page: Page, house: House, role: str) -> None:
    """Sign in to the back office as an operator with a role."""
    name, password = house.operator(role)
    page.goto(f"{house.url}/admin/login")
    page.fill("[name=username]", name)
    page.fill("[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(f"{house.url}/admin/")
    house.states[role] = page.context.storage_state()


def come_as(page: Page, house: House, name: str) -> None:
    """Sign in to the storefront as a shopper of some name."""
    page.goto(f"{house.url}/sign-in")
    page.fill("#name", name)
    page.locator("#name").press("Enter")
    page.wait_for_url(f"{house.url}/")


@pytest.fixture
def enter(house: House, visit: Callable[..., Page]) -> Callable[..., Page]:
    """Open the back office as somebody with a role; `locale`, `viewport` and so on as Playwright has them."""

    def open_office(role: str = "editor", path: str = "/admin/", **options: Any) -> Page:
        page = visit(**options, storage_state=house.states.get(role))
        if role not in house.states:
            sign_in(page, house, role)
        page.goto(f"{house.url}{path}")
        return page

    return open_office


@pytest.fixture
def come(house: House, visit: Callable[..., Page]) -> Callable[..., Page]:
    """Open the storefront as a shopper of some name, or as a guest."""

    def open_shop(name: str | None = None, path: str = "/", **options: Any) -> Page:
        page = visit(**options)
        if name is not None:
            come_as(page, house, name)
        page.goto(f"{house.url}{path}")
        return page

    return open_shop
