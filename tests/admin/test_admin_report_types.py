"""Given orders of every flow, a campaign's and a coupon's report add up to the cent."""

from __future__ import annotations

import csv
import io
from typing import Any

from reporting import add_on, gift, goods, ordered, pay, pay_back
from sidecar import Api, Shop, fields_of
from sqlalchemy import insert, select

from admin.coupons.tables import coupon_claims, coupon_codes
from admin.groups.tables import groups
from admin.members.tables import members
from admin.payments.tables import payments
from admin.reservations.ledger import Claim
from gateway.orders.database import reading, writing


def by_sku(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {line["sku"]: line for line in report["items"]}


def payment_of(shop: Shop, order_no: str) -> str:
    with reading(shop.resources.engine) as connection:
        found = connection.execute(select(payments.c.id).where(payments.c.order_no == order_no)).scalar_one()
        return str(found)


def test_a_campaign_of_carts_adds_up(api: Api, shop: Shop) -> None:
    kettle, towel, mug, never = (shop.product(name=name) for name in ("kettle", "towel", "mug", "never"))
    code = shop.campaign(
        type="threshold_gift",
        rule={"by": "count", "mode": "best", "tiers": [{"at": 1, "gifts": [{"sku": mug, "quantity": 1}]}]},
        items=[{"sku": never}, {"sku": kettle}],
        limits={"total": 10, "budget": 5000},
    ).code
    lines = [
        # Three kettles of 1000: 300 off by the campaign, 300 by a coupon.
        goods(kettle, [800, 800, 800], base=1000, coupon=300, campaign=code),
        goods(never, [50], base=70),
        add_on(towel, 2, base=500, price=100, campaign=code),
        gift(mug, 1, base=400, campaign=code),
    ]
    claims = [Claim("campaign", code, 1, 10), Claim("budget", code, 1100, 5000)]
    paid = ordered(shop, lines, "paid", claims=claims, at_ms=1_795_233_600_000, shopper="ann")
    ordered(shop, lines[:1], "pending", claims=claims[:1], shopper="bob")
    ordered(shop, lines, "expired", claims=claims, shopper="cleo", at_ms=1_795_233_500_000)
    over = ordered(shop, lines, "refunded", shopper="dora")
    ordered(shop, lines[1:2], "paid", shopper="bob", at_ms=1)
    # One kettle and one towel came back; the mug was kept, and 150 of its price held back.
    kept = [{"line": 4, "sku": mug, "quantity": 1, "value": 400}]
    payment = payment_of(shop, paid)
    pay_back(shop, paid, payment, 400, [1], gifts_kept=kept, held_back=400)
    # The towel's refund gives some of it back.
    pay_back(shop, paid, payment, 350, [5], gifts_kept=kept, held_back=-250, requested_at_ms=2)
    pay_back(shop, over, payment_of(shop, over), 2650, [1, 2, 3, 4, 5, 6, 7])
    # Neither what is still asked for nor what paid for nothing is in it.
    pay_back(shop, paid, payment_of(shop, paid), 800, [2], state="requested")
    pay_back(shop, paid, payment_of(shop, paid), 800, [], reason="double_payment")

    made = api.get(f"/campaigns/{code}/report")
    lines_by_sku, total = by_sku(made), made["total"]
    assert list(lines_by_sku) == [never, kettle, *sorted((towel, mug))]
    assert {name for name, value in lines_by_sku[never].items() if value} == {"sku"}
    one = lines_by_sku[kettle]
    assert (one["orders"], one["orders_paid"], one["orders_unpaid"], one["units"]) == (4, 2, 1, 12)
    assert (one["gmv"], one["refunded"]) == (1600 + 2400, 800 + 2400)
    assert (one["discounts"], one["coupons"], one["given_away"]) == (200 + 300, 200 + 300, 500)
    towels = lines_by_sku[towel]
    assert (towels["units"], towels["add_ons_sold"], towels["gmv"], towels["add_ons"]) == (0, 6, 100, 400)
    mugs = lines_by_sku[mug]
    assert (mugs["gifts_given"], mugs["gmv"], mugs["gifts"]) == (3, 150, 250)
    assert (total["orders"], total["orders_paid"], total["orders_unpaid"], total["units"]) == (4, 2, 1, 12)
    assert (total["gmv"], total["refunded"]) == (4000 + 100 + 150, 750 + 2600)
    assert (total["given_away"], total["add_ons_sold"], total["gifts_given"]) == (500 + 400 + 250, 6, 3)
    assert made["refunds"] == {"count": 3, "amount": 750 + 2600}
    # Bob had paid before; what dora and cleo have made is over.
    assert (total["new_customers"], one["new_customers"], towels["new_customers"]) == (1, 1, 0)
    assert total["first_sale_at"] == "2026-11-21T11:58:20+08:00"
    assert (made["limits_left"], made["budget_left"]) == ({"total": 8}, 5000 - 1100)
    assert (made["live"], made["offers"], made["presale"], made["group_buy"]) == (True, [], None, None)

    rows = list(csv.DictReader(io.StringIO(api.send("GET", f"/campaigns/{code}/report?format=csv").text)))
    assert [row["sku"] for row in rows] == [never, kettle, *sorted((towel, mug)), ""]
    assert (rows[1]["gmv"], rows[-1]["gmv"], rows[-1]["refunds"], rows[0]["refunds"]) == ("4000", "4250", "3", "")
    assert (rows[-1]["limit_left"], rows[-1]["budget_left"]) == ("8", "3900")


def test_what_came_back_of_a_discount_is_no_coupon(api: Api, shop: Shop) -> None:
    sku = shop.product()
    code = shop.campaign(type="item_discount", rule={"amount_off": 100}, items=[{"sku": sku}]).code
    paid = ordered(shop, [goods(sku, [966, 967, 967], base=1000, campaign=code)], "paid")
    pay_back(shop, paid, payment_of(shop, paid), 966, [1])
    total = api.get(f"/campaigns/{code}/report")["total"]
    assert (total["gmv"], total["discounts"], total["coupons"]) == (1934, 66, 0)


def test_who_bought_before_is_no_new_customer(api: Api, shop: Shop) -> None:
    sku = shop.product()
    code = shop.campaign(type="item_discount", rule={"amount_off": 100}, items=[{"sku": sku}]).code
    line = [goods(sku, [800], base=900, campaign=code)]
    ordered(shop, line, "paid", shopper="new", at_ms=1000)
    # Again in the same campaign: still one customer, and new.
    ordered(shop, line, "paid", shopper="new", at_ms=2000)
    ordered(shop, line, "paid", shopper="elsewhere", at_ms=2000)
    with writing(shop.resources.engine) as connection:
        connection.execute(
            insert(members).values(
                shopper="elsewhere", level=1, first_paid_at_ms=1, revision=1, created_at_ms=1, updated_at_ms=1
            )
        )
    # Paid for, all of it, and paid back: no new customer all the same.
    ordered(shop, [goods(sku, [900], base=900)], "refunded", shopper="back", at_ms=1)
    ordered(shop, line, "paid", shopper="back", at_ms=2000)
    total = api.get(f"/campaigns/{code}/report")["total"]
    assert (total["orders"], total["new_customers"]) == (4, 1)


def test_deposits_and_balances_are_told(api: Api, shop: Shop) -> None:
    sku, now = shop.product(), shop.now_ms()
    rule = {
        "price": 9000,
        "deposit": 1000,
        "mode": "leverage",
        "multiplier": 2,
        "balance_starts_at": now + 4_000_000,
        "balance_ends_at": now + 8_000_000,
        "on_unpaid": "forfeit",
    }
    code = shop.campaign(type="presale", rule=rule, items=[{"sku": sku}], limits={"total": 100}).code

    def sold(status: str, *, deposit: bool = True, balance: bool = False) -> str:
        line = goods(sku, [8000], base=12900, campaign=code)
        order_no = ordered(shop, [line], status, flow="presale", campaign=code)
        if deposit:
            last = pay(shop, order_no, 1000, "deposit")
        if balance:
            last = pay(shop, order_no, 7000, "balance")
        return last if deposit else order_no

    sold("pending", deposit=False)
    sold("expired", deposit=False)
    for status in ("deposit_paid", "balance_due", "expired", "expired"):
        sold(status)
    sold("paid", balance=True)
    # One whose deposit goes back when the balance is missed.
    deposit = sold("refunded")
    with reading(shop.resources.engine) as connection:
        of_deposit = connection.execute(select(payments.c.order_no).where(payments.c.id == deposit)).scalar_one()
    pay_back(shop, of_deposit, deposit, 1000, [1], reason="balance_missed")
    # The balance was paid twice; the second went back.
    twice = sold("paid", balance=True)
    with reading(shop.resources.engine) as connection:
        order_no = connection.execute(select(payments.c.order_no).where(payments.c.id == twice)).scalar_one()
    again = pay(shop, order_no, 7000, "balance")
    pay_back(shop, order_no, again, 7000, [], reason="double_payment")
    made = api.get(f"/campaigns/{code}/report")
    assert made["presale"] == {
        "deposits_paid": 7,
        "deposits_amount": 7000,
        "balances_paid": 2,
        "balances_amount": 14000,
        "balances_open": 2,
        "balances_missed": 3,
        "forfeited": 2000,
    }
    assert (made["total"]["orders"], made["total"]["orders_unpaid"], made["total"]["gmv"]) == (9, 3, 5 * 8000)
    assert made["refunds"] == {"count": 1, "amount": 1000}
    [*_, total] = csv.DictReader(io.StringIO(api.send("GET", f"/campaigns/{code}/report?format=csv").text))
    assert total["presale_forfeited"] == "2000"


def test_groups_and_their_seats_are_told(api: Api, shop: Shop) -> None:
    sku = shop.product()
    code = shop.campaign(
        type="group_buy", rule={"price": 9000, "size": 2, "hours": 1, "virtual_fill": True}, items=[{"sku": sku}]
    ).code
    with writing(shop.resources.engine) as connection:
        for number, (state, virtual) in enumerate([("open", 0), ("full", 0), ("full", 1), ("failed", 0)]):
            connection.execute(
                insert(groups).values(
                    id=f"{code}-{number}",
                    campaign=code,
                    sku=sku,
                    name="Kettle",
                    base_price=12900,
                    price=9000,
                    size=2,
                    limit_per_shopper=1,
                    virtual_fill=True,
                    state=state,
                    leader="ann",
                    virtual_seats=virtual,
                    settled=state != "open",
                    opened_at_ms=1,
                    # Far away: the sidecar's own round closes groups whose hour has struck.
                    deadline_ms=2**52,
                )
            )
    line = goods(sku, [9000], base=12900, campaign=code)
    for status in ("pending", "awaiting_group", "paid", "paid", "paid"):
        ordered(shop, [line], status, flow="group_buy", campaign=code)
    gone = ordered(shop, [line], "refunded", flow="group_buy", campaign=code)
    pay_back(shop, gone, payment_of(shop, gone), 9000, [1], reason="group_failed")
    made = api.get(f"/campaigns/{code}/report")
    told = {"opened": 4, "open": 1, "full": 2, "failed": 1, "closed": 0, "seats_paid": 4, "virtual_seats": 1}
    assert made["group_buy"] == told
    assert made["refunds"] == {"count": 1, "amount": 9000}
    assert (made["total"]["gmv"], made["total"]["refunded"], made["total"]["discounts"]) == (45000, 9000, 5 * 3900)


def test_a_coupon_adds_up(api: Api, shop: Shop) -> None:
    sku, now = shop.product(), shop.now_ms()
    coupon = {
        "name": "=1+1",
        "kind": "amount",
        "amount_off": 300,
        "starts_at": now - 1000,
        "ends_at": now + 9_000_000,
    }
    code = shop.unique("SAVE").upper()
    api.post("/coupons", {"code": code, "total": 50, **coupon}, 201)
    claim = [Claim("coupon", code, 1, 50)]

    def used(status: str, **about: Any) -> str:
        line = goods(sku, [900, 900], base=1000, coupon=200)
        return ordered(shop, [line], status, claims=about.pop("claims", claim), coupon=code, **about)

    paid = used("paid", shopper="ann", claims=[*claim, Claim("coupon_code", "XY1", 1, 1)])
    used("pending")
    used("cancelled", claims=[*claim, Claim("coupon_code", "XY2", 1, 1)])
    pay_back(shop, paid, payment_of(shop, paid), 900, [1])
    ordered(shop, [goods(sku, [1000], base=1000)], "paid", shopper="ann")
    with writing(shop.resources.engine) as connection:
        for name in ("XY1", "XY2", "XY3"):
            connection.execute(insert(coupon_codes).values(code=name, coupon=code, batch="b"))
        connection.execute(insert(coupon_claims).values(coupon=code, shopper="ann", claimed_at_ms=1))
    made = api.get(f"/coupons/{code}/report")
    del made["generated_at"], made["first_use_at"], made["last_use_at"]
    assert made == {
        "code": code,
        "name": "=1+1",
        "currency": "CNY",
        "claims": 1,
        "codes": 3,
        "codes_used": 1,
        "uses_reserved": 1,
        "uses": 1,
        "uses_left": 48,
        "orders": 3,
        "orders_paid": 1,
        "orders_unpaid": 1,
        "discount": 400,
        "gmv": 900 + 1800,
        "refunded": 900,
        "new_customers": 2,
    }
    [row] = csv.DictReader(io.StringIO(api.send("GET", f"/coupons/{code}/report?format=csv").text))
    assert (row["name"], row["gmv"]) == ("'=1+1", "2700")
    api.get("/coupons/none/report", 404)
    assert fields_of(api.get(f"/coupons/{code}/report?format=xml", 422)) == {"format": "not_one_of"}


def test_the_shop_is_told_day_by_day(api: Api, shop: Shop) -> None:
    sku, offer = shop.product(), shop.campaign().items[0].offer
    # In the shop's zone the second day begins at 16:00 UTC.
    before, after = 1_795_276_799_999, 1_795_276_800_000
    line = goods(sku, [800, 800], base=1000, coupon=100)
    paid = ordered(shop, [line], "paid", at_ms=before)
    ordered(shop, [line], "expired", at_ms=before)
    ordered(shop, [line], "pending", at_ms=after)
    shop.order(offer, created_at_ms=after, quantity=2)
    pay_back(shop, paid, payment_of(shop, paid), 800, [1], settled_at_ms=after)
    made = api.get("/report?from=2026-11-21&to=2026-11-22")
    first, second = made["days"]
    assert (first["day"], second["day"], made["currency"]) == ("2026-11-21", "2026-11-22", "CNY")
    told = {
        "orders": 2,
        "orders_paid": 1,
        "orders_unpaid": 1,
        "units": 4,
        "gmv": 800,
        "discounts": 300,
        "coupons": 100,
    }
    states = {"paid": 1, "expired": 1}
    assert first == {"day": "2026-11-21", "refunded": 0, "states": states, "flows": {"cart": told}, **told}
    assert (second["orders"], second["gmv"], second["refunded"]) == (2, 1600 + 2 * 9900, 800)
    assert second["flows"]["seckill"]["gmv"] == 2 * 9900
    rows = list(
        csv.DictReader(io.StringIO(api.send("GET", "/report?from=2026-11-21&to=2026-11-22&format=csv").text))
    )
    assert [(row["day"][-2:], row["flow"], row["refunded"]) for row in rows] == [
        ("21", "cart", ""),
        ("21", "", "0"),
        ("22", "cart", ""),
        ("22", "seckill", ""),
        ("22", "", "800"),
    ]
    for query, field, code in (
        ("from=2026-11-22&to=2026-11-21", "to", "before_from"),
        ("from=2020-11-22&to=2026-11-21", "to", "too_many_days"),
        ("from=20261121&to=2026-11-21", "from", "bad_date"),
        ("from=9999-12-31&to=9999-12-31", "from", "bad_date"),
        ("from=2026-11-21", "to", "missing"),
    ):
        assert fields_of(api.get(f"/report?{query}", 422))[field] == code
