"""Given sales, operators see orders, reports and dead letters as they are."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import orjson
from buying import ANN, BOB, Shopper, begin, bring, expire, money, row, win
from sidecar import Api, Shop, fields_of

from admin.payments import booking
from admin.payments.providers.interface import Standing
from admin.reports import campaign as campaign_report
from admin.resources import Resources
from gateway import keys
from gateway.orders import releases


def test_orders_are_shown_with_the_units_they_hold(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    offer = campaign.items[0].offer
    first = shop.order(offer, shopper="ann 'o' \"x\" |,", quantity=2)
    second = shop.order(offer, status="expired", created_at_ms=1_795_233_600_123, expire_at_ms=1_795_233_600_000)
    shown = api.get(f"/orders/{first}")
    assert (shown["shopper"], shown["quantity"], shown["total"]) == ("ann 'o' \"x\" |,", 2, 19800)
    assert (len(shown["units"]), shown["units_released"], shown["status"]) == (2, [], "pending")
    over = api.get(f"/orders/{second}")
    assert (over["units"], len(over["units_released"])) == ([], 1)
    assert over["created_at"] == "2026-11-21T12:00:00.123+08:00"
    assert over["expire_at"] == "2026-11-21T12:00:00+08:00"
    api.get("/orders/none", 404)


def test_orders_are_filtered_and_paged_newest_first(api: Api, shop: Shop) -> None:
    one, two = shop.campaign().items[0].offer, shop.campaign().items[0].offer
    # Two at the same instant: the page boundary must not lose or repeat one.
    made = [shop.order(one, created_at_ms=5), shop.order(one, created_at_ms=5), shop.order(one, created_at_ms=9)]
    other = shop.order(two, shopper="ann b", status="paid")
    seen, cursor = [], ""
    while True:
        page = api.get(f"/orders?offer={one}&limit=1{cursor}")
        seen += [each["order_no"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [made[2], *sorted(made[:2], reverse=True)]
    assert [each["order_no"] for each in api.get("/orders?shopper=ann%20b")["items"]] == [other]
    assert [each["order_no"] for each in api.get("/orders?status=paid")["items"]] == [other]
    assert api.get(f"/orders?offer={one}&status=paid") == {"items": [], "next": None}
    assert fields_of(api.get("/orders?status=lost", 422)) == {"status": "not_one_of"}
    assert fields_of(api.get("/orders?shopper=%00", 422)) == {"shopper": "control_character"}


def test_a_report_adds_up(api: Api, shop: Shop) -> None:
    sku = shop.product(price=12900)
    campaign = shop.campaign(items=[{"sku": sku, "stock": 100}, {"sku": shop.product(), "stock": 5}])
    offer = campaign.items[0].offer
    elsewhere = shop.campaign().items[0].offer
    regular = shop.order(elsewhere, shopper="regular", status="paid", created_at_ms=1, paid_at_ms=1)
    shop.sell(offer, 4)
    shop.order(offer, shopper="new", status="paid", won_at_ms=1_795_233_600_000)
    shop.order(offer, shopper="regular", won_at_ms=1_795_233_660_000)
    shop.order(offer, shopper="gone", status="expired", won_at_ms=1_795_233_630_000)
    shop.resources.redis.hset(keys.clicks(offer), mapping={"won": 4, "sold_out": 9})
    made = api.get(f"/campaigns/{campaign.code}/report")
    line, total = made["offers"][0], made["total"]
    assert made["live"] is True
    assert (line["stock"], line["held"], line["left"], line["expired"], line["sold"]) == (100, 4, 96, 1, 5)
    assert (line["orders"], line["units"], line["paid"]) == (3, 3, 1)
    assert (line["gmv"], line["given_away"]) == (2 * 9900, 2 * 3000)
    assert (line["new_customers"], total["new_customers"]) == (1, 1)
    assert line["first_sale_at"] == "2026-11-21T12:00:00+08:00"
    assert line["last_sale_at"] == "2026-11-21T12:01:00+08:00"
    assert line["clicks"] == total["clicks"] == {"won": 4, "sold_out": 9}
    assert (total["stock"], total["left"], total["sold"]) == (105, 101, 5)
    assert made["refunds"] == {"count": 0, "amount": 0}
    assert regular
    api.get("/campaigns/none/report", 404)
    assert fields_of(api.get(f"/campaigns/{campaign.code}/report?format=xml", 422)) == {"format": "not_one_of"}


def test_units_that_came_back_are_counted_once(api: Api, shop: Shop, broken_redis: Resources) -> None:
    campaign = shop.campaign()
    offer = campaign.items[0].offer
    kept, restocked, expired = (win(shop, offer, name) for name in ("ann", "bob", "cleo"))
    for order_no, restock in ((kept, False), (restocked, True)):
        Shopper(api, row(shop, order_no).shopper).post(f"/{order_no}/pay")
        api.post(f"/orders/{order_no}/refund", {"restock": restock})
    expire(shop, expired)
    releases.apply_waiting(shop.resources.engine, shop.resources.redis, lease_ms=1)
    for resources in (shop.resources, broken_redis):
        total = campaign_report.make(resources, campaign.code).total
        # A unit that was paid back and is not sold again is still with its ticket.
        assert (total.stock, total.left, total.held, total.paid) == (100, 99, 1, 0)
        assert (total.sold, total.expired) == (3, 1)


def test_refunds_are_what_went_back(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    offer = campaign.items[0].offer
    order_no, late = shop.order(offer, shopper=ANN, quantity=3), shop.order(offer, shopper=BOB)
    ann = Shopper(api, ANN)
    ann.post(f"/{order_no}/pay")
    for quantity in (1, 2):
        ann.post(f"/{order_no}/refund", {"lines": [{"line": 1, "quantity": quantity}]})
    # Money that came too late never was the campaign's.
    payment = begin(shop, late)
    expire(shop, late)
    booking.book(shop.resources, payment, Standing("settled", "r"))
    assert money(shop, late) == (9900, 9900)
    # Neither is what an operator has not agreed to.
    asked = shop.order(offer, shopper="cleo")
    bring(shop, api, asked, "refunding")
    assert api.get(f"/campaigns/{campaign.code}/report")["refunds"] == {"count": 2, "amount": 3 * 9900}


def test_without_redis_the_ledger_speaks(shop: Shop, broken_redis: Resources) -> None:
    campaign = shop.campaign()
    shop.order(campaign.items[0].offer, quantity=3)
    made = campaign_report.make(broken_redis, campaign.code)
    assert (made.live, made.total.held, made.total.left) == (False, 3, 97)


def test_a_csv_holds_no_formula(api: Api, shop: Shop) -> None:
    campaign = shop.campaign(name='=HYPERLINK("http://evil.example","x")')
    reply = api.send("GET", f"/campaigns/{campaign.code}/report?format=csv")
    assert reply.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert [row["sku"] for row in rows] == [campaign.items[0].sku, ""]
    assert {row["name"] for row in rows} == {'\'=HYPERLINK("http://evil.example","x")'}
    assert rows[0]["left"] == rows[0]["stock"] == "100"
    assert rows[0]["clicks_won"] == "0"


def test_dead_letters_are_shown_newest_first(api: Api, shop: Shop) -> None:
    stream = keys.dead(0)
    offer = shop.unique("dead")
    ids = []
    for reason in ("unit taken", "no such offer", "slot taken"):
        fields = {
            "entry": "1-1",
            "shopper": b"\xff|x",
            "ticket": "no,1,1",
            "offer": offer,
            "epoch": 1,
            "reason": reason,
        }
        ids.append(shop.resources.redis.xadd(stream, fields).decode())
    first = api.get("/dead-letters?limit=2")
    second = api.get(f"/dead-letters?limit=1&cursor={first['next']}")
    shown = [*first["items"], *second["items"]]
    assert [each["id"] for each in shown] == ids[::-1]
    assert [each["reason"] for each in shown] == ["slot taken", "no such offer", "unit taken"]
    assert (shown[0]["shopper"], shown[0]["epoch"]) == ("\ufffd|x", 1)
    assert fields_of(api.get("/dead-letters?cursor=WzAsIisiXQ", 422)) == {"cursor": "bad_cursor"}
    shop.resources.redis.xdel(stream, *ids)


def test_reading_goes_on_without_redis(shop: Shop, broken_redis: Resources) -> None:
    from admin.campaigns import service

    campaign = shop.campaign()
    assert service.read(broken_redis, campaign.code).state == "running"
    yen = replace(broken_redis, settings=replace(broken_redis.settings, currency="JPY"))
    assert service.read(yen, campaign.code).label == "Flash sale 9900"
    assert orjson.loads(shop.row(campaign.items[0].offer).card)["currency"] == "CNY"
