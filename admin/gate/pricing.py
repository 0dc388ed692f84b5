"""A draft priced over the catalogue and over carts, by the engine, beside today's prices. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from admin.promotions.alone import Alone, payable
from admin.promotions.audience import GUEST, Audience, Shopper
from admin.promotions.campaign import Campaign
from admin.promotions.cart import QUANTITY_MAX, Cart, CartLine
from admin.promotions.effects import Effect, Grant
from admin.promotions.joined import Joined
from admin.promotions.model import Channel
from admin.promotions.quoting import Quoting
from admin.promotions.world import Product, World

PRICED_MAX = 2000
"""Products priced one by one in one report."""
STEPS_MAX = 20
"""Steps of a ladder whose margin is looked at; one that repeats has no last."""


@dataclass(frozen=True, slots=True)
class Good:
    """One product: see `PricedGood`."""

    product: Product
    before: int
    after: int
    price: int | None
    reached: Joined | None
    cost: int | None
    margin: int | None


@dataclass(frozen=True, slots=True)
class Bill:
    """What some carts come to: how many change, and what is given away on all of them."""

    carts: int
    skipped: int
    changed: int
    given_before: int
    given_after: int


def shopper_for(audience: Audience, today: date) -> Shopper:
    """Somebody whom a campaign is for; a guest where it is for everybody."""
    if audience.kind == "everyone":
        return GUEST
    return Shopper(
        member=True,
        level=min(audience.levels) if audience.levels else 1,
        since=today - timedelta(days=audience.member_days) if audience.member_days else None,
        birthday=today.strftime("%m-%d") if audience.birthday else None,
        new_customer=bool(audience.new_customer),
    )


def price_goods(
    draft: Campaign,
    products: Iterable[Product],
    before: World,
    channel: Channel,
    store: str | None,
    costs: Mapping[str, int | None],
) -> list[Good]:
    """Products as they are sold today and with a draft. `before` is the world without it."""
    today, then = Alone(before, channel, store), Alone(with_draft(before, draft), channel, store)
    return [_good(draft, each, today, then, costs) for each in products]


def with_draft(world: World, draft: Campaign) -> World:
    """A world in which a draft is published."""
    return replace(world, index=world.index.changed({draft.code: draft}))


def _good(draft: Campaign, product: Product, today: Alone, then: Alone, costs: Mapping[str, int | None]) -> Good:
    cost = costs.get(product.sku)
    reached = None if draft.type is None or draft.type.sold_by_gateway else then.reach(draft, product)
    price = then.price_in(draft, product)
    margins = []
    if cost is not None:
        if price is not None:
            margins.append(price - cost)
        margins += [_margin(step, cost, costs) for step in _steps(draft, product, then, reached)]
    return Good(
        product=product,
        before=payable(product, today.default(product)),
        after=payable(product, then.default(product)),
        price=price,
        reached=reached,
        cost=cost,
        margin=min(margins, default=None),
    )


def _steps(draft: Campaign, product: Product, then: Alone, reached: Joined | None) -> Iterator[Joined]:
    """The product alone at the first step of a ladder and at the ones after it."""
    step = reached
    for _ in range(STEPS_MAX):
        if step is None:
            return
        yield step
        further = step.effect.next
        if further is None:
            return
        if further.buy_more is not None:
            more = further.buy_more
        else:
            more = -(-(further.spend_more or 0) // product.price) if product.price else 0
        quantity = step.group.units + more
        if more <= 0 or quantity > QUANTITY_MAX:
            return
        step = then.joined(draft, product, quantity)


def _margin(step: Joined, cost: int, costs: Mapping[str, int | None]) -> int:
    """What one unit leaves when so many are bought, rounded down."""
    units = step.group.units
    paid = step.group.subtotal - step.effect.discount
    return (paid - cost * units - gifts_cost(step.effect, costs)) // units


def gifts_cost(effect: Effect, costs: Mapping[str, int | None]) -> int:
    """What the dearest choice of gifts costs the shop; a gift without a known cost counts as nothing."""
    return sum(_grant_cost(grant, costs) for grant in effect.grants)


def _grant_cost(grant: Grant, costs: Mapping[str, int | None]) -> int:
    each = sorted(((costs.get(option.sku) or 0) * option.quantity for option in grant.options), reverse=True)
    return grant.times * sum(each[: grant.choose])


def price_carts(
    draft: Campaign,
    carts: Sequence[Mapping[str, int]],
    before: World,
    channel: Channel,
    store: str | None,
) -> Bill:
    """Carts, as quantities by SKU, priced without and with a draft; equal ones are priced once."""
    after = with_draft(before, draft)
    known: dict[tuple[tuple[str, int], ...], tuple[int, int] | None] = {}
    given_before = given_after = changed = skipped = 0
    for quantities in carts:
        key = tuple(quantities.items())
        if key not in known:
            known[key] = _given(key, before, after, channel, store)
        found = known[key]
        if found is None:
            skipped += 1
            continue
        given_before += found[0]
        given_after += found[1]
        changed += found[0] != found[1]
    return Bill(len(carts), skipped, changed, given_before, given_after)


def _given(
    quantities: tuple[tuple[str, int], ...], before: World, after: World, channel: Channel, store: str | None
) -> tuple[int, int] | None:
    """What is given away on a cart without and with the draft; None when its products are not sold any more."""
    lines = [CartLine(sku=sku, quantity=min(quantity, QUANTITY_MAX)) for sku, quantity in quantities]
    cart = Cart(lines=lines, channel=channel, store=store)
    first = Quoting(cart, before)
    if not all(place.counts for place in first.places):
        return None
    second = Quoting(cart, after)
    return sum(first.price(first.default).discounts), sum(second.price(second.default).discounts)
