"""The steps of the wizard, and the step at which each field of a campaign is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from admin.backoffice.wizard import ruling_fields
from admin.gate.models import CheckError
from admin.pages.locales import lazy_gettext as _

_TITLES: Mapping[str, str] = {
    "basics": _("Basics"),
    "rule": _("Rule"),
    "goods": _("Products"),
    "gifts": _("Gifts"),
    "check": _("Check"),
}
QUESTIONS: Mapping[str, str] = {
    "basics": _("What is it called, when is it on, and for whom?"),
    "rule": _("What does a shopper get?"),
    "goods": _("Which products take part?"),
    "gifts": _("What is given or added?"),
    "check": _("Is everything right?"),
}
_ADD_ONS = _("Add-ons")
_GOODS = frozenset({"scope", "items", "categories", "exclude"})
_GIFTS = frozenset({"gifts", "options", "choose"})

Standing = Literal["done", "open", "wrong"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step in the bar. `open` still lacks something, `wrong` has something that cannot be published."""

    name: str
    title: str
    standing: Standing


def of(type_name: str) -> tuple[str, ...]:
    """The names of the steps that a campaign of some type has, in order."""
    rule, *further = ruling_fields.steps(type_name)
    return ("basics", rule, "goods", *further, "check")


def title(type_name: str, step: str) -> str:
    """What a step is called."""
    return str(_ADD_ONS if (type_name, step) == ("add_on", "gifts") else _TITLES[step])


def step_of(type_name: str, field: str) -> str:
    """The step that asks for a field."""
    parts = field.split(".")
    if parts[0] in _GOODS:
        return "goods"
    if parts[0] != "rule" or parts[1:2] == ["session"]:
        return "basics"
    if "gifts" in of(type_name) and not _GIFTS.isdisjoint(parts):
        return "gifts"
    return "rule"


def bar(type_name: str, errors: Iterable[CheckError]) -> list[Step]:
    """The steps as they stand, given why publishing would be refused."""
    standing: dict[str, Standing] = {}
    for error in errors:
        step = step_of(type_name, error.field)
        if error.code != "missing":
            standing[step] = "wrong"
        else:
            standing.setdefault(step, "open")
    if standing:
        standing["check"] = "open"
    return [Step(name, title(type_name, name), standing.get(name, "done")) for name in of(type_name)]


def after(type_name: str, step: str) -> str:
    """The next step; the last one is its own."""
    names = of(type_name)
    return names[min(names.index(step) + 1, len(names) - 1)]


def before(type_name: str, step: str) -> str | None:
    """The step before; None for the first."""
    names = of(type_name)
    place = names.index(step)
    return names[place - 1] if place else None
