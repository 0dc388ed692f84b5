"""A cart to try: what it costs with the campaign in the shop, as some shopper at some time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from admin.backoffice.wizard import typed as reading
from admin.backoffice.wizard.catalogue import products_of
from admin.campaigns.models import Campaign
from admin.catalog.models import Product
from admin.errors import Conflict, Invalid
from admin.pages.asking import ask
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import by_field, told
from admin.promotions import registry

GOODS_MAX = 8
"""Products offered for the cart."""
LEVEL = 1
"""The level of the member that is tried when none is typed."""

SHOPPERS: Mapping[str, str] = {
    "guest": _("a guest"),
    "member": _("a member of the level"),
    "new": _("a new customer"),
}


@dataclass(slots=True)
class Trial:
    """The form as it was filled in, and what came of it: a quote, or what is wrong."""

    products: Sequence[Product]
    quantities: dict[str, str]
    shopper: str
    level: str
    at: str
    quote: Any = None
    names: Mapping[str, Product] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)


async def context(request: Request, campaign: Campaign, goods: Sequence[str]) -> Trial | None:
    """The cart as the address of the page has it; none for what the gateway sells."""
    if registry.available()[campaign.type].sold_by_gateway:
        return None
    asked = request.query_params
    offered = list(dict.fromkeys([*goods[:GOODS_MAX], *_named(campaign)]))[:GOODS_MAX]
    products = await products_of(request, offered)
    trial = Trial(
        products=[products[sku] for sku in offered if sku in products],
        quantities={name.removeprefix("q."): asked[name].strip() for name in asked if name.startswith("q.")},
        shopper=asked["as"] if asked.get("as") in SHOPPERS else _shopper_for(campaign),
        level=asked.get("level", str((campaign.audience.get("levels") or [LEVEL])[0])),
        at=asked.get("at", ""),
    )
    if any(trial.quantities.values()):
        await _price(request, campaign, trial)
    return trial


def _named(campaign: Campaign) -> list[str]:
    return [item.sku for item in campaign.items if not item.removed]


def _shopper_for(campaign: Campaign) -> str:
    if campaign.audience.get("new_customer"):
        return "new"
    return "member" if campaign.audience.get("kind") == "members" else "guest"


async def _price(request: Request, campaign: Campaign, trial: Trial) -> None:
    body = _cart(request, campaign, trial)
    if trial.errors or not body["lines"]:
        return
    try:
        if campaign.state == "draft":
            answer = await ask(request, "try_campaign", path={"code": campaign.code}, body=body)
        else:
            answer = await ask(request, "quote_as", body=body)
    except Invalid as error:
        trial.errors |= by_field(error.errors)
        trial.errors[""] = [told(error)]
    except Conflict as error:
        trial.errors[""] = [told(error)]
    else:
        quote = orjson.loads(answer.body) if isinstance(answer, Response) else answer.model_dump(mode="json")
        trial.quote = quote
        parts = [*quote["lines"], *quote["gifts"], *quote["add_ons"]]
        trial.names = await products_of(request, (each["sku"] for each in parts))


def _cart(request: Request, campaign: Campaign, trial: Trial) -> dict[str, Any]:
    alone = registry.available()[campaign.type].own_button
    body: dict[str, Any] = {"lines": [], "explain": True}
    for sku, text in trial.quantities.items():
        try:
            quantity = reading.whole(text or "0")
        except reading.Unreadable as error:
            trial.errors[f"q.{sku}"] = [str(error)]
            continue
        if quantity:
            line = {"sku": sku, "quantity": quantity}
            body["lines"].append(line | {"campaign": campaign.code} if alone else line)
    if campaign.channels:
        body["channel"] = campaign.channels[0]
    body |= _as_whom(trial)
    if trial.at:
        try:
            body["at"] = request.state.resources.iso(reading.instant(trial.at, request.state.resources.zone))
        except reading.Unreadable as error:
            trial.errors["at"] = [str(error)]
    return body


def _as_whom(trial: Trial) -> dict[str, Any]:
    if trial.shopper == "guest":
        return {}
    if trial.shopper == "new":
        return {"shopper": {"level": LEVEL, "new_customer": True}}
    try:
        return {"shopper": {"level": reading.whole(trial.level)}}
    except reading.Unreadable as error:
        trial.errors["level"] = [str(error)]
        return {}
