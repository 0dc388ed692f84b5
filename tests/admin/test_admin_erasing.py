"""Given a shopper who wants to be forgotten, nothing leads to them any more, and every cent stays."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis
from reminded import HOUR_S, offer_of
from reporting import goods, ordered
from sidecar import ACTOR, Shop, click
from sqlalchemy import insert, select, update

from admin.audit import service as audit
from admin.campaigns import service as campaigns
from admin.carts.tables import carts
from admin.coupons.tables import coupon_claims, coupon_codes
from admin.members import service as members
from admin.memberships.tables import membership_grants
from admin.payments.tables import payments, refunds
from admin.privacy import erasing, traces
from admin.privacy.erasing import CannotErase, Erased, erase
from admin.quotes.tables import quotes
from admin.reconcile.looking import broken as books_broken
from admin.reminders import sending, service
from admin.reports import campaign as campaign_report
from admin.reservations.ledger import Claim
from admin.reservations.tables import tallies
from admin.resources import Resources
from admin.tables import metadata
from gateway import keys, store
from gateway.orders import releases
from gateway.orders.database import reading, writing
from gateway.orders.ledger import Ledger
from gateway.orders.reconcile.looking import Stores, broken
from gateway.orders.tables import order_events, order_units, orders
from gateway.orders.writer import WriterTeam
from tests.conftest import RedisServer, wait_until

# What only they have: their name, where they live, their parcel.
AMY = "amy |, 'x' 💐"
STREET, PARCEL = "7 Hidden Lane", "PARCEL-4711"


@pytest.fixture
def resources(resources: Resources, own_redis: RedisServer) -> Iterator[Resources]:
    """With a Redis that can be searched through and through."""
    client = store.connect(own_redis.url)
    yield replace(resources, redis=client, settings=replace(resources.settings, redis_url=own_redis.url))
    client.close()


@contextmanager
def writing_orders(resources: Resources) -> Iterator[None]:
    team = WriterTeam(resources.settings, resources.engine)
    thread = threading.Thread(target=team.run)
    thread.start()
    try:
        yield
    finally:
        team.stop()
        thread.join()


def forget(shop: Shop) -> Erased:
    return erase(shop.resources.engine, shop.resources.redis, AMY)


def orders_of(shop: Shop, shopper: str) -> list[Any]:
    with reading(shop.resources.engine) as connection:
        return list(connection.execute(select(orders).where(orders.c.shopper == shopper)))


def win(shop: Shop, offer: str, *shoppers: str) -> None:
    """Let shoppers win, and the order writer write it down."""
    with writing_orders(shop.resources):
        assert click(shop.resources.redis, offer, list(shoppers)) == ["W"] * len(shoppers)
        wait_until(lambda: all(orders_of(shop, each) for each in shoppers), what="the orders")


def everywhere(shop: Shop) -> str:
    """All that database and Redis hold, as text."""
    found = []
    with reading(shop.resources.engine) as connection:
        for table in metadata.sorted_tables:
            found += [f"{table.name} {dict(row._mapping)}" for row in connection.execute(select(table))]
    redis: Any = shop.resources.redis
    for key in redis.scan_iter():
        reads: dict[bytes, Callable[[], Any]] = {
            b"hash": lambda key=key: sorted(redis.hgetall(key).items()),
            b"set": lambda key=key: sorted(redis.smembers(key)),
            b"zset": lambda key=key: redis.zrange(key, 0, -1),
            b"stream": lambda key=key: redis.xrange(key),
            b"string": lambda key=key: redis.get(key),
        }
        found.append(f"{key!r} {reads[redis.type(key)]()!r}")
    return "\n".join(sorted(found))


def leads_to_amy(text: str) -> list[str]:
    words = (AMY, "amy", repr(AMY.encode())[2:-1], STREET, PARCEL)
    return [line for line in text.splitlines() if any(word in line for word in words)]


def a_whole_life(shop: Shop) -> str:
    """Amy and Bob buy, are sent parcels and reminders; one more win of Amy's could not be written. The campaign."""
    resources = shop.resources
    campaign = shop.campaign()
    offer = offer_of(campaign)
    win(shop, offer, AMY, "bob")
    with writing(resources.engine) as connection:
        for row in connection.execute(select(orders)).all():
            about = {"status": "completed", "address": {"line1": STREET}, "tracking_no": PARCEL}
            mine = row.shopper == AMY
            values = about if mine else {"status": "completed"}
            connection.execute(update(orders).where(orders.c.order_no == row.order_no).values(**values))
            detail = {"tracking_no": PARCEL if mine else "OTHER", "carrier": "Post", "by": row.shopper}
            event = {"at_ms": 1, "actor": "shopper", "before": "paid", "after": "shipped", "detail": detail}
            connection.execute(insert(order_events).values(order_no=row.order_no, **event))
            audit.record(connection, "key-1", "ship", "order", row.order_no, after=detail)
    later = offer_of(shop.later())
    for shopper in (AMY, "bob"):
        service.ask(resources, shopper, {"offer": later, "before_s": HOUR_S + 60})
    sending.notify(resources)
    sending.announce(resources)
    letter = {"entry": "1-1", "ticket": "t", "offer": offer, "epoch": "1", "reason": "unit_taken"}
    for shopper in (AMY, "bob"):
        resources.redis.xadd(keys.dead(0), {"shopper": shopper, **letter})  # type: ignore[arg-type]
    campaigns.terminate(resources, campaign.code, {}, actor=ACTOR)
    for shopper in (AMY, "bob"):
        note = f"lives at {STREET}" if shopper == AMY else "lives elsewhere"
        members.create(resources, {"shopper": shopper, "note": note}, actor=ACTOR)
        members.change(resources, shopper, {"birthday": "02-29", "note": "a note"}, actor=ACTOR)
        with writing(resources.engine) as connection:
            times = {"created_at_ms": 1, "valid_until_ms": 2, "engine": 1, "change_number": 0}
            snapshot = f"quote of {shopper}".encode()
            connection.execute(
                insert(quotes).values(token=f"q-{shopper[:1]}", shopper=shopper, snapshot=snapshot, **times)
            )
    return str(campaign.code)


def compared(shop: Shop) -> list[str]:
    """What `seckill reconcile` finds, but for the dead letters, of which Amy's is gone afterwards."""
    resources = shop.resources
    ledger = Ledger(resources.engine, min_pay_window_ms=1000, currency="CNY")
    stores = Stores(resources.settings, resources.redis, resources.engine, ledger)
    return [str(each) for each in broken(stores) if not each.code.startswith("dead_letter")]


def figures_of(shop: Shop, code: str) -> dict[str, Any]:
    return campaign_report.make(shop.resources, code).model_dump(exclude={"generated_at"})


def test_nothing_leads_to_them_and_all_figures_stay(shop: Shop) -> None:
    code = a_whole_life(shop)
    (before,) = orders_of(shop, AMY)
    figures = figures_of(shop, code)
    assert len(leads_to_amy(everywhere(shop))) > 8

    assert forget(shop) == Erased(
        orders=1, reminders=1, notices=1, members=1, quotes=1, buyer_records=1, dead_letters=1, stream_entries=2
    )
    assert leads_to_amy(everywhere(shop)) == []
    assert figures_of(shop, code) == figures
    # The order is there to the cent, under a name that says nothing, the same in Redis and in the ledger.
    with reading(shop.resources.engine) as connection:
        after = connection.execute(select(orders).where(orders.c.order_no == before.order_no)).one()
        unit = connection.execute(select(order_units).where(order_units.c.order_no == before.order_no)).one()
    gone = {"shopper", "address", "tracking_no"}
    assert {name for name in before._mapping if before._mapping[name] != after._mapping[name]} == gone
    assert unit.shopper == after.shopper
    assert after.shopper.startswith("erased-")
    assert len(after.shopper) > 30
    assert shop.resources.redis.hexists(keys.buyers(before.offer, 1), after.shopper)
    # The books agree about the offer: nobody misses a ticket or finds one too many.
    assert compared(shop) == []
    # Everybody else's is untouched.
    everything = everywhere(shop)
    for trace in ("'shopper': 'bob'", "b'bob'", "OTHER", "'by': 'bob'", "b'quote of bob'", "'birthday': '02-29'"):
        assert trace in everything


def test_what_the_shop_counts_on_stays_under_the_pseudonym(shop: Shop) -> None:
    sku, engine = shop.product(), shop.resources.engine
    code = shop.campaign(
        type="item_discount", rule={"amount_off": 100}, items=[{"sku": sku}], limits={"per_shopper": 5}
    ).code
    for name in (AMY, "bob"):
        claims = [Claim("campaign_shopper", code, 1, 5, name), Claim("coupon_shopper", "SAVE", 1, 5, name)]
        line = goods(sku, [900], base=1000, campaign=code)
        about: dict[str, Any] = {"note": f"ring at {STREET}", "address": {"line1": STREET}} if name == AMY else {}
        order_no = ordered(shop, [line], "completed", shopper=name, claims=claims, **about)
        with writing(engine) as connection:
            connection.execute(insert(coupon_claims).values(coupon="SAVE", shopper=name, claimed_at_ms=1))
            connection.execute(
                insert(coupon_codes).values(code=f"C-{name}", coupon="SAVE", batch="b", shopper=name)
            )
            times = {"granted_at_ms": 1, "starts_at_ms": 1, "ends_at_ms": 2, "revoked": False}
            grant = {"order_no": order_no, "line": 1, "shopper": name, "level": 1, "days": 1, "units": 1}
            connection.execute(insert(membership_grants).values(**grant, **times))
            quote = {"shopper": name, "engine": 1, "change_number": 0, "created_at_ms": 1, "valid_until_ms": 2}
            connection.execute(insert(quotes).values(token=order_no, order_no=order_no, snapshot=b"facts", **quote))
            connection.execute(insert(carts).values(shopper=name, body={}, merged=[], revision=1, updated_at_ms=1))
        if name == AMY:
            with writing(engine) as connection:
                # Codes are made by chance, and lead to nobody.
                connection.execute(update(coupon_codes).values(code="C-1"))
    assert books_broken(engine) == []
    before = figures_of(shop, code)
    done = forget(shop)
    assert (done.orders, done.carts, done.coupon_claims, done.quotes) == (1, 1, 1, 0)
    assert leads_to_amy(everywhere(shop)) == []
    # Every count still is the sum of what it counts, and every order still has its quote.
    assert books_broken(engine) == []
    assert figures_of(shop, code) == before
    with reading(engine) as connection:
        owners = connection.execute(
            select(orders.c.shopper, quotes.c.shopper).join_from(
                orders, quotes, orders.c.order_no == quotes.c.order_no
            )
        ).all()
        assert len(owners) == 2
        assert all(of_order == of_quote for of_order, of_quote in owners)
        held = set(connection.execute(select(tallies.c.owner).where(tallies.c.kind == "coupon_shopper")).scalars())
    assert held == {of_order for of_order, _ in owners}
    assert forget(shop) == Erased()


def test_a_second_time_finds_nothing(shop: Shop) -> None:
    a_whole_life(shop)
    forget(shop)
    left = everywhere(shop)
    assert forget(shop) == Erased()
    assert str(forget(shop)) == "there was nothing to erase"
    assert everywhere(shop) == left


@pytest.mark.parametrize("step", ["rename", "delete_dead_letters", "delete_settled_entries"])
def test_after_a_crash_the_second_time_finishes(shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    a_whole_life(shop)

    class Crashed(Exception):
        pass

    def crash(*_: Any) -> int:
        raise Crashed

    with monkeypatch.context() as patch:
        patch.setattr(traces, step, crash)
        with pytest.raises(Crashed):
            forget(shop)
    forget(shop)
    assert leads_to_amy(everywhere(shop)) == []


@pytest.mark.parametrize(
    "status", ["pending", "deposit_paid", "balance_due", "awaiting_group", "paid", "refunding"]
)
def test_an_open_order_still_needs_its_shopper(shop: Shop, status: str) -> None:
    shop.order(offer_of(shop.campaign()), shopper=AMY, status="completed")
    open_order = shop.order(offer_of(shop.campaign()), shopper=AMY, status=status)
    refused(shop, f"nothing was erased: order {open_order} is {status}")


@pytest.mark.parametrize("status", ["shipped", "completed", "cancelled", "expired", "refunded"])
def test_an_order_that_needs_nobody_is_no_obstacle(shop: Shop, status: str) -> None:
    shop.order(offer_of(shop.campaign()), shopper=AMY, status=status)
    assert forget(shop).orders == 1


def test_a_refund_under_way_and_units_on_their_way_back_are_obstacles(shop: Shop) -> None:
    offer = offer_of(shop.campaign())
    number = shop.order(offer, shopper=AMY, status="expired")
    with writing(shop.resources.engine) as connection:
        about = {"order_no": number, "amount": 1, "state": "settled", "created_at_ms": 1}
        connection.execute(insert(payments).values(id="p1", provider="x", currency="CNY", plan={}, **about))
        about |= {"state": "sending", "payment": "p1", "units": [], "restock": False, "reason": "late"}
        del about["created_at_ms"]
        connection.execute(insert(refunds).values(id="r1", requested_by="late", requested_at_ms=1, **about))
        releases.request(connection, number, offer, AMY, [1], at_ms=1)
    refused(shop, f"a refund of order {number} is under way", f"units of order {number} are on their way")


def test_a_ticket_of_a_running_sale_is_an_obstacle(shop: Shop) -> None:
    campaign = shop.campaign()
    win(shop, offer_of(campaign), AMY)
    with writing(shop.resources.engine) as connection:
        connection.execute(update(orders).values(status="shipped"))
    refused(shop, f"the sale of {offer_of(campaign)} is not over and they hold a ticket")
    campaigns.pause(shop.resources, campaign.code, actor=ACTOR)
    refused(shop, "is not over")
    campaigns.terminate(shop.resources, campaign.code, {}, actor=ACTOR)
    assert forget(shop).buyer_records == 1


def test_a_win_that_is_not_written_yet_is_an_obstacle(shop: Shop) -> None:
    campaign = shop.campaign()
    click(shop.resources.redis, offer_of(campaign), [AMY])
    campaigns.terminate(shop.resources, campaign.code, {}, actor=ACTOR)
    refused(shop, "is not in the ledger")


def refused(shop: Shop, *sentences: str) -> None:
    """Erasing says why not, and nothing has changed."""
    before = everywhere(shop)
    with pytest.raises(CannotErase) as refusal:
        forget(shop)
    for sentence in sentences:
        assert sentence in str(refusal.value)
    assert everywhere(shop) == before


def test_the_command_says_what_it_did_or_why_not(shop: Shop) -> None:
    settings = shop.resources.settings
    environ = {"SECKILL_DATABASE_URL": settings.database_url, "SECKILL_REDIS_URL": settings.redis_url}

    def command(**given: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "admin.cli", "erase", "--shopper", AMY],
            check=False,
            env={**_plain_environment(), **environ, **given},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    number = shop.order(offer_of(shop.campaign()), shopper=AMY, status="pending")
    assert command() == (2, "", f"seckill: nothing was erased: order {number} is pending\n")
    with writing(shop.resources.engine) as connection:
        connection.execute(update(orders).values(status="cancelled"))
        connection.execute(update(order_units).values(active=False))
    assert command() == (0, "erased: 1 orders\n", "")
    code, out, error = command(SECKILL_REDIS_URL="redis://127.0.0.1:1/0")
    assert (code, out) == (2, "")
    assert error.startswith("seckill: SECKILL_REDIS_URL cannot be used: ")
    code, out, error = command(SECKILL_DATABASE_URL="sqlite:////nowhere/at/all.db")
    assert (code, out, error.count("\n")) == (2, "", 1)


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SECKILL_")}


def test_a_redis_that_is_away_changes_nothing(shop: Shop, broken_redis: Resources) -> None:
    shop.order(offer_of(shop.campaign()), shopper=AMY, status="completed")
    client: Redis = broken_redis.redis
    with pytest.raises(Exception, match="nobody"):
        erasing.erase(shop.resources.engine, client, AMY)
    assert len(orders_of(shop, AMY)) == 1
