"""Random shops and carts: every promotion type, all that can keep a campaign away, and goods that run out."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from admin.promotions.audience import GUEST, Shopper
from admin.promotions.campaign import Campaign, read_campaign
from admin.promotions.cart import Cart
from admin.promotions.coupon import Coupon
from admin.promotions.world import Left, Product, World
from tests.promotions.worlds import CURRENCY, DAY_MS, NOW_MS, TODAY, body_of, broken, campaign, coupon, quote, world

SEED = int(os.environ.get("SEED", "1122"))
SKUS = tuple("abcdefgh")
GIFT_SKUS = ("mug", "spoon", "pen")
OPTION_SKUS = ("towel", "soap")
PRICES = (0, 1, 99, 333, 999, 1000, 1001, 3333, 5000, 9999, 12900)
CATEGORIES = {"home": ("home",), "cups": ("cups", "home"), "toys": ("toys",)}
TYPES = (
    "item_discount",
    "threshold_reduction",
    "threshold_discount",
    "bundle",
    "item_gift",
    "threshold_gift",
    "add_on",
    "presale",
    "group_buy",
    "seckill",
)
AUDIENCES: tuple[Mapping[str, Any], ...] = (
    {"kind": "members"},
    {"kind": "members", "levels": [1, 2]},
    {"kind": "members", "member_days": 365},
    {"kind": "members", "birthday": "day"},
    {"kind": "members", "birthday": "month", "levels": [0, 1]},
    {"kind": "members", "new_customer": True},
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A cart and the world it is priced in."""

    cart: Cart
    world: World

    @property
    def campaigns(self) -> tuple[Campaign, ...]:
        """All that the world holds."""
        return tuple(self.world.index.all())

    def but(self, *, campaigns: Sequence[Campaign] | None = None, cart: Cart | None = None, **facts: Any) -> Drawn:
        """The same with other campaigns, another cart or other facts of the world."""
        if campaigns is not None:
            facts["index"] = type(self.world.index)(campaigns)
        return Drawn(self.cart if cart is None else cart, replace(self.world, **facts))


def draw(seed: int | str, *, plain: bool = False) -> Drawn:
    """A cart in a shop. A plain one has no coupon, limits, add-ons, broken campaigns or refused shoppers."""
    dice = random.Random(f"shop {seed}")
    products = _products(dice)
    campaigns = [_campaign(dice, number, plain) for number in range(dice.randint(0, 7))]
    if not plain and dice.random() < 0.2:
        campaigns.append(_unreadable(dice, len(campaigns)))
    free = {} if plain else {sku: dice.choice((0, 1, 3, 50)) for sku in products if dice.random() < 0.3}
    limited = [] if plain else [each for each in campaigns if dice.random() < 0.25]
    shop = world(
        *campaigns,
        products=products.values(),
        free=free,
        left={each.code: _left(dice) for each in limited},
        shopper=GUEST if plain else _shopper(dice),
        coupon=None if plain or dice.random() < 0.5 else _coupon(dice),
        operator=not plain and dice.random() < 0.2,
        language=dice.choice(("en", "zh-Hant")),
    )
    return Drawn(_cart(dice, campaigns, plain=plain, with_coupon=shop.coupon is not None), shop)


def drawn(name: str, count: int, *, plain: bool = False) -> Iterator[tuple[str, Drawn]]:
    """Many of them, each with its seed; always the same ones for a name, unless `SEED` is set."""
    for number in range(count):
        seed = f"{SEED} {name} {number}"
        yield seed, draw(seed, plain=plain)


def ask(each: Drawn) -> dict[str, Any]:
    """The quote of a drawn cart, its sums checked."""
    return quote(each.cart, each.world)


def _products(dice: random.Random) -> dict[str, Product]:
    categories = (*CATEGORIES.values(), ())
    found = {sku: Product(sku, dice.choice(PRICES), dice.choice(categories)) for sku in SKUS}
    found |= {sku: Product(sku, dice.choice(PRICES), (), gift_only=dice.random() < 0.5) for sku in GIFT_SKUS}
    found |= {sku: Product(sku, dice.choice(PRICES)) for sku in OPTION_SKUS}
    if dice.random() < 0.2:
        sku = dice.choice(SKUS)
        found[sku] = replace(found[sku], on_sale=False)
    return found


def _campaign(dice: random.Random, number: int, plain: bool) -> Campaign:
    type_name = dice.choice(TYPES)
    rule = RULES[type_name](dice)
    terms: dict[str, Any] = {"code": f"c{number}", "priority": dice.randint(0, 3), **_scope(dice, type_name, rule)}
    if not plain:
        terms |= _hindrances(dice, type_name)
    return campaign(type_name, rule, **terms)


def _scope(dice: random.Random, type_name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    if type_name == "bundle":
        return {"items": [each["sku"] for each in rule["components"]]}
    kind = (
        "items" if type_name in {"presale", "group_buy", "seckill"} else dice.choice(("items", "category", "all"))
    )
    exclude = [dice.choice(SKUS)] if dice.random() < 0.2 and type_name != "seckill" else []
    if kind == "all":
        return {"scope": "all", "exclude": exclude}
    if kind == "category":
        return {"scope": "category", "categories": [dice.choice(list(CATEGORIES))], "exclude": exclude}
    items = [{"sku": sku} for sku in dice.sample(SKUS, dice.randint(1, 6))]
    if type_name == "seckill":
        items = [{**item, "stock": 5} for item in items]
    return {"items": items, "exclude": exclude}


def _hindrances(dice: random.Random, type_name: str) -> dict[str, Any]:
    terms: dict[str, Any] = {}
    if dice.random() < 0.1:
        terms |= dice.choice(({"starts_at": NOW_MS + 1}, {"ends_at": NOW_MS}, {"paused": True}, {"draft": True}))
    if dice.random() < 0.05:
        terms["terminated_at"] = NOW_MS - 1
    if dice.random() < 0.2:
        terms["audience"] = dice.choice(AUDIENCES)
    if type_name != "seckill" and dice.random() < 0.1:
        terms["channels"] = dice.choice((["web"], ["app"], ["store"]))
        terms["stores"] = ["s1"] if terms["channels"] == ["store"] else []
    if dice.random() < 0.15:
        terms["coupons_allowed"] = False
    return terms


def _unreadable(dice: random.Random, number: int) -> Campaign:
    code = f"c{number}"
    if dice.random() < 0.5:
        return broken(code, scope="all", priority=9)
    return read_campaign(code, body_of("lottery", {}, scope="all"), CURRENCY)


def _left(dice: random.Random) -> Left:
    kind = dice.choice(("total", "per_shopper", "budget"))
    return Left(**{kind: dice.choice((0, 1, 2, 5, 1000)) * (500 if kind == "budget" else 1)})


def _shopper(dice: random.Random) -> Shopper:
    if dice.random() < 0.3:
        return GUEST
    return Shopper(
        sub="amy",
        member=dice.random() < 0.5,
        level=dice.randint(0, 3),
        since=dice.choice((None, TODAY - timedelta(days=364), TODAY - timedelta(days=365), date(2020, 2, 29))),
        birthday=dice.choice((None, "11-22", "11-01", "02-29")),
        new_customer=dice.random() < 0.5,
    )


def _coupon(dice: random.Random) -> Coupon:
    terms: dict[str, Any] = dice.choice(
        (
            {"amount_off": dice.choice((1, 500, 100_000))},
            {"percent_off": dice.choice((0.01, 12.5, 99))},
            {"percent_off": 30, "cap": 700},
        )
    )
    terms |= dice.choice(({}, {"threshold": 5000}, {"threshold": 1}))
    terms |= dice.choice(
        (
            {},
            {"scope": "items", "items": dice.sample(SKUS, 3)},
            {"scope": "category", "categories": [dice.choice(list(CATEGORIES))]},
        )
    )
    terms |= dice.choice(({}, {}, {}, {}, {}, {"uses_left": 0}, {"claim_required": True}, {"ended": True}))
    return coupon("SAVE", **terms)


def _cart(dice: random.Random, campaigns: Sequence[Campaign], *, plain: bool, with_coupon: bool) -> Cart:
    codes: list[str | None] = [*(each.code for each in campaigns), None, "nowhere"]
    skus = dice.sample(SKUS, dice.choice((1, 2, 3, 5, 8)))
    if not plain and dice.random() < 0.1:
        skus.append("ghost")
    lines: list[dict[str, Any]] = []
    alone = next((each for each in campaigns if each.type is not None and each.type.own_button), None)
    if alone is not None and dice.random() < 0.4:
        skus = []
        lines.append({"sku": next(iter(alone.items)), "quantity": dice.randint(1, 2), "campaign": alone.code})
    for sku in skus:
        line: dict[str, Any] = {"sku": sku, "quantity": dice.choice((1, 1, 2, 3, 7, 13))}
        if dice.random() < 0.4:
            line["campaign"] = dice.choice(codes)
        if not plain and dice.random() < 0.1:
            line["selected"] = False
        lines.append(line)
    body: dict[str, Any] = {"lines": lines, "explain": dice.random() < 0.5}
    if not plain:
        body["channel"] = dice.choice(("web", "web", "app", "store"))
        body["store"] = dice.choice((None, "s1", "s2")) if body["channel"] == "store" else None
        body["add_ons"] = _chosen_add_ons(dice, campaigns)
        body["coupon"] = "SAVE" if with_coupon or dice.random() < 0.1 else None
    body["gifts"] = {
        each.code: [dice.choice((*GIFT_SKUS, *GIFT_SKUS, *SKUS)) for _ in range(dice.choice((0, 1, 2, 9)))]
        for each in campaigns
        if dice.random() < (0.3 if each.type_name in {"item_gift", "threshold_gift"} else 0.03)
    }
    return Cart.model_validate(body)


def _chosen_add_ons(dice: random.Random, campaigns: Sequence[Campaign]) -> list[dict[str, Any]]:
    return [
        {"campaign": each.code, "sku": sku, "quantity": dice.randint(1, 3)}
        for each in campaigns
        if each.type_name == "add_on"
        for sku in OPTION_SKUS
        if dice.random() < 0.8
    ]


def _item_discount(dice: random.Random) -> dict[str, Any]:
    return dice.choice(
        ({"percent_off": dice.choice((0.01, 33.33, 50, 99.99))}, {"amount_off": 500}, {"price": 900})
    )


def _rising(dice: random.Random, most: int) -> list[int]:
    return sorted(dice.sample(range(1, most), dice.randint(1, 3)))


def _threshold_reduction(dice: random.Random) -> dict[str, Any]:
    if dice.random() < 0.5:
        spend = dice.randint(1, 9000)
        off = dice.randint(1, spend)
        return {"mode": "every", "spend": spend, "off": off, "cap": dice.choice((None, off, 3 * off))}
    tiers = [{"spend": spend * 100, "off": spend * 10 + index} for index, spend in enumerate(_rising(dice, 400))]
    return {"mode": "tiers", "tiers": tiers}


def _threshold_discount(dice: random.Random) -> dict[str, Any]:
    by = dice.choice(("amount", "count"))
    ats, percents = _rising(dice, 20), sorted(dice.sample((0.01, 5, 12.5, 33.33, 50, 99.99), 3))
    tiers = zip(ats, percents, strict=False)
    return {"by": by, "tiers": [{"at": at * (1 if by == "count" else 999), "percent_off": p} for at, p in tiers]}


def _bundle(dice: random.Random) -> dict[str, Any]:
    parts = dice.sample(SKUS, dice.randint(1, 3))
    components = [{"sku": sku, "quantity": dice.randint(2 if len(parts) == 1 else 1, 3)} for sku in parts]
    return {"price": dice.choice((0, 1, 1999, 9999)), "components": components}


def _gift_rows(dice: random.Random) -> list[dict[str, Any]]:
    skus = dice.sample((*GIFT_SKUS, *SKUS[:2]), dice.randint(1, 3))
    return [{"sku": sku, "quantity": dice.randint(1, 2)} for sku in skus]


def _item_gift(dice: random.Random) -> dict[str, Any]:
    return {"gifts": _gift_rows(dice), "per": dice.randint(1, 3), "max": dice.choice((None, 1, 4))}


def _threshold_gift(dice: random.Random) -> dict[str, Any]:
    by = dice.choice(("amount", "count"))
    mode = dice.choice(("best", "cumulative", "every"))
    tiers: list[dict[str, Any]] = []
    for at in _rising(dice, 15):
        tier: dict[str, Any] = {"at": at * (1 if by == "count" else 999), "gifts": _gift_rows(dice)}
        if by == "count" and dice.random() < 0.3:
            tier["gifts"] = [{"same_item": True, "quantity": dice.randint(1, 2)}]
        elif dice.random() < 0.5:
            tier["choose"] = dice.randint(1, len(tier["gifts"]))
        tiers.append(tier)
    if mode == "every":
        return {"by": by, "mode": mode, "tiers": tiers[:1], "max": dice.choice((None, 2))}
    return {"by": by, "mode": mode, "tiers": tiers}


def _add_on(dice: random.Random) -> dict[str, Any]:
    return {
        "tiers": [
            {
                "spend": spend * 100,
                "options": [
                    {"sku": sku, "price": dice.choice((0, 90, 900)), "limit": dice.randint(1, 2)}
                    for sku in dice.sample(OPTION_SKUS, dice.randint(1, 2))
                ],
            }
            for spend in _rising(dice, 200)
        ]
    }


def _presale(dice: random.Random) -> dict[str, Any]:
    return {
        "price": dice.choice((None, 800)),
        **dice.choice(({"deposit": 100}, {"deposit_percent": 12.5})),
        **dice.choice(({"mode": "confirm"}, {"mode": "leverage", "multiplier": dice.choice((1, 2.5, 7.99))})),
        "balance_starts_at": NOW_MS + DAY_MS,
        "balance_ends_at": NOW_MS + 2 * DAY_MS,
    }


def _group_buy(dice: random.Random) -> dict[str, Any]:
    return {"price": dice.choice((0, 500, 990)), "size": 3, "limit_per_shopper": dice.randint(1, 3)}


def _seckill(dice: random.Random) -> dict[str, Any]:
    return {"price": dice.choice((1, 100))}


RULES = {
    "item_discount": _item_discount,
    "threshold_reduction": _threshold_reduction,
    "threshold_discount": _threshold_discount,
    "bundle": _bundle,
    "item_gift": _item_gift,
    "threshold_gift": _threshold_gift,
    "add_on": _add_on,
    "presale": _presale,
    "group_buy": _group_buy,
    "seckill": _seckill,
}
"""By type: a rule that could be published."""
