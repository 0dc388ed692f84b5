"""Changing a campaign: its fields and its list of items, each as far as the state allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete
from sqlalchemy.exc import IntegrityError

from admin.campaigns import listing, offering, plans, publishing, recording, service, stock, windows
from admin.campaigns.models import Campaign
from admin.campaigns.states import check_change, locked
from admin.campaigns.stored import Readable, Stored, check_revision, load, to_columns
from admin.campaigns.tables import campaign_items
from admin.campaigns.views import campaign_view
from admin.errors import Conflict, Deferred, FieldError, Invalid, NotFound, Unavailable
from admin.inputs import examine
from admin.promotions.guards import guard_items
from admin.resources import Resources
from gateway.orders.database import writing

_FIXED = {
    "code": "a copy may have another code",
    "type": "make a new campaign of the other type",
    "draft": "POST …/publish publishes a draft, POST …/copy makes a new one",
}
"""What to do instead of changing a field that never changes."""


def change(
    resources: Resources,
    code: str,
    body: object,
    *,
    actor: str,
    if_match: int | None = None,
    languages: str = "",
) -> Campaign:
    """Change some fields. `rule` is changed field by field; lists are replaced.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Invalid: with every problem. Conflict: naming the state and the field, or the lowest stock.
        Deferred: it is stored and will be published.
    """
    if not isinstance(body, dict):
        raise Invalid.one("", "not_an_object", "want a JSON object")
    return _edit(resources, code, "change", lambda _: body, actor, if_match, languages)


def add_item(
    resources: Resources,
    code: str,
    body: object,
    *,
    actor: str,
    if_match: int | None = None,
    languages: str = "",
) -> Campaign:
    """Put one more product on the list, also while running. Raises as `change` does."""

    def patch(stored: Stored) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise Invalid.one("", "not_an_object", "want a JSON object")
        if stored.state == "ended":
            raise locked(stored.state, "items")
        if any(item.sku == body.get("sku") for item in stored.listed):
            raise Conflict(f"{body['sku']} is in the campaign already", code="already_listed", field="sku")
        return {"items": [*stored.body()["items"], body]}

    try:
        return _edit(resources, code, "add_item", patch, actor, if_match, languages)
    except Invalid as error:
        raise Invalid([_without_position(each) for each in error.errors]) from error


def _without_position(error: FieldError) -> FieldError:
    parts = error.field.split(".")
    if parts[0] == "items" and len(parts) > 2:
        return replace(error, field=".".join(parts[2:]))
    return error


def remove_item(
    resources: Resources,
    code: str,
    sku: str,
    *,
    actor: str,
    if_match: int | None = None,
    languages: str = "",
) -> Campaign:
    """Take a product off the list; while running its offer is terminated and kept. Raises as `change` does."""

    def patch(stored: Stored) -> dict[str, Any]:
        rest = [item for item in stored.body()["items"] if item["sku"] != sku]
        if len(rest) == len(stored.listed):
            raise NotFound(f"{sku} is not in campaign {code}")
        if stored.state == "ended":
            raise locked(stored.state, "items")
        if not rest and stored.state != "draft":
            raise Conflict("a campaign needs an item; terminate or delete it instead", code="last_item")
        return {"items": rest}

    return _edit(resources, code, "remove_item", patch, actor, if_match, languages)


def _edit(
    resources: Resources,
    code: str,
    action: str,
    patch: Callable[[Stored], dict[str, Any]],
    actor: str,
    if_match: int | None,
    languages: str,
) -> Campaign:
    try:
        try:
            operations, removals = _store(resources, code, action, patch, actor, if_match)
        except stock.SeedFirst:
            _seed(resources, code)
            operations, removals = _store(resources, code, action, patch, actor, if_match)
    except IntegrityError as error:
        raise Conflict("an offer id was taken at this very moment", code="offer_id_taken") from error
    except stock.SeedFirst as error:
        raise Unavailable("the offer is not on sale yet; nothing was stored") from error
    service.remove_offers(resources, removals)
    publishing.publish_campaign(resources, code)
    finished = [stock.finish(resources, each.id) for each in operations]
    for row in finished:
        stock.answer(row)
    return service.read(resources, code, languages=languages)


def _seed(resources: Resources, code: str) -> None:
    try:
        publishing.publish_campaign(resources, code)
    except Deferred as error:
        raise Unavailable("the offer cannot be put on sale yet; nothing was stored") from error


def _store(
    resources: Resources,
    code: str,
    action: str,
    patch: Callable[[Stored], dict[str, Any]],
    actor: str,
    if_match: int | None,
) -> tuple[list[stock.Operation], list[str]]:
    """The transaction of a change; what is left to do in Redis: stock operations, and offers to remove."""
    with writing(resources.engine) as connection:
        stored = load(connection, code, lock=True)
        check_revision(stored.row, if_match)
        old = stored.readable()
        merged, errors = _merge(stored, patch(stored))
        fields, problems = examine(old.promotion.fields, merged)
        errors += [error for _, error in problems]
        if fields is None:
            raise Invalid(errors)
        new = Readable(old.promotion, fields)
        if stored.state == "not_started" and windows.changes(old, new):
            new, wrong = windows.fit(resources, connection, new)
            errors += wrong
        before, after = (each.fields.model_dump(mode="json") for each in (old, new))
        if not errors:
            check_change(old.promotion, stored.state, before, after, stored.now_ms)
        if before == after and not errors:
            return [], []
        was = campaign_view(resources, stored)
        operations: list[stock.Operation] = []
        removals: list[str] = []
        if stored.state == "draft":
            _change_draft(connection, stored, new, errors)
        else:
            operations, removals = _change_published(resources, connection, stored, new, errors)
        recording.changed(resources, connection, actor, action, code, was)
    return operations, removals


def _merge(stored: Stored, patch: dict[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """The whole campaign as it would be, and complaints about fields that never change."""
    settled = {"code": stored.code, "type": stored.row.type, "draft": stored.row.draft}
    errors = [
        FieldError(name, "fixed", f"cannot be changed: {instead}")
        for name, instead in _FIXED.items()
        if name in patch and patch[name] != settled[name]
    ]
    body = stored.body()
    merged = {**body, **{name: value for name, value in patch.items() if name not in _FIXED}}
    if isinstance(patch.get("rule"), dict):
        merged["rule"] = {**body["rule"], **patch["rule"]}
        if "session" in patch["rule"] and patch["rule"]["session"] != body["rule"].get("session"):
            # Another session gives another window.
            merged |= {name: patch.get(name) for name in ("starts_at", "ends_at")}
        if "items" not in patch and _taken_from_rule(stored.readable(), body["rule"]):
            del merged["items"]
    return merged, errors


def _taken_from_rule(content: Readable, rule: dict[str, Any]) -> bool:
    """Whether the type reads its items off the rule when none are listed, and has done so."""
    read: Any = content.promotion.fields.model_validate({"rule": rule})
    return bool(read.items) and read.items == content.items


def _change_draft(connection: Connection, stored: Stored, new: Readable, errors: list[FieldError]) -> None:
    errors = [*errors, *guard_items(new.items)]
    if errors:
        raise Invalid(service.merge(errors))
    connection.execute(delete(campaign_items).where(campaign_items.c.campaign == stored.code))
    service.bump(connection, stored, **to_columns(new.fields))
    listing.add(connection, stored.code, list(enumerate(new.items)))


def _change_published(
    resources: Resources, connection: Connection, stored: Stored, new: Readable, errors: list[FieldError]
) -> tuple[list[stock.Operation], list[str]]:
    old = stored.readable()
    items = offering.with_stock(stored, new.items)
    new = Readable(new.promotion, new.fields.model_copy(update={"items": items}))
    difference = listing.compare(stored, items)
    if not errors:
        listing.check(connection, stored, old, new, difference)
    plan = plans.draw_up(
        resources,
        connection,
        stored.code,
        new,
        stored.now_ms,
        reserved={sku: row.stock for sku, row in stored.offers.items()},
        kept=listing.unchanged(stored, old, new, difference),
    )
    errors = [*errors, *plans.judge_change(connection, old, new, plan, difference.new)]
    if errors:
        raise Invalid(service.merge(errors))
    operations = stock.planned(resources, stored, difference.known)
    service.bump(connection, stored, **to_columns(new.fields))
    removals = listing.store(connection, stored, difference)
    service.put_on_sale(resources, connection, load(connection, stored.code), difference.new)
    offering.refresh(connection, load(connection, stored.code), currency=resources.currency)
    stock.record(connection, stored, operations)
    return operations, removals
