"""Given a sale, operators watch it as it is, by samples and by a stream; and see ahead what overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal
from buying import win
from listening import Listener
from reporting import goods, ordered
from sidecar import Api, Shop, fields_of

from admin import streaming
from admin.live import watching
from admin.live.watching import LiveWatching
from admin.operators import signing_in
from admin.resources import Resources
from gateway import keys
from tests.conftest import wait_until

PASSWORD = "a password of the tests"


@pytest.fixture(scope="module")
def api(shared_resources: Resources, portal: BlockingPortal) -> Iterator[Api]:
    """The application on SQLite that this module shares."""
    with Api(shared_resources.settings, portal) as opened:
        yield opened


def stream_of(code: str) -> str:
    return f"/admin/api/campaigns/{code}/live/events"


def with_key(shop: Shop) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", b"Bearer " + shop.resources.settings.admin_key[0])]


def watching_of(api: Api) -> LiveWatching:
    (found,) = (each for each in api._state["rounds"] if isinstance(each, LiveWatching))
    return found


def test_a_sample_tells_what_is_held_ordered_and_won(api: Api, shared_shop: Shop) -> None:
    campaign = shared_shop.campaign()
    offer = campaign.items[0].offer
    first, second = (win(shared_shop, offer, shared_shop.unique("ann")) for _ in range(2))
    live = api.get(f"/campaigns/{campaign.code}/live")
    assert (live["state"], live["held"], live["stock"]) == ("running", 2, campaign.items[0].stock)
    assert live["offers"][0]["left"] == campaign.items[0].stock - 2
    assert live["orders"] == {"pending": 2, "paid": 0, "unpaid": 0}
    assert {each["order_no"] for each in live["winners"]} == {first, second}
    assert [point["held"] for point in live["history"]] == [2]
    assert {each["part"]: each["ok"] for each in live["health"]}["redis"]
    assert campaign.code in {sale["code"] for sale in api.get("/live")["sales"]}
    api.get("/campaigns/nowhere/live", 404)


def test_a_stream_begins_with_the_history_and_tells_clicks_per_second(
    api: Api, shared_shop: Shop, portal: BlockingPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveWatching, "interval_s", 0.05)
    monkeypatch.setattr(watching, "TOO_SHORT_S", 0.0)
    campaign = shared_shop.campaign()
    offer = campaign.items[0].offer
    watched = watching_of(api)
    with Listener(api, portal, stream_of(campaign.code), with_key(shared_shop)) as one:
        wait_until(lambda: len(one.events) > 1)
        # Whoever comes second is fed by the same samples.
        with Listener(
            api, portal, f"/admin/api/campaigns/{campaign.code}/live/events", with_key(shared_shop)
        ) as other:
            wait_until(lambda: bool(other.events))
            assert watched.streams == 2
            assert len(other.events[0]["history"]) > 1
        shared_shop.resources.redis.hincrby(keys.clicks(offer), "sold_out", 7)
        wait_until(lambda: one.events[-1]["offers"][0]["clicks"] == {"sold_out": 7})
        wait_until(lambda: any(event["rates"].get("sold_out", 0) > 0 for event in one.events))
        assert all(not event["history"] for event in one.events[1:])
    assert watched.streams == 0


def test_a_stream_ends_with_the_session_of_its_operator(
    api: Api, shared_shop: Shop, portal: BlockingPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveWatching, "interval_s", 0.05)
    monkeypatch.setattr(streaming, "ASK_AGAIN_S", 0.0)
    name = shared_shop.unique("vera")
    api.post("/operators", {"name": name, "role": "viewer", "password": PASSWORD}, 201)
    token = signing_in.sign_in(shared_shop.resources, name, PASSWORD)
    campaign = shared_shop.campaign()
    cookie = [(b"cookie", f"{signing_in.COOKIE}={token}".encode())]
    with Listener(api, portal, stream_of(campaign.code), cookie) as stream:
        wait_until(lambda: len(stream.events) > 1)
        signing_in.sign_out(shared_shop.resources, token)
        stream.ended.result(timeout=10)
    with Listener(api, portal, stream_of(campaign.code), cookie) as refused:
        refused.ended.result(timeout=10)
        assert refused.status == 401


def test_watchers_are_few_and_end_with_the_process(
    api: Api, shared_shop: Shop, portal: BlockingPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_of(api), "closing", False)
    monkeypatch.setattr(LiveWatching, "streams_max", 1)
    path = f"/campaigns/{shared_shop.campaign().code}/live/events"
    with Listener(api, portal, f"/admin/api{path}", with_key(shared_shop)) as stream:
        wait_until(lambda: bool(stream.events))
        assert api.get(path, 503)["type"].endswith("too_many_streams")
        portal.call(watching_of(api).close_streams)
        stream.ended.result(timeout=10)


def test_a_redis_that_is_away_is_told_with_its_reason(
    api: Api, shared_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = shared_shop.campaign()

    def away(*_: Any, **__: Any) -> Any:
        raise ConnectionRefusedError

    monkeypatch.setattr("admin.live.counting._writer", away)
    live = api.get(f"/campaigns/{campaign.code}/live")
    assert live["health"][0] == {"part": "redis", "ok": False, "reason": "redis_away", "seconds": None}
    assert (live["writer"], live["offers"][0]["held"]) == (None, None)


def test_the_calendar_tells_who_goes_first_where_goods_are_shared(api: Api, shared_shop: Shop) -> None:
    sku = shared_shop.product(price=10_000)
    window = {"starts_at": "2031-03-02T00:00:00Z", "ends_at": "2031-03-05T00:00:00Z"}
    body = {"type": "item_discount", "name": "Deal", "items": [{"sku": sku}], **window}
    low, high = (
        api.post(
            "/campaigns",
            {**body, "code": shared_shop.unique(name), "rule": {"percent_off": 5}, "priority": each},
            201,
        )
        for name, each in (("low", 1), ("high", 2))
    )
    shown = api.get("/calendar?from=2031-03-04&to=2031-03-31")
    assert [each["code"] for each in shown["entries"]] == sorted([low["code"], high["code"]])
    overlap = {"goods": 1, "skus": [sku], "winner": high["code"], "why": "priority"}
    assert {each["code"]: each["overlaps"] for each in shown["entries"]} == {
        low["code"]: [{"code": high["code"], **overlap}],
        high["code"]: [{"code": low["code"], **overlap}],
    }
    assert api.get("/calendar?from=2031-03-06&to=2031-03-07")["entries"] == []
    assert fields_of(api.get("/calendar?from=2031-03-06&to=2031-03-05", 422)) == {"to": "before_from"}
    assert fields_of(api.get("/calendar?from=2031-01-01&to=2031-03-31", 422)) == {"to": "too_many_days"}


@pytest.mark.parametrize(
    ("second", "by", "points"), [(30, "minute", 31), (2 * 60, "hour", 3), (4 * 24 * 60, "day", 5)]
)
def test_the_course_of_a_campaign_has_no_gaps(
    api: Api, shared_shop: Shop, second: int, by: str, points: int
) -> None:
    sku, deal = shared_shop.product(price=10_000, stock=50), shared_shop.unique("deal")
    body = {
        "type": "item_discount",
        "name": "Deal",
        "code": deal,
        "items": [{"sku": sku}],
        "rule": {"percent_off": 10},
    }
    api.post("/campaigns", {**body, "starts_at": 1_700_000_000_000, "ends_at": 1_999_999_999_000}, 201)
    begun = int(datetime.fromisoformat("2026-11-01T10:00:00+08:00").timestamp() * 1000)
    for at_ms in (begun, begun + second * 60_000):
        ordered(shared_shop, [goods(sku, [9000], base=10_000, campaign=deal)], "paid", at_ms=at_ms)
    course = api.get(f"/campaigns/{deal}/report/course")
    assert (course["by"], len(course["points"])) == (by, points)
    made = [(point["orders"], point["units"], point["money"]) for point in course["points"]]
    assert (made[0], made[-1], sum(each[0] for each in made)) == ((1, 1, 9000), (1, 1, 9000), 2)
    assert course["points"][0]["begins"] == f"2026-11-01T{'00' if by == 'day' else '10'}:00:00+08:00"
    assert (course["first"]["at"], course["last"] != course["first"]) == ("2026-11-01T10:00:00+08:00", True)
