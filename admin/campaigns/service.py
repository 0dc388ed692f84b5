"""Campaigns: make, read, publish, stop, copy, delete. Each change is one transaction with its audit record.

What is on sale is pushed to Redis after the commit, and the caller is answered when Redis has it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from admin.campaigns import offering, publishing, recording, removal
from admin.campaigns.models import (
    Campaign,
    CampaignFilter,
    CampaignPage,
    CopyInput,
    Removed,
    TerminateInput,
)
from admin.campaigns.states import LIVE, in_state, require
from admin.campaigns.stored import Stored, check_revision, item_terms, load, product_facts, to_columns
from admin.campaigns.tables import campaign_items, campaigns
from admin.campaigns.views import campaign_view, summary_view
from admin.errors import Conflict, FieldError, Invalid
from admin.inputs import check, examine
from admin.paging import read_cursor, split, write_cursor
from admin.promotions import registry
from admin.promotions.guards import guard_items
from admin.promotions.model import Plan
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import orders

_CODE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def create(resources: Resources, body: object, *, actor: str, demo: bool = False, languages: str = "") -> Campaign:
    """Make a campaign, and publish it unless it is a draft.

    Raises:
        Invalid: with every problem of the input and every broken guard.
        Conflict: the code is taken.
        Deferred: it is stored and will be published; Redis is away.
    """
    promotion = registry.resolve(body)
    given, problems = examine(promotion.campaign, body)
    errors = [error for _, error in problems]
    if given is None:
        raise Invalid(errors)
    code = given.code or _make_code(promotion.name)
    listed: list[Any] = given.items  # type: ignore[attr-defined]
    try:
        with writing(resources.engine) as connection:
            now = now_ms(connection)
            if given.draft:
                errors += guard_items(listed)
            else:
                facts = product_facts(connection, [item.sku for item in listed], {})
                plan = Plan(code, given, given.rule, listed, now, facts)  # type: ignore[attr-defined]
                errors += promotion.guard(plan)
                errors += offering.taken_ids(connection, code, list(enumerate(listed)))
            if errors:
                raise Invalid(merge(errors))
            values = to_columns(given)
            connection.execute(
                insert(campaigns).values(
                    code=code,
                    type=promotion.name,
                    draft=given.draft,
                    paused=False,
                    archived=False,
                    removing=False,
                    demo=demo,
                    revision=1,
                    created_at_ms=now,
                    updated_at_ms=now,
                    **values,
                )
            )
            add_items(connection, code, list(enumerate(listed)))
            if not given.draft:
                put_on_sale(resources, connection, load(connection, code), list(enumerate(listed)))
            recording.changed(resources, connection, actor, "create", code, None)
    except IntegrityError as error:
        raise Conflict(f"there is already a campaign {code}", code="code_taken", field="code") from error
    publishing.publish_campaign(resources, code)
    return read(resources, code, languages=languages)


def merge(errors: list[FieldError]) -> list[FieldError]:
    """Without the complaint that a field is missing when it is there and wrong; each field and code once."""
    wrong = {error.field for error in errors if error.code != "missing"}
    told: dict[tuple[str, str, str], FieldError] = {}
    for error in errors:
        if error.code == "missing" and error.field in wrong:
            continue
        told.setdefault((error.field, error.code, error.message), error)
    return list(told.values())


def add_items(connection: Connection, code: str, items: list[tuple[int, Any]]) -> None:
    """Store items with their positions."""
    if items:
        connection.execute(
            insert(campaign_items),
            [
                {
                    "campaign": code,
                    "sku": item.sku,
                    "position": position,
                    "terms": item_terms(item),
                    "removed": False,
                    "returned": 0,
                    "settled": False,
                }
                for position, item in items
            ],
        )


def put_on_sale(resources: Resources, connection: Connection, stored: Stored, items: list[tuple[int, Any]]) -> None:
    """Write the offers of items and reserve their stock."""
    offering.open_offers(
        connection,
        stored.row,
        stored.fields(),
        items,
        now_ms=stored.now_ms,
        currency=resources.currency,
    )


def read(resources: Resources, code: str, *, languages: str = "") -> Campaign:
    """One campaign as it is now.

    Raises:
        NotFound: there is none with this code.
    """
    with reading(resources.engine) as connection:
        stored = load(connection, code)
    absent: frozenset[str] = frozenset()
    if stored.state in LIVE:
        try:
            absent = publishing.absent(resources, [row.id for row in stored.offers.values() if row.seeded])
        except RedisError:
            # The database alone can tell everything else; readiness reports that Redis is away.
            absent = frozenset()
    return campaign_view(resources, stored, languages=languages, absent=absent)


def page(resources: Resources, wanted: CampaignFilter, *, languages: str = "") -> CampaignPage:
    """A page of campaigns, newest first.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, int, str)
    table = campaigns.c
    statement = (
        select(campaigns)
        .where(table.removing.is_(False), table.archived == wanted.archived)
        .order_by(table.created_at_ms.desc(), table.code.desc())
        .limit(wanted.limit + 1)
    )
    if position is not None:
        at, code = position
        statement = statement.where(
            or_(table.created_at_ms < at, and_(table.created_at_ms == at, table.code < code))
        )
    if wanted.type is not None:
        statement = statement.where(table.type == wanted.type)
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        if wanted.state is not None:
            statement = statement.where(in_state(wanted.state, now))
        rows = connection.execute(statement).all()
        shown, last = split(rows, wanted.limit)
        items: dict[str, list[dict[str, Any]]] = {row.code: [] for row in shown}
        for item in connection.execute(
            select(campaign_items)
            .where(campaign_items.c.campaign.in_(list(items)), campaign_items.c.removed.is_(False))
            .order_by(campaign_items.c.campaign, campaign_items.c.position)
        ):
            items[item.campaign].append({"sku": item.sku, **item.terms})
    return CampaignPage(
        items=[summary_view(resources, row, items[row.code], now, languages) for row in shown],
        next=write_cursor(last.created_at_ms, last.code) if last is not None else None,
    )


def publish(
    resources: Resources, code: str, *, actor: str, if_match: int | None = None, languages: str = ""
) -> Campaign:
    """Put a draft on sale.

    Raises:
        NotFound, StaleRevision, Conflict: there is none, it was changed, or it is published already.
        Invalid: with every broken guard. Deferred: it is stored and will be published.
    """
    try:
        with writing(resources.engine) as connection:
            stored = load(connection, code, lock=True)
            check_revision(stored.row, if_match)
            require(stored.state, ("draft",), "be published")
            fields: Any = stored.fields()
            facts = product_facts(connection, [item.sku for item in fields.items], {})
            plan = Plan(code, fields, fields.rule, fields.items, stored.now_ms, facts)
            items = list(enumerate(fields.items))
            errors = [*stored.promotion.guard(plan), *offering.taken_ids(connection, code, items)]
            if errors:
                raise Invalid(merge(errors))
            before = campaign_view(resources, stored)
            bump(connection, stored, draft=False)
            put_on_sale(resources, connection, load(connection, code), items)
            recording.changed(resources, connection, actor, "publish", code, before)
    except IntegrityError as error:
        raise Conflict("an offer id was taken at this very moment", code="offer_id_taken") from error
    publishing.publish_campaign(resources, code)
    return read(resources, code, languages=languages)


def terminate(
    resources: Resources, code: str, body: object, *, actor: str, if_match: int | None = None, languages: str = ""
) -> Campaign:
    """End a campaign for good. Orders that are waiting for payment may still be paid.

    Raises:
        NotFound, StaleRevision, Conflict: there is none, it was changed, or its state forbids it.
        Deferred: it is stored and will be published.
    """
    if check(TerminateInput, body).refund_all:
        raise Invalid.one("refund_all", "not_available", "this version has no refunds yet")
    return _switch(resources, code, actor, "terminate", if_match, languages, lambda now: {"terminated_at_ms": now})


def pause(
    resources: Resources, code: str, *, actor: str, if_match: int | None = None, languages: str = ""
) -> Campaign:
    """Stop sales until `resume`. Raises as `terminate` does."""
    return _switch(resources, code, actor, "pause", if_match, languages, lambda _: {"paused": True})


def resume(
    resources: Resources, code: str, *, actor: str, if_match: int | None = None, languages: str = ""
) -> Campaign:
    """Go on with sales. Raises as `terminate` does."""
    return _switch(resources, code, actor, "resume", if_match, languages, lambda _: {"paused": False})


def _switch(
    resources: Resources,
    code: str,
    actor: str,
    action: str,
    if_match: int | None,
    languages: str,
    flags: Callable[[int], dict[str, Any]],
) -> Campaign:
    with writing(resources.engine) as connection:
        stored = load(connection, code, lock=True)
        check_revision(stored.row, if_match)
        require(stored.state, LIVE, f"{action}")
        before = campaign_view(resources, stored)
        values = flags(stored.now_ms)
        if any(getattr(stored.row, name) != value for name, value in values.items()):
            bump(connection, stored, **values)
            offering.refresh(connection, load(connection, code), currency=resources.currency)
            recording.changed(resources, connection, actor, action, code, before)
    publishing.publish_campaign(resources, code)
    return read(resources, code, languages=languages)


def bump(connection: Connection, stored: Stored, **values: Any) -> None:
    """Change a campaign's row and raise its revision."""
    connection.execute(
        update(campaigns)
        .where(campaigns.c.code == stored.code)
        .values(revision=campaigns.c.revision + 1, updated_at_ms=now_ms(connection), **values)
    )


def copy(resources: Resources, code: str, body: object, *, actor: str, languages: str = "") -> Campaign:
    """Make a draft like a campaign, without its window and removed items.

    Raises:
        NotFound: there is none. Invalid: the input is wrong. Conflict: the new code is taken.
    """
    given = check(CopyInput, body)
    with reading(resources.engine) as connection:
        stored = load(connection, code)
    own = given.model_dump(exclude_none=True)
    made = {**stored.body(), "starts_at": None, "ends_at": None, **own, "type": stored.row.type, "draft": True}
    return create(resources, made, actor=actor, languages=languages)


def delete_campaign(resources: Resources, code: str, *, actor: str, if_match: int | None = None) -> Removed:
    """Delete a campaign that has sold nothing; one that is over and has orders is archived.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: it is running or paused. Deferred: it is stored, and its offers will be taken out of Redis.
    """
    with writing(resources.engine) as connection:
        stored = load(connection, code, lock=True)
        check_revision(stored.row, if_match)
        require(stored.state, ("draft", "not_started", "ended"), "be deleted")
        before = campaign_view(resources, stored)
        has_orders = connection.execute(select(exists().where(orders.c.campaign == code))).scalar_one()
        if stored.state == "ended" and has_orders:
            bump(connection, stored, archived=True)
            recording.changed(resources, connection, actor, "archive", code, before)
            return Removed(deleted=None, archived=code)
        without_offer = [item.sku for item in stored.items if item.sku not in stored.offers]
        if without_offer:
            connection.execute(
                delete(campaign_items).where(
                    campaign_items.c.campaign == code, campaign_items.c.sku.in_(without_offer)
                )
            )
        if not stored.offers:
            connection.execute(delete(campaigns).where(campaigns.c.code == code))
            recording.deleted(connection, actor, code, before)
            return Removed(deleted=code, archived=None)
        bump(connection, stored, removing=True)
        offering.refresh(connection, load(connection, code, removing=True), currency=resources.currency)
        removal.request(connection, list(stored.offers.values()))
        recording.deleted(connection, actor, code, before)
    remove_offers(resources, [row.id for row in stored.offers.values()])
    with reading(resources.engine) as connection:
        gone = connection.execute(select(func.count()).where(campaigns.c.code == code)).scalar_one() == 0
    return Removed(deleted=code if gone else None, archived=None if gone else code)


def remove_offers(resources: Resources, ids: list[str]) -> None:
    """Take offers out of Redis whose removal is stored.

    Raises:
        Deferred: Redis could not follow; the publisher goes on trying.
    """
    try:
        for offer in ids:
            publishing.steadily(resources, lambda offer=offer: removal.remove(resources, offer))  # type: ignore[misc]
    except publishing.FAILURES as error:
        raise publishing.deferred(error) from error


def _make_code(name: str) -> str:
    made = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(8))
    return f"{name.replace('_', '-')}-{made}"
