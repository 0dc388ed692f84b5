"""Given an order, its shopper pays it: once, in time, through the provider, and never twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal
from buying import ANN, BOB, Shopper, an_order, begin, expire, goods, money, row, run_out, units_of
from sidecar import Api, Shop, fields_of
from sqlalchemy import delete, select, update

from admin.catalog.tables import products
from admin.payments import booking, refunding
from admin.payments.follow_up import ASK_AGAIN_MS, FollowUp
from admin.payments.providers import registry
from admin.payments.providers.interface import Payment, ProviderAway, Refund, Standing
from admin.payments.providers.sandbox import Sandbox
from admin.payments.tables import payments, refunds
from gateway.orders.database import reading, writing
from gateway.receipts import ReceiptSigner
from gateway.settings import Settings
from tests.conftest import wait_until


def attempts(shop: Shop, order_no: str) -> list[Any]:
    with reading(shop.resources.engine) as connection:
        return list(
            connection.execute(
                select(payments).where(payments.c.order_no == order_no).order_by(payments.c.created_at_ms)
            )
        )


def make_due(shop: Shop, order_no: str) -> None:
    """Let the callback of a late payment be due now."""
    payment = next(each for each in attempts(shop, order_no) if each.state == "started")
    with writing(shop.resources.engine) as connection:
        connection.execute(
            update(payments)
            .where(payments.c.id == payment.id)
            .values(plan={**payment.plan, "callback_at_ms": shop.now_ms()})
        )


def make_old(shop: Shop, order_no: str) -> None:
    """Let whoever began the payments and refunds of an order have had its time."""
    with writing(shop.resources.engine) as connection:
        then = shop.now_ms() - ASK_AGAIN_MS
        connection.execute(update(payments).where(payments.c.order_no == order_no).values(created_at_ms=then))
        connection.execute(update(refunds).where(refunds.c.order_no == order_no).values(requested_at_ms=then))


def test_paying_settles_at_once_and_the_goods_leave(api: Api, shop: Shop) -> None:
    sku = shop.product(stock=500)
    offer = shop.campaign(items=[{"sku": sku, "stock": 100}]).items[0].offer
    order_no = shop.order(offer, shopper=ANN, quantity=3)
    assert goods(shop, sku) == (500, 100)
    # When the order is paid,
    paid = Shopper(api).post(f"/{order_no}/pay", {})
    # then the reply is the paid order with its payment and its history,
    assert (paid["status"], paid["total"]) == ("paid", 3 * 9900)
    assert [(each["amount"], each["state"]) for each in paid["payments"]] == [(3 * 9900, "settled")]
    assert [(each["before"], each["after"]) for each in paid["history"]] == [
        (None, "pending"),
        ("pending", "paid"),
    ]
    assert paid["paid_at"] == paid["history"][1]["at"]
    # its units leave the product's stock and are promised no more,
    assert goods(shop, sku) == (497, 97)
    # and paying once more changes nothing.
    again = Shopper(api).post(f"/{order_no}/pay")
    assert again == paid
    assert money(shop, order_no) == (3 * 9900, 0)
    assert goods(shop, sku) == (497, 97)


def test_a_deleted_product_does_not_stop_a_payment(api: Api, shop: Shop) -> None:
    order_no = an_order(shop)
    with writing(shop.resources.engine) as connection:
        connection.execute(delete(products).where(products.c.sku == row(shop, order_no).sku))
    assert Shopper(api).post(f"/{order_no}/pay")["status"] == "paid"


def test_a_refused_payment_leaves_the_order_to_be_paid_again(api: Api, shop: Shop) -> None:
    order_no = an_order(shop)
    problem = Shopper(api).post(f"/{order_no}/pay", {"sandbox": "refuse"}, 402)
    assert problem["type"].endswith(":payment_refused")
    assert row(shop, order_no).status == "pending"
    assert Shopper(api).post(f"/{order_no}/pay", {})["status"] == "paid"
    assert [each.state for each in attempts(shop, order_no)] == ["refused", "settled"]
    assert money(shop, order_no) == (9900, 0)


def test_a_callback_that_comes_twice_settles_once(api: Api, shop: Shop) -> None:
    sku = shop.product(stock=500)
    order_no = shop.order(shop.campaign(items=[{"sku": sku, "stock": 100}]).items[0].offer, shopper=ANN)
    paid = Shopper(api).post(f"/{order_no}/pay", {"sandbox": "twice"})
    assert (paid["status"], len(paid["history"]), len(paid["payments"])) == ("paid", 2, 1)
    assert money(shop, order_no) == (9900, 0)
    assert goods(shop, sku) == (499, 99)


def test_a_late_payment_of_an_expired_order_goes_back(api: Api, shop: Shop) -> None:
    order_no = an_order(shop, quantity=2)
    # Given a payment that the provider has not decided,
    reply = Shopper(api).send("POST", f"/{order_no}/pay", {"sandbox": "late"})
    assert (reply.status_code, reply.json()["status"]) == (202, "pending")
    assert reply.json()["payments"][0]["state"] == "started"
    plan = attempts(shop, order_no)[0].plan
    assert plan["callback_at_ms"] == row(shop, order_no).expire_at_ms + 1000
    # when its order expires and the money comes after all,
    expire(shop, order_no)
    make_due(shop, order_no)
    wait_until(lambda: money(shop, order_no)[1], what="the money to go back")
    # then all of it went back, nothing was sold a second time, and the shopper can see why.
    order = Shopper(api).get(f"/{order_no}")
    assert (order["status"], order["units"]) == ("expired", [])
    assert money(shop, order_no) == (2 * 9900, 2 * 9900)
    assert [(each["reason"], each["state"], each["units"]) for each in order["refunds"]] == [
        ("late_payment", "settled", [])
    ]
    assert [each["after"] for each in order["history"]] == ["pending", "expired"]


def test_a_late_payment_of_an_order_that_is_still_pending_is_taken(api: Api, shop: Shop) -> None:
    order_no = an_order(shop)
    Shopper(api).post(f"/{order_no}/pay", {"sandbox": "late"}, 202)
    run_out(shop, order_no)
    make_due(shop, order_no)
    wait_until(lambda: row(shop, order_no).status == "paid", what="the payment")
    assert money(shop, order_no) == (9900, 0)


def test_a_second_payment_that_settles_goes_back(api: Api, shop: Shop) -> None:
    order_no = an_order(shop)
    # Given one payment on its way, when the shopper pays in another way, and the first arrives too,
    Shopper(api).post(f"/{order_no}/pay", {"sandbox": "late"}, 202)
    assert Shopper(api).post(f"/{order_no}/pay", {})["status"] == "paid"
    make_due(shop, order_no)
    wait_until(lambda: money(shop, order_no)[1], what="the money to go back")
    # then the first goes back, and the order is paid once.
    assert money(shop, order_no) == (2 * 9900, 9900)
    order = Shopper(api).get(f"/{order_no}")
    assert (order["status"], order["refunds"][0]["reason"]) == ("paid", "double_payment")
    # A refund pays back the payment that counted.
    Shopper(api).post(f"/{order_no}/refund", {})
    assert money(shop, order_no) == (2 * 9900, 2 * 9900)


def test_time_to_pay_is_the_databases(api: Api, shop: Shop) -> None:
    order_no = an_order(shop)
    # Given the time has run out and nobody has noticed, then no new payment begins.
    run_out(shop, order_no, ago_ms=0)
    problem = Shopper(api).post(f"/{order_no}/pay", {}, 409)
    assert problem["type"].endswith(":order_expired")
    assert attempts(shop, order_no) == []
    expire(shop, order_no)
    assert Shopper(api).post(f"/{order_no}/pay", {}, 409)["state"] == "expired"


def test_without_a_provider_the_answer_names_the_setting(settings: Settings, shop: Shop, portal: Any) -> None:
    with Api(replace(settings, payment_provider="none"), portal) as api:
        order_no = an_order(shop)
        problem = Shopper(api).post(f"/{order_no}/pay", {}, 409)
        assert problem["type"].endswith(":no_payment_provider")
        assert "SECKILL_PAYMENT_PROVIDER" in problem["detail"]
        assert fields_of(Shopper(api).post(f"/{order_no}/pay", {"sandbox": "lose"}, 422)) == {
            "sandbox": "not_one_of"
        }


class Crashing(Sandbox):
    """Takes the money, and its answer never arrives."""

    def charge(self, payment: Payment) -> Standing:
        raise RuntimeError("killed between the provider and the ledger")


class Away(Sandbox):
    """Does not answer."""

    def charge(self, payment: Payment) -> Standing:
        raise ProviderAway("no answer")

    def give_back(self, refund: Refund) -> bool:
        raise ProviderAway("no answer")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_crash_between_provider_and_ledger_is_healed(
    api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no = an_order(shop)
    with monkeypatch.context() as patch:
        patch.setitem(registry._KINDS, "sandbox", Crashing)
        Shopper(api).post(f"/{order_no}/pay", {}, 500)
    assert [each.state for each in attempts(shop, order_no)] == ["started"]
    # When the provider is asked again under the same id, the money is found, and it is one payment.
    FollowUp(shop.resources).round()
    assert row(shop, order_no).status == "pending", "whoever began it has some time"
    make_old(shop, order_no)
    FollowUp(shop.resources).round()
    assert row(shop, order_no).status == "paid"
    assert money(shop, order_no) == (9900, 0)
    assert len(attempts(shop, order_no)) == 1


def test_a_repeated_payment_finds_what_a_crash_left(api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    order_no = an_order(shop)
    with monkeypatch.context() as patch:
        patch.setitem(registry._KINDS, "sandbox", Away)
        assert Shopper(api).post(f"/{order_no}/pay", {}, 202)["status"] == "pending"
    paid = Shopper(api).post(f"/{order_no}/pay", {})
    assert (paid["status"], len(paid["payments"])) == ("paid", 1)


def test_a_refund_that_the_provider_did_not_answer_is_sent_again(
    api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no = an_order(shop)
    Shopper(api).post(f"/{order_no}/pay", {})
    with monkeypatch.context() as patch:
        patch.setitem(registry._KINDS, "sandbox", Away)
        order = Shopper(api).post(f"/{order_no}/refund", {})
        assert (order["status"], order["refunds"][0]["state"]) == ("refunding", "sending")
        assert len(order["units"]) == 1
    make_old(shop, order_no)
    FollowUp(shop.resources).round()
    order = Shopper(api).get(f"/{order_no}")
    assert (order["status"], order["refunds"][0]["state"]) == ("refunded", "settled")
    assert money(shop, order_no) == (9900, 9900)


def test_a_payment_that_crashed_on_an_order_cancelled_since_goes_back(shop: Shop, api: Api) -> None:
    order_no = an_order(shop)
    payment = begin(shop, order_no)
    Shopper(api).post(f"/{order_no}/cancel")
    # Whoever hears of the money first: both write it down once.
    for _ in range(2):
        booking.book(shop.resources, payment, Standing("settled", "sandbox-1"))
    assert money(shop, order_no) == (9900, 9900)
    assert row(shop, order_no).status == "cancelled"
    refund = Shopper(api).get(f"/{order_no}")["refunds"][0]
    refunding.send(shop.resources, refund["id"])
    assert money(shop, order_no) == (9900, 9900)


def test_many_open_payments_are_all_looked_at(api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from admin.payments import follow_up

    monkeypatch.setattr(follow_up, "ROUND_MAX", 2)
    offer = shop.campaign().items[0].offer
    made = [shop.order(offer, shopper=f"buyer {number}") for number in range(5)]
    for number, order_no in enumerate(made):
        Shopper(api, f"buyer {number}").post(f"/{order_no}/pay", {"sandbox": "late"}, 202)
    # Given only the newest is due, older ones that wait do not keep it out.
    make_due(shop, made[-1])
    rounds = FollowUp(shop.resources)
    for _ in range(3):
        rounds.round()
    assert [row(shop, each).status for each in made] == ["pending"] * 4 + ["paid"]


def test_a_payment_that_nobody_understands_keeps_no_other_back(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    offer = shop.campaign().items[0].offer
    odd, plain = (shop.order(offer, shopper=name) for name in (ANN, BOB))
    begin(shop, odd)
    with writing(shop.resources.engine) as connection:
        connection.execute(update(payments).values(provider="gone"))
    begin(shop, plain)
    make_old(shop, odd)
    make_old(shop, plain)
    rounds = FollowUp(shop.resources)
    for _ in range(2):
        rounds.round()
    assert [row(shop, each).status for each in (odd, plain)] == ["pending", "paid"]
    told = [each for each in caplog.records if each.name == "admin.payments.follow_up"]
    assert len(told) == 1


def test_nobody_sees_or_changes_an_order_of_someone_else(api: Api, shop: Shop) -> None:
    order_no = an_order(shop)
    bob = Shopper(api, BOB)
    address = {"name": "Bob", "phone": "123", "line1": "x", "city": "y", "country": "TW"}
    for number in (order_no, "no-such-order"):
        for method, path, body in (
            ("GET", "", None),
            ("PUT", "/address", address),
            ("POST", "/pay", {}),
            ("POST", "/cancel", None),
            ("POST", "/refund", {}),
        ):
            problem = bob.ask(method, f"/{number}{path}", body, 404)
            assert problem["detail"] == f"there is no order {number}"
    assert row(shop, order_no).status == "pending"
    assert row(shop, order_no).address is None
    assert bob.get("") == {"items": [], "next": None}
    assert api.send("GET", "/api/orders", key=None).status_code == 401
    # An operator's key is no token.
    assert api.send("GET", f"/api/orders/{order_no}").status_code == 401


def test_own_orders_come_newest_first_in_pages(api: Api, shop: Shop) -> None:
    one, two = shop.campaign().items[0].offer, shop.campaign().items[0].offer
    first = shop.order(one, shopper=ANN, created_at_ms=5)
    second = shop.order(two, shopper=ANN, created_at_ms=6)
    shop.order(one, shopper=BOB, created_at_ms=7)
    ann = Shopper(api)
    page = ann.get("?limit=1")
    assert [each["order_no"] for each in page["items"]] == [second]
    rest = ann.get(f"?limit=1&cursor={page['next']}")
    assert ([each["order_no"] for each in rest["items"]], rest["next"]) == ([first], None)
    assert [each["order_no"] for each in ann.get(f"?offer={one}")["items"]] == [first]
    assert ann.get("?status=paid")["items"] == []
    assert fields_of(ann.get("?shopper=bob", 422)) == {"shopper": "unknown_field"}


def test_an_address_is_kept_until_the_goods_leave(api: Api, shop: Shop) -> None:
    order_no = an_order(shop)
    ann = Shopper(api)
    address = {
        "name": "安",
        "phone": "+886 2 1234",
        "line1": "長街 1 號",
        "line2": "3F",
        "city": "Taipei",
        "postal_code": "100",
        "country": "TW",
    }
    assert ann.ask("PUT", f"/{order_no}/address", address)["address"] == address
    ann.post(f"/{order_no}/pay", {})
    short = {name: value for name, value in address.items() if name != "line2"}
    ann.ask("PUT", f"/{order_no}/address", short)
    assert api.get(f"/orders?shopper={ANN}".replace("|", "%7C"))["items"][0]["address"] == short
    wrong = {"name": "", "phone": "call me", "line1": "x\n", "country": "Taiwan", "street": 1}
    assert fields_of(ann.ask("PUT", f"/{order_no}/address", wrong, 422)) == {
        "name": "too_short",
        "phone": "bad_form",
        "line1": "control_character",
        "city": "missing",
        "country": "bad_form",
        "street": "unknown_field",
    }


def test_an_order_that_is_not_written_yet_is_known_by_its_receipt(
    api: Api, shop: Shop, settings: Settings, portal: BlockingPortal
) -> None:
    ann = Shopper(api)

    def receipt(order_no: str, shopper: str = '"ann \'o\' \\"x\\" |,"', secrets: Any = None) -> dict[str, str]:
        signer = ReceiptSigner(secrets or settings.signing_secrets)
        terms = b'"price":9900,"pay_by_ms":2,"won_at_ms":1'
        return {"X-Receipt": signer.sign(b"offer", shopper.encode(), order_no.encode(), b"1", terms).decode()}

    reply = ann.send("GET", "/soon", headers=receipt("soon"))
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:seckill:problem:order_not_ready")
    assert int(reply.headers["Retry-After"]) >= 1
    for method, path in (("POST", "/soon/pay"), ("POST", "/soon/cancel"), ("POST", "/soon/refund")):
        assert ann.send(method, path, headers=receipt("soon")).status_code == 409
    # Not by a receipt of another order, of somebody else, of another shop, or none.
    for headers in (receipt("later"), receipt("soon", '"bob"'), receipt("soon", secrets=(b"z" * 32,)), {}):
        ann.get("/soon", 404, headers=headers)
    # A receipt opens no order of somebody else.
    others = an_order(shop, shopper=BOB)
    ann.get(f"/{others}", 404, headers=receipt(others))
    assert len(units_of(shop, others)) == 1
