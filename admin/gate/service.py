"""The publish gate: everything that can be told of a draft before it is published. Nothing is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select

from admin.campaigns import service as campaigns
from admin.campaigns.states import require
from admin.campaigns.stored import Readable, load
from admin.campaigns.tables import campaigns as campaign_rows
from admin.catalog import service as catalog
from admin.errors import FieldError, Invalid
from admin.gate import overlaps, pricing, reporting, warnings
from admin.gate.goods import Goods, goods_of
from admin.gate.models import CampaignCheck, CheckStored, Priced
from admin.gate.pricing import PRICED_MAX
from admin.inputs import check, examine
from admin.members.tables import members
from admin.orders.tables import order_lines
from admin.promotions import registry
from admin.promotions.campaign import Campaign, read_campaign
from admin.promotions.model import CampaignFields
from admin.promotions.world import World
from admin.quotes.book import Book
from admin.quotes.facts import civil
from admin.quotes.left import Used, left_of, used_in_all
from admin.resources import Resources
from admin.storefront.visit import Products
from gateway.orders.database import now_ms, reading
from gateway.orders.tables import orders

_SETTLING = frozenset({"starts_at", "ends_at", "scope", "items", "categories", "exclude", "rule", "audience"})
"""Fields that decide what a campaign does; with errors in them its prices cannot be told."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A campaign as it would be published, and why that would be refused. `code` is None until one is made up."""

    code: str | None
    type_name: str
    fields: CampaignFields | None
    errors: list[FieldError]
    now_ms: int

    def settled(self) -> bool:
        """Whether it is clear what it would do."""
        return self.fields is not None and not any(
            error.field == "" or error.field.split(".")[0] in _SETTLING for error in self.errors
        )


def check_campaign(resources: Resources, body: object, orders_wanted: int, language: str) -> CampaignCheck:
    """The report about a campaign, given as for making one, or as the code of a stored draft.

    Raises:
        Invalid: the body names neither a type that there is nor a draft.
        NotFound, Conflict: there is no such campaign, or it is published already.
    """
    book = resources.books.fresh()
    with reading(resources.engine) as connection:
        drawn = _drawn(resources, connection, body)
        draft = _as_published(resources, drawn) if drawn.settled() else None
        report = CampaignCheck(
            code=drawn.code,
            type=drawn.type_name,
            errors=[reporting.error_view(each) for each in campaigns.merge(drawn.errors)],
            warnings=[],
            overlaps=[],
            overlaps_total=0,
            dead=None,
            priced=None,
        )
        if draft is None:
            return report
        if draft.broken is not None:
            error = FieldError("rule", "unreadable", draft.broken)
            return report.model_copy(update={"errors": [*report.errors, reporting.error_view(error)]})
        return _told(resources, connection, book, draft, drawn.now_ms, orders_wanted, language, report)


def published(resources: Resources, connection: Connection, code: str) -> Campaign:
    """A stored draft as it would be, published now.

    Raises:
        NotFound, Conflict: there is no such campaign, or it is published already.
        Invalid: it is not settled yet what it would do, with everything that is missing or wrong.
    """
    drawn = _drawn(resources, connection, {"code": code})
    if not drawn.settled():
        raise Invalid(campaigns.merge(drawn.errors))
    return _as_published(resources, drawn)


def _drawn(resources: Resources, connection: Connection, body: object) -> Drawn:
    if isinstance(body, dict) and set(body) == {"code"}:
        stored = load(connection, check(CheckStored, body).code)
        require(stored.state, ("draft",), "be checked for publishing")
        content, errors = campaigns.judge_publishing(
            resources, connection, stored.code, stored.readable(), stored.now_ms
        )
        return Drawn(stored.code, content.promotion.name, content.fields, errors, stored.now_ms)
    promotion = registry.resolve(body)
    given, problems = examine(promotion.campaign, body)
    errors = [error for _, error in problems]
    now = now_ms(connection)
    if given is None:
        return Drawn(None, promotion.name, None, errors, now)
    code = given.code or _placeholder(promotion.name)
    content, broken = campaigns.judge_publishing(resources, connection, code, Readable(promotion, given), now)
    taken = exists().where(campaign_rows.c.code == code)
    if connection.execute(select(taken)).scalar_one():
        text = f"there is already a campaign {code}: choose another code, or leave it out to get one"
        broken.append(FieldError("code", "code_taken", text))
    return Drawn(given.code, promotion.name, content.fields, [*errors, *broken], now)


def _placeholder(name: str) -> str:
    # Like a code that is made up, behind all of them: between equals the smaller code goes first.
    return f"{name.replace('_', '-')}-zzzzzzzz"


def _as_published(resources: Resources, drawn: Drawn) -> Campaign:
    assert drawn.fields is not None
    fields = drawn.fields.model_dump(mode="json", exclude={"code", "draft", "type"})
    fields["audience"] = drawn.fields.audience.as_json()
    body = {
        **fields,
        "type": drawn.type_name,
        "revision": 0,
        "draft": False,
        "paused": False,
        "terminated_at": None,
    }
    return read_campaign(drawn.code or _placeholder(drawn.type_name), body, resources.currency)


def _told(
    resources: Resources,
    connection: Connection,
    book: Book,
    draft: Campaign,
    now: int,
    orders_wanted: int,
    language: str,
    report: CampaignCheck,
) -> CampaignCheck:
    skus = sorted(draft.items) if draft.scope == "items" else resources.shelf.skus.of(book.listings)
    goods = goods_of(draft, (book.listings[sku].product for sku in skus if sku in book.listings))
    world = _world(resources, book, draft, used_in_all(connection), now, language)
    costs = _costs(connection, draft, goods)
    channel, store = reporting.place_of(draft)
    looked_at = list(islice(goods.products.values(), PRICED_MAX))
    priced = pricing.price_goods(draft, looked_at, world, channel, store, costs)
    bill = pricing.price_carts(draft, _carts(connection, orders_wanted), world, channel, store)
    found = overlaps.overlaps(draft, goods, book.index.all(), now)
    beaten = overlaps.beaten(draft, looked_at, book.index, now)
    last_day = civil(draft.ends_at_ms - 1, resources.zone)
    told = [
        *warnings.of_terms(draft, now, levels_exist=_levels_exist(connection, draft)),
        *warnings.of_goods(draft, goods),
        *warnings.of_margins(draft, priced, costs),
    ]
    return report.model_copy(
        update={
            "warnings": told,
            "overlaps": [
                reporting.overlap_view(resources, draft, each, now, language)
                for each in found[: reporting.OVERLAPS_MAX]
            ],
            "overlaps_total": len(found),
            "dead": reporting.dead_view(beaten, len(looked_at), len(goods), overlaps.nobody(draft, last_day)),
            "priced": Priced(
                at=resources.iso(world.now_ms),
                channel=channel,
                shopper=reporting.shopper_view(world.shopper),
                catalogue=reporting.catalogue_view(priced, len(goods)),
                orders=reporting.orders_view(bill),
            ),
        }
    )


def _world(resources: Resources, book: Book, draft: Campaign, used: Used, now: int, language: str) -> World:
    """The shop when the draft begins, or now if it has, for somebody whom it is for and who has bought nothing."""
    moment = max(now, draft.starts_at_ms)
    today = civil(moment, resources.zone)
    return World(
        now_ms=moment,
        today=today,
        index=book.index,
        products=Products(book.listings),
        free={},
        shopper=pricing.shopper_for(draft.audience, today),
        left={each.code: left_of(each, used) for each in book.index.all() if each.limited},
        zone=resources.zone,
        currency=resources.currency,
        language=language,
    )


def _costs(connection: Connection, draft: Campaign, goods: Goods) -> dict[str, int | None]:
    """Costs of the goods that are priced and of what the rule names."""
    assert draft.type is not None
    skus = {*islice(goods.products, PRICED_MAX), *draft.type.named(draft.rule)}
    return {sku: row.cost for sku, row in catalog.find(connection, skus).items()}


def _carts(connection: Connection, wanted: int) -> Sequence[Mapping[str, int]]:
    """The goods that the newest orders hold: no gifts and add-ons, which a cart earns and does not name."""
    order = orders.c.created_at_ms.desc(), orders.c.order_no.desc()
    newest = select(orders.c.order_no).order_by(*order).limit(wanted).subquery()
    goods = and_(order_lines.c.order_no == orders.c.order_no, order_lines.c.kind == "goods")
    # The gateway's orders have no lines: they are their one line themselves.
    rows = connection.execute(
        select(
            orders.c.order_no,
            func.coalesce(order_lines.c.sku, orders.c.sku).label("sku"),
            func.coalesce(order_lines.c.quantity, orders.c.quantity).label("quantity"),
        )
        .join(newest, newest.c.order_no == orders.c.order_no)
        .outerjoin(order_lines, goods)
        .order_by(*order, order_lines.c.line)
    )
    carts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        carts[row.order_no][row.sku] = row.quantity
    return list(carts.values())


def _levels_exist(connection: Connection, draft: Campaign) -> bool:
    """Whether a member has one of the levels that a draft is for; true when it is for all."""
    levels: Any = draft.audience.levels
    if not levels or 0 in levels:
        return True
    has_one = exists().where(or_(members.c.level.in_(levels), members.c.paid_level.in_(levels)))
    return bool(connection.execute(select(has_one)).scalar_one())
