"""A cart as its page shows it: lines by the campaign that they joined, with everything that can be chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from admin.promotions.choosing import APPLIED, BEATEN, NOT_REACHED
from admin.storefront.cart_options import CartCampaign, CartOptions, CartProduct
from admin.storefront.models import ShopGrant
from admin.storefront.pages.basket import Basket

OPEN = frozenset({APPLIED, NOT_REACHED, BEATEN})
"""States of a choice that the shopper may have."""
SPEND, BUY = "spend_more", "buy_more"


def sentence(reason: str | None) -> str:
    """What a reason tells people; its code is for programs."""
    return "" if reason is None else reason.partition(": ")[2]


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `told` is it in the quote; `typed` the quantity as it was typed, with what is wrong about it."""

    sku: str
    told: Mapping[str, Any]
    product: CartProduct | None
    selected: bool
    pinned: bool
    typed: str
    problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return self.sku if self.product is None else self.product.name

    @property
    def image(self) -> str | None:
        """Its picture."""
        return None if self.product is None else self.product.image

    @property
    def open_choices(self) -> list[Mapping[str, Any]]:
        """Campaigns that it may join."""
        return [each for each in self.told["choices"] if each["state"] in OPEN and each["payable"] is not None]

    @property
    def closed_choices(self) -> list[Mapping[str, Any]]:
        """Campaigns that it may not join, with the reason."""
        return [each for each in self.told["choices"] if each["state"] not in OPEN or each["payable"] is None]


@dataclass(frozen=True, slots=True)
class GiftOption:
    """A gift that may be picked: how many pieces one pick is, and how many picks there are of it."""

    sku: str
    name: str
    image: str | None
    quantity: int
    picked: int
    in_stock: bool


@dataclass(frozen=True, slots=True)
class GiftChoice:
    """Gifts that come together: all of them `times` times, or `room` picks among them."""

    times: int
    room: int | None
    options: tuple[GiftOption, ...]


@dataclass(slots=True)
class Section:
    """Lines that joined one campaign, or none. `declined` says that the shopper wants no gifts of it."""

    campaign: CartCampaign | None
    group: Mapping[str, Any] | None
    lines: list[Line] = field(default_factory=list)
    gifts: list[Mapping[str, Any]] = field(default_factory=list)
    choices: list[GiftChoice] = field(default_factory=list)
    add_ons: Mapping[str, int] = field(default_factory=dict)
    left_off: list[Mapping[str, Any]] = field(default_factory=list)
    declined: bool = False

    @property
    def pickable(self) -> bool:
        """Whether there is a gift to pick or to decline."""
        return bool(self.choices)

    @property
    def share(self) -> int:
        """How far the group is on its way to the next step, percent."""
        following = None if self.group is None else self.group["next"]
        if self.group is None or following is None:
            return 100
        done, more = (self.group["subtotal"], SPEND) if SPEND in following else (self.group["units"], BUY)
        return int(100 * done // max(1, done + following[more]))


@dataclass(frozen=True, slots=True)
class CartView:
    """The whole cart. `typed` has quantities as they were typed, by SKU, with what is wrong about them."""

    basket: Basket
    options: CartOptions
    typed: Mapping[str, tuple[str, tuple[str, ...]]]

    @property
    def quote(self) -> Mapping[str, Any]:
        """What it costs."""
        return self.basket.quote

    @property
    def products(self) -> Mapping[str, CartProduct]:
        """Products by SKU."""
        return {each.sku: each for each in self.options.products}

    @property
    def campaigns(self) -> Mapping[str, CartCampaign]:
        """Campaigns by code."""
        return {each.code: each for each in self.options.campaigns}

    def name(self, sku: str) -> str:
        """What people call a product."""
        product = self.products.get(sku)
        return sku if product is None else product.name

    def title(self, code: str) -> str:
        """What people call a campaign: what its label promises."""
        campaign = self.campaigns.get(code)
        return code if campaign is None else campaign.label or campaign.name

    @property
    def unselected(self) -> bool:
        """Whether a line is not ticked."""
        return any(not each["selected"] for each in self.basket.body["lines"])

    @property
    def selected(self) -> int:
        """How many lines are ticked."""
        return sum(each["selected"] for each in self.basket.body["lines"])

    @property
    def stuck(self) -> bool:
        """Whether a ticked line cannot be had as asked."""
        return any(each["state"] in {"unavailable", "short_stock"} for each in self.quote["lines"])

    @property
    def loose(self) -> list[Mapping[str, Any]]:
        """What was left off, of campaigns that no line joined."""
        codes = {each["campaign"] for each in self.quote["groups"]}
        return [each for each in self.quote["left_off"] if each["campaign"] not in codes]

    def sections(self) -> list[Section]:
        """The lines by campaign, in cart order; those without one come last."""
        found: dict[str | None, Section] = {}
        groups = {each["campaign"]: each for each in self.quote["groups"]}
        for line in self._lines():
            code = line.told["campaign"] if line.told["campaign"] in groups else None
            if code not in found:
                found[code] = self._section(groups.get(code))
            found[code].lines.append(line)
        plain = found.pop(None, None)
        return [*found.values(), *([plain] if plain is not None else ())]

    def _lines(self) -> Iterator[Line]:
        products = self.products
        for kept, told in zip(self.basket.body["lines"], self.quote["lines"], strict=True):
            typed, problems = self.typed.get(kept["sku"], (str(kept["quantity"]), ()))
            yield Line(
                sku=kept["sku"],
                told=told,
                product=products.get(kept["sku"]),
                selected=kept["selected"],
                pinned="campaign" in kept,
                typed=typed,
                problems=problems,
            )

    def _section(self, group: Mapping[str, Any] | None) -> Section:
        if group is None:
            return Section(None, None)
        code = group["campaign"]
        campaign, body = self.campaigns.get(code), self.basket.body
        gifts = [each for each in self.quote["gifts"] if each["campaign"] == code]
        pieces = {each["sku"]: each["quantity"] for each in gifts}
        return Section(
            campaign,
            group,
            gifts=gifts,
            choices=[self._choice(each, pieces) for each in (campaign.gifts if campaign is not None else ())],
            add_ons={each["sku"]: each["quantity"] for each in body.get("add_ons", ()) if each["campaign"] == code},
            left_off=[each for each in self.quote["left_off"] if each["campaign"] == code],
            declined=body.get("gifts", {}).get(code) == [],
        )

    def _choice(self, grant: ShopGrant, pieces: Mapping[str, int]) -> GiftChoice:
        products = self.products
        options = []
        for gift in grant.gifts:
            product = products.get(gift.sku)
            options.append(
                GiftOption(
                    sku=gift.sku,
                    name=gift.name or gift.sku,
                    image=gift.image,
                    quantity=gift.quantity,
                    picked=pieces.get(gift.sku, 0) // gift.quantity,
                    in_stock=product is not None and product.in_stock,
                )
            )
        room = None if grant.choose is None else grant.choose * grant.times
        return GiftChoice(grant.times, room, tuple(options))
