"""A priced cart as the reply of a quote: lines with their choices, groups with their next step, what is better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from admin.instants import format_instant
from admin.promotions import choosing, money
from admin.promotions.campaign import Campaign
from admin.promotions.choosing import Place, Refusal
from admin.promotions.effects import Gift, Next
from admin.promotions.instead import Instead
from admin.promotions.joined import Joined
from admin.promotions.pricing import Assignment, Priced
from admin.promotions.quoting import Quoting
from admin.promotions.reasons import reason
from admin.promotions.search import Found


def reply(quoting: Quoting, assignment: Assignment, found: Found | None) -> dict[str, Any]:
    """The whole quote."""
    priced = quoting.price(assignment)
    lines = [_line(quoting, priced, assignment, place) for place in quoting.places]
    add_ons = _add_ons(priced, len(lines) + 1)
    return {
        "currency": quoting.world.currency,
        "lines": lines,
        "gifts": _gifts(priced, len(lines) + len(add_ons) + 1),
        "add_ons": add_ons,
        "left_off": _left_off(quoting, priced),
        "groups": [_group(each) for each in priced.joined.values()],
        "presale": _presale(quoting, priced),
        "coupon": _coupon(quoting, priced),
        "subtotal": sum(line["subtotal"] for line in lines),
        "discount": sum(priced.discounts),
        "coupon_discount": sum(priced.coupon_discounts),
        "total": priced.total,
        "better": _better(quoting, priced, assignment, found) if quoting.cart.suggest else None,
        "search": None if found is None else {"proved": found.proved, "gap": found.gap},
    }


def _line(quoting: Quoting, priced: Priced, assignment: Assignment, place: Place) -> dict[str, Any]:
    position = place.number - 1
    campaign = assignment[position]
    counts = place.counts
    return {
        "line": place.number,
        "sku": place.sku,
        "quantity": place.quantity,
        "unit_price": place.price,
        "subtotal": place.price * place.quantity if counts else 0,
        "campaign": _choice_of(campaign, place),
        "discount": priced.discounts[position],
        "coupon_discount": priced.coupon_discounts[position],
        "payable": priced.payables[position],
        "unit_payables": _unit_payables(priced, campaign, place) if counts else [],
        "state": place.state,
        "choices": Choices(quoting, priced, assignment, place).told(),
    }


def _choice_of(campaign: Campaign | None, place: Place) -> str | None:
    if place.state == "unselected":
        # It joins nothing, but is chosen again some day.
        return place.asked.campaign
    return campaign.code if campaign is not None else None


def _unit_payables(priced: Priced, campaign: Campaign | None, place: Place) -> list[int]:
    position = place.number - 1
    if campaign is None:
        prices = [place.price] * place.quantity
    else:
        prices = priced.joined[campaign.code].unit_prices(place.number, priced.discounts[position])
    off = priced.coupon_discounts[position]
    if off:
        prices = [cost - less for cost, less in zip(prices, money.share(off, prices), strict=True)]
    return prices


class Choices:
    """What one line could join, and what became of each."""

    def __init__(self, quoting: Quoting, priced: Priced, assignment: Assignment, place: Place) -> None:
        self._quoting = quoting
        self._priced = priced
        self._assignment = assignment
        self._place = place
        self._joined = assignment[place.number - 1]
        self._instead: Instead | None = None
        self._language = quoting.world.language

    def told(self) -> list[dict[str, Any]]:
        """All choices with `explain`; otherwise the campaign that is joined and one that could not be had."""
        place, quoting = self._place, self._quoting
        listed: list[dict[str, Any]] = []
        turned_down = quoting.turned_down.get(place.number)
        if turned_down is not None and self._joined is not None and self._joined is turned_down[0]:
            # The best choice may have it for fewer lines than asked for it.
            turned_down = None
        if turned_down is not None:
            campaign, wanted, refusal = turned_down
            listed.append(self._refused(campaign, wanted, refusal))
        elif not quoting.cart.explain and self._joined is not None:
            return [self._taken(self._joined)]
        for each in place.candidates if quoting.cart.explain else (self._joined,):
            if each is None or (turned_down is not None and each.code == turned_down[1]):
                continue
            if self._joined is not None and each.code == self._joined.code:
                listed.append(self._taken(each))
            elif quoting.judge.visible(each):
                listed.append(self._other(each))
        return listed

    def _taken(self, campaign: Campaign) -> dict[str, Any]:
        joined = self._priced.joined[campaign.code]
        why = None
        if not joined.effect.reached:
            why = _missing(joined.effect.next, self._quoting.world.currency, self._language)
        state = choosing.APPLIED if joined.effect.reached else choosing.NOT_REACHED
        return self._choice(campaign, state, why, self._priced.payables[self._place.number - 1])

    def _other(self, campaign: Campaign) -> dict[str, Any]:
        place = self._place
        if not place.counts:
            return self._choice(campaign, choosing.BEATEN, reason("unselected", self._language), None)
        refusal = self._quoting.judge.refusal(campaign, place)
        if refusal is not None:
            return self._refused(campaign, campaign.code, refusal)
        if self._instead is None:
            self._instead = Instead(self._quoting.pricing, self._priced, self._assignment, place.number)
        payable = self._instead.payable(campaign)
        if payable is None:
            return self._refused(campaign, campaign.code, choosing.USED_UP)
        if self._quoting.cart.strategy == "best" and not place.asked.pinned:
            why = reason("saves_less", self._language)
        elif self._joined is None or campaign.rank < self._joined.rank:
            why = reason("other_choice", self._language)
        else:
            why = reason("lower_priority", self._language, code=self._joined.code)
        return self._choice(campaign, choosing.BEATEN, why, payable)

    def _refused(self, campaign: Campaign | None, code: str, refusal: Refusal) -> dict[str, Any]:
        told = reason(refusal.reason, self._language)
        if campaign is None or refusal.reason == "unknown_campaign":
            return {
                "campaign": code,
                "type": None,
                "label": None,
                "state": refusal.state,
                "reason": told,
                "payable": None,
            }
        return self._choice(campaign, refusal.state, told, None)

    def _choice(self, campaign: Campaign, state: str, why: str | None, payable: int | None) -> dict[str, Any]:
        return {
            "campaign": campaign.code,
            "type": campaign.type_name,
            "label": campaign.text("label", self._language),
            "state": state,
            "reason": why,
            "payable": payable,
        }


def _missing(step: Next | None, currency: str, language: str) -> str:
    if step is not None and step.spend_more is not None:
        return reason("spend_more", language, amount=money.show(step.spend_more, currency))
    if step is not None and step.buy_more is not None:
        return reason("buy_more", language, count=step.buy_more)
    return reason("not_reached", language)


def _add_ons(priced: Priced, first: int) -> list[dict[str, Any]]:
    return [
        {
            "line": number,
            "campaign": entry.campaign,
            "sku": entry.sku,
            "quantity": entry.quantity,
            "unit_price": entry.unit_price,
            "payable": entry.payable,
        }
        for number, entry in enumerate(priced.added.entries, first)
    ]


def _gifts(priced: Priced, first: int) -> list[dict[str, Any]]:
    pieces = [
        (code, sku, quantity) for code, given in priced.gifts.items() for sku, quantity in given.pieces.items()
    ]
    return [
        {"line": number, "sku": sku, "quantity": quantity, "campaign": code, "unit_price": 0}
        for number, (code, sku, quantity) in enumerate(pieces, first)
    ]


def _left_off(quoting: Quoting, priced: Priced) -> list[dict[str, Any]]:
    gifts = [(sku, code, why) for code, given in priced.gifts.items() for sku, why in given.left_off]
    gone = [
        (sku, code, _why_no_gift(priced.joined.get(code)))
        for code, picks in quoting.cart.gifts.items()
        if code not in priced.gifts
        for sku in dict.fromkeys(picks)
    ]
    return [
        {"sku": sku, "campaign": code, "reason": reason(_cause(quoting, code, why), quoting.world.language)}
        for sku, code, why in (*priced.added.left_off, *gifts, *gone)
    ]


def _why_no_gift(joined: Joined | None) -> str:
    if joined is None:
        return "not_joined"
    return "not_an_option" if joined.effect.reached else "not_reached"


def _cause(quoting: Quoting, code: str, why: str) -> str:
    """Why no line joined a campaign, where it is the same for all lines and this reader may know it."""
    campaign = quoting.world.index.get(code)
    if why != "not_joined" or campaign is None or not quoting.judge.visible(campaign):
        return why
    closed = quoting.judge.closed(campaign)
    return why if closed is None else closed.reason


def _group(joined: Joined) -> dict[str, Any]:
    return {
        "campaign": joined.campaign.code,
        "subtotal": joined.group.subtotal,
        "units": joined.group.units,
        "discount": joined.effect.discount,
        "tier": joined.effect.tier,
        "next": _next(joined.effect.next),
    }


def _next(step: Next | None) -> dict[str, Any] | None:
    if step is None:
        return None
    missing = {"spend_more": step.spend_more} if step.spend_more is not None else {"buy_more": step.buy_more}
    return {**missing, "then": {"discount": step.discount, "gifts": _pieces(step.gifts)}}


def _pieces(gifts: Sequence[Gift]) -> list[dict[str, Any]]:
    return [{"sku": gift.sku, "quantity": gift.quantity} for gift in gifts]


def _presale(quoting: Quoting, priced: Priced) -> dict[str, Any] | None:
    for joined in priced.joined.values():
        deposit = joined.effect.deposit
        if deposit is not None:
            off = sum(priced.coupon_discounts[number - 1] for number in joined.numbers)
            return {
                "deposit": deposit.deposit,
                "credit": deposit.credit,
                "balance": deposit.price - deposit.credit - off,
                "balance_starts_at": format_instant(deposit.balance_starts_at_ms, quoting.world.zone),
                "balance_ends_at": format_instant(deposit.balance_ends_at_ms, quoting.world.zone),
            }
    return None


def _coupon(quoting: Quoting, priced: Priced) -> dict[str, Any] | None:
    redeemed = priced.redeemed
    if redeemed is None:
        return None
    world = quoting.world
    why = None
    if redeemed.reason is not None:
        why = reason(redeemed.reason, world.language, amount=money.show(redeemed.missing, world.currency))
    return {
        "code": quoting.cart.coupon,
        "state": redeemed.state,
        "reason": why,
        "discount": redeemed.discount,
    }


def _better(quoting: Quoting, priced: Priced, assignment: Assignment, found: Found | None) -> dict[str, Any] | None:
    if found is None or found.total >= priced.total:
        return None
    then = quoting.price(found.assignment)
    changes = [
        {"line": place.number, "campaign": after.code if after is not None else None}
        for place, before, after in zip(quoting.places, assignment, found.assignment, strict=True)
        if (before and before.code) != (after and after.code)
    ]
    kept = {(code, sku): quantity for code, each in then.gifts.items() for sku, quantity in each.pieces.items()}
    lost = [
        {"sku": sku, "campaign": code, "quantity": quantity - kept.get((code, sku), 0)}
        for code, each in priced.gifts.items()
        for sku, quantity in each.pieces.items()
        if quantity > kept.get((code, sku), 0)
    ]
    return {"total": then.total, "saves": priced.total - then.total, "changes": changes, "gifts_lost": lost}
