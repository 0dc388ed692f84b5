"""A whole day in one minute: everything that the roles do, so that nothing they need in Redis is left out."""

from __future__ import annotations

from typing import Any

import httpx

from gateway import keys
from tests.conftest import wait_until
from tests.faults.processes import seckill
from tests.security.deployment import Deployment

ADDRESS = {
    "name": "Ann Example",
    "phone": "+886 2 1234 5678",
    "line1": "1 Long Street",
    "city": "Taipei",
    "postal_code": "100",
    "country": "TW",
}


def sell(shop: Deployment) -> None:
    """Win, again, look, watch, pay, be refused, cancel, be refunded, let expire; change the offer meanwhile."""
    offer = shop.campaign("day", limit_per_shopper=2, stock=3)
    key = {"Idempotency-Key": "k1"}
    ticket = shop.shop("amy", "POST", f"/seckill/{offer}", status=201, headers=key)
    shop.note(ticket["receipt"])
    assert shop.shop("amy", "POST", f"/seckill/{offer}", status=200, headers=key)["units"] == ticket["units"]
    shop.shop("amy", "POST", f"/seckill/{offer}", {"quantity": 2}, 409, headers={"Idempotency-Key": "k2"})
    assert shop.shop("amy", "GET", f"/seckill/{offer}/mine")["outcome"] == "won"
    shop.shop("amy", "GET", "/seckill")
    with httpx.stream("GET", f"{shop.gateway_url}/seckill/{offer}/events", timeout=5) as stream:
        assert next(stream.iter_lines())
    assert "seckill_backlog" in httpx.get(f"http://127.0.0.1:{shop.metrics_port}/metrics", timeout=5).text
    order = f"/api/orders/{ticket['order_no']}"
    wait_until(lambda: shop.order("amy", ticket["order_no"]), what="the order")
    shop.shop("amy", "PUT", f"{order}/address", ADDRESS)
    shop.shop("amy", "POST", f"{order}/pay", {"sandbox": "twice"})
    shop.operate("POST", f"/orders/{ticket['order_no']}/ship", {"carrier": "Post", "tracking_no": "P1"})
    shop.operate("POST", f"/orders/{ticket['order_no']}/complete")
    shop.operate("POST", f"/orders/{ticket['order_no']}/refund", {"restock": True})
    shop.ask("POST", "/api/receipts/verify", {"receipt": ticket["receipt"]})
    _change(shop, offer)
    _cancel_and_expire(shop)


def _change(shop: Deployment, offer: str) -> None:
    code, sku = offer.split("-", 1)
    shop.operate("PATCH", f"/products/{sku}", {"stock": 200})
    for number, delta in enumerate((5, -2, 3)):
        body = {"delta": delta, "operation_id": f"op-{number}"}
        shop.operate("POST", f"/campaigns/{code}/items/{sku}/stock", body)
    shop.operate("POST", f"/campaigns/{code}/pause")
    shop.shop("bob", "POST", f"/seckill/{offer}", status=403, headers={"Idempotency-Key": "b"})
    shop.operate("POST", f"/campaigns/{code}/resume")
    shop.operate("GET", f"/campaigns/{code}/report")
    shop.operate("GET", "/dead-letters")


def _cancel_and_expire(shop: Deployment) -> None:
    offer = shop.campaign("short", stock=1, pay_within_s=1)
    first = shop.win(offer, "cleo")
    shop.shop("cleo", "POST", f"/api/orders/{first['order_no']}/cancel")
    # The same unit again, for somebody who does not pay, and once more.
    wait_until(lambda: wins(shop, "dan", offer), what="a unit")
    wait_until(
        lambda: shop.operate("GET", f"/orders?offer={offer}&status=expired")["items"], within_s=15, what="expiry"
    )
    wait_until(lambda: wins(shop, "eve", offer), within_s=15, what="the unit that came back")


def wins(shop: Deployment, sub: str, offer: str) -> bool:
    """Whether a click finds or gets a ticket."""
    reply = shop.ask("POST", f"/seckill/{offer}", bearer=shop.token(sub))
    if reply.status_code in (200, 201):
        shop.note(reply.json()["receipt"])
    return reply.status_code in (200, 201)


def remind(shop: Deployment) -> None:
    """A due reminder, which the mailer reads, handles and deletes; a sale that is deleted before it starts."""
    offer = shop.campaign("later", starts_in_s=60)
    shop.shop("amy", "POST", "/api/reminders", {"offer": offer, "before_s": 120}, 201)
    with shop.redis("mailer") as mailer:
        stream = "sk1:{reminders}:stream"
        mailer.xgroup_create(stream, "mailers", id="0", mkstream=True)
        entries: Any = wait_until(
            lambda: mailer.xreadgroup("mailers", "one", {stream: ">"}, count=10), what="the message"
        )
        for entry_id, fields in entries[0][1]:
            assert fields[b"shopper"] == b"amy"
            mailer.xack(stream, "mailers", entry_id)
            mailer.xdel(stream, entry_id)
    assert shop.shop("amy", "GET", "/api/notices")["items"]
    shop.operate("DELETE", "/campaigns/later")


def restart_redis(shop: Deployment) -> None:
    """A clean restart is approved; a Redis that lost an offer's buyers is built anew from the ledger."""
    offer = shop.campaign("again", stock=5)
    ticket = shop.win(offer, "amy")
    shop.redis_role.kill()
    shop.start_redis()
    wait_until(lambda: wins(shop, "bob", offer), within_s=30, what="the approval")
    shop.redis_role.kill()
    shop.start_redis()
    with shop.redis() as client:
        client.delete(keys.buyers(offer, keys.FIRST_EPOCH))
    wait_until(lambda: wins(shop, "cleo", offer), within_s=30, what="the recovery")
    mine = shop.shop("amy", "GET", f"/seckill/{offer}/mine")
    assert mine["tickets"][0]["order_no"] == ticket["order_no"]


def care(shop: Deployment) -> None:
    """What operators run by hand, with the sidecar's own Redis user."""
    environ = shop.environ("admin")
    done = seckill("erase", "--shopper", "nobody at all", environ=environ)
    assert (done.returncode, done.stdout) == (0, "there was nothing to erase\n"), done.stderr
    done = seckill("token", "--sub", "amy", environ=environ)
    assert done.returncode == 0, done.stderr
    shop.note(done.stdout.strip())
    for code in ("day", "short", "again"):
        shop.operate("POST", f"/campaigns/{code}/terminate", {})
    for sub in ("dan", "eve"):
        for order in shop.shop(sub, "GET", "/api/orders")["items"]:
            if order["status"] == "pending":
                shop.shop(sub, "POST", f"/api/orders/{order['order_no']}/cancel")
    wait_until(lambda: _erased(environ, "eve"), within_s=15, what="an erased shopper")

    # The books agree, with an erased shopper in them; what a lost Redis left behind is put right before.
    seckill("reconcile", "--repair", environ=environ)
    done = seckill("reconcile", environ=environ)
    assert done.returncode == 0, done.stdout + done.stderr


def _erased(environ: dict[str, str], shopper: str) -> bool:
    return seckill("erase", "--shopper", shopper, environ=environ).returncode == 0
