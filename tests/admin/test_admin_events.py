"""Given things that happen, other systems hear of each in order, at least once, whatever breaks in between."""

from __future__ import annotations

import hashlib
import hmac
import math
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from receiving import Receiver
from sidecar import ACTOR, Shop
from sqlalchemy import insert, select, update

from admin.campaigns import service as campaigns
from admin.errors import Invalid
from admin.events import delivering, outbox, sending, service
from admin.events.delivering import Delivering
from admin.events.models import EventFilter, EventPage, Webhook
from admin.events.tables import webhooks
from admin.resources import Resources
from gateway.orders.database import now_ms, open_engine, reading, writing
from gateway.orders.tables import MADE_TOGETHER, events
from tests.conftest import wait_until

MINUTE_MS = 60_000
on_sqlite = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
"""For what is the same on every database."""


def happen(resources: Resources, *subjects: str, kind: str = "order.paid") -> None:
    with writing(resources.engine) as connection:
        for subject in subjects:
            outbox.tell(connection, kind, subject, {"after": "paid"}, now_ms(connection))


def numbered(resources: Resources) -> None:
    while outbox.number_some(resources.engine):
        pass


def let_age(resources: Resources, *subjects: str, at_ms: int = 5) -> None:
    with writing(resources.engine) as connection:
        connection.execute(update(events).where(events.c.subject.in_(subjects)).values(at_ms=at_ms))


def listed(
    resources: Resources, after: int = 0, kind: str | None = None, limit: int = 500
) -> list[tuple[int, str]]:
    return [(each.number, each.subject) for each in page(resources, after, kind, limit).items]


def page(resources: Resources, after: int = 0, kind: str | None = None, limit: int = 500) -> EventPage:
    return service.events_page(resources, EventFilter.model_construct(after=after, kind=kind, limit=limit))


def hook(resources: Resources, url: str, *kinds: str) -> Webhook:
    return service.create(resources, {"url": url, "kinds": list(kinds)}, actor=ACTOR)


def due_now(resources: Resources, made: Webhook) -> None:
    """As if the time to wait were over."""
    with writing(resources.engine) as connection:
        connection.execute(update(webhooks).where(webhooks.c.id == made.id).values(next_try_at_ms=0))


@pytest.fixture
def rounds(resources: Resources) -> Iterator[Delivering]:
    """The rounds without their thread: a test makes each when it wants it."""
    made = Delivering(resources)
    yield made
    made.stop()


def deliver(rounds: Delivering, resources: Resources) -> None:
    """Rounds until nothing is left that could be sent now; a slow machine needs more than one."""
    rounds.round()
    while True:
        for run in rounds._runs.values():
            run.result(10)
        if not delivering.due(resources.engine):
            return
        rounds.round()


def test_events_are_numbered_in_order_and_expanded(resources: Resources) -> None:
    happen(resources, "a", "b")
    with writing(resources.engine) as connection:
        body = {"orders": ["n1", "n2", "n3"], "before": None, "after": "pending", "flow": "seckill"}
        connection.execute(insert(events).values(kind=MADE_TOGETHER, subject="orders", at_ms=7, body=body))
    happen(resources, "c", kind="campaign.paused")
    assert listed(resources) == []
    numbered(resources)
    everything = [(1, "a"), (2, "b"), (3, "n1"), (4, "n2"), (5, "n3"), (6, "c")]
    assert listed(resources) == everything
    # Pages may end anywhere, also within what was written as one row.
    seen: list[tuple[int, str]] = []
    last = 0
    for _ in range(4):
        some = page(resources, last, limit=2)
        seen += [(each.number, each.subject) for each in some.items]
        last = some.last
    assert (seen, last) == (everything, 6)
    assert listed(resources, kind="order.created") == everything[2:5]
    assert listed(resources, kind="order.*") == everything[:5]
    assert listed(resources, kind="campaign.*", after=2) == everything[5:]
    assert listed(resources, kind="orders.*") == listed(resources, kind="orders.created") == []
    made = page(resources, 2).items[0]
    assert (made.kind, made.data) == ("order.created", {"before": None, "after": "pending", "flow": "seckill"})
    assert len({each.id for each in page(resources).items}) == 6


def test_what_is_committed_late_gets_a_later_number(resources: Resources) -> None:
    """An id that was taken early and committed late is the case in which a reader by id would lose an event."""
    if resources.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    other = open_engine(resources.settings.database_url)
    with other.connect() as late:
        outbox.tell(late, "order.paid", "late", {}, 1)
        happen(resources, "early")
        numbered(resources)
        assert listed(resources) == [(1, "early")]
        late.commit()
    numbered(resources)
    assert listed(resources, after=1) == [(2, "late")]
    with reading(resources.engine) as connection:
        ids = connection.execute(select(events.c.id).order_by(events.c.number)).scalars().all()
    assert ids == sorted(ids, reverse=True)
    other.dispose()


def test_two_that_number_at_once_give_each_number_once(resources: Resources) -> None:
    happen(resources, *(f"s{number}" for number in range(450)))
    together = [threading.Thread(target=numbered, args=(resources,)) for _ in range(3)]
    for each in together:
        each.start()
    for each in together:
        each.join()
    assert [number for number, _ in listed(resources)] == list(range(1, 451))


def test_a_receiver_gets_what_it_wants_signed_and_in_order(resources: Resources, rounds: Delivering) -> None:
    happen(resources, "before")
    numbered(resources)
    with Receiver() as receiver:
        made = hook(resources, receiver.url, "order.*", "refund.settled")
        happen(resources, "a", "b")
        happen(resources, "c", kind="campaign.paused")
        happen(resources, "d", kind="refund.settled")
        happen(resources, "e", kind="refund.started")
        deliver(rounds, resources)
    assert receiver.subjects() == ["a", "b", "d"]
    first = receiver.got[0]
    assert {**first.event, "at": None, "id": None} == {
        "id": None,
        "kind": "order.paid",
        "subject": "a",
        "at": None,
        "number": 2,
        "data": {"after": "paid"},
    }
    assert first.headers["X-Seckill-Event"] == first.event["id"]
    stamp, signature = (part[2:] for part in first.headers["X-Seckill-Signature"].split(",", 1))
    assert made.secret is not None
    signed = b"%s.%s" % (stamp.encode(), first.body)
    assert signature == "=" + hmac.new(made.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert abs(time.time() - int(stamp)) < 60
    # What it does not want is behind it, too, so that events may be forgotten.
    seen = service.read(resources, made.id)
    assert (seen.position, seen.behind, seen.attempts, seen.last_error) == (6, 0, 0, None)
    assert seen.secret is None
    assert service.secret(resources, made.id, actor=ACTOR).secret == made.secret


def test_a_refused_event_is_sent_again_and_later_ones_wait(
    resources: Resources, rounds: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "BACKOFF_MIN_MS", MINUTE_MS)
    answers = iter([200, 500, 302, 0, 202, 200])
    with Receiver(lambda *_: next(answers)) as receiver:
        made = hook(resources, receiver.url)
        happen(resources, "a", "b", "c")
        waits = []
        for attempts, error in ((1, "answered 500"), (2, "answered 302"), (3, "closed connection"), (0, None)):
            deliver(rounds, resources)
            seen = service.read(resources, made.id)
            assert seen.attempts == attempts
            assert (seen.last_error is None) if error is None else (error in str(seen.last_error))
            with reading(resources.engine) as connection:
                row = connection.execute(select(webhooks)).one()
                waits.append(math.ceil((row.next_try_at_ms - now_ms(connection)) / MINUTE_MS))
            # Nothing is sent before it is time.
            count = len(receiver.got)
            deliver(rounds, resources)
            assert len(receiver.got) == count
            due_now(resources, made)
    assert receiver.subjects() == ["a", "b", "b", "b", "b", "c"]
    assert len(set(receiver.ids())) == 3
    assert waits == [1, 2, 4, 0]
    monkeypatch.undo()
    assert [delivering.backoff_ms(attempts) for attempts in (1, 5, 10, 11, 99)] == [
        1000,
        16_000,
        512_000,
        600_000,
        600_000,
    ]


@on_sqlite
def test_nobody_there_and_nobody_who_answers(
    resources: Resources, rounds: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ANSWER_WITHIN_S", 0.2)
    answered = threading.Event()

    def silent(*_: Any) -> int:
        answered.wait(10)
        return 200

    with Receiver() as gone:
        nowhere = hook(resources, gone.url)
    with Receiver(silent) as receiver:
        slow = hook(resources, receiver.url)
        happen(resources, "a")
        deliver(rounds, resources)
        assert "refused" in str(service.read(resources, nowhere.id).last_error)
        assert "timed out" in str(service.read(resources, slow.id).last_error)
        answered.set()


@on_sqlite
def test_a_receiver_that_drips_is_hung_up_on_and_keeps_nobody_waiting(
    resources: Resources, rounds: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()

    def drip(_event: Any, handler: Any) -> int:
        with suppress(OSError):
            while not stop.wait(0.02):
                handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return 0

    monkeypatch.setattr(sending, "DONE_WITHIN_S", 0.1)
    with Receiver(drip) as receiver, Receiver() as quick:
        slow, other = hook(resources, receiver.url), hook(resources, quick.url)
        happen(resources, "a")
        rounds.round()
        wait_until(lambda: service.read(resources, other.id).behind == 0, what="the quick one")

        def given_up() -> bool:
            rounds.round()
            return service.read(resources, slow.id).attempts == 1

        wait_until(given_up, what="the end of the slow one")
        assert service.read(resources, slow.id).last_error == "took too long"
        stop.set()


def test_what_was_sent_and_not_marked_comes_again_with_its_id(resources: Resources, rounds: Delivering) -> None:
    with Receiver() as receiver:
        made = hook(resources, receiver.url)
        happen(resources, "a", "b")
        numbered(resources)
        # A process that sends and is killed before it can say so:
        claimed = delivering.claim(resources.engine, made.id)
        assert claimed is not None
        dying = sending.Receiver(receiver.url, "whs_any")
        dying.tell(claimed.events[0].id, sending.body_of(resources, claimed.events[0]))
        dying.close()
        # As long as its claim holds, nobody else sends.
        assert delivering.claim(resources.engine, made.id) is None
        deliver(rounds, resources)
        assert receiver.subjects() == ["a"]
        due_now(resources, made)
        deliver(rounds, resources)
        assert receiver.subjects() == ["a", "a", "b"]
        assert receiver.ids()[0] == receiver.ids()[1]
        # Should it be alive after all, its word does not count any more.
        assert not delivering.settle(resources.engine, claimed, claimed.events[0].number, "late")
        assert service.read(resources, made.id).behind == 0


def test_two_processes_do_not_send_everything_twice(resources: Resources, rounds: Delivering) -> None:
    engine = open_engine(resources.settings.database_url)
    other = Delivering(replace(resources, engine=engine))
    with Receiver() as receiver:
        made = hook(resources, receiver.url)
        happen(resources, *(f"s{number}" for number in range(150)))
        numbered(resources)

        def all_had() -> bool:
            rounds.round()
            other.round()
            return service.read(resources, made.id).behind == 0

        wait_until(all_had, what="every event")
    other.stop()
    engine.dispose()
    assert receiver.subjects() == [f"s{number}" for number in range(150)]


@on_sqlite
def test_replay_pause_and_change(resources: Resources, rounds: Delivering) -> None:
    with Receiver() as receiver, Receiver() as moved:
        made = hook(resources, receiver.url)
        happen(resources, "a", "b", "c")
        deliver(rounds, resources)
        replayed = service.replay(resources, made.id, {"after": 1}, actor=ACTOR)
        assert (replayed.position, replayed.behind) == (1, 2)
        deliver(rounds, resources)
        assert receiver.subjects() == ["a", "b", "c", "b", "c"]
        with pytest.raises(Invalid):
            service.replay(resources, made.id, {"after": 4}, actor=ACTOR)
        service.change(resources, made.id, {"paused": True}, actor=ACTOR)
        happen(resources, "d")
        deliver(rounds, resources)
        assert len(receiver.got) == 5
        service.change(resources, made.id, {"paused": False, "url": moved.url}, actor=ACTOR)
        deliver(rounds, resources)
        assert moved.subjects() == ["d"]
        assert service.send_ping(resources, made.id).taken
        assert moved.got[-1].event["kind"] == "ping"
        moved.answer = lambda *_: 410
        assert service.send_ping(resources, made.id).error == "answered 410"
        assert service.read(resources, made.id).behind == 0
        service.remove(resources, made.id, actor=ACTOR)
        happen(resources, "e")
        deliver(rounds, resources)
        assert len(moved.got) == 3


def test_old_events_go_when_every_webhook_has_had_them(resources: Resources, rounds: Delivering) -> None:
    with Receiver() as receiver:
        made = hook(resources, receiver.url)
        happen(resources, "old", "older", "new")
        numbered(resources)
        let_age(resources, "old", "older")
        assert outbox.forget_old(resources.engine, 60) == 0
        # Young while they are delivered, as a round forgets as well.
        let_age(resources, "old", "older", at_ms=2**42)
        deliver(rounds, resources)
        # That it was taken is written down after the receiver has it.
        wait_until(lambda: service.read(resources, made.id).position == 3, what="the mark")
    let_age(resources, "old", "older")
    assert outbox.forget_old(resources.engine, 60) == 2
    assert listed(resources) == [(3, "new")]
    assert outbox.forget_old(resources.engine, 60) == 0
    # Numbers go on where they were, even when nothing is left.
    let_age(resources, "new")
    assert outbox.forget_old(resources.engine, 60) == 1
    happen(resources, "next")
    numbered(resources)
    assert listed(resources) == [(4, "next")]
    assert service.read(resources, made.id).position == 3


def test_campaigns_tell_what_becomes_of_them(shop: Shop) -> None:
    about = {"type": "item_discount", "rule": {"percent_off": 10}, "items": [{"sku": shop.product()}]}
    code = shop.campaign(**about).code
    campaigns.pause(shop.resources, code, actor=ACTOR)
    campaigns.pause(shop.resources, code, actor=ACTOR)
    campaigns.resume(shop.resources, code, actor=ACTOR)
    campaigns.terminate(shop.resources, code, {}, actor=ACTOR)
    campaigns.delete_campaign(shop.resources, code, actor=ACTOR)
    draft = shop.campaign(**about, draft=True).code
    campaigns.publish(shop.resources, draft, actor=ACTOR)
    numbered(shop.resources)
    told = page(shop.resources, kind="campaign.*").items
    assert [(each.subject, each.kind.removeprefix("campaign.")) for each in told] == [
        *((code, kind) for kind in ("published", "paused", "resumed", "terminated", "deleted")),
        (draft, "created"),
        (draft, "published"),
    ]
    assert told[1].data == {"action": "pause", "type": "item_discount", "revision": 2}
