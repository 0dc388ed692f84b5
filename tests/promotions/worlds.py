"""Small shops for tests of prices: campaigns, coupons, worlds and carts in a line each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from admin.promotions import engine
from admin.promotions.audience import GUEST, Shopper
from admin.promotions.campaign import Campaign, read_campaign
from admin.promotions.cart import Cart
from admin.promotions.coupon import Coupon, read_coupon
from admin.promotions.index import CampaignIndex
from admin.promotions.world import Left, Product, World

TODAY = date(2026, 11, 22)
NOW_MS = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
CURRENCY = "CNY"
PLENTY = 100_000

AMY = Shopper(sub="amy", member=True, level=1, since=date(2025, 11, 22), birthday="11-22", new_customer=False)


def body_of(type_name: str, rule: Mapping[str, Any], **terms: Any) -> dict[str, Any]:
    """A running campaign as it is recorded. `items` may be SKUs; without a scope of its own it lists `kettle`."""
    items = terms.pop("items", () if "scope" in terms else ("kettle",))
    return {
        "type": type_name,
        "revision": 1,
        "name": terms.get("code", type_name),
        "rule": dict(rule),
        "items": [{"sku": item} if isinstance(item, str) else dict(item) for item in items],
        "starts_at": NOW_MS - DAY_MS,
        "ends_at": NOW_MS + DAY_MS,
        "priority": 0,
        "draft": False,
        "paused": False,
        "terminated_at": None,
        **{name: value for name, value in terms.items() if name != "code"},
    }


def campaign(type_name: str, rule: Mapping[str, Any], *, code: str = "promo", **terms: Any) -> Campaign:
    """A campaign that runs from yesterday to tomorrow; `terms` are fields of its body."""
    found = read_campaign(code, body_of(type_name, rule, code=code, **terms), CURRENCY)
    assert found.broken is None, found.broken
    return found


def broken(code: str = "broken", **terms: Any) -> Campaign:
    """A campaign whose stored rule cannot be read, otherwise like `campaign`."""
    found = read_campaign(code, body_of("item_discount", {"percent_off": "much"}, code=code, **terms), CURRENCY)
    assert found.broken is not None
    return found


def coupon(code: str = "SAVE", *, ended: bool = False, **terms: Any) -> Coupon:
    """A coupon that runs; by default it takes an amount off. `uses_left` and `claimed` are facts of the shopper."""
    facts = {name: terms.pop(name) for name in ("uses_left", "claimed") if name in terms}
    kind = "percent" if "percent_off" in terms else "amount"
    body = {
        "revision": 1,
        "name": code,
        "kind": kind,
        "starts_at": NOW_MS - DAY_MS,
        "ends_at": NOW_MS + DAY_MS,
        "ended_at": NOW_MS if ended else None,
        **terms,
    }
    read = read_coupon(code, body)
    return Coupon(read.code, read.revision, read.fields, read.ended, **facts)


def product(sku: str, price: int, *categories: str, **facts: Any) -> Product:
    """A product on sale; `categories` are its own and all above it."""
    return Product(sku, price, categories, **facts)


def world(
    *campaigns: Campaign,
    prices: Mapping[str, int] | None = None,
    products: Iterable[Product] = (),
    free: Mapping[str, int] | None = None,
    left: Mapping[str, Left] | None = None,
    shopper: Shopper = GUEST,
    **facts: Any,
) -> World:
    """A shop at noon of 2026-11-22 UTC. `prices` are products by SKU; `free` corrects their stock of plenty."""
    known = {sku: Product(sku, price) for sku, price in (prices or {}).items()}
    known |= {each.sku: each for each in products}
    return World(
        now_ms=facts.pop("now_ms", NOW_MS),
        today=facts.pop("today", TODAY),
        index=CampaignIndex(campaigns),
        products=known,
        free={**dict.fromkeys(known, PLENTY), **(free or {})},
        shopper=shopper,
        left=left or {},
        currency=facts.pop("currency", CURRENCY),
        **facts,
    )


def cart(lines: Mapping[str, int] | Sequence[Any], **choices: Any) -> Cart:
    """A cart of quantities by SKU, or of lines: (sku, quantity), (sku, quantity, campaign or None) or a body."""
    if isinstance(lines, Mapping):
        lines = list(lines.items())
    return Cart.model_validate({"lines": [_line(line) for line in lines], **choices})


def _line(line: Any) -> dict[str, Any]:
    if isinstance(line, Mapping):
        return dict(line)
    sku, quantity, *choice = line
    return {"sku": sku, "quantity": quantity, **({"campaign": choice[0]} if choice else {})}


def quote(wanted: Cart | Mapping[str, int] | Sequence[Any], shop: World, **choices: Any) -> dict[str, Any]:
    """The quote of a cart, or of what `cart` makes one of. Whatever it is of, its sums are right."""
    asked = wanted if isinstance(wanted, Cart) else cart(wanted, **choices)
    reply = engine.quote(asked, shop)
    check(reply)
    return reply


def check(reply: Mapping[str, Any]) -> None:
    """Hold a quote to what is true of every quote."""
    lines = reply["lines"]
    shared: dict[str, int] = {}
    for line in lines:
        assert line["payable"] == line["subtotal"] - line["discount"] - line["coupon_discount"], line
        assert line["discount"] >= 0
        assert line["coupon_discount"] >= 0
        assert 0 <= line["payable"] <= line["subtotal"], line
        assert sum(line["unit_payables"]) == line["payable"], line
        assert all(0 <= each <= line["unit_price"] for each in line["unit_payables"]), line
        counts = line["state"] in {"ok", "short_stock"}
        assert len(line["unit_payables"]) == (line["quantity"] if counts else 0)
        assert counts or line["payable"] == line["subtotal"] == 0, line
        if counts and line["campaign"] is not None:
            shared[line["campaign"]] = shared.get(line["campaign"], 0) + line["discount"]
    assert shared == {group["campaign"]: group["discount"] for group in reply["groups"]}
    assert reply["subtotal"] == sum(line["subtotal"] for line in lines)
    assert reply["discount"] == sum(line["discount"] for line in lines)
    assert reply["coupon_discount"] == sum(line["coupon_discount"] for line in lines)
    assert reply["coupon_discount"] == (reply["coupon"] or {"discount": 0})["discount"]
    assert all(each["payable"] == each["unit_price"] * each["quantity"] for each in reply["add_ons"])
    added = sum(each["payable"] for each in reply["add_ons"])
    assert reply["total"] == reply["subtotal"] - reply["discount"] - reply["coupon_discount"] + added
    numbers = [each["line"] for name in ("lines", "add_ons", "gifts") for each in reply[name]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(each["quantity"] > 0 and each["unit_price"] == 0 for each in reply["gifts"])
    assert json.loads(as_bytes(reply)) == reply


def as_bytes(reply: Mapping[str, Any]) -> bytes:
    """A quote as it is sent."""
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()


def payables(reply: Mapping[str, Any]) -> list[int]:
    """What each line costs."""
    return [line["payable"] for line in reply["lines"]]


def gifts(reply: Mapping[str, Any]) -> dict[str, int]:
    """Pieces given away by SKU, whatever gives them."""
    pieces: dict[str, int] = {}
    for gift in reply["gifts"]:
        pieces[gift["sku"]] = pieces.get(gift["sku"], 0) + gift["quantity"]
    return pieces


def code_of(reason: str | None) -> str | None:
    """The code of a reason, which is `code: sentence`."""
    return None if reason is None else reason.split(": ")[0]


def left_off(reply: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
    """What was left off: product, campaign, code of the reason."""
    return [(each["sku"], each["campaign"], code_of(each["reason"])) for each in reply["left_off"]]


def choices(reply: Mapping[str, Any], line: int = 1) -> dict[str, tuple[str, str | None, int | None]]:
    """The choices of a line by campaign: state, code of the reason, payable; in the order they are told."""
    return {
        each["campaign"]: (each["state"], code_of(each["reason"]), each["payable"])
        for each in reply["lines"][line - 1]["choices"]
    }
