"""The shop in memory: made from what changed, it is what reading everything anew would give."""

from __future__ import annotations

import gc
import random
import threading
from typing import Any

import pytest
from quoted import RecordedShop, random_product, told
from sqlalchemy import delete, update

from admin import changes
from admin.catalog.tables import products
from admin.quotes import book as book_module
from admin.quotes import collector
from admin.quotes.books import Books, one_state
from admin.quotes.collector import reading_much
from admin.resources import Resources
from gateway.orders.database import writing
from tests.promotions.random_shops import CATEGORIES, SKUS


@pytest.fixture
def recorded(resources: Resources) -> RecordedShop:
    """On both databases, for what they may do differently."""
    return RecordedShop(resources)


@pytest.fixture
def shelved(shared_resources: Resources) -> RecordedShop:
    """On one database for all: goods of other tests may be there too."""
    return RecordedShop(shared_resources)


def cold(resources: Resources) -> Books:
    """A process that has read nothing yet."""
    return Books(resources.engine, resources.currency)


def change_something(recorded: RecordedShop, dice: random.Random) -> None:
    kind = dice.choice(("campaign", "campaign", "coupon", "category", "product", "product", "removal"))
    code = f"c{dice.randrange(6)}"
    if kind == "campaign":
        match dice.randrange(4):
            case 0:
                recorded.note("campaign", code, None)
            case 1:
                recorded.campaign(code, "item_gift", {"gifts": "not a list"}, items=[dice.choice(SKUS)])
            case _:
                recorded.random_campaign(dice, code)
    elif kind == "coupon":
        body: Any = dice.choice((None, {"kind": "unheard-of"}, {"revision": 1}, "good"))
        if body == "good":
            recorded.coupon(code, amount_off=dice.randint(1, 500))
        else:
            recorded.note("coupon", code, body)
    elif kind == "category":
        category = dice.choice((*CATEGORIES, "elsewhere"))
        body = dice.choice((None, {"name": category, "parent": None}, {"name": category, "parent": "home"}))
        recorded.note("category", category, None if category == "home" else body)
    elif kind == "product":
        rows = [random_product(dice, sku) for sku in dice.sample(SKUS, dice.randint(1, 3))]
        recorded.products(rows)
    else:
        recorded.remove_product(dice.choice(SKUS))


def test_what_changes_make_of_a_book_is_what_reading_anew_gives(recorded: RecordedShop) -> None:
    dice = random.Random(4)
    resources = recorded.resources
    assert told(resources.books.fresh()) == told(cold(resources).known())
    recorded.fill(dice, campaigns=4)
    for _ in range(40):
        for _ in range(dice.choice((1, 1, 1, 2, 5))):
            change_something(recorded, dice)
        assert told(resources.books.fresh()) == told(cold(resources).known())


def test_many_changes_at_once_are_the_same_as_few(shelved: RecordedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(5)
    shelved.fill(dice, campaigns=4)
    shelved.resources.books.fresh()
    monkeypatch.setattr(book_module, "REFILED_MAX", 1)
    for _ in range(10):
        change_something(shelved, dice)
    assert told(shelved.resources.books.fresh()) == told(cold(shelved.resources).known())


def test_a_book_that_somebody_holds_stays_as_it_was(shelved: RecordedShop) -> None:
    dice = random.Random(6)
    shelved.fill(dice, campaigns=4)
    held = shelved.resources.books.fresh()
    before = told(held)
    for _ in range(20):
        change_something(shelved, dice)
    assert shelved.resources.books.fresh().number > held.number
    assert told(held) == before


def test_a_book_is_asked_for_by_number_without_the_database(shelved: RecordedShop) -> None:
    shelved.product("a")
    books = shelved.resources.books
    held = books.fresh()
    assert books.at_least(held.number) is held
    shelved.product("b")
    assert books.known() is held
    assert "b" in books.at_least(held.number + 1).listings


def test_stock_alone_changes_no_book(shelved: RecordedShop) -> None:
    shelved.product("a")
    held = shelved.resources.books.fresh()
    with writing(shelved.resources.engine) as connection:
        connection.execute(update(products).where(products.c.sku == "a").values(stock=7))
    assert shelved.resources.books.fresh() is held


def test_a_category_that_moves_takes_its_products_along(shelved: RecordedShop) -> None:
    for category, above in (("home", None), ("kitchen", "home"), ("cups", "kitchen")):
        shelved.note("category", category, {"name": category, "parent": above})
    shelved.product("mug", category="cups")
    books = shelved.resources.books
    assert books.fresh().listings["mug"].product.categories == ("cups", "kitchen", "home")
    shelved.note("category", "kitchen", {"name": "kitchen", "parent": None})
    assert books.fresh().listings["mug"].product.categories == ("cups", "kitchen")
    shelved.note("category", "cups", None)
    assert books.fresh().listings["mug"].product.categories == ("cups",)


def test_categories_that_lie_in_each_other_end_somewhere(shelved: RecordedShop) -> None:
    shelved.note("category", "a", {"name": "a", "parent": "b"})
    shelved.note("category", "b", {"name": "b", "parent": "a"})
    assert shelved.resources.books.fresh().path("a") == ("a", "b")


def test_a_coupon_that_cannot_be_read_is_unknown(shelved: RecordedShop) -> None:
    shelved.coupon("GOOD")
    shelved.note("coupon", "OLD", {"kind": "of another version", "revision": 1})
    known = shelved.resources.books.fresh().coupons
    assert "GOOD" in known
    assert "OLD" not in known


def test_what_was_changed_together_is_seen_together(recorded: RecordedShop) -> None:
    """Readers of one process while another changes two campaigns and a product in each transaction."""
    resources = recorded.resources
    bodies = [recorded.body("item_discount", {"amount_off": off}, items=["a"]) for off in range(1, 21)]
    recorded.product("a", price=0)
    for code in ("x", "y"):
        recorded.note("campaign", code, {**bodies[0], "priority": 0})
    changer = Resources.open(resources.settings)
    stop, problems, seen = threading.Event(), [], set()

    def change() -> None:
        for off, body in enumerate(bodies, 1):
            with writing(changer.engine) as connection:
                number = changes.note(connection, "campaign", "x", {**body, "priority": off})
                changes.note(connection, "campaign", "y", {**body, "priority": off})
                connection.execute(update(products).where(products.c.sku == "a").values(price=off, changed=number))
            if resources.books.fresh().listings["a"].product.price < off:
                problems.append(f"{off} is not seen")
        stop.set()

    def read() -> None:
        while not stop.is_set():
            book = resources.books.fresh()
            first, second = book.index.get("x"), book.index.get("y")
            assert first is not None
            assert second is not None
            priorities = (first.rank[0], second.rank[0], -book.listings["a"].product.price)
            seen.add(priorities)
            if len(set(priorities)) != 1:
                problems.append(f"half a change: {priorities}")

    threads = [threading.Thread(target=each) for each in (change, read, read)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    changer.close()
    assert problems == []
    assert (-20, -20, -20) in seen or len(seen) > 1


def test_reading_a_book_sees_one_state_of_the_database(recorded: RecordedShop) -> None:
    recorded.product("a", price=1)
    with one_state(recorded.resources.engine) as connection:
        first = changes.newest_number(connection)
        recorded.product("a", price=2)
        with writing(recorded.resources.engine) as other:
            other.execute(delete(changes.changes))
        assert changes.newest_number(connection) == first


def test_nothing_is_collected_while_a_large_shop_is_read() -> None:
    with reading_much():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with reading_much():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_large_shop_is_set_aside_once_after_each_full_collection() -> None:
    many = collector.MANY_PRODUCTS + 1
    setting_aside = collector.SettingAside()
    gc.collect()
    try:
        before = gc.get_freeze_count()
        setting_aside.check(many)
        assert gc.get_freeze_count() > before
        kept = [[] for _ in range(100)]
        before = gc.get_freeze_count()
        setting_aside.check(many)
        assert gc.get_freeze_count() == before
        gc.collect()
        setting_aside.check(collector.MANY_PRODUCTS)
        assert gc.get_freeze_count() == before
        gc.collect()
        setting_aside.check(many)
        assert gc.get_freeze_count() > before
        assert len(kept) == 100
    finally:
        gc.unfreeze()
