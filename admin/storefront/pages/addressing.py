"""Where goods go: the fields of the form, what was typed in them, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from admin.errors import FieldError
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import by_field
from admin.storefront.pages.visit import Visit


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what it is called, how browsers fill it in, how wide it is, and whether it may be empty."""

    name: str
    title: Any
    autocomplete: str
    width: str = ""
    optional: bool = False


FIELDS = (
    Field("name", _("Full name"), "name", "half"),
    Field("phone", _("Phone"), "tel", "half"),
    Field("line1", _("Street and number"), "address-line1"),
    Field("line2", _("Floor, building"), "address-line2", optional=True),
    Field("city", _("City"), "address-level2", "third"),
    Field("region", _("District or region"), "address-level1", "third", optional=True),
    Field("postal_code", _("Postal code"), "postal-code", "third", optional=True),
    Field("country", _("Country (two letters, such as TW)"), "country", "half"),
)


@dataclass(frozen=True, slots=True)
class AddressForm:
    """The form: what stands in it, and sentences beside what is wrong, by field."""

    values: Mapping[str, str]
    problems: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields, in the order in which they are asked for."""
        return FIELDS


def typed(visit: Visit) -> dict[str, str]:
    """What was typed into the form; fields that were left empty are not there."""
    found = {each.name: visit.value(each.name) for each in FIELDS if visit.value(each.name)}
    return found | ({"country": found["country"].upper()} if "country" in found else {})


def refused(values: Mapping[str, str], errors: list[FieldError], path: str = "") -> AddressForm:
    """The form again with what is wrong; `path` is where the address stands in the body."""
    mine = [each for each in errors if each.field.removeprefix(path) in {one.name for one in FIELDS}]
    by_path = by_field(mine)
    return AddressForm(values, {name.removeprefix(path): texts for name, texts in by_path.items()})


async def last_used(visit: Visit) -> Mapping[str, str]:
    """Where the shopper's newest order that has an address went."""
    page = await visit.ask("list_my_orders", query={"limit": "10"})
    found: Mapping[str, str] = next((each.address for each in page.items if each.address), {})
    return found


def lines(address: Mapping[str, str]) -> list[str]:
    """An address as it stands on a parcel."""
    return [address[each.name] for each in FIELDS if address.get(each.name)]
