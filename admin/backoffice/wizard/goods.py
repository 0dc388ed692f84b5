"""The step about the products: which take part, and what each has of its own."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request

from admin.backoffice.records.categories import paths
from admin.backoffice.wizard import columns, pasting
from admin.backoffice.wizard.catalogue import products_of
from admin.backoffice.wizard.saving import Errors
from admin.backoffice.wizard.spelling import SCOPES
from admin.backoffice.wizard.typed import words
from admin.campaigns.models import Campaign
from admin.pages.asking import ask, ask_all
from admin.pages.locales import current, gettext
from admin.promotions.model import ITEMS_MAX

ROWS_MAX = 150
"""Products whose terms one page has fields for: forms of more than a thousand fields are refused."""
FOUND_MAX = 20
"""Products that one search shows."""
CATEGORIES_MAX = 2000


async def context(request: Request, campaign: Campaign, typed: FormData | None, errors: Errors) -> dict[str, Any]:
    """What the template of the step needs."""
    scope = campaign.scope if typed is None else str(typed.get("scope", campaign.scope))
    listed = await _listed(request, campaign, typed)
    if typed is not None and typed.get("do") == "paste":
        # The lines that could be read are saved by now, whatever is wrong with the others.
        listed = list(dict.fromkeys([*listed, *_stored(campaign)]))
    excluded = campaign.exclude if typed is None else await _excluded(request, campaign, typed)
    shown = listed[:ROWS_MAX]
    products = await products_of(request, {*shown, *excluded, *_components(campaign)})
    asked = request.query_params if typed is None else typed
    return {
        "scope": scope,
        "scopes": SCOPES,
        "chosen": campaign.categories if typed is None else typed.getlist("categories"),
        "components": _components(campaign) if campaign.type == "bundle" else None,
        "listed": shown,
        "unshown": listed[ROWS_MAX:],
        "excluded": excluded,
        "products": products,
        "columns": columns.of(campaign.type),
        "cells": columns.cells(request, campaign, shown, typed),
        "published": _published(campaign),
        "results": columns.prices(request, campaign, products),
        "pasted": "" if typed is None else str(typed.get("paste", "")),
        **await search(request, campaign, asked),
    }


def _published(campaign: Campaign) -> frozenset[str]:
    """Products whose terms are settled, because shoppers can buy them by now."""
    if campaign.state not in {"running", "paused"}:
        return frozenset()
    return frozenset(item.sku for item in campaign.items if not item.removed)


def _components(campaign: Campaign) -> list[str]:
    if campaign.type != "bundle":
        return []
    named = (each.get("sku") for each in campaign.rule.get("components") or ())
    return [sku for sku in named if sku is not None]


async def search(request: Request, campaign: Campaign, asked: FormData | QueryParams) -> dict[str, Any]:
    """What somebody who looks for products finds; nothing before they ask."""
    text, category = (str(asked.get(name, "")).strip() for name in ("find", "find.category"))
    query = {"limit": str(FOUND_MAX), "gift_only": "false"}
    query |= {"q": text[:120]} if text else {}
    query |= {"category": category} if category else {}
    page = await ask(request, "list_products", query=query) if text or category else None
    return {
        "find": text,
        "find_category": category,
        "found": None if page is None else page.items,
        "found_more": page is not None and page.next is not None,
        "taken": {item.sku for item in campaign.items if not item.removed} | set(campaign.exclude),
        "categories": paths(await ask_all(request, "list_categories", most=CATEGORIES_MAX), current()),
    }


async def take(request: Request, campaign: Campaign, form: FormData) -> tuple[dict[str, Any], Errors]:
    """The body of a change made of the form."""
    errors: Errors = {}
    body: dict[str, Any] = {}
    scope = str(form.get("scope", campaign.scope))
    if "scope" in form.getlist("asked"):
        body["scope"] = scope
        body["categories"] = [str(each) for each in form.getlist("categories")] if scope == "category" else []
    if "exclude" in form.getlist("asked"):
        body["exclude"] = await _excluded(request, campaign, form)
    if campaign.type == "bundle" or "items" not in form.getlist("asked"):
        return body, errors
    listed = await _listed(request, campaign, form) if scope == "items" else []
    rows = columns.take(request, campaign, listed, form, errors)
    if form.get("do") == "paste":
        pasted = await pasting.read(request, campaign.type, str(form.get("paste", "")))
        if pasted.errors:
            errors["paste"] = pasted.errors
        rows = {**rows, **{sku: {**rows.get(sku, {"sku": sku}), **terms} for sku, terms in pasted.rows.items()}}
    body["items"] = list(rows.values())
    if len(rows) > ITEMS_MAX:
        del body["items"]
        errors["items"] = [gettext("A campaign lists at most %(count)s products.") % {"count": ITEMS_MAX}]
    return body, errors


async def prices(request: Request, campaign: Campaign) -> dict[str, str]:
    """What each listed product would cost, as text."""
    products = await products_of(request, {item.sku for item in campaign.items if not item.removed})
    return columns.prices(request, campaign, products)


def _stored(campaign: Campaign) -> list[str]:
    return [item.sku for item in campaign.items if not item.removed]


async def _listed(request: Request, campaign: Campaign, form: FormData | None) -> list[str]:
    """The products of the list, after what the pressed button does to it."""
    if form is None or "items" not in form.getlist("asked"):
        return _stored(campaign)
    listed = [str(each) for each in form.getlist("listed")] + words(str(form.get("unshown", "")))
    do, _, sku = str(form.get("do", "")).partition(":")
    if do == "remove":
        return [each for each in listed if each != sku]
    if str(form.get("scope", campaign.scope)) == "items":
        listed += await _picked(request, form, do)
    return list(dict.fromkeys(listed))


async def _excluded(request: Request, campaign: Campaign, form: FormData) -> list[str]:
    excluded = words(str(form.get("excluded", "")))
    do, _, sku = str(form.get("do", "")).partition(":")
    if do == "include":
        return [each for each in excluded if each != sku]
    if str(form.get("scope", campaign.scope)) != "items":
        excluded += await _picked(request, form, do)
    return list(dict.fromkeys(excluded))


async def _picked(request: Request, form: FormData, do: str) -> list[str]:
    if do == "add":
        return [str(each) for each in form.getlist("pick")]
    category = str(form.get("find.category", ""))
    if do == "add-category" and category:
        query = {"category": category, "gift_only": "false", "on_sale": "true"}
        return [each.sku for each in await ask_all(request, "list_products", query=query, most=ITEMS_MAX + 1)]
    return []
