"""The guards of a rule while it is typed: asked of the server, and nothing is stored."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from admin.backoffice.wizard import ruling, ruling_fields, ruling_meaning, ruling_products, ruling_telling
from admin.backoffice.wizard.ruling_reading import Taken, discounts_of, text_of
from admin.backoffice.wizard.ruling_values import ZHE, usual_discounts
from admin.campaigns.models import Campaign
from admin.errors import NotFound
from admin.gate.models import CampaignCheck
from admin.pages.asking import ask
from admin.pages.locales import tag
from admin.promotions import registry
from admin.promotions.model import CampaignFields, PromotionType
from admin.promotions.words import Reader, in_words

FORM_FIELDS_MAX = 20_000
_NOT_PROPOSED = frozenset({"name", "slogan", "label", "texts"})
"""Texts that say nothing about a rule, and may be wrong while it is right."""


class RuleCheck(CustomView):
    """What the script of a rule's form asks."""

    path = "/rules"
    add_to_menu = False

    @route("/products", name="rule-products")
    async def products(self, request: Request) -> Response:
        """Products for somebody who types a part of a name or SKU."""
        query = request.query_params
        found = await ruling_products.suggested(
            request, query.get("q", ""), gifts="gifts" in query, most=ruling_products.FOUND_MAX
        )
        return JSONResponse(found)

    @route("/{code}/{step}", methods=["POST"], name="rule-check")
    async def check(self, request: Request) -> Response:
        """What the form means as it is now, and what is wrong with it."""
        campaign: Campaign = await ask(request, "read_campaign", path={"code": request.path_params["code"]})
        step = request.path_params["step"]
        if step not in ruling.steps(campaign.type):
            raise NotFound("there is no such step")
        form = await request.form(max_fields=FORM_FIELDS_MAX)
        taken = ruling.read(request, campaign, step, form)
        return JSONResponse(await _judged(request, campaign, step, taken, form))


async def _judged(request: Request, campaign: Campaign, step: str, taken: Taken, form: Any) -> dict[str, Any]:
    promotion = registry.available()[campaign.type]
    asked = ruling_fields.asked(campaign.type, step)
    proposed = _proposed(campaign, promotion, taken.rule)
    report: CampaignCheck = await ask(request, "check_campaign", query={"orders": "0"}, body=proposed)
    errors = {path: list(texts) for path, texts in taken.problems.items()}
    lacking: list[str] = []
    for each in report.errors:
        if each.field.split(".")[0] != "rule" or _elsewhere(campaign.type, step, each.field):
            continue
        if each.field in taken.problems:
            continue
        if each.code == "missing" and each.field in taken.names:
            lacking.append(taken.names[each.field])
        errors.setdefault(each.field, []).append(ruling_telling.told(each))
    beside, general = ruling.placed(errors, taken.names)
    notes = await ruling_meaning.notes(request, campaign, promotion, asked, taken.rule, taken.names)
    zhe = discounts_of(form, usual_discounts()) == ZHE
    for path, field, _ in ruling_meaning.values(asked, taken.rule):
        name = taken.names.get(path, "")
        read = ruling_meaning.as_85(field, text_of(form, name), zhe=zhe)
        if read:
            notes.setdefault(name, []).insert(0, read)
    label, words = await _meaning(request, promotion, proposed)
    return {
        "errors": beside,
        "lacking": lacking,
        "problems": general,
        "notes": notes,
        "label": label,
        "words": words,
        "right": not errors,
    }


def _elsewhere(type_name: str, step: str, path: str) -> bool:
    """Whether another step asks for a part of the rule."""
    others = (each for each in ruling.steps(type_name) if each != step)
    return ruling_fields.asks(type_name, step, path) < max(
        (ruling_fields.asks(type_name, other, path) for other in others), default=0
    )


def _proposed(campaign: Campaign, promotion: PromotionType, rule: dict[str, Any]) -> dict[str, Any]:
    """The campaign with what the form says in place of its rule, as for publishing it anew."""
    stored = campaign.model_dump(mode="json")
    body = {name: stored[name] for name in CampaignFields.model_fields if name not in _NOT_PROPOSED}
    body |= {"type": campaign.type, "name": campaign.name or campaign.code, "rule": campaign.rule | rule}
    if not _lists_by_rule(promotion, body["rule"]):
        body["items"] = [
            {key: item.get(key) for key in promotion.item.model_fields if item.get(key) is not None}
            for item in stored["items"]
            if not item["removed"]
        ]
    return body


def _lists_by_rule(promotion: PromotionType, rule: dict[str, Any]) -> bool:
    """Whether the type reads its products off the rule."""
    try:
        read: Any = promotion.fields.model_validate({"rule": rule})
    except ValidationError:
        return False
    return bool(read.items)


async def _meaning(request: Request, promotion: PromotionType, proposed: dict[str, Any]) -> tuple[str, list[str]]:
    """The generated label and the rule in words; empty while it cannot be read."""
    terms = {"rule": proposed["rule"], "items": proposed.get("items", [])}
    try:
        read: Any = promotion.fields.model_validate(terms)
    except ValidationError:
        return "", []
    resources = request.state.resources
    label = promotion.label(read.rule, read.items, resources.currency)
    products = await ruling_products.known(request, promotion.named(read.rule))
    names = {sku: product.name for sku, product in products.items()}
    reader = Reader(tag(), resources.currency, resources.zone, lambda sku: names.get(sku, sku))
    form = (each for each in promotion.form if each.path != "rule.session")
    return label.get(tag(), ""), in_words(form, read.rule, reader)
