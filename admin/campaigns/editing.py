"""Changing a campaign: its fields and its list of items, each as far as the state allows."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update
from sqlalchemy.exc import IntegrityError

from admin.campaigns import offering, publishing, recording, removal, service, stock
from admin.campaigns.models import Campaign
from admin.campaigns.states import check_change, locked
from admin.campaigns.stored import (
    Stored,
    check_revision,
    item_terms,
    load,
    product_facts,
    to_columns,
)
from admin.campaigns.tables import campaign_items, offer_removals
from admin.campaigns.views import campaign_view
from admin.errors import Conflict, Deferred, FieldError, Invalid, NotFound, Unavailable
from admin.inputs import examine
from admin.promotions.guards import guard_items
from admin.promotions.model import CampaignFields, Plan
from admin.resources import Resources
from gateway import offers as published
from gateway.orders.database import writing

_FIXED = {"code": "is settled", "type": "is settled", "draft": "use …/publish"}


class _SeedFirst(Exception):
    """Stock is to change on an offer that Redis has not got yet."""


@dataclass(slots=True)
class _Difference:
    """How a published campaign's items are to change. New and returning ones with their positions."""

    new: list[tuple[int, Any]]
    returning: list[tuple[int, Any]]
    kept: list[tuple[int, Any]]
    removed: list[Row[Any]]


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
        except _SeedFirst:
            _seed(resources, code)
            operations, removals = _store(resources, code, action, patch, actor, if_match)
    except IntegrityError as error:
        raise Conflict("an offer id was taken at this very moment", code="offer_id_taken") from error
    except _SeedFirst as error:
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
        merged, errors = _merge(stored, patch(stored))
        fields, problems = examine(stored.promotion.fields, merged)
        errors += [error for _, error in problems]
        if fields is None:
            raise Invalid(errors)
        old, new = stored.fields().model_dump(mode="json"), fields.model_dump(mode="json")
        if not errors:
            check_change(stored.promotion, stored.state, old, new, stored.now_ms)
        if old == new and not errors:
            return [], []
        before = campaign_view(resources, stored)
        if stored.state == "draft":
            errors += guard_items(fields.items)  # type: ignore[attr-defined]
            if errors:
                raise Invalid(service.merge(errors))
            connection.execute(delete(campaign_items).where(campaign_items.c.campaign == code))
            service.bump(connection, stored, **to_columns(fields))
            service.add_items(connection, code, list(enumerate(fields.items)))  # type: ignore[attr-defined]
            operations: list[stock.Operation] = []
            removals: list[str] = []
        else:
            operations, removals = _change_published(resources, connection, stored, fields, errors)
        recording.changed(resources, connection, actor, action, code, before)
    return operations, removals


def _merge(stored: Stored, patch: dict[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """The whole campaign as it would be, and complaints about fields that never change."""
    settled = {"code": stored.code, "type": stored.row.type, "draft": stored.row.draft}
    errors = [
        FieldError(name, "fixed", f"cannot be changed: {why}")
        for name, why in _FIXED.items()
        if name in patch and patch[name] != settled[name]
    ]
    body = stored.body()
    merged = {**body, **{name: value for name, value in patch.items() if name not in _FIXED}}
    if isinstance(patch.get("rule"), dict):
        merged["rule"] = {**body["rule"], **patch["rule"]}
    return merged, errors


def _change_published(
    resources: Resources, connection: Connection, stored: Stored, fields: CampaignFields, errors: list[FieldError]
) -> tuple[list[stock.Operation], list[str]]:
    items = _with_stock(stored, fields)
    difference = _compare(stored, items)
    _check_items(connection, stored, fields, difference)
    reserved = {sku: row.stock for sku, row in stored.offers.items()}
    rule: Any = fields.rule  # type: ignore[attr-defined]
    plan = Plan(
        code=stored.code,
        fields=fields,
        rule=rule,
        items=items,
        now_ms=stored.now_ms,
        products=product_facts(connection, [item.sku for item in items], reserved),
        kept=frozenset(
            item.sku
            for _, item in (*difference.kept, *difference.returning)
            if item.price == stored.offers[item.sku].price
            or (item.price is None and rule.price == stored.offers[item.sku].price)
        ),
    )
    errors = [
        *errors,
        *stored.promotion.guard(plan),
        *offering.taken_ids(connection, stored.code, difference.new),
    ]
    if errors:
        raise Invalid(service.merge(errors))
    operations = _operations(resources, stored, difference)
    service.bump(connection, stored, **to_columns(fields))
    removals = _store_items(connection, stored, difference)
    service.put_on_sale(resources, connection, load(connection, stored.code), difference.new)
    offering.refresh(connection, load(connection, stored.code), currency=resources.currency)
    stock.record(connection, stored, operations)
    return operations, removals


def _with_stock(stored: Stored, fields: CampaignFields) -> list[Any]:
    """The wanted items; one that is published and comes without a stock keeps the one it has."""
    return [
        item.model_copy(update={"stock": stored.offers[item.sku].stock})
        if item.stock is None and item.sku in stored.offers
        else item
        for item in fields.items  # type: ignore[attr-defined]
    ]


def _compare(stored: Stored, items: list[Any]) -> _Difference:
    listed = {item.sku for item in stored.listed}
    wanted = {item.sku for item in items}
    difference = _Difference([], [], [], [item for item in stored.listed if item.sku not in wanted])
    for position, item in enumerate(items):
        if item.sku in listed:
            difference.kept.append((position, item))
        elif item.sku in stored.offers:
            difference.returning.append((position, item))
        else:
            difference.new.append((position, item))
    return difference


def _check_items(connection: Connection, stored: Stored, fields: Any, difference: _Difference) -> None:
    """Refuse changes of items that the state does not allow.

    Raises:
        Conflict: naming the state and the field.
    """
    ids = [stored.offers[item.sku].id for _, item in difference.returning]
    waiting = connection.execute(
        select(offer_removals.c.offer).where(offer_removals.c.offer.in_(ids)).limit(1)
    ).scalar_one_or_none()
    if waiting is not None:
        raise Conflict(f"{waiting} is being removed; try again later", code="removal_under_way")
    if stored.state == "not_started":
        return
    for position, item in difference.kept:
        if offering.price_of(fields, item) != stored.offers[item.sku].price:
            raise locked(stored.state, f"items.{position}.price")
    for position, item in difference.returning:
        offer = stored.offers[item.sku]
        if (offering.price_of(fields, item), item.stock) != (offer.price, offer.stock):
            raise Conflict(
                f"{item.sku} was removed and returns only with its old price and stock",
                code="old_values_only",
                state=stored.state,
                field=f"items.{position}",
                price=offer.price,
                stock=offer.stock,
            )


def _operations(resources: Resources, stored: Stored, difference: _Difference) -> list[stock.Operation]:
    """The changes of stock, as operations under ids that no operator can type.

    Raises:
        Conflict: a cut would go below what is held.
    """
    operations = []
    nonce = secrets.token_hex(8)
    for position, item in (*difference.kept, *difference.returning):
        offer = stored.offers[item.sku]
        delta = item.stock - offer.stock
        if delta == 0:
            continue
        if not offer.seeded:
            raise _SeedFirst
        if delta < 0:
            found = published.read(resources.redis, offer.id)
            if found is not None and item.stock < found.held:
                raise Conflict(
                    f"shoppers hold {found.held} units of {offer.id}, so its stock cannot go lower",
                    code="below_held",
                    field=f"items.{position}.stock",
                    lowest=found.held,
                )
        path = f"items.{position}.stock"
        operations.append(stock.Operation(f"change {nonce} {offer.id}", item.sku, delta, path))
    return operations


def _store_items(connection: Connection, stored: Stored, difference: _Difference) -> list[str]:
    """Write the list of items; the ids of offers to take out of Redis are returned."""
    rows = {item.sku: item for item in stored.items}
    for position, item in (*difference.kept, *difference.returning):
        row, terms = rows[item.sku], item_terms(item)
        if (row.position, row.removed, row.terms) != (position, False, terms):
            _update_item(connection, stored, item.sku, position=position, terms=terms, removed=False)
    service.add_items(connection, stored.code, difference.new)
    for row in difference.removed:
        _update_item(connection, stored, row.sku, removed=True)
    if stored.state != "not_started":
        return []
    # Before the start nothing has been sold, so the offer is not kept either.
    leaving = [stored.offers[row.sku] for row in difference.removed]
    removal.request(connection, leaving)
    return [row.id for row in leaving]


def _update_item(connection: Connection, stored: Stored, sku: str, **values: Any) -> None:
    connection.execute(
        update(campaign_items)
        .where(campaign_items.c.campaign == stored.code, campaign_items.c.sku == sku)
        .values(**values)
    )
