"""The end of every measurement of a whole stack: the writer catches up, and the books are held against the wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadtest import back_office
from loadtest.checks import CHECKS_OF_THE_BOOKS, Story
from loadtest.scenarios import Plan
from loadtest.stack import Stack
from loadtest.verify import judge

WRITE_WITHIN_S = 600.0
ORDERS_MAX = 60_000
"""Orders that are looked at one by one, offer after offer; of more, their number alone is compared."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found when a stack's books were closed."""

    breaches: list[str]
    written: int
    """Orders that had waited for the writer."""
    took_s: float
    """How long it took to write them, the writer's start included."""


def check(
    stack: Stack,
    sold: Sequence[tuple[Plan, int]],
    sampled: Sequence[str] = (),
    *,
    gaps: bool = False,
    orders_max: int = ORDERS_MAX,
) -> Checked:
    """Let the writer catch up, and hold every offer against the wins that the gateway counted.

    Of `sampled` offers nobody counted the wins; units, limits and orders are held against each other all the same.
    `gaps`: every bucket of an offer has its own numbers, so some may be left out until all are sold.
    """
    written, took_s = stack.write_orders(within_s=WRITE_WITHIN_S)
    breaches = []
    wins_of = {plan.offer: wins for plan, wins in sold if not plan.primed}
    to_the_last = {plan.offer for plan, _ in sold if plan.until_sent}
    found = back_office.listings(stack.api, [*(plan.offer for plan, _ in sold), *sampled])
    looked_at = 0
    for offer, listing in found.items():
        stock, left = back_office.stock_and_left(stack.api, listing)
        wins = wins_of.get(offer, stock - left)
        if stock - left != wins:
            breaches.append(f"{offer}: {wins} wins were answered, {stock - left} units are held")
        if offer in to_the_last and left:
            breaches.append(f"{offer}: {left} units were left with more shoppers than units")
        if looked_at and looked_at + wins > orders_max:
            continue
        looked_at += wins
        facts = replace(back_office.facts(stack.api, listing), gaps=gaps)
        verdict = judge(facts, Story((), ()), names=CHECKS_OF_THE_BOOKS)
        breaches += [f"{offer}: {text}" for texts in verdict.breaches.values() for text in texts]
        if len(facts.orders) != wins:
            breaches.append(f"{offer}: {wins} wins were answered, {len(facts.orders)} orders exist")
    return Checked(breaches, written, took_s)
