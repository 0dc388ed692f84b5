"""Given any request, however wrong, the API answers with a clear problem, never a 500, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal
from sidecar import OTHER_KEY, Api, fields_of, settings_for

from admin import migrations

# None of these requests changes anything, so they can share one application and one database.

JSON = {"Content-Type": "application/json"}
PRODUCT: dict[str, Any] = {"sku": "kettle", "name": "Kettle", "price": 12900}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, redis_server: Any, portal: BlockingPortal) -> Iterator[Api]:
    url = f"sqlite:///{tmp_path_factory.mktemp('requests') / 'ledger.db'}"
    migrations.upgrade(url)
    with Api(settings_for(url, redis_server.url), portal) as opened:
        yield opened


def raw(api: Api, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    reply = api.send("POST", "/products", content=body, headers=JSON if headers is None else headers)
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status_code, reply.json()


# Who may.


@pytest.mark.parametrize("key", [None, "", "wrong" * 10, "ключ", f"{OTHER_KEY} "[:-2]])
def test_without_a_valid_key_nothing_is_told(api: Api, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}".encode("utf-8", "replace")}
    for method, path in (("GET", "/products"), ("POST", "/campaigns"), ("GET", "/nothing"), ("GET", "")):
        reply = api.send(method, path, key=None, headers=headers)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert reply.json()["type"].endswith(":unauthenticated")


def test_another_scheme_is_refused(api: Api) -> None:
    assert (
        api.send("GET", "/products", key=None, headers={"Authorization": f"Basic {OTHER_KEY}"}).status_code == 401
    )


def test_every_key_of_the_list_is_valid(api: Api) -> None:
    assert api.send("GET", "/products", key=OTHER_KEY).status_code == 200
    assert (
        api.send("GET", "/products", key=None, headers={"Authorization": f"bearer {OTHER_KEY}"}).status_code == 200
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_health_and_documentation_are_public(api: Api, path: str) -> None:
    assert api.send("GET", path, key=None).status_code == 200


# What cannot be read.


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"sku": "a",}', 400),
        (b"\xff\xfe{}", 400),
        (b'{"sku": "\xff"}', 400),
        (b'{"sku": "\\ud800"}', 400),
        (b'{"price": NaN}', 400),
        (b'{"price": 1, "price": 2}', 400),
        (b"[" * 100_000, 400),
        (b"[" * 900 + b"]" * 900, 422),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b"12", 422),
    ],
)
def test_a_body_that_is_no_object_is_refused(api: Api, body: bytes, status: int) -> None:
    assert raw(api, body)[0] == status


@pytest.mark.parametrize("declared", ["application/json; charset=UTF-8", "text/plain", ""])
def test_a_body_is_json_whatever_it_is_called(api: Api, declared: str) -> None:
    headers = {"Content-Type": declared} if declared else {"X-Nothing": "1"}
    assert raw(api, b"{}", headers)[0] == 422
    assert raw(api, b"sku=kettle", headers)[0] == 400


def test_a_body_over_the_limit_is_refused(api: Api) -> None:
    status, problem = raw(api, b'{"name": "' + b"x" * 4_200_000 + b'"}')
    assert (status, problem["max_bytes"]) == (413, 4_194_304)
    assert api.get("/products")["items"] == []


def test_unknown_paths_and_methods(api: Api) -> None:
    api.get("/nothing", 404)
    api.get("/products/", 404)
    api.get("/products/none", 404)
    api.get("/products/no%00ne", 404)
    api.get("/campaigns/%0a", 404)
    reply = api.send("PUT", "/products", json={})
    assert reply.status_code == 405
    assert set(reply.headers["allow"].replace(" ", "").split(",")) == {"GET", "HEAD", "POST"}
    assert reply.json()["type"].endswith(":method_not_allowed")
    assert api.send("HEAD", "/products").status_code == 200


# What breaks rules.


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("price", True, "not_an_integer"),
        ("price", 1.0, "not_an_integer"),
        ("price", "1", "not_an_integer"),
        ("price", None, "not_an_integer"),
        ("price", -1, "too_small"),
        ("price", 10**12 + 1, "too_large"),
        ("price", 10**30, "not_an_integer"),
        ("cost", -1, "too_small"),
        ("stock", 10**9 + 1, "too_large"),
        ("stock", None, "not_an_integer"),
        ("sku", "with space", "bad_form"),
        ("sku", "kettle\n", "bad_form"),
        ("sku", "x" * 65, "too_long"),
        ("sku", "", "bad_form"),
        ("sku", 7, "not_a_text"),
        ("name", "", "too_short"),
        ("name", "   ", "blank"),
        ("name", "a\0b", "control_character"),
        ("name", "a\x1bb", "control_character"),
        ("name", "a\nb", "control_character"),
        ("name", "x" * 201, "too_long"),
        ("name", ["x"], "not_a_text"),
        ("description", "a\0b", "control_character"),
        ("description", "x" * 20_001, "too_long"),
        ("image", "javascript:alert(1)", "bad_url"),
        ("image", "data:text/html,x", "bad_url"),
        ("image", "//evil.example/x.png", "bad_url"),
        ("image", "http://", "bad_url"),
        ("image", 'x" onerror="y', "bad_url"),
        ("image", "https://[", "bad_url"),
        ("tags", "new", "not_a_list"),
        ("tags", ["a", "a"], "repeated"),
        ("tags", ["x"] * 21, "too_many"),
        ("gift_only", 1, "not_a_boolean"),
        ("gift_only", "true", "not_a_boolean"),
        ("membership", {"level": 0, "days": 1}, "too_small"),
        ("membership", [], "not_an_object"),
        ("colour", "red", "unknown_field"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named(api: Api, field: str, value: Any, code: str) -> None:
    problem = api.post("/products", {**PRODUCT, field: value}, 422)
    found = fields_of(problem)
    assert [name for name in found if name.split(".")[0] == field], found
    assert code in found.values()
    assert api.get("/products")["items"] == []


def test_all_problems_are_told_at_once(api: Api) -> None:
    body = {"name": "a\0b", "price": "1", "colour": 1, "tags": ["ok", 7]}
    assert fields_of(api.post("/products", body, 422)) == {
        "sku": "missing",
        "name": "control_character",
        "price": "not_an_integer",
        "colour": "unknown_field",
        "tags.1": "not_a_text",
    }


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("limit=0", "limit", "too_small"),
        ("limit=501", "limit", "too_large"),
        ("limit=1.0", "limit", "not_an_integer"),
        ("limit=+1", "limit", "not_an_integer"),
        ("limit=", "limit", "not_an_integer"),
        ("limit=1&limit=2", "limit", "repeated"),
        ("page=2", "page", "unknown_field"),
        ("cursor=abc", "cursor", "bad_cursor"),
        ("cursor=WzEyM10", "cursor", "bad_cursor"),
        ("cursor=%00", "cursor", "bad_cursor"),
        ("cursor=" + "x" * 2000, "cursor", "too_long"),
        ("on_sale=yes", "on_sale", "not_a_boolean"),
        ("category=a%00b", "category", "control_character"),
    ],
)
def test_query_parameters_are_checked_too(api: Api, query: str, field: str, code: str) -> None:
    assert fields_of(api.get(f"/products?{query}", 422)) == {field: code}


@pytest.mark.parametrize("path", ["/products/kettle", "/healthz", "/openapi.json", "/campaigns/none"])
def test_no_operation_ignores_a_parameter(api: Api, path: str) -> None:
    assert fields_of(api.get(f"{path}?verbose=1", 422)) == {"verbose": "unknown_field"}


@pytest.mark.parametrize("value", ["x", '"1', "-1", '"1", "2"'])
def test_if_match_holds_one_revision(api: Api, value: str) -> None:
    api.patch("/products/kettle", {"price": 1}, 400, headers={"If-Match": value})
