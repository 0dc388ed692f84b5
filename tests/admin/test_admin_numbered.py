"""Given lists that people leaf through by page numbers, they are searched, sorted and counted."""

from __future__ import annotations

from typing import Any

import pytest
from sidecar import Api

_WINDOW = {"starts_at": "2036-11-21T00:00:00+08:00", "ends_at": "2036-11-28T00:00:00+08:00"}
_LISTS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "products": ("sku", [{"sku": f"p{n}", "name": f"Pot {9 - n}", "price": n % 3} for n in range(7)]),
    "categories": ("id", [{"id": f"c{n}", "name": f"Pot {9 - n}", "position": n % 3} for n in range(7)]),
    "sessions": (
        "id",
        [{"id": f"s{n}", "name": f"Pot {9 - n}", "starts": "10:00", "ends": "11:00"} for n in range(7)],
    ),
    "members": ("shopper", [{"shopper": f"m{n}", "level": n % 3, "note": f"Pot {9 - n}"} for n in range(7)]),
    "coupons": (
        "code",
        [
            {"code": f"k{n}", "name": f"Pot {9 - n}", "kind": "amount", "amount_off": 1 + n, **_WINDOW}
            for n in range(7)
        ],
    ),
}


def _make(api: Api, plural: str) -> str:
    key, bodies = _LISTS[plural]
    for body in bodies:
        api.post(f"/{plural}", body, 201)
    return key


@pytest.mark.parametrize("plural", _LISTS)
def test_a_list_is_searched_sorted_and_counted(api: Api, plural: str) -> None:
    key = _make(api, plural)

    def keys(query: str) -> list[str]:
        return [each[key] for each in api.get(f"/{plural}?{query}")["items"]]

    letter = _LISTS[plural][1][0][key][0]
    assert keys(f"sort=-{key}&offset=2&limit=2") == [f"{letter}4", f"{letter}3"]
    assert keys("q=pOt+8") == [f"{letter}1"]
    assert keys("q=nothing") == []
    found = api.get(f"/{plural}?q=pot&count=true&limit=2&offset=3")
    assert (found["total"], len(found["items"])) == (7, 2)
    assert api.get(f"/{plural}?limit=2")["total"] is None
    api.get(f"/{plural}?sort=secret", 422)


@pytest.mark.parametrize("sort", ["price", "-price"])
def test_a_cursor_continues_a_sorted_list_without_gaps(api: Api, sort: str) -> None:
    _make(api, "products")
    seen, query = [], f"sort={sort}&limit=2"
    page = api.get(f"/products?{query}")
    seen += page["items"]
    while page["next"] is not None:
        page = api.get(f"/products?{query}&cursor={page['next']}")
        seen += page["items"]
    ordered = sorted(seen, key=lambda each: (each["price"], each["sku"]), reverse=sort.startswith("-"))
    assert len(seen) == 7
    assert seen == ordered


def test_a_list_sorted_by_long_names_continues(api: Api) -> None:
    for number in range(2):
        api.post("/products", {"sku": f"long-{number}", "name": "壺" * 200, "price": 1}, 201)
    page = api.get("/products?sort=name&limit=1")
    assert [each["sku"] for each in api.get(f"/products?sort=name&cursor={page['next']}")["items"]] == ["long-1"]


def test_coupons_are_listed_by_kind(api: Api) -> None:
    _make(api, "coupons")
    api.post("/coupons", {"code": "p", "name": "P", "kind": "percent", "percent_off": 10, **_WINDOW}, 201)
    assert [each["code"] for each in api.get("/coupons?kind=percent")["items"]] == ["p"]
