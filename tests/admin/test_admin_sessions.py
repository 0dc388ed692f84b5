"""Given sessions in the shop's zone, each date has their right instants, and clocks that change do not matter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar import ACTOR, Api, Shop, fields_of
from sqlalchemy import update

from admin.campaigns.tables import campaigns
from admin.sessions import service
from admin.sessions.occurrence import occurrence
from gateway.orders.database import reading, writing

TAIPEI, BERLIN, NEW_YORK, LORD_HOWE = (
    ZoneInfo(name) for name in ("Asia/Taipei", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
)


@dataclass(frozen=True)
class Times:
    starts: str
    ends: str


def shown(times: Times, day: str, zone: ZoneInfo) -> tuple[str, str]:
    starts, ends = (
        datetime.fromtimestamp(each / 1000, UTC).astimezone(zone).isoformat(timespec="minutes")
        for each in occurrence(times, date.fromisoformat(day), zone)
    )
    return starts, ends


@pytest.mark.parametrize(
    ("zone", "times", "day", "starts", "ends"),
    [
        (TAIPEI, ("20:00", "22:00"), "2026-11-21", "2026-11-21T20:00+08:00", "2026-11-21T22:00+08:00"),
        # 00:00 is a time like any other; an end that is not after the start is the next day's.
        (TAIPEI, ("00:00", "06:00"), "2026-11-21", "2026-11-21T00:00+08:00", "2026-11-21T06:00+08:00"),
        (TAIPEI, ("20:00", "00:00"), "2026-12-31", "2026-12-31T20:00+08:00", "2027-01-01T00:00+08:00"),
        (TAIPEI, ("23:30", "00:30"), "2028-02-29", "2028-02-29T23:30+08:00", "2028-03-01T00:30+08:00"),
        (TAIPEI, ("12:00", "12:00"), "2026-11-21", "2026-11-21T12:00+08:00", "2026-11-22T12:00+08:00"),
        # Berlin skips 02:00 to 03:00: what lies in between becomes 03:00.
        (BERLIN, ("01:00", "04:00"), "2026-03-29", "2026-03-29T01:00+01:00", "2026-03-29T04:00+02:00"),
        (BERLIN, ("02:30", "04:00"), "2026-03-29", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"),
        (BERLIN, ("02:00", "02:59"), "2026-03-29", "2026-03-29T03:00+02:00", "2026-03-29T03:00+02:00"),
        (BERLIN, ("23:00", "02:30"), "2026-03-28", "2026-03-28T23:00+01:00", "2026-03-29T03:00+02:00"),
        # It shows 02:00 to 03:00 twice: the first time counts.
        (BERLIN, ("02:30", "03:30"), "2026-10-25", "2026-10-25T02:30+02:00", "2026-10-25T03:30+01:00"),
        (BERLIN, ("01:00", "02:30"), "2026-10-25", "2026-10-25T01:00+02:00", "2026-10-25T02:30+02:00"),
        (NEW_YORK, ("02:30", "12:00"), "2026-03-08", "2026-03-08T03:00-04:00", "2026-03-08T12:00-04:00"),
        (NEW_YORK, ("01:30", "02:00"), "2026-11-01", "2026-11-01T01:30-04:00", "2026-11-01T02:00-05:00"),
        (NEW_YORK, ("00:00", "23:59"), "2026-11-01", "2026-11-01T00:00-04:00", "2026-11-01T23:59-05:00"),
        # Clocks that change by half an hour.
        (LORD_HOWE, ("02:15", "03:00"), "2026-10-04", "2026-10-04T02:30+11:00", "2026-10-04T03:00+11:00"),
    ],
    ids=lambda value: f"{value}".replace(" ", "") if isinstance(value, str | tuple) else None,
)
def test_a_session_takes_place(zone: ZoneInfo, times: tuple[str, str], day: str, starts: str, ends: str) -> None:
    assert shown(Times(*times), day, zone) == (starts, ends)


MINUTES = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")


@given(
    st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE]),
    st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    MINUTES,
    MINUTES,
)
def test_clocks_show_the_time_or_have_just_skipped_it(zone: ZoneInfo, day: date, starts: str, ends: str) -> None:
    first, after = occurrence(Times(starts, ends), day, zone)
    assert first <= after
    at = datetime.fromtimestamp(first / 1000, UTC)
    wall = at.astimezone(zone).replace(tzinfo=None)
    wanted = datetime.fromisoformat(f"{day}T{starts}")
    just_before = (at - timedelta(milliseconds=1)).astimezone(zone).replace(tzinfo=None)
    assert wall == wanted or just_before < wanted < wall
    # No earlier instant shows it.
    earlier = (at - timedelta(hours=1)).astimezone(zone).replace(tzinfo=None)
    assert earlier < wanted


def test_a_session_lives_and_dies(api: Api) -> None:
    made = api.post("/sessions", {"name": "Evening Rush!", "starts": "20:00", "ends": "00:00"}, 201)
    assert (made["id"], made["starts"], made["ends"]) == ("evening-rush", "20:00", "00:00")
    assert made["crosses_midnight"]
    assert api.post("/sessions", {"name": "晚場", "starts": "19:00", "ends": "20:00"}, 201)["id"] == "at-1900"
    noon = api.post("/sessions", {"id": "noon", "name": "午場", "starts": "12:00", "ends": "14:00"}, 201)
    assert not noon["crosses_midnight"]
    api.post("/sessions", {"name": "evening rush", "starts": "01:00", "ends": "02:00"}, 409)
    page = api.get("/sessions?limit=2")
    assert [each["id"] for each in page["items"]] == ["noon", "at-1900"]
    assert [each["id"] for each in api.get(f"/sessions?cursor={page['next']}")["items"]] == ["evening-rush"]
    changed = api.patch("/sessions/noon", {"ends": "00:00"}, headers={"If-Match": '"1"'})
    assert (changed["crosses_midnight"], changed["revision"]) == (True, 2)
    api.patch("/sessions/noon", {"name": "x"}, 412, headers={"If-Match": '"1"'})
    assert api.get("/sessions/noon") == changed
    assert api.delete("/sessions/noon") == {"deleted": "noon"}
    api.get("/sessions/noon", 404)
    log = api.get("/audit?kind=session&subject=noon")["items"]
    assert [each["action"] for each in log] == ["delete", "change", "create"]


def test_times_that_are_none_are_refused(api: Api) -> None:
    body = {"name": "Noon", "starts": "12:00", "ends": "14:00"}
    for wrong, code in (
        ("24:00", "bad_form"),
        ("9:00", "bad_form"),
        ("12:00", "empty_session"),
        (900, "not_a_text"),
    ):
        assert fields_of(api.post("/sessions", {**body, "ends": wrong}, 422)) == {"ends": code}
    api.post("/sessions", body, 201)
    assert fields_of(api.patch("/sessions/noon", {"starts": "14:00"}, 422)) == {"ends": "empty_session"}
    assert set(fields_of(api.patch("/sessions/noon", {"name": None, "ends": None}, 422))) == {"name", "ends"}


def test_a_live_campaign_holds_its_session(api: Api, shop: Shop) -> None:
    body = {"id": "noon", "name": "Noon", "starts": "12:00", "ends": "14:00"}
    service.create(shop.resources, body, actor=ACTOR)
    service.create(shop.resources, {**body, "id": "night"}, actor=ACTOR)
    campaign = shop.campaign()
    with writing(shop.resources.engine) as connection:
        row = connection.execute(campaigns.select().where(campaigns.c.code == campaign.code)).one()
        rule = {**row.terms["rule"], "session": {"id": "noon", "date": "2026-11-21"}}
        connection.execute(update(campaigns).values(terms={**row.terms, "rule": rule}))
        assert service.find(connection, "noon") is not None
    api.delete("/sessions/night")
    assert api.delete("/sessions/noon", 409)["campaign"] == campaign.code
    with writing(shop.resources.engine) as connection:
        connection.execute(update(campaigns).values(terminated_at_ms=1))
    api.delete("/sessions/noon")
    with reading(shop.resources.engine) as connection:
        assert service.find(connection, "noon") is None
