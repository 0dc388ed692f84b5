"""The end of every measurement of a whole stack: the writer catches up, and the books are held against the wins."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest import back_office
from loadtest.checks import CHECKS_OF_THE_BOOKS, Story
from loadtest.scenarios import Plan
from loadtest.stack import Stack
from loadtest.verify import judge

WRITE_WITHIN_S = 600.0


def check(stack: Stack, sold: Sequence[tuple[Plan, int]]) -> list[str]:
    """Let the writer catch up, and hold every offer against the wins that the gateway counted; breaches."""
    stack.write_orders(within_s=WRITE_WITHIN_S)
    breaches = []
    found = back_office.listings(stack.api, [plan.offer for plan, _ in sold])
    for plan, wins in sold:
        facts = back_office.facts(stack.api, found[plan.offer])
        verdict = judge(facts, Story((), ()), names=CHECKS_OF_THE_BOOKS)
        breaches += [f"{plan.offer}: {text}" for texts in verdict.breaches.values() for text in texts]
        if not plan.primed and len(facts.orders) != wins:
            breaches.append(f"{plan.offer}: {wins} wins were answered, {len(facts.orders)} orders exist")
    return breaches
