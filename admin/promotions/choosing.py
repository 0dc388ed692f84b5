"""Which campaigns a line of a cart may join, and why not the others. One campaign is judged once per quote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from admin.promotions.audience import refuses
from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart, CartLine
from admin.promotions.world import Product, World

APPLIED = "applied"
NOT_REACHED = "not_reached"
BEATEN = "beaten"
NOT_ELIGIBLE = "not_eligible"
NOT_RUNNING = "not_running"
EXCLUDED = "excluded"
EXHAUSTED = "exhausted"
OWN_BUTTON = "own_button"
ERROR = "error"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a campaign cannot be joined: a state of the contract, and the code of a reason."""

    state: str
    reason: str


USED_UP = Refusal(EXHAUSTED, "used_up")
_CODES_OF_STATES = {"limit_per_shopper": EXHAUSTED}
"""What a type's own refusal means, where it is not `excluded`."""


class Units(Protocol):
    """Some units of one product at its base price: what a campaign is judged for."""

    @property
    def sku(self) -> str:
        """The product."""

    @property
    def quantity(self) -> int:
        """How many."""

    @property
    def price(self) -> int:
        """Base price of one."""


@dataclass(frozen=True, slots=True)
class Place:
    """One line of a cart with its product. `number` counts from 1; one that does not count has no campaign.

    `candidates` are the campaigns whose scope holds the product, in order of rank.
    """

    number: int
    asked: CartLine
    product: Product | None
    state: str
    candidates: tuple[Campaign, ...]

    @property
    def counts(self) -> bool:
        """Whether it is part of the order."""
        return self.state in {"ok", "short_stock"}

    @property
    def sku(self) -> str:
        """Its product."""
        return self.asked.sku

    @property
    def quantity(self) -> int:
        """Units."""
        return self.asked.quantity

    @property
    def price(self) -> int:
        """Base price of a unit; 0 for a product that does not exist."""
        return 0 if self.product is None else self.product.price


def lay_out(cart: Cart, world: World) -> tuple[Place, ...]:
    """The lines of a cart as places."""
    places = []
    for number, line in enumerate(cart.lines, 1):
        product = world.products.get(line.sku)
        candidates: tuple[Campaign, ...] = ()
        if product is None or not product.on_sale or product.gift_only:
            state = "unavailable"
        else:
            candidates = world.index.candidates(line.sku, product.categories)
            state = "ok" if world.free.get(line.sku, 0) >= line.quantity else "short_stock"
        if not line.selected:
            state = "unselected"
        places.append(Place(number, line, product, state, candidates))
    return tuple(places)


class Judge:
    """Judges campaigns for one shopper, channel and instant."""

    def __init__(self, world: World, cart: Cart, alone: bool) -> None:
        self._world = world
        self._cart = cart
        self._alone = alone
        self._known: dict[str, Refusal | None] = {}
        self._used_up: set[str] = set()

    def visible(self, campaign: Campaign) -> bool:
        """Whether this reader may hear of a campaign: operators of all, shoppers of what is on or announced."""
        if self._world.operator:
            return True
        now_ms = self._world.now_ms
        return (
            campaign.broken is None
            and (campaign.running(now_ms) or campaign.announced(now_ms))
            and outside(campaign, self._cart.channel, self._cart.store) is None
        )

    def closed(self, campaign: Campaign) -> Refusal | None:
        """Why no line at all can join a campaign; None when it is on, for this shopper, and not used up."""
        return USED_UP if campaign.code in self._used_up else self._never_open(campaign)

    def refusal(self, campaign: Campaign, place: Units) -> Refusal | None:
        """Why a line cannot join a campaign whose scope holds it, unless the shopper chose it; None when it can."""
        return self.closed(campaign) or self.left_out(campaign, place)

    def bars(self, campaign: Campaign, place: Units) -> bool:
        """Whether a line cannot join a campaign, whatever the other lines join.

        One that all its lines together would use up may still be open to some of them.
        """
        return (self._never_open(campaign) or self.left_out(campaign, place)) is not None

    def left_out(self, campaign: Campaign, place: Units, *, chosen: bool = False) -> Refusal | None:
        """Why this very line cannot join a campaign that is not closed; None when it can.

        `chosen` says that the shopper asked for it: the only way into a campaign with its own button.
        """
        assert campaign.type is not None
        if campaign.exclude and place.sku in campaign.exclude:
            return Refusal(EXCLUDED, "excluded_item")
        if campaign.type.own_button:
            if not chosen or campaign.type.evaluate is None:
                return Refusal(OWN_BUTTON, "own_button")
            if not self._alone:
                return Refusal(OWN_BUTTON, "stands_alone")
        why = campaign.type.refuses(campaign.rule, campaign.items.get(place.sku), place.price, place.quantity)
        return None if why is None else Refusal(_CODES_OF_STATES.get(why, EXCLUDED), why)

    def use_up(self, codes: Iterable[str]) -> None:
        """From now on, refuse campaigns of which this cart would need more than is left."""
        self._used_up.update(codes)

    def _never_open(self, campaign: Campaign) -> Refusal | None:
        code = campaign.code
        if code in self._known:
            return self._known[code]
        found = self._known[code] = self._judge(campaign)
        return found

    def _judge(self, campaign: Campaign) -> Refusal | None:
        now_ms = self._world.now_ms
        if campaign.broken is not None:
            return Refusal(ERROR, "unreadable")
        if not campaign.running(now_ms):
            return Refusal(NOT_RUNNING, _why_not_running(campaign, now_ms))
        why = outside(campaign, self._cart.channel, self._cart.store) or refuses(
            campaign.audience, self._world.shopper, self._world.today
        )
        if why is not None:
            return Refusal(NOT_ELIGIBLE, why)
        left = self._world.left.get(campaign.code)
        if left is not None and any(
            each is not None and each <= 0 for each in (left.total, left.per_shopper, left.budget)
        ):
            return USED_UP
        return None


def outside(campaign: Campaign, channel: str, store: str | None) -> str | None:
    """Why a campaign is not for who comes through a channel, as the code of a reason; None when it is."""
    if campaign.channels and channel not in campaign.channels:
        return "channel"
    if campaign.stores and channel == "store" and store not in campaign.stores:
        return "store"
    return None


def _why_not_running(campaign: Campaign, now_ms: int) -> str:
    if campaign.draft:
        return "draft"
    if campaign.terminated or campaign.ends_at_ms <= now_ms:
        return "ended"
    return "paused" if campaign.paused else "not_started"
