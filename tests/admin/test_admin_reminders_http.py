"""Given shoppers' programs that talk to the sidecar, reminders and notices are theirs alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from reminded import HOUR_S, offer_of, streamed
from sidecar import ACTOR, Api, Shop

from admin.campaigns import service as campaigns
from admin.resources import Resources
from gateway.tokens import mint
from tests.conftest import wait_until

SECRET = b"t" * 32


@pytest.fixture
def resources(resources: Resources, own_reminders: None) -> Resources:
    return resources


@pytest.fixture
def settings(settings: Any) -> Any:
    return replace(settings, token_secret=(SECRET,), reminders_max=3)


def as_shopper(sub: str) -> dict[str, Any]:
    return {"key": mint(SECRET, sub, ttl_s=600)}


def test_a_shopper_asks_looks_hears_and_withdraws(resources: Resources, api: Api, shop: Shop) -> None:
    offer = offer_of(shop.later())
    amy, bob = as_shopper("amy"), as_shopper("bob")
    asked = api.post("/api/reminders", {"offer": offer}, 201, **amy)
    assert (asked["before_s"], asked["state"], asked["reason"]) == (300, "waiting", None)
    assert offer.endswith(asked["sku"])
    assert asked["starts_at"] > asked["due_at"]
    due = api.post("/api/reminders", {"offer": offer, "before_s": HOUR_S + 60}, 201, **bob)
    assert api.get("/api/reminders", **amy) == {"items": [asked], "next": None}
    # Nobody sees or touches another's.
    api.delete(f"/api/reminders/{asked['id']}", 404, **bob)
    # The sidecar's own thread sends what is due.
    (notice,) = wait_until(lambda: api.get("/api/notices", **bob)["items"], what="the notice")
    assert (notice["kind"], notice["data"]["offer"]) == ("reminder", offer)
    assert api.get("/api/notices", **amy)["items"] == []
    assert wait_until(lambda: streamed(shop), what="the message")[0]["reminder"] == str(due["id"])
    assert api.delete(f"/api/reminders/{asked['id']}", **amy) == {"deleted": asked["id"]}
    api.delete(f"/api/reminders/{asked['id']}", 404, **amy)
    assert api.get("/api/reminders", **amy)["items"] == []


def test_lists_come_in_pages_newest_first(resources: Resources, api: Api, shop: Shop) -> None:
    amy = as_shopper("amy")
    ids = [api.post("/api/reminders", {"offer": offer_of(shop.later())}, 201, **amy)["id"] for _ in range(3)]
    first = api.get("/api/reminders?limit=2", **amy)
    rest = api.get(f"/api/reminders?limit=2&cursor={first['next']}", **amy)
    assert [each["id"] for each in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None
    api.get("/api/notices?cursor=nonsense", 422, **amy)


def test_what_cannot_be_reminded_of_is_refused(resources: Resources, api: Api, shop: Shop) -> None:
    amy = as_shopper("amy")

    def refused(offer: Any, status: int, **more: Any) -> dict[str, Any]:
        return dict(api.post("/api/reminders", {"offer": offer, **more}, status, **amy))

    refused("nobody-knows", 404)
    running = shop.campaign()
    assert refused(offer_of(running), 409)["type"].endswith("offer_started")
    campaigns.terminate(shop.resources, running.code, {}, actor=ACTOR)
    assert refused(offer_of(running), 409)["type"].endswith("offer_ended")
    later = offer_of(shop.later())
    for wrong in (-1, 604_801, True, "5", None, 1.5):
        refused(later, 422, before_s=wrong)
    refused(7, 422)
    refused(later, 422, why="?")
    for _ in range(3):
        api.post("/api/reminders", {"offer": offer_of(shop.later())}, 201, **amy)
    assert refused(later, 409)["limit"] == 3
    # One that is there already may still be changed.
    newest = api.get("/api/reminders?limit=1", **amy)["items"][0]
    api.post("/api/reminders", {"offer": newest["offer"], "before_s": 1}, 201, **amy)
    for reminder in ("0", "-1", "1.0", "９", "9" * 19, "9" * 30, "x"):
        api.delete(f"/api/reminders/{reminder}", 404, **amy)
