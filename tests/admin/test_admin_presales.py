"""Deposits: what they cost to the cent, who may pay one, and what they hold."""

from __future__ import annotations

from typing import Any

import pytest
from buying import BOB, goods, money, row
from preselling import HOUR_MS, TERMS, Buyer, code_of, line_of, presale, tally, window
from sidecar import Api, Shop

from admin.campaigns import service as campaigns
from admin.catalog import service as catalog
from admin.checkout import keys

ACTOR = "tester"

# Base price, terms, units; then price, deposit and credit of all of them.
CENTS: list[tuple[int, dict[str, Any], int, int, int, int]] = [
    # 10 % of 99.99 is 10.00, which counts for 25.00.
    (9999, {"deposit_percent": 10, "multiplier": 2.5}, 3, 29997, 3000, 7500),
    # 3.33 counts for 8.325, half up 8.33: rounded for each unit, then added up.
    (9999, {"deposit": 333, "multiplier": 2.5}, 3, 29997, 999, 2499),
    (12900, {"mode": "confirm", "price": 10900, "deposit": 2000}, 2, 21800, 4000, 4000),
    # 12.34 % of 1.01 is 0.1246.
    (101, {"deposit_percent": 12.34}, 1, 101, 12, 12),
]


def test_a_deposit_is_priced_as_quoted_and_keeps_its_terms(shop: Shop, api: Api) -> None:
    ann = Buyer(api)
    for base, terms, quantity, price, deposit, credit in CENTS:
        sku = shop.product(price=base, stock=10)
        code = presale(shop, sku, rule=terms)
        cart = {"lines": [{"sku": sku, "quantity": quantity, "campaign": code}]}
        quoted = api.post("/api/quote", cart, key=ann.token)
        order = ann.deposit(code, sku, {"quantity": quantity, "note": "ring twice"})
        number, parts, total = order["order_no"], order["presale"], price - credit + deposit
        assert (order["status"], order["flow"], order["campaign"]) == ("pending", "presale", code), terms
        assert (order["total"], order["discount"], order["paid"]) == (total, base * quantity - total, 0), terms
        assert (parts["price"], parts["deposit"], parts["credit"]) == (price, deposit, credit), terms
        assert parts["mode"] == terms.get("mode", "leverage")
        assert (quoted["total"], quoted["presale"]) == (total, {each: parts[each] for each in quoted["presale"]})
        assert parts["balance"] == price - credit
        assert line_of(shop, number).unit_payables == [total // quantity] * quantity
        assert goods(shop, sku) == (10, quantity)

        # Whatever becomes of the campaign and the product, this was agreed.
        catalog.change(shop.resources, sku, {"price": base * 2}, actor=ACTOR)
        campaigns.terminate(shop.resources, code, {}, actor=ACTOR)
        paid = ann.post(f"/{number}/pay")
        assert (paid["status"], paid["paid"], paid["total"]) == ("deposit_paid", deposit, total), terms
        assert paid["presale"] == parts
        assert ann.post(f"/{number}/pay")["paid"] == deposit, "paid once"
        assert (money(shop, number), goods(shop, sku)) == ((deposit, 0), (10, quantity))
        assert row(shop, number).paid_at_ms is None
        window(shop, number, -1000, HOUR_MS)
        assert ann.balance(number)["status"] == "paid"
        # Only now have the units left the shop.
        assert (money(shop, number), goods(shop, sku)) == ((total, 0), (10 - quantity, 0))


def test_the_terms_are_told_before_the_deposit_and_after_the_end(shop: Shop, api: Api) -> None:
    sku = shop.product(price=30_000)
    code = presale(shop, sku, rule={**TERMS, "price": 28_000, "on_unpaid": "refund"})
    told = api.get(f"/api/presales/{code}/{sku}", key=None)
    parts = {name: told[name] for name in ("base_price", "price", "deposit", "credit", "balance", "total")}
    assert parts == {
        "base_price": 30_000,
        "price": 28_000,
        "deposit": 1000,
        "credit": 2500,
        "balance": 25_500,
        "total": 26_500,
    }
    assert (told["state"], told["open"], told["mode"], told["on_unpaid"]) == ("running", True, "leverage", "refund")
    deposit = Buyer(api).deposit(code, sku)["presale"]
    assert {name: told[name] for name in deposit.keys() & told.keys()} == {
        name: deposit[name] for name in deposit.keys() & told.keys()
    }
    campaigns.terminate(shop.resources, code, {}, actor=ACTOR)
    over = api.get(f"/api/presales/{code}/{sku}", key=None)
    assert (over["state"], over["open"], over["reason"].split(":")[0]) == ("ended", False, "ended")
    gold = presale(shop, sku, audience={"kind": "members", "levels": [7]})
    assert api.get(f"/api/presales/{gold}/{sku}", key=None)["open"] is False
    for campaign, product in (("none", sku), (gold, "none"), (presale(shop, sku, draft=True), sku)):
        api.get(f"/api/presales/{campaign}/{product}", 404, key=None)


def test_a_deposit_is_for_what_is_a_pre_sale_and_open_to_the_shopper(shop: Shop, api: Api) -> None:
    ann, sku, now = Buyer(api), shop.product(stock=5), shop.now_ms()
    code = presale(shop, sku)
    later = presale(shop, shop.product(), starts_at=now + HOUR_MS // 2)
    for campaign, product in (
        ("nothing", sku),
        (shop.campaign(type="item_discount", rule={"percent_off": 10}, items=[{"sku": sku}]).code, sku),
        (presale(shop, sku, draft=True), sku),
        (code, shop.product()),
        (code, "no sku at all"),
    ):
        assert "no pre-sale" in ann.deposit(campaign, product, status=404)["detail"]

    def refused(campaign: str, product: str = sku, **body: Any) -> tuple[str, str]:
        problem = ann.deposit(campaign, product, body, status=409)
        assert code_of(problem) == problem["state"]
        return problem["state"], problem["reason"].split(":")[0]

    first = api.get(f"/campaigns/{later}")["items"][0]["sku"]
    assert refused(later, first) == ("not_running", "not_started")
    over = presale(shop, sku)
    campaigns.terminate(shop.resources, over, {}, actor=ACTOR)
    assert refused(over) == ("not_running", "ended")
    paused = presale(shop, sku)
    campaigns.pause(shop.resources, paused, actor=ACTOR)
    assert refused(paused) == ("not_running", "paused")
    gold = presale(shop, sku, audience={"kind": "members", "levels": [7]})
    assert refused(gold) == ("not_eligible", "level")
    assert refused(presale(shop, sku, channels=["app"])) == ("not_eligible", "channel")
    assert refused(presale(shop, sku, limits={"per_shopper": 2}), quantity=3) == ("exhausted", "used_up")
    chinese = ann.deposit(gold, sku, status=409, headers={"Accept-Language": "zh-TW"})
    assert chinese["reason"] == "level: 不符會員等級"
    short = ann.deposit(code, sku, {"quantity": 6}, status=409)
    assert (code_of(short), short["quote"]["lines"][0]["state"]) == ("not_available", "short_stock")
    assert ann.deposit(code, sku, {"quantity": 0}, status=422)
    assert ann.deposit(code, sku, {"amount": 1}, status=422)
    # Nothing of all this holds anything.
    assert goods(shop, sku) == (5, 0)
    assert ann.deposit(code, sku)["presale"]["deposit"] == 1000


def test_limits_count_units_from_the_deposit_on(shop: Shop, api: Api) -> None:
    sku = shop.product(stock=9)
    code = presale(shop, sku, rule=TERMS, limits={"total": 5, "per_shopper": 4})
    ann, bob = Buyer(api), Buyer(api, BOB)
    number = ann.deposited(code, sku, 3)
    assert ann.deposit(code, sku, {"quantity": 2}, 409)["state"] == "exhausted"
    assert bob.deposit(code, sku, {"quantity": 3}, 409)["state"] == "exhausted"
    others = bob.deposit(code, sku, {"quantity": 2})["order_no"]
    assert tally(shop, "campaign", code) == (2, 3)
    assert bob.post(f"/{others}/cancel")["status"] == "cancelled"
    assert (tally(shop, "campaign", code), goods(shop, sku)) == ((0, 3), (9, 3))
    assert bob.deposit(code, sku, {"quantity": 2})["status"] == "pending"
    # A deposit that is paid can no longer be cancelled by the shopper.
    assert code_of(ann.post(f"/{number}/cancel", status=409)) == "wrong_state"


def test_a_deposit_asked_for_again_with_its_key_is_the_same_order(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    sku, other = shop.product(stock=9), shop.product()
    code, ann = presale(shop, sku, other), Buyer(api)
    key = {"Idempotency-Key": "k 1"}
    first = ann.deposit(code, sku, {"quantity": 2}, headers=key)
    assert ann.deposit(code, sku, {"quantity": 2}, 200, headers=key) == first
    for path, body in ((sku, {"quantity": 3}), (other, {"quantity": 2})):
        assert code_of(ann.deposit(code, path, body, 400, headers=key)) == "key_reused"
    assert Buyer(api, BOB).deposit(code, sku, {"quantity": 2}, headers=key)["order_no"] != first["order_no"]
    assert code_of(ann.deposit(code, sku, {}, 400, headers={"Idempotency-Key": "k" * 65})) == "bad_key"
    # Twice at the same moment: the second has not seen the first's order when it begins. Then there is enough left
    # for both, and then for one only.
    look = keys.order_of
    for name, quantity in (("k 2", 2), ("k 3", 3)):
        sent = []
        for _ in range(2):
            blind = iter((None,))
            monkeypatch.setattr(keys, "order_of", lambda *about, blind=blind: next(blind, look(*about)))
            sent.append(ann.send_deposit(code, sku, {"quantity": quantity}, headers={"Idempotency-Key": name}))
        assert [each.status_code for each in sent] == [201, 200], name
        assert sent[0].json() == sent[1].json()
    assert goods(shop, sku) == (9, 9)
