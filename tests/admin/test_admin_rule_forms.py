"""Given the form that a type declares, texts become the rule they mean, and a rule is shown as people type it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.datastructures import FormData
from starlette_admin import i18n

from admin.backoffice.wizard import ruling_examples, ruling_fields, ruling_reading, ruling_showing
from admin.backoffice.wizard.ruling_fields import GIFTS, RULE, Asked
from admin.backoffice.wizard.ruling_showing import Field, Given
from admin.backoffice.wizard.ruling_values import PERCENT, ZHE, Manner, read, shown
from admin.backoffice.wizard.typed import Unreadable
from admin.pages import locales
from admin.promotions import registry
from admin.promotions.model import FormField, PromotionType
from tests.promotions import second_half_price

TAIPEI = ZoneInfo("Asia/Taipei")
WAYS = (Manner("TWD", TAIPEI, PERCENT), Manner("TWD", TAIPEI, ZHE), Manner("JPY", TAIPEI, PERCENT))
PLAIN = WAYS[0]
TYPES = [*registry.available().values(), second_half_price.PROMOTION]
DISCOUNT = FormField("rule.percent_off", "percent", {"en": "Off"})


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    locales.load()
    i18n.set_locale("en")
    yield
    i18n.set_locale("en")


def asked_at(promotion: PromotionType, step: str) -> tuple[Asked, ...]:
    return tuple(ruling_fields.fields_of(promotion, step))


def as_shown(asked: tuple[Asked, ...], rule: Any, manner: Manner, typed: FormData | None = None) -> list[Field]:
    return ruling_showing.fields(asked, Given(rule, typed, manner, {}, {}, lambda _: None))


def posted(fields: list[Field]) -> Iterator[tuple[str, str]]:
    """What a browser sends of some fields."""
    for each in fields:
        if each.table is not None:
            for row in each.table.rows:
                yield f"{row.name}.row", row.carried
                yield from posted(row.fields)
        elif each.kind != "flag" or each.ticked:
            yield each.name, each.text or ("on" if each.kind == "flag" else "")


def form(*items: tuple[str, str]) -> FormData:
    return FormData(list(items))


def stored(promotion: PromotionType, rule: Any) -> Any:
    return promotion.fields.model_validate({"rule": rule}).model_dump(mode="json")["rule"]


@pytest.mark.parametrize("manner", WAYS, ids=lambda each: f"{each.currency}-{each.discounts}")
@pytest.mark.parametrize("promotion", TYPES, ids=lambda each: each.name)
def test_the_form_of_every_type_says_the_very_rule_it_was_filled_from(
    promotion: PromotionType, manner: Manner
) -> None:
    for body in (promotion.body["rule"], *(example.rule for example in promotion.examples)):
        given = stored(promotion, body)
        for step in (RULE, GIFTS):
            asked = asked_at(promotion, step)
            sent = FormData(list(posted(as_shown(asked, given, manner))))
            taken = ruling_reading.take(asked, sent, given, manner)
            assert taken.problems == {}
            assert stored(promotion, given | taken.rule) == given, step


@pytest.mark.parametrize("promotion", TYPES, ids=lambda each: each.name)
def test_an_empty_form_is_a_draft_without_terms(promotion: PromotionType) -> None:
    empty = stored(promotion, {})
    for step in (RULE, GIFTS):
        asked = asked_at(promotion, step)
        taken = ruling_reading.take(asked, form(), {}, PLAIN)
        assert taken.problems == {}
        assert stored(promotion, taken.rule) == empty


def test_every_field_of_a_rule_is_asked_at_one_step() -> None:
    for promotion in TYPES:
        here = {each.field.path for step in (RULE, GIFTS) for each in asked_at(promotion, step)}
        declared = {each.path for each in promotion.form if each.path.startswith("rule.")}
        assert here == declared - {each.path for each in promotion.form if each.kind == "session"}


def test_types_with_gifts_or_add_ons_have_a_step_for_them() -> None:
    with_gifts = {name for name in registry.available() if ruling_fields.steps(name) == ("rule", "gifts")}
    assert with_gifts == {"item_gift", "threshold_gift", "add_on"}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("money", "1,250.5", 125050),
        ("money", "NT$1250", 125000),
        ("money", "１２５０元", 125000),
        ("money", ".5", 50),
        ("count", " 12 ", 12),
        ("multiplier", "2.5倍", 2.5),
        ("instant", "2026-11-21T20:00", "2026-11-21T20:00:00+08:00"),
        ("instant", "2026/11/21 20:00", "2026-11-21T20:00:00+08:00"),
        ("percent", "12.5 %", 12.5),
        ("percent", "8.75折", 12.5),
        ("money", "   ", None),
    ],
)
def test_what_people_type_is_understood(kind: Any, text: str, value: Any) -> None:
    field = FormField("rule.percent_off" if kind == "percent" else "rule.x", kind, {"en": "x"})
    assert read(field, text, PLAIN) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [("money", "12.345"), ("money", "ten"), ("money", "1e3"), ("money", "-5"), ("count", "1.5"),
     ("choice", "other"), ("instant", "tomorrow"), ("percent", "half"), ("multiplier", "x")],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_an_example(kind: Any, text: str) -> None:
    with pytest.raises(Unreadable, match=r"\w"):
        read(FormField("rule.x", kind, {"en": "x"}, choices={"this": {"en": "This"}}), text, PLAIN)


@pytest.mark.parametrize(
    ("text", "percent"),
    [("8.5", 15), ("85", 15), ("85折", 15), ("９折", 10), ("8.755", 12.45), ("15%", 15), ("0.1", 99)],
)
def test_zhe_is_what_is_left_to_pay(text: str, percent: float) -> None:
    assert read(DISCOUNT, text, WAYS[1]) == percent


@pytest.mark.parametrize("text", ["10", "0", "100", "八五"])
def test_what_is_no_zhe_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read(DISCOUNT, text, WAYS[1])


def test_a_share_of_a_price_is_a_percentage_in_every_language() -> None:
    share = FormField("rule.deposit_percent", "percent", {"en": "Deposit"})
    assert read(share, "10", WAYS[1]) == 10
    assert (shown(share, 10, WAYS[1]), shown(DISCOUNT, 10, WAYS[1])) == ("10", "9")


def test_a_form_in_zhe_means_the_same_after_the_language_was_changed() -> None:
    sent = form((ruling_reading.MANNER, ZHE), ("rule.percent_off", "8.5"))
    manner = Manner("TWD", TAIPEI, ruling_reading.discounts_of(sent, PERCENT))
    asked = asked_at(registry.available()["item_discount"], RULE)
    assert ruling_reading.take(asked, sent, {}, manner).rule["percent_off"] == 15


def test_rows_keep_their_order_and_blank_ones_are_left_out() -> None:
    asked = asked_at(registry.available()["threshold_reduction"], RULE)
    sent = form(
        ("rule.mode", "tiers"),
        ("rule.tiers.7.row", ""), ("rule.tiers.7.spend", "300"), ("rule.tiers.7.off", "40"),
        ("rule.tiers.2.row", ""), ("rule.tiers.2.spend", " "), ("rule.tiers.2.off", ""),
        ("rule.tiers.3.row", ""), ("rule.tiers.3.spend", "100"), ("rule.tiers.3.off", "x"),
    )  # fmt: skip
    taken = ruling_reading.take(asked, sent, {}, PLAIN)
    assert taken.rule["tiers"] == [{"spend": 30000, "off": 4000}, {"spend": 10000}]
    assert list(taken.problems) == ["rule.tiers.1.off"]
    assert taken.names["rule.tiers.1.off"] == "rule.tiers.3.off"


def test_what_does_not_apply_is_taken_out_of_the_rule() -> None:
    asked = asked_at(registry.available()["threshold_reduction"], RULE)
    before = {"mode": "every", "tiers": [], "spend": 5000, "off": 500, "cap": 1000}
    sent = form(("rule.mode", "tiers"), ("rule.spend", "50"), ("rule.cap", "rubbish"))
    taken = ruling_reading.take(asked, sent, before, PLAIN)
    assert taken.problems == {}
    assert taken.rule == {"mode": "tiers", "tiers": [], "spend": None, "off": None, "cap": None}


def test_gifts_stay_with_their_tier_when_tiers_are_removed() -> None:
    promotion = registry.available()["threshold_gift"]
    gifts = [{"sku": "mug", "quantity": 1, "same_item": False}]
    rule = stored(promotion, {"by": "amount", "tiers": [{"at": 100}, {"at": 200, "gifts": gifts, "choose": 1}]})
    asked = asked_at(promotion, RULE)
    whole = FormData([*posted(as_shown(asked, rule, PLAIN)), (ruling_reading.BUTTON, "remove rule.tiers.0")])
    fewer = ruling_reading.edited(asked, whole)
    assert fewer is not None
    taken = ruling_reading.take(asked, fewer, rule, PLAIN)
    assert taken.rule["tiers"] == [{"at": 200, "gifts": gifts, "choose": 1}]


def test_buttons_add_and_remove_rows_and_keep_what_was_typed() -> None:
    asked = asked_at(registry.available()["threshold_reduction"], RULE)
    sent = [
        ("rule.mode", "tiers"),
        ("rule.tiers.0.row", ""),
        ("rule.tiers.0.spend", "1oo"),
        ("rule.tiers.0.off", ""),
    ]
    more = ruling_reading.edited(asked, form(*sent, (ruling_reading.BUTTON, "add rule.tiers")))
    assert more is not None
    table = next(each.table for each in as_shown(asked, {}, PLAIN, more) if each.name == "rule.tiers")
    assert table is not None
    assert [[cell.text for cell in row.fields] for row in table.rows] == [["1oo", ""], ["", ""]]
    less = ruling_reading.edited(
        asked, FormData([*more.multi_items(), (ruling_reading.BUTTON, "remove rule.tiers.0")])
    )
    assert less is not None
    assert [row.name for row in ruling_reading.rows_of(less, "rule.tiers")] == ["rule.tiers.1"]
    assert ruling_reading.edited(asked, form(*sent)) is None


def test_a_row_whose_hidden_part_was_tampered_with_is_read_without_it() -> None:
    asked = asked_at(registry.available()["threshold_gift"], RULE)
    for carried in ("{", "[1]", "7", '{"at": 9}', "[" * 100_000):
        sent = form(("rule.by", "count"), ("rule.tiers~2.0.row", carried), ("rule.tiers~2.0.at", "3"))
        assert ruling_reading.take(asked, sent, {}, PLAIN).rule["tiers"] == [{"at": 3}], carried[:20]


def test_a_form_keeps_to_the_letter_what_was_typed() -> None:
    asked = asked_at(registry.available()["presale"], RULE)
    typed = {
        "rule.price": " 9 9 ", "rule.deposit_percent": "<b>", "rule.multiplier": "３ x", "rule.mode": "leverage",
        "rule.balance_starts_at": "soon", "rule.on_unpaid": "refund",
    }  # fmt: skip
    found = {each.name: each.text for each in as_shown(asked, {}, PLAIN, form(*typed.items()))}
    assert found | typed == found


@pytest.mark.parametrize("language", ["en", "zh-Hant"])
def test_examples_come_out_of_the_engine_as_they_say(language: str) -> None:
    for promotion in registry.available().values():
        for example, told in zip(promotion.examples, ruling_examples.told(promotion, language), strict=True):
            assert told.title == example.title[language]
            if "total" in example.expect:
                assert told.total == f"{example.expect['total'] // 100}.{example.expect['total'] % 100:02}"
            assert sum(each.quantity for each in told.gifts) == sum(example.expect.get("gifts", {}).values())
            assert json.dumps(told.rule)
