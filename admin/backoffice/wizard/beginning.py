"""The first page: which type of campaign, a copy of which, or which draft to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from admin.backoffice.wizard import basics
from admin.backoffice.wizard.saving import Errors
from admin.campaigns.models import Campaign
from admin.errors import Conflict
from admin.pages import locales
from admin.pages.asking import ask, ask_all
from admin.pages.locales import lazy_gettext as _
from admin.promotions import registry

DRAFTS_MAX = 50
CODES_TRIED = 20

_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (_("A better price"), ("item_discount", "threshold_reduction", "threshold_discount", "bundle")),
    (_("Something extra"), ("item_gift", "threshold_gift", "add_on")),
    (_("A button of its own"), ("seckill", "group_buy", "presale")),
)
_ICONS: Mapping[str, str] = {
    "item_discount": "fa-tag",
    "threshold_reduction": "fa-scissors",
    "threshold_discount": "fa-percent",
    "bundle": "fa-boxes-stacked",
    "item_gift": "fa-gift",
    "threshold_gift": "fa-gifts",
    "add_on": "fa-cart-plus",
    "seckill": "fa-bolt",
    "group_buy": "fa-people-group",
    "presale": "fa-hourglass-half",
}


@dataclass(frozen=True, slots=True)
class Card:
    """One type to choose."""

    name: str
    title: str
    sentence: str
    icon: str


def groups() -> list[tuple[str, list[Card]]]:
    """Every type there is, grouped by what it gives a shopper."""
    types = registry.available()
    grouped = {str(title): [name for name in names if name in types] for title, names in _GROUPS}
    known = {name for names in grouped.values() for name in names}
    rest = [name for name in types if name not in known]
    if rest:
        grouped[str(_("Others"))] = rest
    return [(title, [_card(name) for name in names]) for title, names in grouped.items() if names]


def _card(name: str) -> Card:
    promotion = registry.available()[name]
    tag = locales.tag()
    return Card(name, promotion.title[tag], promotion.sentence[tag], _ICONS.get(name, "fa-star"))


def title_of(type_name: str) -> str:
    """What a type is called; its name when this version does not have it."""
    promotion = registry.available().get(type_name)
    return type_name if promotion is None else promotion.title[locales.tag()]


async def context(request: Request) -> dict[str, Any]:
    """What the template of the first page needs."""
    drafts = await ask_all(request, "list_campaigns", query={"state": "draft"}, most=DRAFTS_MAX)
    copied = request.query_params.get("copy")
    return {
        "groups": groups(),
        "drafts": drafts,
        "title_of": title_of,
        "copied": None if copied is None else await ask(request, "read_campaign", path={"code": copied}),
    }


async def make(request: Request, form: FormData) -> Campaign:
    """A draft of the chosen type, or one like the campaign that is to be copied.

    Raises:
        AdminError: there is no such type or campaign, or the code is taken.
    """
    copied = str(form.get("copy", ""))
    if not copied:
        body = {"type": str(form.get("type", "")), "draft": True}
        made: Campaign = await ask(request, "create_campaign", body=body)
        return made
    own = {name: str(form.get(name, "")).strip() for name in ("name", "code")}
    given = {name: text for name, text in own.items() if text}
    copy: Campaign = await ask(request, "copy_campaign", path={"code": copied}, body=given)
    return copy


async def rename(request: Request, campaign: Campaign, wanted: str, errors: Errors) -> Campaign:
    """The same draft under another code; without one, under a code made from its name if it has a made-up one.

    A code never changes, so the draft is copied and the old one deleted. A code that is taken is told in `errors`.

    Raises:
        AdminError: the draft cannot be copied.
    """
    chosen = wanted and wanted != campaign.code
    from_name = basics.code_from(campaign.name or "") if basics.is_made(campaign) and not chosen else ""
    candidates = [wanted] if chosen else _numbered(from_name)
    for candidate in candidates:
        try:
            return await _moved(request, campaign, candidate)
        except Conflict as error:
            if error.code != "code_taken":
                raise
            if chosen:
                errors.setdefault("code", []).append(
                    locales.gettext("There is already a campaign with this code. Choose another one.")
                )
    return campaign


def _numbered(code: str) -> list[str]:
    if not code:
        return []
    return [code, *(f"{code[: basics.CODE_MAX - 3]}-{number}" for number in range(2, CODES_TRIED))]


async def _moved(request: Request, campaign: Campaign, code: str) -> Campaign:
    window = {"starts_at": campaign.starts_at, "ends_at": campaign.ends_at}
    body = {"code": code} | {name: value for name, value in window.items() if value is not None}
    made: Campaign = await ask(request, "copy_campaign", path={"code": campaign.code}, body=body)
    await ask(request, "delete_campaign", path={"code": campaign.code})
    return made
