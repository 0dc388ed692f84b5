"""Given shoppers who asked to be reminded, each hears once, at the right time, whatever dies meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import orjson
import pytest
from reminded import HOUR_S, ask, noticed, offer_of, row, streamed
from sidecar import ACTOR, Shop
from sqlalchemy import func, insert, select, update

from admin.campaigns import editing
from admin.campaigns import service as campaigns
from admin.notices.tables import notices
from admin.reminders import sending, service
from admin.reminders.tables import reminders
from admin.resources import Resources
from gateway import keys
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import offers


@pytest.fixture
def resources(resources: Resources, own_reminders: None) -> Resources:
    return resources


def run(resources: Resources) -> None:
    """One whole round."""
    while sending.notify(resources):
        pass
    sending.announce(resources)


# When and to whom.


def test_a_due_reminder_is_a_notice_and_a_message_once(shop: Shop) -> None:
    offer = offer_of(shop.later())
    number = ask(shop, offer, "amy")
    for _ in range(3):
        run(shop.resources)
    (notice,) = noticed(shop, "amy")
    (message,) = streamed(shop)
    assert row(shop, number).state == "sent"
    assert (message["reminder"], message["shopper"], message["offer"]) == (str(number), "amy", offer)
    assert orjson.loads(message["data"]) == notice.data
    starts_at_ms = shop.row(offer).starts_at_ms
    assert notice.data["starts_at"] == shop.resources.iso(starts_at_ms)
    assert (notice.data["name"], notice.data["price"], notice.data["currency"]) == ("Kettle", 9900, "CNY")


def test_nothing_comes_before_it_is_due(shop: Shop) -> None:
    number = ask(shop, offer_of(shop.later()), "amy", before_s=HOUR_S - 60)
    run(shop.resources)
    assert row(shop, number).state == "waiting"
    assert (noticed(shop, "amy"), streamed(shop)) == ([], [])


@pytest.mark.parametrize(("start_in_s", "state"), [(60, "sent"), (3 * HOUR_S, "waiting")])
def test_it_follows_a_start_that_moves(shop: Shop, start_in_s: int, state: str) -> None:
    # Given a reminder two minutes before a start in an hour,
    campaign = shop.later()
    number = ask(shop, offer_of(campaign), before_s=120)
    # when the start is moved,
    starts_at_ms = shop.now_ms() + start_in_s * 1000
    change = {"starts_at": starts_at_ms, "ends_at": starts_at_ms + HOUR_S * 1000}
    editing.change(shop.resources, campaign.code, change, actor=ACTOR)
    # then it is due at the same distance from the new one.
    assert row(shop, number).due_at_ms == starts_at_ms - 120_000
    run(shop.resources)
    assert row(shop, number).state == state


def test_a_due_time_that_was_left_behind_is_put_right_instead_of_called(shop: Shop) -> None:
    # Given a start that moved without its reminders,
    offer = offer_of(shop.later())
    number = ask(shop, offer)
    with writing(shop.resources.engine) as connection:
        later = {"starts_at_ms": offers.c.starts_at_ms + 600_000, "ends_at_ms": offers.c.ends_at_ms + 600_000}
        connection.execute(update(offers).where(offers.c.id == offer).values(**later))
    run(shop.resources)
    assert row(shop, number).state == "waiting"
    assert row(shop, number).due_at_ms > shop.now_ms()


def test_asking_again_changes_when(shop: Shop) -> None:
    offer = offer_of(shop.later())
    first = ask(shop, offer, "amy", before_s=60)
    assert ask(shop, offer, "amy", before_s=120) == first
    assert row(shop, first).before_ms == 120_000
    assert row(shop, first).due_at_ms == shop.row(offer).starts_at_ms - 120_000


def test_asking_again_after_it_was_sent_is_a_new_one_with_a_new_number(shop: Shop) -> None:
    offer = offer_of(shop.later())
    first = ask(shop, offer, "amy")
    run(shop.resources)
    second = ask(shop, offer, "amy", before_s=HOUR_S + 1)
    run(shop.resources)
    assert second > first
    assert [each["reminder"] for each in streamed(shop)] == [str(first), str(second)]
    assert len(noticed(shop, "amy")) == 2


def test_a_withdrawn_reminder_never_comes_and_its_number_neither(shop: Shop) -> None:
    offer = offer_of(shop.later())
    first = ask(shop, offer, "amy")
    service.withdraw(shop.resources, "amy", str(first))
    run(shop.resources)
    assert noticed(shop, "amy") == []
    # The database must not give the number away again: marks in Redis and causes of notices are named by it.
    assert ask(shop, offer, "amy") > first


@pytest.mark.parametrize("end", ["terminate", "delete", "remove item", "over"])
def test_a_reminder_of_a_sale_that_will_not_start_is_dropped_with_the_reason(shop: Shop, end: str) -> None:
    campaign = shop.later()
    offer = offer_of(campaign)
    number = ask(shop, offer, "amy")
    match end:
        case "terminate":
            campaigns.terminate(shop.resources, campaign.code, {}, actor=ACTOR)
        case "delete":
            campaigns.delete_campaign(shop.resources, campaign.code, actor=ACTOR)
        case "remove item":
            with writing(shop.resources.engine) as connection:
                connection.execute(update(offers).where(offers.c.id == offer).values(state="terminated"))
        case "over":
            now = shop.now_ms()
            with writing(shop.resources.engine) as connection:
                window = {"starts_at_ms": now - 2, "ends_at_ms": now - 1}
                connection.execute(update(offers).where(offers.c.id == offer).values(**window))
    run(shop.resources)
    found = row(shop, number)
    reasons = {"terminate": "terminated", "delete": "removed", "remove item": "terminated", "over": "ended"}
    assert (found.state, found.reason) == ("dropped", reasons[end])
    assert (noticed(shop, "amy"), streamed(shop)) == ([], [])


def test_a_paused_sale_calls_nobody_until_it_is_resumed(shop: Shop) -> None:
    campaign = shop.later()
    offer = offer_of(campaign)
    number = ask(shop, offer)
    with writing(shop.resources.engine) as connection:
        connection.execute(update(offers).where(offers.c.id == offer).values(state="paused"))
    run(shop.resources)
    assert row(shop, number).state == "waiting"
    with writing(shop.resources.engine) as connection:
        connection.execute(update(offers).where(offers.c.id == offer).values(state="open"))
    run(shop.resources)
    assert row(shop, number).state == "sent"


# Crashes, several processes, a Redis that is away.


def test_with_redis_away_the_notice_comes_and_the_message_follows(shop: Shop, broken_redis: Resources) -> None:
    number = ask(shop, offer_of(shop.later()), "amy")
    sending.notify(broken_redis)
    with pytest.raises(Exception, match="nobody"):
        sending.announce(broken_redis)
    assert len(noticed(shop, "amy")) == 1
    assert row(shop, number).state == "sending"
    run(shop.resources)
    assert [each["reminder"] for each in streamed(shop)] == [str(number)]
    assert len(noticed(shop, "amy")) == 1


class Crashed(Exception):
    """Stands for the end of the process."""


def test_a_crash_after_redis_and_before_the_database_repeats_nothing(shop: Shop) -> None:
    number = ask(shop, offer_of(shop.later()), "amy")
    sending.notify(shop.resources)
    # Given a process that dies as soon as Redis has answered,
    real = shop.resources.redis

    class DyingRedis:
        def evalsha(self, *given: Any) -> Any:
            real.script_load(sending.scripts.load("remind").source)
            real.evalsha(*given)
            raise Crashed

    with pytest.raises(Crashed):
        sending.announce(replace(shop.resources, redis=DyingRedis()))  # type: ignore[arg-type]
    assert row(shop, number).state == "sending"
    # then another finishes, and the message is there once.
    run(shop.resources)
    assert row(shop, number).state == "sent"
    assert len(streamed(shop)) == 1


def test_a_crash_before_the_commit_leaves_all_to_do(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    number = ask(shop, offer_of(shop.later()), "amy")

    def die(*_: Any) -> dict[str, Any]:
        raise Crashed

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_notice", die)
        with pytest.raises(Crashed):
            sending.notify(shop.resources)
    assert row(shop, number).state == "waiting"
    run(shop.resources)
    assert len(noticed(shop, "amy")) == 1
    assert len(streamed(shop)) == 1


def test_several_processes_at_once_send_each_once(shop: Shop) -> None:
    offer = offer_of(shop.later())
    now = shop.now_ms()
    count = 3 * sending.TOGETHER
    with writing(shop.resources.engine) as connection:
        about = {"offer": offer, "before_ms": 2 * HOUR_S * 1000, "due_at_ms": now, "state": "waiting"}
        rows = [{"shopper": f"many-{number}", "created_at_ms": now, **about} for number in range(count)]
        connection.execute(insert(reminders), rows)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while sending.notify(shop.resources) or sending.announce(shop.resources)[0]:
                pass
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    run(shop.resources)
    with reading(shop.resources.engine) as connection:
        states = connection.execute(select(reminders.c.state, func.count()).group_by(reminders.c.state)).all()
        told = connection.execute(select(func.count()).select_from(notices)).scalar_one()
    assert [tuple(each) for each in states] == [("sent", count)]
    ids = [each["reminder"] for each in streamed(shop)]
    assert (len(ids), len(set(ids)), told) == (count, count, count)


def test_a_full_stream_holds_messages_back_and_loses_none(shop: Shop) -> None:
    small = replace(shop.resources, settings=replace(shop.resources.settings, reminder_stream_max=2))
    offer = offer_of(shop.later())
    numbers = [ask(shop, offer) for _ in range(3)]
    run(small)
    assert [row(shop, each).state for each in numbers] == ["sent", "sent", "sending"]
    # When the mailer has handled and deleted one, the next follows.
    oldest: Any = shop.resources.redis.xrange(keys.reminders(), count=1)
    shop.resources.redis.xdel(keys.reminders(), oldest[0][0])
    run(small)
    assert row(shop, numbers[2]).state == "sent"
    assert [each["reminder"] for each in streamed(shop)] == [str(each) for each in numbers[1:]]


def test_old_notices_and_finished_reminders_are_forgotten_and_nothing_else(shop: Shop) -> None:
    offer = offer_of(shop.later())
    sent, waiting = ask(shop, offer, "amy"), ask(shop, offer, "bob", before_s=60)
    run(shop.resources)
    sending.forget_old(shop.resources)
    assert row(shop, sent).state == "sent"
    with writing(shop.resources.engine) as connection:
        long_ago = now_ms(connection) - shop.resources.settings.notices_keep_s * 1000 - 1
        connection.execute(update(reminders).values(due_at_ms=long_ago))
        connection.execute(update(notices).values(created_at_ms=long_ago))
    sending.forget_old(shop.resources)
    with reading(shop.resources.engine) as connection:
        assert connection.execute(select(reminders.c.id)).scalars().all() == [waiting]
    assert noticed(shop, "amy") == []


def test_a_shopper_who_asks_many_times_at_once_stays_within_the_limit(shop: Shop) -> None:
    few = replace(shop.resources, settings=replace(shop.resources.settings, reminders_max=3))
    wanted = [offer_of(shop.later()) for _ in range(6)]
    ask(shop, wanted[0], "amy")

    def work(offer: str) -> None:
        try:
            service.ask(few, "amy", {"offer": offer})
        except Exception as error:
            refusals.append(error)

    refusals: list[Exception] = []
    threads = [threading.Thread(target=work, args=(offer,)) for offer in wanted[1:]]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [type(each).__name__ for each in refusals] == ["Conflict"] * 3
    assert len(service.page(few, "amy", service.Page()).items) == 3


def test_the_same_reminder_asked_for_at_once_is_one(shop: Shop) -> None:
    offer = offer_of(shop.later())
    ids: set[int] = set()
    threads = [threading.Thread(target=lambda: ids.add(ask(shop, offer, "amy", before_s=60))) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(ids) == 1
