"""What belongs to orders, read for many of them with a few statements, and each order put together from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, select

from admin.orders.models import LineCount, Order, OrderLine, PresaleParts, Refund
from admin.orders.tables import order_lines
from admin.payments.tables import SENT_BACK, payments, refunds
from admin.presales.tables import presale_orders
from admin.resources import Resources
from gateway.orders.tables import OVER_STATES, SECKILL, offers, order_units

NEVER_PAID = tuple(state for state in OVER_STATES if state != "refunded")


@dataclass(slots=True)
class _Units:
    """Numbers of units by what has become of them."""

    held: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    refunded: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Parts:
    """What belongs to some orders, by order number."""

    lines: Mapping[str, Sequence[Row[Any]]]
    units: Mapping[str, Sequence[Row[Any]]]
    payments: Mapping[str, Sequence[Row[Any]]]
    refunds: Mapping[str, Sequence[Row[Any]]]
    presales: Mapping[str, Row[Any]]
    cards: Mapping[str, Mapping[str, Any]]
    """By offer: what its buyers were shown."""


def read(connection: Connection, rows: Iterable[Row[Any]]) -> Parts:
    """Everything that belongs to some orders; as many statements for many as for one."""
    flows: dict[str, list[str]] = defaultdict(list)
    sold: set[str] = set()
    for row in rows:
        flows[row.flow].append(row.order_no)
        if row.flow == SECKILL:
            sold.add(row.offer)
    numbers = [order_no for each in flows.values() for order_no in each]
    won = flows.pop(SECKILL, [])
    others = [order_no for each in flows.values() for order_no in each]
    units = select(order_units).where(order_units.c.order_no.in_(won)).order_by(order_units.c.unit)
    lines = (
        select(order_lines)
        .where(order_lines.c.order_no.in_(others))
        .order_by(order_lines.c.order_no, order_lines.c.line)
    )
    money = (
        select(payments).where(payments.c.order_no.in_(numbers)).order_by(payments.c.created_at_ms, payments.c.id)
    )
    back = select(refunds).where(refunds.c.order_no.in_(numbers)).order_by(refunds.c.requested_at_ms, refunds.c.id)
    deposits = flows.get("presale", [])
    terms = select(presale_orders).where(presale_orders.c.order_no.in_(deposits))
    cards = select(offers.c.id, offers.c.card).where(offers.c.id.in_(sold))
    return Parts(
        lines=_filed(connection, lines, others),
        units=_filed(connection, units, won),
        payments=_filed(connection, money, numbers),
        refunds=_filed(connection, back, numbers),
        presales={number: found[0] for number, found in _filed(connection, terms, deposits).items()},
        cards={each.id: orjson.loads(each.card) for each in connection.execute(cards)} if sold else {},
    )


def _filed(
    connection: Connection, statement: Select[Any], wanted: Collection[str]
) -> dict[str, Sequence[Row[Any]]]:
    filed: dict[str, list[Row[Any]]] = defaultdict(list)
    if wanted:
        for row in connection.execute(statement):
            filed[row.order_no].append(row)
    return dict(filed)


def order(resources: Resources, row: Row[Any], parts: Parts) -> Order:
    """An order from its row and its parts."""
    return Order(**fields_of(resources, row, parts))


def fields_of(resources: Resources, row: Row[Any], parts: Parts) -> dict[str, Any]:
    """The fields of an order, for those who have more to say of it."""
    back = parts.refunds.get(row.order_no, ())
    units = _units(row, parts, back)
    lines = _won_line(row, parts, units) if row.flow == SECKILL else _lines(row, parts, units)
    sent_back = [each for each in back if each.reason in SENT_BACK]
    useless = {each.payment for each in sent_back}
    came = [
        each for each in parts.payments.get(row.order_no, ()) if each.state == "settled" and each.id not in useless
    ]
    went = [each for each in back if each.state == "settled" and each.reason not in SENT_BACK]
    return {
        "order_no": row.order_no,
        "flow": row.flow,
        "offer": row.offer,
        "campaign": row.campaign,
        "sku": row.sku,
        "shopper": row.shopper,
        "lines": lines,
        "campaigns": list(dict.fromkeys(line.campaign for line in lines if line.campaign is not None)),
        "units": units.held,
        "units_released": units.released,
        "units_refunded": units.refunded,
        "quantity": row.quantity,
        "price": row.price,
        "subtotal": row.total if row.subtotal is None else row.subtotal,
        "discount": row.discount or 0,
        "coupon": row.coupon,
        "coupon_discount": row.coupon_discount or 0,
        "total": row.total,
        "paid": sum(each.amount for each in came),
        "refunded": sum(each.amount for each in went),
        "currency": row.currency,
        "status": row.status,
        "created_at": resources.iso(row.created_at_ms),
        "expire_at": resources.iso(row.expire_at_ms),
        "won_at": resources.iso_or_none(row.won_at_ms),
        "pay_by": resources.iso(row.expire_at_ms if row.pay_by_ms is None else row.pay_by_ms),
        "paid_at": resources.iso_or_none(row.paid_at_ms),
        "shipped_at": resources.iso_or_none(row.shipped_at_ms),
        "channel": row.channel,
        "note": row.note,
        "group_id": row.group_id,
        "presale": _presale(resources, row, parts.presales.get(row.order_no)),
        "address": row.address,
        "carrier": row.carrier,
        "tracking_no": row.tracking_no,
        "refunds": [_refund(resources, each, lines) for each in back],
    }


def _units(row: Row[Any], parts: Parts, back: Sequence[Row[Any]]) -> _Units:
    found = _Units()
    if row.flow == SECKILL:
        for unit in parts.units.get(row.order_no, ()):
            into = found.held if unit.active else found.released if unit.released else found.refunded
            into.append(unit.unit)
        return found
    gone: dict[int, list[int]] = {}
    for each in back:
        if each.state == "settled":
            gone.update(dict.fromkeys(each.units, found.released if each.restock else found.refunded))
    # Of an order that was paid back, what is left are gifts that the shopper has kept.
    kept = found.released if row.status in NEVER_PAID else found.held
    for line in parts.lines.get(row.order_no, ()):
        for number in range(line.first_unit, line.first_unit + line.quantity):
            gone.get(number, kept).append(number)
    return found


def _won_line(row: Row[Any], parts: Parts, units: _Units) -> list[OrderLine]:
    """The only line of an order that the gateway sold: the order itself."""
    card = parts.cards.get(row.offer, {})
    return [
        OrderLine(
            line=1,
            kind="goods",
            sku=row.sku,
            name=card.get("name", row.sku),
            quantity=row.quantity,
            base_price=card.get("original_price", row.price),
            unit_price=row.price,
            campaign=row.campaign,
            discount=0,
            coupon_discount=0,
            payable=row.total,
            unit_payables=[row.price] * row.quantity,
            units=units.held,
            units_refunded=units.refunded,
        )
    ]


def _lines(row: Row[Any], parts: Parts, units: _Units) -> list[OrderLine]:
    held, paid_back = set(units.held), _paid_back(row, parts) | set(units.refunded)
    shown = []
    for line in parts.lines.get(row.order_no, ()):
        numbers = range(line.first_unit, line.first_unit + line.quantity)
        shown.append(
            OrderLine(
                line=line.line,
                kind=line.kind,
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                base_price=line.base_price,
                unit_price=line.unit_price,
                campaign=line.campaign,
                discount=line.discount,
                coupon_discount=line.coupon_discount,
                payable=line.payable,
                unit_payables=line.unit_payables,
                units=[unit for unit in numbers if unit in held],
                units_refunded=[unit for unit in numbers if unit in paid_back],
            )
        )
    return shown


def _paid_back(row: Row[Any], parts: Parts) -> set[int]:
    back = parts.refunds.get(row.order_no, ())
    return {unit for each in back if each.state == "settled" for unit in each.units}


def _presale(resources: Resources, row: Row[Any], terms: Row[Any] | None) -> PresaleParts | None:
    if terms is None:
        return None
    return PresaleParts(
        mode=terms.mode,
        price=terms.price,
        deposit=terms.deposit,
        credit=terms.credit,
        balance=row.total - terms.deposit,
        balance_starts_at=resources.iso(terms.balance_starts_at_ms),
        balance_ends_at=resources.iso(terms.balance_ends_at_ms),
        ships_at=resources.iso_or_none(terms.ships_at_ms),
        on_unpaid=terms.on_unpaid,
    )


def _refund(resources: Resources, row: Row[Any], lines: Sequence[OrderLine]) -> Refund:
    units = set(row.units)
    if len(lines) == 1:
        counts = [(lines[0].line, len(units))]
    else:
        counts = [(each.line, len(units.intersection((*each.units, *each.units_refunded)))) for each in lines]
    return Refund(
        id=row.id,
        units=row.units,
        lines=[LineCount(line=line, quantity=count) for line, count in counts if count],
        amount=row.amount,
        held_back=row.held_back,
        gifts_kept=row.gifts_kept or [],
        state=row.state,
        reason=row.reason,
        restock=row.restock,
        requested_at=resources.iso(row.requested_at_ms),
        settled_at=resources.iso_or_none(row.settled_at_ms),
    )
