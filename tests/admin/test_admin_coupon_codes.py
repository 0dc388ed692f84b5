"""Given an operator who wants codes that work once: exactly as many, quickly, whatever crashes meanwhile."""

from __future__ import annotations

import csv
import io
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from sidecar import ACTOR, Api, Shop
from sqlalchemy import select

from admin import cli
from admin.coupons import batches, claiming, making, service
from admin.coupons.tables import coupon_batches, coupon_codes
from admin.errors import Conflict, NotFound
from admin.promotions.cart import CouponCode
from admin.reservations import ledger
from admin.reservations.ledger import Claim
from gateway import tokens
from gateway.orders.database import reading, writing
from gateway.settings import Settings
from tests.conftest import wait_until

HOUR_MS = 3_600_000


def coupon(shop: Shop, **about: Any) -> str:
    now = shop.now_ms()
    body = {
        "code": shop.unique("VIP"),
        "name": "Five off",
        "kind": "amount",
        "amount_off": 500,
        "starts_at": now - HOUR_MS,
        "ends_at": now + HOUR_MS,
        "claim_required": True,
        **about,
    }
    return service.create(shop.resources, body, actor=ACTOR).code


def order(shop: Shop, code: str, count: int, prefix: str = "") -> str:
    return batches.order(shop.resources, code, {"count": count, "prefix": prefix}, actor=ACTOR).id


def codes(shop: Shop, batch: str) -> list[str]:
    with reading(shop.resources.engine) as connection:
        wanted = select(coupon_codes.c.code).where(coupon_codes.c.batch == batch)
        return list(connection.execute(wanted).scalars())


def test_codes_cannot_be_guessed_or_misread() -> None:
    found = [making.new_code("VIP-") for _ in range(2000)]
    assert len(set(found)) == 2000
    TypeAdapter(list[CouponCode]).validate_python(found)
    for each in found:
        assert re.fullmatch(r"VIP-[2-9A-HJ-NP-Z]{13}", each)
    for place in range(13):
        # Five bits in each place.
        assert len({each[4 + place] for each in found}) == 32
    assert len(making.new_code("x" * 20)) <= 40


def test_a_batch_over_http(api: Api, shop: Shop) -> None:
    code = coupon(shop)
    path = f"/coupons/{code}/codes"
    for wrong in ({"count": 0}, {"count": 100_001}, {"count": 1, "prefix": "-x"}, {"count": 1, "prefix": "x" * 21}):
        api.post(path, wrong, 422)
    api.post("/coupons/nowhere/codes", {"count": 1}, 404)
    first = api.post(path, {"count": 3, "prefix": "VIP-"}, 202)
    assert (first["coupon"], first["count"], first["requested_by"]) == (
        code,
        3,
        api.get("/audit?kind=coupon")["items"][0]["actor"],
    )
    second = api.post(path, {"count": 2}, 202)
    wait_until(lambda: api.get(f"{path}/{second['id']}")["made"] == 2)
    assert api.get(f"{path}/{first['id']}") == {**first, "made": 3}
    page = api.get(f"{path}?limit=1")
    assert [each["id"] for each in page["items"]] == [second["id"]]
    assert [each["id"] for each in api.get(f"{path}?cursor={page['next']}")["items"]] == [first["id"]]
    assert api.get(f"/coupons/{code}")["use"]["codes"] == 5
    entry = api.get(f"/audit?kind=coupon&subject={code}&action=codes")["items"][-1]
    assert entry["after"] == {"id": first["id"], "count": 3, "prefix": "VIP-"}

    claimed, reserved, used = sorted(codes(shop, first["id"]))
    claiming.claim(shop.resources, tokens.Shopper(b"=amy", 10**10), claimed, "en")
    with writing(shop.resources.engine) as connection:
        ledger.reserve(connection, "order 1", [Claim("coupon_code", reserved, 1, 1)])
        ledger.reserve(connection, "order 2", [Claim("coupon_code", used, 1, 1)])
        ledger.commit(connection, "order 2")
    reply = api.send("GET", f"{path}/{first['id']}.csv")
    assert reply.headers["content-type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(reply.text))) == [
        ["code", "state", "shopper"],
        [claimed, "claimed", "'=amy"],
        [reserved, "reserved", ""],
        [used, "used", ""],
    ]
    api.get(f"{path}/nothing.csv", 404)
    api.get(f"/coupons/{coupon(shop)}/codes/{first['id']}", 404)
    api.post(f"/coupons/{code}/end")
    api.post(path, {"count": 1}, 409)


def test_a_batch_is_continued_where_it_was(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "TOGETHER", 7)
    code = coupon(shop)
    batch = order(shop, code, 25)
    with pytest.raises(Conflict) as caught:
        batches.export(shop.resources.engine, code, batch)
    assert caught.value.code == "not_ready"
    for made in (7, 14):
        row = making.make_some(shop.resources.engine, batch)
        assert row is not None
        assert row.made == made

    def fall(_prefix: str) -> str:
        raise RuntimeError("the machine is gone")

    with monkeypatch.context() as crashing:
        crashing.setattr(making, "new_code", fall)
        with pytest.raises(RuntimeError):
            making.make_some(shop.resources.engine, batch)
    assert len(codes(shop, batch)) == 14
    making.CodeMaking(shop.resources).round()
    assert len(set(codes(shop, batch))) == batches.read(shop.resources, code, batch).made == 25
    assert making.unfinished(shop.resources.engine) == []
    making.CodeMaking(shop.resources).round()
    assert len(codes(shop, batch)) == 25


def test_several_who_make_a_batch_make_it_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "TOGETHER", 10)
    batch = order(shop, coupon(shop), 195)
    threads = [threading.Thread(target=making.CodeMaking(shop.resources).round) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(codes(shop, batch)) == 195


def test_a_coupon_that_is_deleted_takes_its_codes_along(shop: Shop) -> None:
    now = shop.now_ms()
    code = coupon(shop, starts_at=now + HOUR_MS, ends_at=now + 2 * HOUR_MS)
    batch = order(shop, code, 5)
    making.make_some(shop.resources.engine, batch)
    waiting = order(shop, code, 5)
    service.remove(shop.resources, code, actor=ACTOR)
    assert making.make_some(shop.resources.engine, waiting) is None
    assert codes(shop, batch) == codes(shop, waiting) == []
    with pytest.raises(NotFound):
        batches.read(shop.resources, code, batch)
    with reading(shop.resources.engine) as connection:
        assert connection.execute(select(coupon_batches).where(coupon_batches.c.coupon == code)).all() == []


def test_ten_thousand_codes_are_quick(shop: Shop) -> None:
    batch = order(shop, coupon(shop), 10_000)
    since_s = time.process_time()
    making.CodeMaking(shop.resources).round()
    assert time.process_time() - since_s < 2
    assert len(set(codes(shop, batch))) == 10_000


def test_codes_from_the_command_line(
    settings: Settings,
    shop: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SECKILL_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SECKILL_REDIS_URL", settings.redis_url)
    code, out = coupon(shop), tmp_path / "codes.csv"
    asked = ["coupon-codes", "--coupon", code, "--count", "1200", "--prefix", "VIP-"]
    assert cli.main([*asked, "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"made 1200 codes of {code}: batch ")
    assert "1200/1200" in told.err
    rows = list(csv.reader(io.StringIO(out.read_text("utf-8"))))
    assert (len(rows), rows[0]) == (1201, ["code", "state", "shopper"])
    assert all(row[0].startswith("VIP-") and row[1:] == ["free", ""] for row in rows[1:])
    assert cli.main(asked) == 0
    assert ".csv has them" in capsys.readouterr().out
    assert cli.main(["coupon-codes", "--coupon", "nowhere", "--count", "1"]) == 2
    assert "there is no coupon nowhere" in capsys.readouterr().err
    assert cli.main(["coupon-codes", "--coupon", code, "--count", "100001"]) == 2
    assert "count" in capsys.readouterr().err
    assert cli.main([*asked, "--out", str(tmp_path / "no" / "codes.csv")]) == 2
    assert "cannot be written" in capsys.readouterr().err
