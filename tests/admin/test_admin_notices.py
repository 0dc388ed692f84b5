"""Given something that shoppers are told, each is told once per cause, and nobody else hears of it."""

from __future__ import annotations

from typing import Any

from sidecar import Api, Shop

from admin.notices import service
from admin.notices.telling import notify, notify_all
from admin.paging import Page
from gateway.orders.database import writing
from gateway.tokens import mint


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


def test_what_was_read_stays_read_and_what_comes_later_is_new(shop: Shop, api: Api) -> None:
    with writing(shop.resources.engine) as connection:
        for number in range(3):
            notify(connection, "amy", "refund", {}, f"refund:{number}", shop.now_ms())
        notify(connection, "bob", "refund", {}, "refund:bob", shop.now_ms())
    amy, bob = (mint(b"t" * 32, sub, ttl_s=60) for sub in ("amy", "bob"))
    seen = api.get("/api/notices", key=amy)
    newest, second, _ = (each["id"] for each in seen["items"])
    assert (seen["unread"], seen["items"][0]["read_at"]) == (3, None)

    # Amy reads all but the newest; that touches nobody else, and may be said again.
    for _ in range(2):
        assert api.post("/api/notices/read", {"up_to": second}, 200, key=amy) == {"unread": 1}
    read = [each["read_at"] for each in api.get("/api/notices", key=amy)["items"]]
    assert (read[0], None in read[1:]) == (None, False)
    assert api.get("/api/notices", key=bob)["unread"] == 1
    assert api.post("/api/notices/read", {"up_to": newest}, 200, key=amy) == {"unread": 0}
    api.post("/api/notices/read", {"up_to": 0}, 422, key=amy)
    assert service.unread(shop.resources, "amy") == 0


def test_what_is_rolled_back_was_never_told(shop: Shop) -> None:
    with writing(shop.resources.engine) as connection:
        notify(connection, "amy", "balance_due", {}, "presale:1", 1000)
        connection.rollback()
    assert of(shop, "amy") == []
