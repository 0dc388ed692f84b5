"""What people do by hand: an operator who makes a campaign in the wizard, a shopper who buys."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.browser.house import House

ADDRESS = {"name": "Amy", "phone": "+886 2 1234 5678", "line1": "1 Long Street", "city": "Taipei", "country": "TW"}


@dataclass
class Wizard:
    """An operator at the wizard, who looks for what the pages call things."""

    page: Page
    house: House
    code: str = ""

    def begin(self, card: str, name: str) -> Wizard:
        """Choose a type by the title on its card; call it something; from now on, for long."""
        self.page.goto(f"{self.house.url}/admin/wizard")
        self.page.get_by_role("button", name=re.compile(f"^{card}")).click()
        self.page.get_by_label("Name").first.fill(name)
        self.page.get_by_label("At once").check()
        self.page.get_by_label("End", exact=True).fill("2036-01-01T00:00")
        self.go_on()
        self.code = self.page.url.split("/")[-2]
        return self

    def write(self, label: str, text: str, row: int = 0) -> Wizard:
        """Write into the field of this label; of several, into that of a row."""
        self.page.locator("input:not([type=radio])").and_(self.page.get_by_label(label)).locator(
            "visible=true"
        ).nth(row).fill(text)
        return self

    def choose(self, label: str) -> Wizard:
        """Pick a choice."""
        self.page.get_by_label(label).locator("visible=true").first.check()
        return self

    def another_row(self) -> Wizard:
        """One more row of the table."""
        self.page.get_by_role("button", name="Add a row").locator("visible=true").first.click()
        return self

    def goods(self, *skus: str, **terms: str) -> Wizard:
        """Paste the list of goods, each with the same terms."""
        self.page.get_by_text("Paste a list").click()
        rows = ["\t".join(["sku", *terms])] + ["\t".join([sku, *terms.values()]) for sku in skus]
        self.page.get_by_label("Pasted list").fill("\n".join(rows))
        self.page.get_by_role("button", name="Take the list").click()
        for sku in skus:
            expect(self.page.locator(f'[data-sku="{sku}"]')).to_be_visible()
        return self.go_on()

    def go_on(self) -> Wizard:
        """Save, and see the next step."""
        here = self.page.url
        self.page.get_by_role("button", name="Save and go on").click()
        expect(self.page).not_to_have_url(here)
        return self

    def publish(self) -> str:
        """The last step; returns the campaign's code."""
        expect(self.page.get_by_role("heading", name="Ready to publish")).to_be_visible()
        self.page.get_by_role("button", name="Publish", exact=True).click()
        expect(self.page.get_by_role("heading", name="This campaign is published")).to_be_visible()
        return self.code


@dataclass
class Shopper:
    """Somebody in the storefront."""

    page: Page
    house: House

    def put(self, sku: str, quantity: int = 1) -> Shopper:
        """Put a product into the cart, on its own page."""
        self.page.goto(f"{self.house.url}/products/{sku}")
        form = self.page.locator("form.add")
        form.get_by_label("Quantity").fill(str(quantity))
        form.get_by_role("button", name="Add to cart").click()
        return self

    def cart(self) -> Page:
        """Look at the cart."""
        self.page.goto(f"{self.house.url}/cart")
        return self.page

    def order(self) -> Shopper:
        """Go to the check-out, say where it goes, and order."""
        self.cart().get_by_role("link", name="Check out").click()
        for field, text in ADDRESS.items():
            self.page.fill(f"#{field}", text)
        self.page.locator("#checkout button.buy").click()
        return self.arrive()

    def arrive(self) -> Shopper:
        """See the order that was just made."""
        self.page.wait_for_url(re.compile("/orders/[A-Za-z0-9-]+"))
        return self

    def pay(self, says: str | re.Pattern[str] = "Paid") -> Shopper:
        """Pay what the page of the order asks for."""
        self.page.get_by_role("button", name=re.compile("^Pay ")).first.click()
        expect(self.page.get_by_text(says).first).to_be_visible()
        return self
