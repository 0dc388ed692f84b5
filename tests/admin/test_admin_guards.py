"""Given a campaign that breaks rules, every broken rule is told, with its field, and nothing is stored.

Guards are pure and refusals change nothing, so all these requests share one application on SQLite.
"""

from __future__ import annotations

from typing import Any

import pytest
from sidecar import Api, Shop, fields_of


@pytest.fixture
def api(shared_api: Api) -> Api:
    return shared_api


@pytest.fixture
def shop(shared_shop: Shop) -> Shop:
    return shared_shop


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"type": "lottery"}, {"type": "unknown_type"}),
        ({"type": 7}, {"type": "not_a_text"}),
        ({"code": "Upper"}, {"code": "bad_form"}),
        ({"code": "a" * 41}, {"code": "too_long"}),
        ({"name": None}, {"name": "missing"}),
        ({"ends_at": 1}, {"ends_at": "not_after_start"}),
        ({"starts_at": 1, "ends_at": 2}, {"ends_at": "in_the_past"}),
        ({"starts_at": "2026-11-21T12:00:00"}, {"starts_at": "bad_instant"}),
        ({"starts_at": "2026-02-30T12:00:00Z"}, {"starts_at": "bad_instant"}),
        ({"starts_at": True}, {"starts_at": "bad_instant"}),
        ({"starts_at": 1.5}, {"starts_at": "bad_instant"}),
        ({"ends_at": 10**14}, {"ends_at": "bad_instant"}),
        ({"priority": 1.0}, {"priority": "not_an_integer"}),
        ({"channels": ["web"]}, {"channels": "not_supported_for_seckill"}),
        ({"channels": ["tv"]}, {"channels.0": "not_one_of"}),
        ({"limits": {"total": 5}}, {"limits": "not_supported_for_seckill"}),
        ({"scope": "all"}, {"scope": "not_supported_for_seckill"}),
        ({"audience": {"kind": "some"}}, {"audience.kind": "not_one_of"}),
        ({"audience": {"kind": "everyone", "levels": [1]}}, {"audience.levels": "needs_members"}),
        ({"audience": {"kind": "members", "levels": []}}, {"audience.levels": "too_few"}),
        ({"audience": {"kind": "members", "levels": [True]}}, {"audience.levels.0": "not_an_integer"}),
        ({"audience": {"kind": "members", "member_days": 0}}, {"audience.member_days": "too_small"}),
        ({"audience": {"kind": "members", "birthday": "week"}}, {"audience.birthday": "not_one_of"}),
        (
            {"audience": {"kind": "members", "new_customer": True}},
            {"audience.new_customer": "not_supported_for_seckill"},
        ),
        ({"rule": {}}, {"rule.price": "missing"}),
        ({"rule": {"price": 12900}}, {"rule.price": "not_below_base"}),
        ({"rule": {"price": 1, "session": "noon"}}, {"rule.session": "not_an_object"}),
        (
            {"rule": {"price": 1, "session": {"id": "none", "date": "2026-11-21"}}},
            {"rule.session.id": "unknown_session"},
        ),
        (
            {"rule": {"price": 1, "session": {"id": "none", "date": "2026-11-31"}}},
            {"rule.session.date": "bad_date"},
        ),
        ({"rule": {"price": 1, "session": {"id": "none", "date": "21.11.26"}}}, {"rule.session.date": "bad_form"}),
        (
            {"rule": {"price": 1, "session": {"id": "none", "date": "0001-01-01"}}},
            {"rule.session.date": "bad_date"},
        ),
        ({"rule": {"price": 1, "limit_per_shopper": 0}}, {"rule.limit_per_shopper": "too_small"}),
        ({"rule": {"price": 1, "limit_per_shopper": 1001}}, {"rule.limit_per_shopper": "too_large"}),
        ({"rule": {"price": 1, "pay_within_s": 0}}, {"rule.pay_within_s": "too_small"}),
        ({"rule": {"price": 1, "colour": 1}}, {"rule.colour": "unknown_field"}),
        ({"items": []}, {"items": "missing"}),
        ({"items": [{"sku": "none", "stock": 1}]}, {"items.0.sku": "unknown_sku"}),
        ({"texts": {"EN": {}}}, {"texts.EN": "bad_form"}),
    ],
)
def test_a_guard_names_its_field(api: Api, shop: Shop, about: dict[str, Any], expected: dict[str, str]) -> None:
    assert fields_of(api.post("/campaigns", shop.body(**about), 422)) == expected


def test_all_guards_are_told_at_once_and_nothing_is_reserved(api: Api, shop: Shop) -> None:
    good, gift, off = shop.product(), shop.product(gift_only=True), shop.product(on_sale=False)
    upper = shop.product(sku=shop.unique("Kettle"))
    body = shop.body(
        name="a\0b",
        colour="red",
        channels=["web"],
        items=[
            {"sku": good, "stock": 501},
            {"sku": gift, "stock": 1},
            {"sku": off, "stock": 1, "price": 12900},
            {"sku": upper, "stock": 0},
            {"sku": good, "stock": 1},
            {"sku": good, "stock": True},
        ],
    )
    found = {(each["field"], each["code"]) for each in api.post("/campaigns", body, 422)["errors"]}
    assert found == {
        ("name", "control_character"),
        ("colour", "unknown_field"),
        ("channels", "not_supported_for_seckill"),
        ("items.0.stock", "not_enough_stock"),
        ("items.1.sku", "gift_only"),
        ("items.2.sku", "not_on_sale"),
        ("items.2.price", "not_below_base"),
        ("items.3.sku", "sku_not_sellable"),
        ("items.3.stock", "too_small"),
        ("items.4.sku", "duplicate_sku"),
        ("items.5.stock", "not_an_integer"),
        ("items.5.sku", "duplicate_sku"),
    }
    assert shop.free(good) == 500
    api.get(f"/campaigns/{body['code']}", 404)


def test_a_thousand_items_and_no_more(api: Api, shop: Shop) -> None:
    items = [{"sku": f"s{number}", "stock": 1} for number in range(1001)]
    assert fields_of(api.post("/campaigns", shop.body(items=items), 422)) == {"items": "too_many"}
