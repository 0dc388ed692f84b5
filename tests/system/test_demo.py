"""Given demo sales at some age, a later start makes only what is missing, and touches no orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from admin import migrations
from admin.campaigns.states import state_of
from admin.campaigns.tables import campaigns
from admin.coupons import mine
from admin.coupons import service as coupon_service
from admin.paging import Page
from admin.resources import Resources
from admin.up import demo, demo_coupons, demo_promotions, demo_sessions
from gateway import offers
from gateway.orders.database import now_ms, reading, writing
from gateway.settings import Settings
from tests.conftest import RedisServer, wait_until


@pytest.fixture
def resources(tmp_path: Path, own_redis: RedisServer) -> Iterator[Resources]:
    database_url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(database_url)
    opened = Resources.open(
        Settings.from_env(
            {
                "SECKILL_REDIS_URL": own_redis.url,
                "SECKILL_DATABASE_URL": database_url,
                "SECKILL_ADMIN_KEY": "an-operator's-key-of-a-demo-0123456789",
            }
        )
    )
    yield opened
    opened.close()


def by_state(resources: Resources) -> dict[str, list[str]]:
    """Codes of demo sales that are not archived, by state; without those in sessions."""
    found: dict[str, list[str]] = {}
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        in_session = campaigns.c.code.startswith(demo_sessions.PREFIX)
        sales = select(campaigns).where(campaigns.c.demo, campaigns.c.type == "seckill", ~in_session)
        for row in connection.execute(sales.where(campaigns.c.archived.is_(False))):
            found.setdefault(state_of(row, now), []).append(row.code)
    return found


def promotions(resources: Resources) -> dict[str, str]:
    """Codes of running demo promotions by type."""
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        rows = connection.execute(select(campaigns).where(campaigns.c.demo, campaigns.c.type != "seckill"))
        return {row.type: row.code for row in rows if state_of(row, now) == "running"}


def refresh(resources: Resources) -> dict[str, list[str]]:
    """Refresh, and wait until the sale that is made to end has ended."""
    demo.refresh(resources)
    wait_until(lambda: "ended" in by_state(resources), what="the end of a sale")
    return by_state(resources)


def shift(resources: Resources, code: str, by_ms: int) -> None:
    """Let a sale's window pass earlier, as if time had gone by."""
    with writing(resources.engine) as connection:
        connection.execute(
            update(campaigns)
            .where(campaigns.c.code == code)
            .values(starts_at_ms=campaigns.c.starts_at_ms - by_ms, ends_at_ms=campaigns.c.ends_at_ms - by_ms)
        )


def test_the_first_start_makes_one_sale_of_each_kind(resources: Resources) -> None:
    found = refresh(resources)
    assert {state: len(codes) for state, codes in found.items()} == {"running": 1, "not_started": 1, "ended": 1}

    # And the running one is in Redis, marked as a demo, and sells.
    offer = offers.read(resources.redis, f"{found['running'][0]}-demo-kettle")
    assert offer is not None
    assert offer.left == 200
    assert offer.card["demo"] is True


def test_a_start_soon_after_changes_nothing(resources: Resources) -> None:
    found = refresh(resources)
    assert refresh(resources) == found


def test_promotions_run_beside_the_sales_and_are_made_again_when_over(resources: Resources) -> None:
    refresh(resources)
    found = promotions(resources)
    assert set(found) == set(demo_promotions.PROMOTIONS)
    shift(resources, found["bundle"], demo_promotions.LASTS_MS)
    refresh(resources)
    again = promotions(resources)
    assert again["bundle"] != found["bundle"]
    assert {**again, "bundle": ""} == {**found, "bundle": ""}


def test_the_session_that_is_on_and_the_next_have_a_sale_and_older_ones_go(resources: Resources) -> None:
    refresh(resources)

    def held() -> dict[str, str]:
        with reading(resources.engine) as connection:
            now = now_ms(connection)
            rows = connection.execute(select(campaigns).where(campaigns.c.code.startswith(demo_sessions.PREFIX)))
            return {row.code: state_of(row, now) for row in rows}

    found = held()
    # In the last minute of a session the two that follow have one.
    assert sorted(found.values()) in (["not_started", "running"], ["not_started", "not_started"])
    refresh(resources)
    assert held() == found
    old = next(iter(found))
    shift(resources, old, 3 * demo_sessions.KEPT_MS)
    refresh(resources)
    wait_until(lambda: old not in held(), what="the sale to be forgotten")


def test_coupons_may_be_claimed_and_are_made_again_when_over(resources: Resources) -> None:
    refresh(resources)
    refresh(resources)
    first, second = mine.page(resources, None, Page(), "en").items
    assert {first.state, second.state} == {"claimable"}
    coupon_service.end(resources, first.code, actor=demo.ACTOR)
    refresh(resources)
    again = {each.code for each in mine.page(resources, None, Page(), "en").items}
    assert len(again) == len(demo_coupons.COUPONS)
    assert again & {first.code, second.code} == {second.code}


def test_what_is_over_is_made_again_under_a_new_code(resources: Resources) -> None:
    # Given demo sales that have all run their course,
    found = refresh(resources)
    for code in (*found["running"], *found["not_started"]):
        shift(resources, code, 24 * 3_600_000)

    # when `up` starts again, then there is one of each kind again, and the old ones are among the ended.
    again = refresh(resources)
    assert again["running"] != found["running"]
    assert again["not_started"] != found["not_started"]
    assert {*found["running"], *found["not_started"]} <= {*again["ended"]}


def test_an_announced_sale_that_has_opened_is_followed_by_another(resources: Resources) -> None:
    found = refresh(resources)
    shift(resources, found["not_started"][0], demo.OPENS_IN_MS)
    again = refresh(resources)
    assert len(again["running"]) == 2
    assert len(again["not_started"]) == 1


def test_only_a_few_ended_sales_are_kept(resources: Resources) -> None:
    for _ in range(demo.ENDED_KEPT + 1):
        for codes in refresh(resources).values():
            for code in codes:
                shift(resources, code, 24 * 3_600_000)
    assert len(refresh(resources)["ended"]) == demo.ENDED_KEPT
