"""A shop for tests of quotes: products, campaigns and coupons as the record of changes has them, in a line each."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select

from admin import changes
from admin.catalog.tables import products
from admin.quotes.book import Book
from admin.quotes.tables import quotes
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing
from tests.promotions.random_shops import CATEGORIES, OPTION_SKUS, RULES, SKUS, TYPES
from tests.promotions.worlds import body_of

LASTING_MS = 86_400_000


class RecordedShop:
    """Changes of a shop, each committed before its method returns."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    def now_ms(self) -> int:
        with reading(self.resources.engine) as connection:
            return now_ms(connection)

    def note(self, kind: changes.Kind, subject: str, body: Mapping[str, Any] | None) -> int:
        with writing(self.resources.engine) as connection:
            return changes.note(connection, kind, subject, body)

    def body(self, type_name: str, rule: Mapping[str, Any], **terms: Any) -> dict[str, Any]:
        """A campaign that runs now, as it is recorded."""
        now = self.now_ms()
        return body_of(type_name, rule, **{"starts_at": now - 1000, "ends_at": now + LASTING_MS, **terms})

    def campaign(self, code: str, type_name: str, rule: Mapping[str, Any], **terms: Any) -> int:
        return self.note("campaign", code, self.body(type_name, rule, **terms))

    def coupon(self, code: str, **terms: Any) -> int:
        now = self.now_ms()
        plain = {"name": code, "kind": "amount", "amount_off": 100, "starts_at": now - 1000, "revision": 1}
        return self.note("coupon", code, {**plain, "ends_at": now + LASTING_MS, "ended_at": None, **terms})

    def product(self, sku: str, price: int = 1000, **about: Any) -> None:
        self.products([{"sku": sku, "price": price, **about}])

    def products(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put products in place of what there was under their SKUs, all under one number."""
        plain = {
            "stock": 50,
            "reserved": 0,
            "tags": [],
            "gift_only": False,
            "on_sale": True,
            "category": None,
            "image": None,
            "revision": 1,
            "created_at_ms": 1,
            "updated_at_ms": 1,
        }
        with writing(self.resources.engine) as connection:
            number = changes.take_number(connection)
            connection.execute(delete(products).where(products.c.sku.in_([row["sku"] for row in rows])))
            filled = [{**plain, "name": row["sku"], **row, "changed": number} for row in rows]
            connection.execute(insert(products), filled)

    def remove_product(self, sku: str) -> None:
        with writing(self.resources.engine) as connection:
            if connection.execute(delete(products).where(products.c.sku == sku)).rowcount:
                changes.note(connection, "product", sku, None)

    def random_campaign(self, dice: random.Random, code: str) -> int:
        """A campaign of any type over the goods of random shops."""
        type_name = dice.choice(TYPES)
        rule = RULES[type_name](dice)
        terms: dict[str, Any] = {"priority": dice.randint(0, 5)}
        if type_name == "bundle":
            terms["items"] = [each["sku"] for each in rule["components"]]
        elif type_name in {"presale", "group_buy", "seckill"} or dice.random() < 0.5:
            terms["items"] = [{"sku": sku} for sku in dice.sample(SKUS, 4)]
            if type_name == "seckill":
                terms["items"] = [{**item, "stock": 5} for item in terms["items"]]
        elif dice.random() < 0.5:
            terms |= {"scope": "category", "categories": [dice.choice(list(CATEGORIES))]}
        else:
            terms["scope"] = "all"
        if type_name not in {"seckill", "group_buy"} and dice.random() < 0.3:
            terms["limits"] = {"budget": dice.choice((100, 100_000))}
        if dice.random() < 0.2:
            terms["audience"] = {"kind": "members", "levels": [1, 2]}
        return self.campaign(code, type_name, rule, **terms)

    def fill(self, dice: random.Random, campaigns: int) -> None:
        """The categories, goods and campaigns of a random shop, and two coupons."""
        for path in CATEGORIES.values():
            for place, category in enumerate(path):
                above = path[place + 1] if place + 1 < len(path) else None
                self.note("category", category, {"name": category, "parent": above})
        self.products([random_product(dice, sku) for sku in (*SKUS, "mug", "spoon", "pen", *OPTION_SKUS)])
        for number in range(campaigns):
            self.random_campaign(dice, f"c{number}")
        self.coupon("SAVE")
        self.coupon("TENTH", kind="percent", amount_off=None, percent_off=10, threshold=2000)

    def stored(self, token: str) -> Any:
        """The row of a quote."""
        with reading(self.resources.engine) as connection:
            return connection.execute(select(quotes).where(quotes.c.token == token)).one()


def random_product(dice: random.Random, sku: str) -> dict[str, Any]:
    return {
        "sku": sku,
        "price": dice.choice((0, 1, 999, 5000, 9999, 12900)),
        "category": dice.choice((None, "cups", "toys", "elsewhere")),
        "gift_only": sku in {"mug", "spoon"},
        "on_sale": dice.random() < 0.95,
        "stock": dice.choice((0, 2, 50)),
        "tags": dice.sample(("new", "red"), dice.randint(0, 2)),
    }


def random_cart(dice: random.Random, campaigns: int) -> dict[str, Any]:
    """The body of a quote; most of what it asks for can be had."""
    lines: list[dict[str, Any]] = []
    for sku in dice.sample((*SKUS, "nowhere"), dice.randint(0, 6)):
        line: dict[str, Any] = {"sku": sku, "quantity": dice.randint(1, 4)}
        if dice.random() < 0.3:
            line["campaign"] = dice.choice((None, f"c{dice.randrange(campaigns)}", "never-was"))
        if dice.random() < 0.1:
            line["selected"] = False
        lines.append(line)
    cart: dict[str, Any] = {"lines": lines, "explain": dice.random() < 0.5, "suggest": dice.random() < 0.3}
    if dice.random() < 0.2:
        cart["strategy"] = "best"
    if dice.random() < 0.5:
        cart["coupon"] = dice.choice(("SAVE", "save", "TENTH", "never-was"))
    if dice.random() < 0.3:
        cart["gifts"] = {f"c{dice.randrange(campaigns)}": dice.choices(("mug", "spoon", "pen", "nowhere"), k=2)}
    if dice.random() < 0.3:
        cart["add_ons"] = [{"campaign": f"c{dice.randrange(campaigns)}", "sku": dice.choice(OPTION_SKUS)}]
    return cart


def told(book: Book) -> dict[str, Any]:
    """All that a book says, so that two can be compared."""
    return {
        "number": book.number,
        "listings": dict(book.listings),
        "coupons": dict(book.coupons),
        "parents": dict(book.parents),
        "named": dict(book.named),
        "campaigns": {each.code: each for each in book.index.all()},
        "candidates": {
            (sku, category): [
                each.code for each in book.index.candidates(sku, () if category is None else book.path(category))
            ]
            for sku in (*SKUS, "nowhere")
            for category in (None, *CATEGORIES, "elsewhere")
        },
    }
