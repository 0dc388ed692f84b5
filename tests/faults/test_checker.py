"""Given a history that breaks one promise, the checker says which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.made_up import OFFER, START_MS, Made, iso


def test_a_sale_that_went_well_has_no_breach() -> None:
    assert not Made().breaches()


BREAKS: list[tuple[str, str, Callable[[Made], Any]]] = [
    ("I1", "a unit is held twice", lambda made: made.change("bob", units=[1])),
    ("I1", "more is held than there is", lambda made: setattr(made.offer, "stock", 4)),
    ("I1", "a unit is beyond the stock", lambda made: made.change("bob", units=[6])),
    (
        "I1",
        "a unit is sold again before it came back",
        lambda made: made.change("eve", expire_at=iso(START_MS + 40_000)),
    ),
    (
        "I1",
        "a unit is sold again though nobody gave it up",
        lambda made: made.change("eve", status="paid"),
    ),
    ("I2", "a shopper holds two of one", lambda made: made.change("bob", shopper="amy")),
    ("I3", "a told order is missing", lambda made: made.end.orders.pop("n-amy")),
    ("I3", "a told order has another unit", lambda made: made.change("amy", units=[4])),
    ("I3", "a told order has another price", lambda made: made.change("amy", price=1)),
    ("I3", "a told order is somebody else's", lambda made: made.change("amy", shopper="zoe")),
    (
        "I3",
        "two receipts of one ticket",
        lambda made: made.op(
            "amy", 2, outcome="already_won", reply=made.clicks("amy")[0].reply | {"receipt": "other"}
        ),
    ),
    ("I3", "a held order lost its unit", lambda made: made.change("amy", units=[], units_released=[1])),
    (
        "I4",
        "an order of somebody who was refused",
        lambda made: setattr(made.clicks("dan")[0], "outcome", "busy"),
    ),
    ("I4", "an order older than its click", lambda made: made.change("dan", won_at=iso(START_MS + 29_000))),
    ("I4", "Redis lost a ticket", lambda made: made.offer.tickets.pop("amy")),
    ("I5", "a unit too many is left", lambda made: setattr(made.offer, "left", 1)),
    ("I5", "a change of the stock was lost", lambda made: made.act("stock", 10, delta=3)),
    ("I5", "a sold unit is on sale", lambda made: made.offer.freed.append(1)),
    ("I5", "a number is issued again", lambda made: made.offer.fresh.append(5)),
    ("I5", "the count of freed numbers is wrong", lambda made: setattr(made.offer, "freed_said", 1)),
    ("I5", "the report shows another stock", lambda made: made.offer.report.update(stock=9, left=0)),
    (
        "I5",
        "Redis keeps a ticket of an order that expired",
        lambda made: made.change("bob", status="expired", units=[], units_released=[2]),
    ),
    ("I6", "sold out while some are left", lambda made: setattr(made.offer, "last_probe", "sold_out with 2 left")),
    ("I6", "nobody can buy what is left", lambda made: setattr(made.offer, "last_probe", "unavailable")),
    ("I7", "a winner hears sold out", lambda made: made.op("amy", 40, outcome="sold_out")),
    ("I7", "a winner hears ended", lambda made: made.op("bob", 59, outcome="ended")),
    ("I7", "a winner wins again", lambda made: made.op("bob", 59, outcome="won", reply={"order_no": "n-x"})),
    (
        "I7",
        "a winner gets another ticket",
        lambda made: made.op("amy", 40, outcome="already_won", reply=made.clicks("bob")[0].reply),
    ),
    ("I8", "sold before the start", lambda made: made.change("amy", won_at=iso(START_MS - 100))),
    ("I8", "sold after the end", lambda made: made.change("amy", won_at=iso(START_MS + 60_100))),
    ("I8", "sold after it was ended", lambda made: made.act("terminate", 20)),
    ("I8", "sold in a pause", lambda made: (made.act("pause", 29), made.act("resume", 31))),
    ("I9", "an entry is pending", lambda made: setattr(made.end, "pending", 1)),
    ("I9", "an entry was never read", lambda made: setattr(made.end, "undelivered", 1)),
    ("I9", "issued and committed differ", lambda made: setattr(made.end, "committed", 3)),
    ("I9", "a dead letter", lambda made: made.end.dead.append({"reason": "unit_taken"})),
    ("I9", "reconcile finds something", lambda made: setattr(made.end, "reconcile", "I1 noon-kettle")),
    (
        "I10",
        "still pending at the end",
        lambda made: made.end.mine.update({("dan", OFFER): ("pending", [])}),
    ),
    (
        "I10",
        "told none, and there is an order",
        lambda made: made.end.mine.update({("dan", OFFER): ("none", [])}),
    ),
    (
        "I10",
        "told of an order that has expired",
        lambda made: made.end.mine.update({("eve", OFFER): ("won", ["n-eve"])}),
    ),
    (
        "life",
        "paid, and expired",
        lambda made: made.change("amy", status="expired", units=[], units_released=[1]),
    ),
    (
        "life",
        "cancelled, and still pending",
        lambda made: made.op(
            "bob", 50, verb="cancel", order_no="n-bob", outcome="done", reply={"status": "cancelled"}
        ),
    ),
    ("life", "expired, and holds its unit", lambda made: made.change("bob", status="expired")),
]


@pytest.mark.parametrize(("name", "what", "breaks"), BREAKS, ids=[f"{name} {what}" for name, what, _ in BREAKS])
def test_it_notices(name: str, what: str, breaks: Callable[[Made], Any]) -> None:
    made = Made()
    breaks(made)
    assert name in made.names(), what


def test_a_winner_whose_order_expired_may_hear_anything() -> None:
    made = Made()
    made.op("eve", 40, outcome="sold_out")
    assert not made.breaches()


def test_a_pause_forbids_nothing_before_it_is_answered_or_after_it_may_have_ended() -> None:
    # Given dan's win at second 30,
    made = Made()
    made.act("pause", 30)
    made.act("pause", 25)
    made.act("resume", 29.9)
    assert not made.breaches()


def test_a_cancelled_unit_may_be_sold_again_from_the_cancellation_on() -> None:
    made = Made()
    made.change("eve", status="cancelled")
    assert made.names() == {"I1"}
    made.op("eve", 25, verb="cancel", order_no="n-eve", outcome="done", reply={"status": "cancelled"})
    # The checker learns of cancellations when it is made.
    assert not made.breaches()
