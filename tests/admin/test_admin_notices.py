"""Given something that shoppers are told, each is told once per cause, and nobody else hears of it."""

from __future__ import annotations

from typing import Any

from sidecar import Shop

from admin.notices import service
from admin.notices.telling import notify, notify_all
from admin.paging import Page
from gateway.orders.database import writing


def of(shop: Shop, shopper: str) -> list[tuple[str, Any]]:
    return [(each.kind, each.data) for each in service.page(shop.resources, shopper, Page()).items]


def test_a_cause_is_told_once_whoever_says_it_again(shop: Shop) -> None:
    with writing(shop.resources.engine) as connection:
        notify(connection, "amy", "refund", {"order_no": "a1", "amount": 500}, "refund:1", 1000)
    with writing(shop.resources.engine) as connection:
        # The rest of what is told together is not lost with the one that was told before.
        notify_all(
            connection,
            [
                ("amy", "refund", {"order_no": "a1", "amount": 700}, "refund:1", 2000),
                ("bob", "group_full", {"group": "拼團"}, "group:1:bob", 2000),
                ("amy", "group_full", {"group": "拼團"}, "group:1:amy", 2000),
            ],
        )
        notify_all(connection, [])
    assert of(shop, "amy") == [
        ("group_full", {"group": "拼團"}),
        ("refund", {"order_no": "a1", "amount": 500}),
    ]
    assert of(shop, "bob") == [("group_full", {"group": "拼團"})]
    assert of(shop, "eve") == []


def test_what_is_rolled_back_was_never_told(shop: Shop) -> None:
    with writing(shop.resources.engine) as connection:
        notify(connection, "amy", "balance_due", {}, "presale:1", 1000)
        connection.rollback()
    assert of(shop, "amy") == []
