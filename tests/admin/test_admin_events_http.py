"""Given operators who connect another system, the sidecar's own thread tells it what happens."""

from __future__ import annotations

import pytest
from receiving import Receiver
from sidecar import Api, Shop

from admin.events.models import is_encrypted_or_here
from tests.conftest import wait_until


def test_an_operator_connects_a_system_and_it_hears(api: Api, shop: Shop) -> None:
    with Receiver() as receiver:
        made = api.post("/webhooks", {"url": receiver.url, "kinds": ["campaign.*"]}, 201)
        assert made["secret"].startswith("whs_")
        assert (made["position"], made["paused"], made["next_try_at"]) == (0, False, None)
        assert api.post(f"/webhooks/{made['id']}/test") == {"taken": True, "error": None}
        code = shop.campaign().code
        wait_until(lambda: len(receiver.got) == 2, what="the event")
        ping, event = (each.event for each in receiver.got)
        assert (ping["kind"], event["kind"], event["subject"]) == ("ping", "campaign.published", code)
        listed = api.get("/events?kind=campaign.*")
        assert listed == {"items": [event], "last": 1}
        assert api.get("/events?after=1") == {"items": [], "last": 1}
        wait_until(lambda: api.get(f"/webhooks/{made['id']}")["behind"] == 0, what="the mark")
        api.post(f"/webhooks/{made['id']}/replay", {"after": 0})
        wait_until(lambda: len(receiver.got) == 3, what="the event again")
        assert receiver.got[2].event == event
    key = api.post(f"/webhooks/{made['id']}/secret")
    assert key == {"secret": made["secret"]}
    (shown,) = api.get("/webhooks")["items"]
    assert (shown["id"], shown["secret"], bool(shown["last_taken_at"])) == (made["id"], None, True)
    changed = api.patch(f"/webhooks/{made['id']}", {"paused": True}, headers={"If-Match": f'"{shown["revision"]}"'})
    assert changed["paused"]
    api.patch(f"/webhooks/{made['id']}", {"kinds": []}, 412, headers={"If-Match": '"1"'})
    assert not api.post(f"/webhooks/{made['id']}/test")["taken"]
    actions = [each["action"] for each in api.get("/audit?kind=webhook")["items"]]
    assert actions == ["change", "show_secret", "change", "create"]
    assert api.delete(f"/webhooks/{made['id']}") == {"deleted": made["id"]}
    for path in ("", "/replay", "/test", "/secret"):
        send = api.post if path else api.patch
        send(f"/webhooks/{made['id']}{path}", {"after": 0} if path == "/replay" else {}, 404)


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
def test_addresses_and_kinds_that_will_not_do_are_refused(api: Api) -> None:
    for url in (
        "http://warehouse.example/in",
        "http://10.0.0.1/in",
        "ftp://127.0.0.1/in",
        "https://user:secret@127.0.0.1/in",
        "https://127.0.0.1/in#part",
        "https://127.0.0.1:99999/in",
        "https://127.0.0.1/a b",
        "https:///in",
        "/in",
    ):
        assert api.post("/webhooks", {"url": url}, 422)["errors"][0]["field"] == "url"
    for kinds in (["order"], ["*.paid"], ["Order.paid"], "order.paid", [1], ["order.paid"] * 51):
        api.post("/webhooks", {"url": "https://127.0.0.1/", "kinds": kinds}, 422)
    for query in ("after=-1", "after=x", "kind=order", "limit=0", "limit=501", "more=1"):
        api.get(f"/events?{query}", 422)
    assert api.get("/webhooks")["items"] == []


def test_what_stays_on_this_machine_needs_no_encryption() -> None:
    here = (
        "http://127.0.0.1:8080/",
        "http://127.8.0.1/",
        "http://[::1]:1/",
        "http://localhost/",
        "https://far.example/",
    )
    assert all(is_encrypted_or_here(url) for url in here)
    elsewhere = (
        "http://far.example/",
        "http://127.0.0.1.example/",
        "http://192.168.1.1/",
        "http://localhost.example/",
    )
    assert not any(is_encrypted_or_here(url) for url in elsewhere)
