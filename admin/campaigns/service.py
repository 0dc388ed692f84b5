"""Campaigns: make, read, publish, stop, copy, delete. Each change is one transaction with its audit record.

What is on sale is pushed to Redis after the commit, and the caller is answered when Redis has it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from admin.campaigns import listing, offering, plans, publishing, recording, removal, unsettled, windows
from admin.campaigns.models import Campaign, CopyInput, Removed, TerminateInput
from admin.campaigns.states import LIVE, require
from admin.campaigns.stored import Readable, Stored, check_revision, load, to_columns
from admin.campaigns.tables import campaign_items, campaigns
from admin.campaigns.views import campaign_view
from admin.errors import Conflict, FieldError, Invalid
from admin.inputs import check, examine
from admin.promotions import registry
from admin.promotions.guards import guard_items
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing

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
    content = Readable(promotion, given)
    try:
        with writing(resources.engine) as connection:
            now = now_ms(connection)
            if given.draft:
                errors += guard_items(content.items)
            else:
                content, broken = judge_publishing(resources, connection, code, content, now)
                errors += broken
            if errors:
                raise Invalid(merge(errors))
            values = to_columns(content.fields)
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
            items = list(enumerate(content.items))
            listing.add(connection, code, items)
            if not given.draft:
                put_on_sale(resources, connection, load(connection, code), items)
            recording.changed(resources, connection, actor, "create", code, None)
    except IntegrityError as error:
        raise Conflict(f"there is already a campaign {code}", code="code_taken", field="code") from error
    publishing.publish_campaign(resources, code)
    return read(resources, code, languages=languages)


def merge(errors: list[FieldError]) -> list[FieldError]:
    """Each problem once, and no field told missing when it, or a part of it, is there and wrong."""
    wrong: set[str] = set()
    for error in errors:
        if error.code != "missing":
            wrong.update(accumulate(error.field.split("."), "{}.{}".format))
    told: dict[tuple[str, str, str], FieldError] = {}
    for error in errors:
        if error.code == "missing" and error.field in wrong:
            continue
        told.setdefault((error.field, error.code, error.message), error)
    return list(told.values())


def judge_publishing(
    resources: Resources, connection: Connection, code: str, content: Readable, now: int
) -> tuple[Readable, list[FieldError]]:
    """What is wrong with publishing a campaign, which gets the window of its session."""
    content, errors = windows.fit(resources, connection, content)
    plan = plans.draw_up(resources, connection, code, content, now)
    found = plans.judge(connection, content, plan)
    if errors:
        # Its window is missing only because there is no such session.
        found = [error for error in found if error.field not in ("starts_at", "ends_at")]
    return content, [*errors, *found]


def put_on_sale(resources: Resources, connection: Connection, stored: Stored, items: list[tuple[int, Any]]) -> None:
    """Write the offers of items and reserve their stock, where the gateway sells them."""
    if stored.readable().promotion.sold_by_gateway:
        offering.open_offers(
            connection, stored, items, currency=resources.currency, buckets=resources.settings.buckets
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
            content, errors = judge_publishing(resources, connection, code, stored.readable(), stored.now_ms)
            if errors:
                raise Invalid(merge(errors))
            before = campaign_view(resources, stored)
            bump(connection, stored, draft=False, **to_columns(content.fields))
            put_on_sale(resources, connection, load(connection, code), list(enumerate(content.items)))
            recording.changed(resources, connection, actor, "publish", code, before)
    except IntegrityError as error:
        raise Conflict("an offer id was taken at this very moment", code="offer_id_taken") from error
    publishing.publish_campaign(resources, code)
    return read(resources, code, languages=languages)


def terminate(
    resources: Resources, code: str, body: object, *, actor: str, if_match: int | None = None, languages: str = ""
) -> Campaign:
    """End a campaign for good. Unpaid orders may still be paid, or with `refund_all` everybody is paid back.

    Raises:
        NotFound, StaleRevision, Conflict: there is none, it was changed, or its state forbids it.
        Deferred: it is stored and will be published.
    """
    wanted = {"refund_all_by": actor} if check(TerminateInput, body).refund_all else {}
    return _switch(
        resources, code, actor, "terminate", if_match, languages, lambda now: {"terminated_at_ms": now, **wanted}
    )


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
        if action == "resume":
            stored.readable()
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
    """Make a draft like a campaign, without its window and removed items, and without what cannot be read.

    Raises:
        NotFound: there is none. Invalid: the input is wrong.
        Conflict: the new code is taken, or this version does not have the type.
    """
    given = check(CopyInput, body)
    with reading(resources.engine) as connection:
        stored = load(connection, code)
    said = stored.body()
    promotion = registry.available().get(stored.row.type)
    if promotion is None:
        raise stored.unreadable()
    if isinstance(stored.content, str):
        rest, _ = examine(promotion.fields, said)
        said = {} if rest is None else rest.model_dump(mode="json")
    own = given.model_dump(exclude_none=True)
    made = {**said, "starts_at": None, "ends_at": None, **own, "type": stored.row.type, "draft": True}
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
        if stored.row.archived:
            return Removed(deleted=None, archived=code)
        if stored.state == "ended" and unsettled.has_orders(connection, code):
            unsettled.require_settled(connection, code)
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
