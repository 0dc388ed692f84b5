"""One run: a sale, a crowd, faults, then peace, and the invariants."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from gateway import keys
from tests.conftest import wait_until
from tests.faults import looking
from tests.faults.checker import CLOCK_MS, Breach, Checker
from tests.faults.client import ask, mint
from tests.faults.crowd import USUAL, Crowd
from tests.faults.history import History, Op, now_ms
from tests.faults.injector import Injected, Injector, Meddler
from tests.faults.plans import Plan
from tests.faults.processes import seckill
from tests.faults.sale import MANY_SKU, MEDDLED_SKU, ONE_SKU, Offer, Sale
from tests.faults.stack import Stack, standing

PAY_WITHIN_S = 3
LASTS_S = 900.0
LEFT_AT_THE_END = 6
QUIET_WITHIN_S = 45.0
LOOKS, LOOK_AGAIN_S = 2, 3.0
SETTLED_S = 1.3
"""After so long a click without an answer is decided: its deadline is a second of Redis time."""


@dataclass
class Result:
    """What a run showed."""

    outcomes: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    breaches: list[Breach] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def replies(self) -> int:
        return sum(self.outcomes.values())


class Run:
    """A sale on a deployment, clicked by a crowd; `finish` brings peace and checks."""

    def __init__(self, stack: Stack, code: str, *, seed: int, width: int = 12) -> None:
        self.stack = stack
        self.history = History()
        self.sale = Sale(stack, self.history)
        self._code = code
        self._seed = seed
        self._width = width
        self._began_s = time.monotonic()
        self.crowd: Crowd | None = None

    def open(self, weights: dict[str, int] | None = None, *, stock: int = 2000) -> Run:
        """Put three offers on sale (one per shopper, several per shopper, one that operators meddle with).

        `stock`: units of the last one, which shall not run out.
        """
        short = PAY_WITHIN_S
        plan = (
            (f"{self._code}a", ONE_SKU, 60, 1, short),
            (f"{self._code}b", MANY_SKU, 3000, 4, short),
            (f"{self._code}c", MEDDLED_SKU, stock, 1, 900),
        )
        for code, sku, units, limit, pay_within_s in plan:
            self.sale.publish(code, sku, stock=units, limit=limit, pay_within_s=pay_within_s, lasts_s=LASTS_S)
        offers = list(self.sale.offers.values())
        self.crowd = Crowd(
            self.stack, self.history, weights or USUAL, offers, seed=self._seed, width=self._width
        ).start()
        return self

    @property
    def meddled(self) -> Offer:
        """The offer that operators pause, resume, raise and cut."""
        return self.sale.offers[f"{self._code}c-{MEDDLED_SKU}"]

    def answered(self) -> int:
        """Replies so far."""
        return sum(1 for op in list(self.history.ops) if op.replied_ms is not None)

    def finish(self, *, clock_ms: float = CLOCK_MS, repair: bool = False) -> Result:
        """Heal everything, let the crowd go home, wait until nothing moves, and hold all against all.

        `clock_ms`: how far apart clocks may have been. `repair`: first repair what has one right answer, and
        then what an operator has to decide.
        """
        self.stack.heal()
        self.stack.until_ready()
        if self.crowd is not None:
            self.crowd.stop()
        if repair:
            self._until_quiet()
            self._reconcile("--repair")
            self._settle_by_hand()
        probes = self._sell_out()
        self._until_quiet()
        reconciled = self._reconcile()
        for _ in range(LOOKS):
            end = looking.look(self.stack, self.sale)
            for offer, outcome in probes.items():
                end.offers[offer].last_probe = outcome
            end.reconcile = reconciled
            breaches = Checker(self.history, end, clock_ms=clock_ms, repaired=repair).check()
            if not breaches:
                break
            # An order that expires between two looks is on its way through; a breach stays.
            time.sleep(LOOK_AGAIN_S)
            reconciled = self._reconcile()
        return Result(
            self.history.outcomes(),
            Counter(order["status"] for order in end.orders.values()),
            breaches,
            time.monotonic() - self._began_s,
        )

    def _sell_out(self) -> dict[str, str]:
        """Wait until every unpaid order has ended, cut what is left to a few, and let new shoppers buy those."""
        time.sleep(SETTLED_S)
        self._until_none_is_due()
        probes = {}
        for offer in self.sale.offers.values():
            if any(act.verb == "terminate" and act.offer == offer.id and act.ok for act in self.history.acts):
                continue
            status, said = ask(f"{self.stack.gateway_url}/seckill/{offer.id}")
            if status == 200 and said["left"] > LEFT_AT_THE_END:
                self.sale.change_stock(offer, LEFT_AT_THE_END - said["left"])
            probes[offer.id] = self._probe(offer)
        return probes

    def _probe(self, offer: Offer) -> str:
        """New shoppers click one after the other; the first refusal that is not for the moment, in its word."""
        end_s = time.monotonic() + 30
        number, said_last = 0, ""
        while time.monotonic() < end_s:
            number += 1
            shopper = f"probe {self._seed}-{offer.campaign}-{number}"
            key = f"probe{number}" if offer.limit > 1 else ""
            op = self.history.invoke(Op(shopper, offer.id, key=key))
            status, said = ask(
                f"{self.stack.gateway_url}/seckill/{offer.id}",
                method="POST",
                token=mint(self.stack.token_secret, shopper),
                headers={"Idempotency-Key": key} if key else None,
            )
            self.history.reply(op, status, said)
            if op.outcome == "sold_out":
                # It may be repeated for a lease; what counts is what is said after it.
                with self.stack.redis() as redis:
                    left = looking.offer_end(redis, offer).left
                if left == 0:
                    return "sold_out"
                said_last = f"sold_out with {left} left"
                time.sleep(0.25)
            elif op.outcome not in {"won", "busy", "unavailable", "unknown", "no answer", "rate_limited"}:
                return op.outcome
            else:
                said_last = op.outcome
                time.sleep(0 if op.outcome == "won" else 0.1)
        return said_last

    def _until_none_is_due(self) -> None:
        """Wait until the short pay windows are over and their orders have ended, where orders expire at all."""
        if not self.expires:
            return

        def none_due() -> bool:
            for offer in self.sale.offers.values():
                orders = looking.orders(self.sale, offer)
                if orders is None:
                    return False
                soon_ms = now_ms() + PAY_WITHIN_S * 2000
                if any(
                    each["status"] == "pending" and looking.instant_ms(each["expire_at"]) < soon_ms
                    for each in orders
                ):
                    return False
            return True

        wait_until(none_due, within_s=QUIET_WITHIN_S, what="the end of every unpaid order")

    @property
    def expires(self) -> bool:
        """Whether this deployment has orders that can be paid, and so can end unpaid."""
        status, said = self.sale.operator("GET", "/openapi.json")
        return status == 200 and any(path.endswith("/pay") for path in said["paths"])

    def _until_quiet(self) -> None:
        def quiet() -> bool:
            with self.stack.redis() as redis:
                return looking.backlog(redis) == (0, 0)

        wait_until(quiet, within_s=QUIET_WITHIN_S, what=f"an empty stream\n{self.stack.logs()}")

    def _settle_by_hand(self) -> None:
        """Delete the letters of shoppers who have won again since, and hold as much as the limit allows."""
        with self.stack.redis() as redis:
            ends = {offer.id: looking.offer_end(redis, offer) for offer in self.sale.offers.values()}
            for shard in keys.shards():
                for number, fields in redis.xrange(keys.dead(shard)):  # type: ignore[union-attr]
                    end = ends[fields[b"offer"].decode()]
                    held = sum(len(ticket.units) for ticket in end.tickets.get(fields[b"shopper"].decode(), []))
                    if held >= end.offer.limit:
                        redis.xdel(keys.dead(shard), number)

    def _reconcile(self, *options: str) -> str:
        """What `seckill reconcile` says, if it finds anything."""
        done = seckill("reconcile", "--json", *options, environ=self.stack.environ("admin", direct=True))
        if done.returncode == 0 or "invalid choice" in done.stderr:
            return ""
        return (done.stdout + done.stderr)[-2000:]


def run_plan(plan: Plan, folder: Path, *, settings: dict[str, str] | None = None) -> tuple[Result, list[Injected]]:
    """One run of a plan on a deployment of its own. The harness's own failures are raised."""
    with standing(folder, plan.database, settings=settings) as stack:
        run = Run(stack, f"s{plan.seed}", seed=plan.seed).open()
        meddler = Meddler(run.sale, run.meddled, plan.seed).start()
        injector = Injector(stack)
        try:
            for fault in plan.faults:
                injector.inject(fault)
        finally:
            stack.heal()
            meddler.stop()
        return run.finish(), injector.done
