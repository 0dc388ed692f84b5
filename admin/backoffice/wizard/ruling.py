"""The steps of the wizard about a rule and its gifts: forms made from what every promotion type declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from admin.backoffice.wizard import ruling_examples, ruling_fields, ruling_meaning, ruling_products, ruling_reading
from admin.backoffice.wizard import ruling_showing as showing
from admin.backoffice.wizard.locks import Locks
from admin.backoffice.wizard.ruling_examples import Told
from admin.backoffice.wizard.ruling_fields import Asked
from admin.backoffice.wizard.ruling_reading import Taken
from admin.backoffice.wizard.ruling_showing import Field, Given
from admin.backoffice.wizard.ruling_values import Manner, usual_discounts
from admin.campaigns.models import Campaign
from admin.pages.locales import tag
from admin.promotions import registry

steps = ruling_fields.steps


@dataclass(frozen=True, slots=True)
class Step:
    """One step as its template shows it. `problems` are about the rule as a whole."""

    name: str
    title: str
    sentence: str
    fields: list[Field]
    problems: list[str]
    manner: Manner
    locked: str | None
    check_url: str
    products: Sequence[Mapping[str, str]]
    gift_only: bool | None
    """Whether gifts must be goods that are not for sale; None where no gifts are named."""
    examples: list[Told]


async def context(
    request: Request, campaign: Campaign, step: str, typed: FormData | None, errors: Mapping[str, list[str]]
) -> dict[str, Any]:
    """What the template of a step needs. `errors` are by path, as the API gives them."""
    promotion = registry.available()[campaign.type]
    asked = ruling_fields.asked(campaign.type, step)
    why = Locks.of(request, campaign).why
    locked = {each.key: why(each.field.path) for each in asked}
    manner = _manner(request, typed)
    taken = None if typed is None else _taken(campaign, asked, typed, manner, locked)
    rule = campaign.rule if taken is None else taken.rule
    names = _names(asked, campaign.rule) if taken is None else taken.names
    notes = await ruling_meaning.notes(request, campaign, promotion, asked, rule, names)
    beside, general = placed(errors, names)
    given = Given(campaign.rule, typed, manner, beside, notes, why)
    fields = showing.fields(asked, given)
    names_products = step == ruling_fields.GIFTS or promotion.items_only
    gifts = any(_is_gift(each) for each in asked)
    return {
        "rule": Step(
            name=step,
            title=showing.said(promotion.title),
            sentence=showing.said(promotion.sentence),
            fields=fields,
            problems=general,
            manner=manner,
            locked=next(iter(locked.values()), None) if all(locked.values()) else None,
            check_url=f"/admin/rules/{campaign.code}/{step}",
            products=await ruling_products.suggested(request, "", gifts=gifts, most=ruling_products.LISTED_MAX)
            if names_products
            else (),
            gift_only=ruling_products.gift_only(request) if gifts else None,
            examples=ruling_examples.told(promotion, tag()),
        )
    }


async def take(
    request: Request, campaign: Campaign, step: str, form: FormData
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The change that a posted form asks for, and what in it cannot be read, by path."""
    taken = read(request, campaign, step, form)
    return ({"rule": taken.rule} if taken.rule else {}), taken.problems


def read(request: Request, campaign: Campaign, step: str, form: FormData) -> Taken:
    """What a posted form says, and which input says what."""
    asked = ruling_fields.asked(campaign.type, step)
    why = Locks.of(request, campaign).why
    return _taken(campaign, asked, form, _manner(request, form), {each.key: why(each.field.path) for each in asked})


def edited(campaign: Campaign, step: str, form: FormData) -> FormData | None:
    """The form with a row more or less, when a button for that was pressed: it is shown again, not saved."""
    if step not in steps(campaign.type):
        return None
    return ruling_reading.edited(ruling_fields.asked(campaign.type, step), form)


def placed(errors: Mapping[str, list[str]], names: Mapping[str, str]) -> tuple[dict[str, list[str]], list[str]]:
    """Texts about a rule by the input that they stand beside; and those that no input is about."""
    beside: dict[str, list[str]] = {}
    general = []
    for path, texts in errors.items():
        if path in names:
            beside.setdefault(names[path], []).extend(texts)
        elif path in {"", "rule"}:
            general += texts
        else:
            # The nearest thing that is shown: the row or the table of something that is asked elsewhere.
            parent = path
            while parent and parent not in names:
                parent = parent.rpartition(".")[0]
            if parent:
                beside.setdefault(names[parent], []).extend(texts)
    return beside, general


def _taken(
    campaign: Campaign, asked: Sequence[Asked], form: FormData, manner: Manner, locked: Mapping[str, str | None]
) -> Taken:
    return ruling_reading.take(asked, form, campaign.rule, manner, {key for key, why in locked.items() if why})


def _manner(request: Request, form: FormData | None) -> Manner:
    resources = request.state.resources
    usual = usual_discounts()
    discounts = usual if form is None else ruling_reading.discounts_of(form, usual)
    return Manner(resources.currency, resources.zone, discounts)


def _names(asked: Sequence[Asked], rule: Mapping[str, Any]) -> dict[str, str]:
    """The inputs of a form that is filled from a rule, by path."""
    names: dict[str, str] = {}
    for each in asked:
        if ruling_fields.applies(each.field, rule.get(ruling_reading.fact_of(each))):
            _name(each, each.field.path, each.name, rule.get(each.key), names)
    return names


def _name(asked: Asked, path: str, name: str, value: Any, names: dict[str, str]) -> None:
    names[path] = name
    for position, row in enumerate(value if isinstance(value, list) else ()):
        names[f"{path}.{position}"] = f"{name}.{position}"
        for column in asked.columns:
            inside = row.get(column.key) if isinstance(row, dict) else None
            _name(column, f"{path}.{position}.{column.key}", f"{name}.{position}.{column.key}", inside, names)


def _is_gift(asked: Asked) -> bool:
    return asked.is_gift or any(_is_gift(column) for column in asked.columns)
