"""Given what is known of a shopper, an audience admits them or names the first condition that they do not meet."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from admin.promotions.audience import GUEST, Audience, Shopper, guard_audience, refuses

TODAY = date(2026, 11, 22)
BOB = Shopper(sub="bob", member=True, level=2, since=date(2025, 11, 22), birthday="11-22", new_customer=True)


def members(**conditions: Any) -> Audience:
    return Audience.model_validate({"kind": "members", **conditions})


@pytest.mark.parametrize("shopper", [GUEST, BOB, Shopper(sub="eve")], ids=["guest", "member", "stranger"])
def test_everyone_is_everyone(shopper: Shopper) -> None:
    assert refuses(Audience(), shopper, TODAY) is None


@pytest.mark.parametrize(
    ("shopper", "refused"),
    [
        pytest.param(Shopper(sub="bob", level=1), None, id="a level makes a member"),
        pytest.param(Shopper(sub="bob", member=True), None, id="a record makes a member"),
        pytest.param(Shopper(sub="bob"), "members_only", id="neither"),
        pytest.param(GUEST, "members_only", id="a guest"),
        pytest.param(Shopper(guest=True, level=3), "members_only", id="a guest whatever is said of them"),
    ],
)
def test_members_without_conditions(shopper: Shopper, refused: str | None) -> None:
    assert refuses(members(), shopper, TODAY) == refused


@pytest.mark.parametrize(
    ("conditions", "shopper", "refused"),
    [
        pytest.param({"levels": [1, 2]}, BOB, None, id="one of the levels"),
        pytest.param({"levels": [1, 3]}, BOB, "level", id="none of the levels"),
        pytest.param({"levels": [0]}, Shopper(sub="eve"), None, id="level 0"),
        pytest.param({"levels": [0]}, GUEST, "members_only", id="level 0 of a guest"),
        pytest.param({"member_days": 365}, BOB, None, id="days, just enough"),
        pytest.param({"member_days": 366}, BOB, "member_days", id="days, one too few"),
        pytest.param({"member_days": 1}, Shopper(sub="eve", level=9), "member_days", id="days, not known"),
        pytest.param({"birthday": "day"}, Shopper(sub="eve", level=9), "birthday", id="birthday, not known"),
        pytest.param({"new_customer": True}, BOB, None, id="new"),
        pytest.param({"new_customer": True}, Shopper(sub="eve", level=9), "new_customer", id="not new"),
        pytest.param(
            {"new_customer": True}, Shopper(sub="eve", new_customer=True), None, id="new without a record"
        ),
        pytest.param({"new_customer": True}, GUEST, "members_only", id="a guest is no new customer"),
        pytest.param({"new_customer": False}, Shopper(sub="eve"), "members_only", id="false asks nothing"),
        pytest.param({"levels": [2], "new_customer": True, "birthday": "month"}, BOB, None, id="all hold"),
        pytest.param({"levels": [2], "member_days": 999, "birthday": "day"}, BOB, "member_days", id="one does not"),
    ],
)
def test_all_conditions_hold(conditions: dict[str, Any], shopper: Shopper, refused: str | None) -> None:
    assert refuses(members(**conditions), shopper, TODAY) == refused


@pytest.mark.parametrize(
    ("born", "when", "today", "celebrates"),
    [
        ("11-22", "day", date(2026, 11, 22), True),
        ("11-22", "day", date(2026, 11, 23), False),
        ("11-22", "day", date(2026, 12, 22), False),
        ("11-30", "month", date(2026, 11, 1), True),
        ("12-01", "month", date(2026, 11, 30), False),
        ("02-29", "day", date(2028, 2, 29), True),
        ("02-29", "day", date(2028, 2, 28), False),
        ("02-29", "day", date(2027, 2, 28), True),
        ("02-29", "day", date(2027, 3, 1), False),
        ("02-29", "day", date(2100, 2, 28), True),
        ("02-29", "month", date(2027, 2, 1), True),
        ("02-28", "day", date(2028, 2, 28), True),
    ],
)
def test_birthdays(born: str, when: str, today: date, celebrates: bool) -> None:
    shopper = Shopper(sub="bob", birthday=born)
    assert refuses(members(birthday=when), shopper, today) == (None if celebrates else "birthday")


def test_member_days_are_civil_days_over_a_leap_year() -> None:
    shopper = Shopper(sub="bob", since=date(2024, 2, 28))
    assert refuses(members(member_days=2), shopper, date(2024, 3, 1)) is None
    assert refuses(members(member_days=2), shopper, date(2024, 2, 29)) == "member_days"


def test_conditions_need_members() -> None:
    problems = guard_audience(Audience.model_validate({"kind": "everyone", "levels": [1], "birthday": "day"}))
    assert [problem.field for problem in problems] == ["audience.levels", "audience.birthday"]
    assert guard_audience(members(levels=[1])) == []
