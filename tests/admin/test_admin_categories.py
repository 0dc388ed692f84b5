"""Given operators at the tree of categories, it stays a tree."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar import ACTOR, Api, Shop, fields_of

from admin import changes
from admin.catalog import categories
from admin.catalog.tree import DEPTH_MAX, wrong_parents
from admin.errors import Invalid
from gateway.orders.database import reading


def test_a_category_lives_and_dies(api: Api) -> None:
    body = {
        "id": "廚房/kitchen ware",
        "name": "Kitchen",
        "parent": None,
        "position": 3,
        "texts": {"zh-Hant": {"name": "廚房"}},
    }
    made = api.post("/categories", body, 201)
    assert {name: made[name] for name in body} == body
    path = "/categories/%E5%BB%9A%E6%88%BF%2Fkitchen%20ware"
    assert api.get(path) == made
    reply = api.send("PATCH", path, json={"name": "Cooking"}, headers={"If-Match": '"1"'})
    assert (reply.json()["name"], reply.json()["position"], reply.headers["etag"]) == ("Cooking", 3, '"2"')
    assert api.patch(path, {"position": 1}, 412, headers={"If-Match": '"1"'})["revision"] == 2
    api.post("/categories", body, 409)
    assert api.delete(path, headers={"If-Match": '"2"'}) == {"deleted": body["id"]}
    api.get(path, 404)
    api.get("/categories/", 404)
    log = api.get("/audit?kind=category")["items"]
    assert [each["action"] for each in log] == ["delete", "change", "create"]
    assert (log[1]["before"]["name"], log[1]["after"]["name"]) == ("Kitchen", "Cooking")


def make(shop: Shop, name: str, parent: str | None = None) -> None:
    categories.create(shop.resources, {"id": name, "name": name, "parent": parent}, actor=ACTOR)


def test_every_change_is_noted(shop: Shop) -> None:
    make(shop, "home")
    make(shop, "kitchen", "home")
    categories.change(shop.resources, "kitchen", {"parent": None}, actor=ACTOR)
    categories.remove(shop.resources, "home", actor=ACTOR)
    with reading(shop.resources.engine) as connection:
        noted = [(each.kind, each.subject, each.body) for each in changes.since(connection, 0)]
    assert noted == [
        ("category", "home", {"name": "home", "parent": None}),
        ("category", "kitchen", {"name": "kitchen", "parent": "home"}),
        ("category", "kitchen", {"name": "kitchen", "parent": None}),
        ("category", "home", None),
    ]


def test_parents_that_cannot_be_are_refused(api: Api, shop: Shop) -> None:
    make(shop, "a")
    make(shop, "b", "a")
    make(shop, "c", "b")
    for body, code in (
        ({"parent": "c"}, "cycle"),
        ({"parent": "a"}, "cycle"),
        ({"parent": "nowhere"}, "unknown_category"),
    ):
        assert fields_of(api.patch("/categories/a", body, 422)) == {"parent": code}
    orphan = {"id": "d", "name": "d", "parent": "nowhere"}
    assert fields_of(api.post("/categories", orphan, 422)) == {"parent": "unknown_category"}
    assert fields_of(api.patch("/categories/a", {"id": "z"}, 422)) == {"id": "unknown_field"}
    nothing = dict.fromkeys(("name", "position", "texts"))
    assert set(fields_of(api.patch("/categories/a", nothing, 422))) == set(nothing)
    assert [each["id"] for each in api.get("/categories?parent=a")["items"]] == ["b"]


def test_two_moves_at_once_make_no_cycle(shop: Shop) -> None:
    for turn in range(5):
        first, second = f"a{turn}", f"b{turn}"
        make(shop, first)
        make(shop, second)
        ready = threading.Barrier(2)

        def move(name: str, parent: str, ready: threading.Barrier = ready) -> str:
            ready.wait(10)
            try:
                categories.change(shop.resources, name, {"parent": parent}, actor=ACTOR)
            except Invalid as refusal:
                return refusal.errors[0].code
            return "moved"

        with ThreadPoolExecutor(2) as pool:
            moves = [pool.submit(move, first, second), pool.submit(move, second, first)]
            assert sorted(each.result() for each in moves) == ["cycle", "moved"]


def test_the_tree_is_only_so_deep(shop: Shop) -> None:
    make(shop, "level1")
    for level in range(2, DEPTH_MAX + 1):
        make(shop, f"level{level}", f"level{level - 1}")
    for change in (lambda: make(shop, "deeper", f"level{DEPTH_MAX}"), lambda: _under_another(shop, "level1")):
        with pytest.raises(Invalid) as refusal:
            change()
        assert [(each.field, each.code) for each in refusal.value.errors] == [("parent", "too_deep")]
    _under_another(shop, "level2")


def _under_another(shop: Shop, name: str) -> None:
    """Level 1 would take all the others one down."""
    parents = [each.id for each in categories.page(shop.resources, categories.CategoryFilter()).items]
    if "root" not in parents:
        make(shop, "root")
    categories.change(shop.resources, name, {"parent": "root"}, actor=ACTOR)


def test_what_is_in_use_stays(api: Api, shop: Shop) -> None:
    make(shop, "home")
    make(shop, 'kit"chen_%', "home")
    path = "/categories/kit%22chen_%25"
    api.delete("/categories/home", 409)
    sku = shop.product(category='kit"chen_%')
    assert api.delete(path, 409)["type"].endswith(":category_in_use")
    api.patch(f"/products/{sku}", {"category": "not in the tree"})
    scope = {"scope": "category", "categories": ['kit"chen_%'], "items": []}
    body = shop.body(type="item_discount", rule={"percent_off": 40}, draft=True, **scope)
    code = api.post("/campaigns", body, 201)["code"]
    api.post(f"/campaigns/{code}/publish")
    assert api.delete(path, 409)["campaign"] == code
    api.post(f"/campaigns/{code}/terminate")
    api.delete(path)
    api.delete("/categories/home")


def test_a_draft_holds_no_category(api: Api, shop: Shop) -> None:
    make(shop, "home")
    scope = {"scope": "category", "categories": ["home"], "items": []}
    api.post("/campaigns", shop.body(type="item_discount", rule={"percent_off": 40}, draft=True, **scope), 201)
    api.delete("/categories/home")


NAMES = st.sampled_from("abcdefgh")


@given(st.dictionaries(NAMES, st.none() | NAMES))
def test_a_tree_is_right_exactly_when_every_walk_upwards_ends_at_a_root(parents: dict[str, str | None]) -> None:
    wrong = wrong_parents(parents)
    for name in parents:
        each: str | None = name
        for _ in parents:
            each = parents.get(each, "missing") if each is not None else None
        assert (name not in wrong) == (each is None)


def test_a_parent_is_judged_before_what_hangs_on_it() -> None:
    wrong = wrong_parents({"a": "b", "b": "a", "c": "a", "d": "zz", "e": "d", "f": None, "g": "f"})
    assert {name: each.code for name, each in wrong.items()} == {
        "a": "cycle",
        "b": "cycle",
        "c": "unknown_category",
        "d": "unknown_category",
        "e": "unknown_category",
    }
    assert "b > a > b" in wrong["a"].message or "a > b > a" in wrong["a"].message
