"""Given any promotion type, it keeps what the rest of the shop counts on. A new type is held to it unasked."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from admin.inputs import examine
from admin.promotions import registry, types
from admin.promotions.campaign import read_campaign
from admin.promotions.effects import Effect, Group, Line
from admin.promotions.model import (
    LABEL_WIDTH_MAX,
    LANGUAGES,
    Example,
    FormField,
    Plan,
    ProductFacts,
    PromotionType,
    width,
)
from tests.promotions.worlds import CURRENCY, campaign, cart, quote, world

PLENTY = ProductFacts(price=1_000_000, free=1_000_000, gift_only=False, on_sale=True)
BEFORE_MS = 1_500_000_000_000
"""Earlier than any window in a body."""
CODE = "example"
CJK = r"[\u4e00-\u9fff]"
OBVIOUS = {"sku", "quantity", "id"}
"""Names that need no telling."""
KINDS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "money": lambda schema: schema.get("type") == "integer",
    "count": lambda schema: schema.get("type") == "integer",
    "percent": lambda schema: schema.get("type") == "number" and schema.get("exclusiveMaximum") == 100,
    "multiplier": lambda schema: schema.get("type") == "number",
    "choice": lambda schema: "enum" in schema or "const" in schema,
    "flag": lambda schema: schema.get("type") == "boolean",
    "instant": lambda schema: schema.get("format") == "date-time",
    "product": lambda schema: schema.get("type") == "string" and "pattern" in schema,
    "session": lambda schema: {"id", "date"} == set(schema.get("properties", ())),
    "table": lambda schema: schema.get("type") == "array",
}


def plan_of(promotion: PromotionType, given: Any, products: Iterable[str], **facts: Any) -> Plan:
    return Plan(
        CODE,
        given,
        given.rule,
        given.items,
        facts.pop("now_ms", BEFORE_MS),
        dict.fromkeys(products, PLENTY),
        categories=frozenset(given.categories),
        **facts,
    )


def read(promotion: PromotionType, body: Mapping[str, Any]) -> Any:
    given, problems = examine(promotion.campaign, dict(body))
    assert problems == []
    assert given is not None
    return given


def goods(promotion: PromotionType, given: Any) -> set[str]:
    return {*(item.sku for item in given.items), *given.exclude, *promotion.named(given.rule)}


def is_called_as_its_file(promotion: PromotionType) -> None:
    module = importlib.import_module(f"{types.__name__}.{promotion.name}")
    assert module.PROMOTION is promotion
    assert module.__doc__
    assert get_args(promotion.campaign.model_fields["type"].annotation) == (promotion.name,)


def has_a_body_that_may_be_published(promotion: PromotionType) -> None:
    given = read(promotion, promotion.body)
    assert promotion.guard(plan_of(promotion, given, goods(promotion, given))) == []


def is_told_in_every_language(promotion: PromotionType) -> None:
    for texts in (promotion.title, promotion.sentence, *(example.title for example in promotion.examples)):
        speaks(texts)
    assert any(word.isascii() for word in promotion.words)
    assert not all(word.isascii() for word in promotion.words)


def speaks(texts: Mapping[str, str]) -> None:
    assert set(texts) == set(LANGUAGES)
    assert [language for language, text in texts.items() if re.search(CJK, text)] == ["zh-Hant"], texts
    assert all(text.strip() == text != "" for text in texts.values()), texts


def has_a_label_that_fits(promotion: PromotionType) -> None:
    given = read(promotion, {**promotion.body, "label": None})
    small = read(promotion, {"type": promotion.name, "draft": True})
    rules = [(given.rule, given.items), (small.rule, small.items)]
    for example in promotion.examples:
        body = campaign(promotion.name, example.rule, code=CODE, items=example.items or tuple(example.cart))
        rules.append((body.rule, list(body.items.values())))
    for rule, items in rules:
        for currency in ("CNY", "JPY", "BHD"):
            labels = promotion.label(rule, items, currency)
            speaks(labels)
            assert all(0 < width(label) <= LABEL_WIDTH_MAX for label in labels.values()), labels


def survives_storing(promotion: PromotionType) -> None:
    given = read(promotion, promotion.body)
    dumped = given.model_dump(mode="json")
    assert read(promotion, dumped) == given
    recorded = {name: value for name, value in dumped.items() if name not in {"code", "draft"}}
    stored = read_campaign(CODE, {**recorded, "revision": 1}, CURRENCY)
    assert stored.broken is None
    assert (stored.rule, list(stored.items.values())) == (given.rule, given.items)


def may_be_a_draft_without_terms(promotion: PromotionType) -> None:
    draft = read(promotion, {"type": promotion.name, "draft": True})
    assert list(promotion.named(draft.rule)) == []
    assert all(error.code for error in promotion.guard(plan_of(promotion, draft, ())))
    assert promotion.guard(plan_of(promotion, draft, ())), "it may be published without a name"


def says_what_is_wrong(promotion: PromotionType) -> None:
    given = read(promotion, promotion.body)
    twice = given.model_copy(update={"items": [*given.items, *given.items], "ends_at": given.starts_at})
    draft = read(promotion, {"type": promotion.name, "draft": True})
    told = [
        promotion.guard(plan_of(promotion, draft, ())),
        promotion.guard(plan_of(promotion, twice, ())),
        promotion.guard(plan_of(promotion, given, goods(promotion, given), now_ms=10**13)),
    ]
    assert all(told)
    form = {path for path, _ in paths_of(promotion.form)}
    for errors in (*told, promotion.guard(plan_of(promotion, given, ()))):
        for error in errors:
            assert re.fullmatch(r"[a-z_]+", error.code), error
            assert " " in error.message.strip(), error
            assert error.field.split(".")[0] in promotion.fields.model_fields, error
            if error.code == "missing" and error.field.startswith("rule"):
                path = re.sub(r"\.\d+", "", error.field)
                assert any(each == path or each.startswith(f"{path}.") for each in form), f"the form lacks {path}"


def has_a_form_that_fits(promotion: PromotionType) -> None:
    schema = promotion.campaign.model_json_schema()
    for path, asked in paths_of(promotion.form):
        found = list(schemas_at(schema, path))
        assert found, f"no field {path}"
        assert any(KINDS[asked.kind](each) for each in found), f"{path} is no {asked.kind}"
        speaks(asked.title)
        if asked.help:
            speaks(asked.help)
        assert bool(asked.choices) == (asked.kind == "choice"), path
        assert bool(asked.columns) == (asked.kind == "table"), path
        if asked.choices:
            assert set(asked.choices) <= values_of(found), path
            for texts in asked.choices.values():
                speaks(texts)
        if asked.shown_if is not None:
            name, value = asked.shown_if
            assert value in values_of(schemas_at(schema, name)), f"{path} is shown if {name} is {value}"


def tells_of_every_term(promotion: PromotionType) -> None:
    schema = promotion.campaign.model_json_schema()
    asked = {path for path, _ in paths_of(promotion.form)}
    for path, described in terms_of(schema, "rule"):
        obvious = path.rsplit(".", 1)[-1] in OBVIOUS
        assert path in asked or described or obvious, f"nothing says what {path} is"
    assert promotion.raisable <= {path for path, _ in terms_of(schema, "rule")}


def keeps_its_examples(promotion: PromotionType) -> None:
    assert promotion.examples
    for example in promotion.examples:
        check_example(promotion, example)


def check_example(promotion: PromotionType, example: Example) -> None:
    code = next(iter(example.gifts), CODE)
    listed = example.items or tuple(example.cart)
    shop = world(campaign(promotion.name, example.rule, code=code, items=listed), prices=example.prices)
    # What has a button of its own is joined only when the line says so.
    lines = [(sku, count, code) if promotion.own_button else (sku, count) for sku, count in example.cart.items()]
    wanted = cart(
        lines,
        gifts={name: list(picks) for name, picks in example.gifts.items()},
        add_ons=[{"campaign": code, **chosen} for chosen in example.add_ons],
    )
    reply = quote(wanted, shop)
    gifts: dict[str, int] = {}
    for gift in reply["gifts"]:
        gifts[gift["sku"]] = gifts.get(gift["sku"], 0) + gift["quantity"]
    presale = reply["presale"] or {}
    found = {
        "total": reply["total"],
        "discount": reply["discount"],
        "payables": [line["payable"] for line in reply["lines"]],
        "tier": reply["groups"][0]["tier"] if reply["groups"] else None,
        "gifts": gifts,
        "deposit": presale.get("deposit"),
        "balance": presale.get("balance"),
    }
    assert {name: found[name] for name in example.expect} == dict(example.expect), example.title["en"]


def judges_soundly(promotion: PromotionType) -> None:
    if promotion.evaluate is None:
        return
    for example in promotion.examples:
        listed = example.items or tuple(example.cart)
        made = campaign(promotion.name, example.rule, code=CODE, items=listed)
        lines = [
            Line(number, sku, quantity, example.prices[sku], made.items.get(sku))
            for number, (sku, quantity) in enumerate(example.cart.items(), 1)
        ]
        joined = tuple(
            line for line in lines if promotion.refuses(made.rule, line.item, line.price, line.quantity) is None
        )
        if not joined:
            continue
        group = Group(joined)
        effect = promotion.evaluate(made.rule, group)
        check_effect(effect, group)
        if promotion.additive:
            alone = [promotion.evaluate(made.rule, Group((line,))) for line in joined]
            assert effect.per_unit == tuple(off for each in alone for off in each.per_unit or ())


def check_effect(effect: Effect, group: Group) -> None:
    assert 0 <= effect.discount <= group.subtotal
    assert effect.reached == (effect.tier is not None)
    if not effect.reached:
        assert (effect.discount, effect.grants, effect.options) == (0, (), ())
    if effect.per_unit is not None:
        assert len(effect.per_unit) == len(group.lines)
        units = zip(effect.per_unit, group.lines, strict=True)
        assert effect.discount == sum(off * line.quantity for off, line in units)
    if effect.sharing is not None:
        assert len(effect.sharing) == len(group.lines)
        parts = list(zip(effect.sharing, group.lines, strict=True))
        assert all(0 <= part <= line.quantity for part, line in parts)
        assert effect.discount <= sum(part * line.price for part, line in parts)
    if effect.next is not None:
        assert [more > 0 for more in (effect.next.spend_more, effect.next.buy_more) if more is not None] == [True]


def paths_of(form: Iterable[FormField], above: str = "") -> Iterator[tuple[str, FormField]]:
    for asked in form:
        path = f"{above}{asked.path}"
        yield path, asked
        yield from paths_of(asked.columns, f"{path}.")


def alternatives(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema without references and choices; of a list also its elements, so a path needs no positions."""
    if "$ref" in schema:
        yield from alternatives(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root)
    elif "anyOf" in schema or "oneOf" in schema:
        for each in schema.get("anyOf") or schema["oneOf"]:
            yield from alternatives(each, root)
    else:
        yield schema


def inside(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in alternatives(schema, root):
        if each.get("type") == "array":
            yield from inside(each["items"], root)
        else:
            yield each


def schemas_at(root: Mapping[str, Any], path: str) -> Iterator[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = [root]
    for name in path.split("."):
        objects = [each for schema in found for each in inside(schema, root)]
        found = [each["properties"][name] for each in objects if name in each.get("properties", {})]
    for each in found:
        yield from alternatives(each, root)


def values_of(schemas: Iterable[Mapping[str, Any]]) -> set[Any]:
    return {value for each in schemas for value in (each["enum"] if "enum" in each else [each.get("const")])}


def terms_of(root: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Every field below a path, with what its schema says of it."""
    for each in (every for schema in schemas_at(root, path) for every in inside(schema, root)):
        for name, schema in each.get("properties", {}).items():
            below = [schema, *alternatives(schema, root)]
            yield f"{path}.{name}", " ".join(part["description"] for part in below if "description" in part)
            yield from terms_of(root, f"{path}.{name}")


CONTRACT = (
    is_called_as_its_file,
    has_a_body_that_may_be_published,
    is_told_in_every_language,
    has_a_label_that_fits,
    survives_storing,
    may_be_a_draft_without_terms,
    says_what_is_wrong,
    has_a_form_that_fits,
    tells_of_every_term,
    judges_soundly,
    keeps_its_examples,
)


@pytest.mark.parametrize("holds", CONTRACT, ids=lambda holds: holds.__name__)
@pytest.mark.parametrize("name", sorted(registry.available()))
def test_a_type(name: str, holds: Callable[[PromotionType], None]) -> None:
    holds(registry.available()[name])


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Path]:
    """A folder whose files are promotion types, too, as long as a test runs."""
    types.__path__.append(str(tmp_path))
    try:
        yield tmp_path
    finally:
        types.__path__.remove(str(tmp_path))
        for file in tmp_path.glob("*.py"):
            sys.modules.pop(f"{types.__name__}.{file.stem}", None)
            vars(types).pop(file.stem, None)
        registry.available.cache_clear()


def found_in(folder: Path, source: str) -> PromotionType:
    (folder / "second_half_price.py").write_text(source, "utf-8")
    importlib.invalidate_caches()
    registry.available.cache_clear()
    return next(each for name, each in registry.available().items() if name.endswith("_half_price"))


SOURCE = (Path(__file__).parent / "second_half_price.py").read_text("utf-8")


def test_another_type_is_a_file_of_its_own_and_nothing_else(beside: Path) -> None:
    before = set(registry.available())
    added = found_in(beside, SOURCE)
    assert set(registry.available()) == {*before, "second_half_price"}
    assert registry.resolve(added.body) is added
    for holds in CONTRACT:
        holds(added)


@pytest.mark.parametrize(
    ("right", "wrong", "broken"),
    [
        ('"discount": 999', '"discount": 998', keeps_its_examples),
        ('"Second one for less"', '"Every second one for less"', has_a_label_that_fits),
        ('{"en": "Second one for less", "zh-Hant": "第二件優惠"}', '{"en": "Second"}', has_a_label_that_fits),
        ("sharing=sharing)", "sharing=sharing[1:])", judges_soundly),
        ("tier=0 if any(sharing) else None", "tier=None", judges_soundly),
        ('"percent", {"en"', '"money", {"en"', has_a_form_that_fits),
        ('"rule.percent_off", "percent"', '"rule.percent", "percent"', has_a_form_that_fits),
        ("Percent | None = None", "int | None = None", has_a_form_that_fits),
        ('"items": [{"sku": "kettle"}],', '"items": [],', has_a_body_that_may_be_published),
        ('"zh-Hant": "同款商品', '"zh": "同款商品', is_told_in_every_language),
        ("percent_off: Percent", "floor: str = ''\n    percent_off: Percent", tells_of_every_term),
        ('missing("rule.percent_off")', 'missing("rule.percent")', says_what_is_wrong),
        ("return errors if", "return [] if", says_what_is_wrong),
        ('name="second_half_price"', 'name="third_half_price"', is_called_as_its_file),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_type_that_breaks_the_contract_is_noticed(
    beside: Path, right: str, wrong: str, broken: Callable[[PromotionType], None]
) -> None:
    assert SOURCE.count(right) == 1
    added = found_in(beside, SOURCE.replace(right, wrong))
    with pytest.raises((AssertionError, ImportError)):
        broken(added)


def test_models_of_types_refuse_what_they_do_not_know() -> None:
    for promotion in registry.available().values():
        for model in (promotion.fields, promotion.campaign, promotion.item):
            assert issubclass(model, BaseModel)
            assert model.model_config["extra"] == "forbid"
