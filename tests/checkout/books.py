"""Whether everything adds up in the end, by the database's rows alone: nothing of the product's code is asked."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, text

from tests.checkout.goods import Goods
from tests.checkout.shoppers import Crowd

NOTHING_HELD = {"cancelled", "expired", "refunded"}
PAID_IN_FULL = {"awaiting_group", "paid", "shipped", "completed"}


def rows(connection: Connection, statement: str) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(text(statement))]


def check(connection: Connection, goods: Goods, crowd: Crowd) -> None:
    """Hold orders, money, stock and limits against each other."""
    orders = {row["order_no"]: row for row in rows(connection, "SELECT * FROM orders")}
    _check_told(orders, crowd)
    _check_sums(connection, orders)
    _check_money(connection, orders)
    _check_counters(connection, goods, orders)
    _check_stock(connection, goods, orders)
    _check_groups(connection, orders)


def _check_told(orders: dict[str, dict[str, Any]], crowd: Crowd) -> None:
    """Nothing that anybody was told has been forgotten, and no cart was ordered that nobody knows of."""
    for number, (name, told) in crowd.told.items():
        order = orders[number]
        assert (order["shopper"], order["total"]) == (name, told["total"])
        if told["status"] in NOTHING_HELD:
            assert order["status"] == told["status"], number
    # A token orders once; a group or a pre-sale that was asked for again after a lost answer may be there twice.
    assert {number for number, order in orders.items() if order["flow"] == "cart"} <= set(crowd.told)


def _check_sums(connection: Connection, orders: dict[str, dict[str, Any]]) -> None:
    lines = defaultdict(list)
    for line in rows(connection, "SELECT * FROM order_lines"):
        lines[line["order_no"]].append(line)
    for number, order in orders.items():
        own = lines[number]
        assert order["total"] == sum(line["payable"] for line in own)
        goods = [line for line in own if line["kind"] == "goods"]
        assert order["subtotal"] == sum(line["unit_price"] * line["quantity"] for line in goods)
        assert order["discount"] == sum(line["discount"] for line in goods)
        assert order["coupon_discount"] == sum(line["coupon_discount"] for line in own)
        for line in own:
            units = _json(line["unit_payables"])
            assert len(units) == line["quantity"]
            assert sum(units) == line["payable"]
            assert min(units) >= 0


def _check_money(connection: Connection, orders: dict[str, dict[str, Any]]) -> None:
    """In: what had to be paid. Out: what came back, through the payments it came by."""
    taken: dict[str, int] = defaultdict(int)
    sent: dict[str, int] = defaultdict(int)
    payments = {row["id"]: row for row in rows(connection, "SELECT * FROM payments")}
    refunds = rows(connection, "SELECT * FROM refunds")
    strays = {row["payment"] for row in refunds if row["reason"] in {"late_payment", "double_payment"}}
    for payment in payments.values():
        if payment["state"] == "settled" and payment["id"] not in strays:
            taken[payment["order_no"]] += payment["amount"]
    back: dict[str, int] = defaultdict(int)
    held_back: dict[str, int] = defaultdict(int)
    for refund in refunds:
        assert refund["state"] == "settled", refund
        moved = rows(connection, f"SELECT * FROM refund_transfers WHERE refund = '{refund['id']}'")
        assert sum(each["amount"] for each in moved) == refund["amount"]
        for each in moved:
            assert each["state"] == "settled"
            sent[each["payment"]] += each["amount"]
        if refund["payment"] in strays and refund["reason"] != "asked":
            assert refund["amount"] == payments[refund["payment"]]["amount"]
        else:
            back[refund["order_no"]] += refund["amount"]
            held_back[refund["order_no"]] += refund["held_back"]
    for payment, amount in sent.items():
        assert amount <= payments[payment]["amount"]
    for number, order in orders.items():
        if order["status"] in PAID_IN_FULL:
            assert taken[number] == order["total"], order
        if order["status"] in {"pending", "cancelled", "expired"}:
            assert taken[number] == 0, order
        if order["status"] == "refunded":
            assert back[number] <= taken[number] <= back[number] + held_back[number], order
        assert back[number] <= taken[number], order


def _check_counters(connection: Connection, goods: Goods, orders: dict[str, dict[str, Any]]) -> None:
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for held in rows(connection, "SELECT * FROM reservations"):
        status = orders[held["order_no"]]["status"]
        if status in NOTHING_HELD and held["kind"] != "stock":
            assert held["state"] == "released", (held, status)
        if status == "pending":
            assert held["state"] == "reserved", held
        if held["kind"] != "stock" and held["state"] != "released":
            place = 0 if held["state"] == "reserved" else 1
            sums[held["kind"], held["subject"], held["owner"]][place] += held["amount"]
    tallies = rows(connection, "SELECT * FROM tallies")
    for tally in tallies:
        key = (tally["kind"], tally["subject"], tally["owner"])
        assert [tally["reserved"], tally["committed"]] == sums.pop(key, [0, 0]), key
        limit = goods.limits.get((tally["kind"], tally["subject"]))
        if limit is not None:
            assert tally["reserved"] + tally["committed"] <= limit, key
    assert not sums, "something is held that is not counted"


def _check_stock(connection: Connection, goods: Goods, orders: dict[str, dict[str, Any]]) -> None:
    reserved: dict[str, int] = defaultdict(int)
    gone: dict[str, int] = defaultdict(int)
    for held in rows(connection, "SELECT * FROM reservations WHERE kind = 'stock'"):
        if held["state"] == "reserved":
            reserved[held["subject"]] += held["amount"]
        # Paid for once: it has left, and without restocking it stays gone.
        elif held["state"] == "committed" or _was_paid(connection, held["order_no"], orders):
            gone[held["subject"]] += held["amount"]
    for product in rows(connection, "SELECT * FROM products"):
        sku = product["sku"]
        assert product["reserved"] == reserved[sku], sku
        assert product["stock"] == goods.stock[sku] - gone[sku], sku
        assert 0 <= product["reserved"] <= product["stock"], sku


def _was_paid(connection: Connection, number: str, orders: dict[str, dict[str, Any]]) -> bool:
    if orders[number]["status"] != "refunded":
        return False
    steps = rows(connection, f"SELECT after FROM order_events WHERE order_no = '{number}'")
    return "paid" in {step["after"] for step in steps}


def _check_groups(connection: Connection, orders: dict[str, dict[str, Any]]) -> None:
    members = defaultdict(list)
    for order in orders.values():
        if order["group_id"] is not None and order["status"] not in NOTHING_HELD:
            members[order["group_id"]].append(order)
    for group in rows(connection, "SELECT * FROM groups"):
        seated = members[group["id"]]
        assert len(seated) <= group["size"]
        assert len({order["shopper"] for order in seated}) == len(seated)
        if group["state"] == "open":
            assert not [order for order in seated if order["status"] == "paid"], group
        if group["state"] in {"failed", "closed"}:
            assert not seated, group


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
