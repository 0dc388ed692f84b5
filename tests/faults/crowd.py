"""A crowd of many kinds: plain, impatient, forgetful, greedy, stormy. Each click and each answer is remembered."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.faults.client import Line, mint
from tests.faults.history import FINAL, NOT_SOLD, TOLD, History, Op, now_ms
from tests.faults.sale import Offer
from tests.faults.stack import Stack

PAUSE_S = 0.03
TRIES = 60
STORM = 60

Habit = Callable[["Crowd", "Shopper"], Coroutine[Any, Any, None]]


@dataclass
class Shopper:
    """One person at one offer."""

    name: str
    token: str
    offer: Offer
    dice: random.Random
    line: Line = field(default_factory=Line)


class Crowd:
    """Shoppers that come one after the other, `width` at a time, until they are told to stop."""

    def __init__(
        self, stack: Stack, history: History, weights: dict[str, int], offers: list[Offer], *, seed: int, width: int
    ) -> None:
        """`weights`: how often each habit (a key of `HABITS`) is drawn."""
        self.history = history
        self._stack = stack
        self._offers = offers
        self._weights = weights
        self._dice = random.Random(seed)
        self._seed = seed
        self._width = width
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)
        self.failures: list[BaseException] = []

    def start(self) -> Crowd:
        self._thread.start()
        return self

    def stop(self, within_s: float = 40.0) -> None:
        """Let those who are there finish; nobody new comes."""
        self._stopping = True
        self._thread.join(within_s)
        assert not self._thread.is_alive(), "the crowd does not go home"
        if self.failures:
            raise self.failures[0]

    def _run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        await asyncio.gather(*(self._place() for _ in range(self._width)))

    async def _place(self) -> None:
        """One place in the shop: when its shopper has left, the next comes in."""
        habits = list(self._weights)
        while not self._stopping:
            habit = self._dice.choices(habits, list(self._weights.values()))[0]
            greedy = habit in GREEDY
            offers = [offer for offer in self._offers if (offer.limit > 1) == greedy]
            if not offers:
                continue
            number = self.history.number()
            shopper = self.shopper(f"{habit} {self._seed}-{number}", self._dice.choice(offers))
            try:
                await HABITS[habit](self, shopper)
            except Exception as error:
                self.failures.append(error)
                return
            finally:
                shopper.line.close()
            await asyncio.sleep(PAUSE_S * 2 * self._dice.random())

    def shopper(self, name: str, offer: Offer) -> Shopper:
        token = mint(self._stack.token_secret, name)
        return Shopper(name, token, offer, random.Random(f"{self._seed} {name}"))

    async def click(self, shopper: Shopper, quantity: int = 1, key: str = "", line: Line | None = None) -> Op:
        """One click, remembered with its answer."""
        op = self.history.invoke(Op(shopper.name, shopper.offer.id, quantity=quantity, key=key))
        status, said = await (line or shopper.line).request(
            f"{self._stack.gateway_url}/seckill/{shopper.offer.id}",
            token=shopper.token,
            body={"quantity": quantity} if quantity > 1 else None,
            headers={"Idempotency-Key": key} if key else None,
        )
        return self.history.reply(op, status, said)

    async def until_known(self, shopper: Shopper, quantity: int = 1, key: str = "") -> Op:
        """Click until the answer is definite."""
        for _ in range(TRIES):
            op = await self.click(shopper, quantity, key)
            if op.outcome in TOLD or op.outcome in FINAL or op.outcome in {"not_found", "bad_request"}:
                break
            if self._stopping and op.outcome in NOT_SOLD:
                break
            await asyncio.sleep(PAUSE_S * (1 + shopper.dice.random()) + (0.2 if op.open else 0))
        return op

    async def order(self, shopper: Shopper, verb: str, won: Op) -> Op:
        """Pay or cancel what was won, until the answer is definite; the writer may not have it yet."""
        number = str(won.reply.get("order_no"))
        for _ in range(TRIES):
            op = self.history.invoke(Op(shopper.name, shopper.offer.id, verb=verb, order_no=number))
            status, said = await shopper.line.request(
                f"{self._stack.admin_url}/api/orders/{number}/{verb}",
                token=shopper.token,
                body={},
                headers={"X-Receipt": str(won.reply.get("receipt"))},
            )
            self.history.reply(op, status, said)
            not_ready = status == 409 and "order_not_ready" in str(said)
            if op.outcome == "done" or (op.outcome == "refused" and not not_ready):
                break
            await asyncio.sleep(0.1 + 0.2 * shopper.dice.random())
            if self._stopping and not op.open:
                break
        return op

    async def decide(self, shopper: Shopper, won: Op) -> None:
        """Pay, cancel, or forget about it."""
        chance = shopper.dice.random()
        if chance < 0.45:
            await self.order(shopper, "pay", won)
        elif chance < 0.6:
            await self.order(shopper, "cancel", won)


async def plain(crowd: Crowd, shopper: Shopper) -> None:
    """Click until it is known, ask again to be sure, then pay or not."""
    op = await crowd.until_known(shopper)
    if op.outcome in TOLD:
        if shopper.dice.random() < 0.4:
            await crowd.click(shopper)
        await crowd.decide(shopper, op)
        if shopper.dice.random() < 0.3:
            await crowd.click(shopper)


async def impatient(crowd: Crowd, shopper: Shopper) -> None:
    """Several clicks at once, over connections of their own."""
    lines = [Line() for _ in range(shopper.dice.randint(2, 5))]
    ops = await asyncio.gather(*(crowd.click(shopper, line=line) for line in lines))
    for line in lines:
        line.close()
    if not any(op.outcome in TOLD for op in ops):
        await crowd.until_known(shopper)


async def storm(crowd: Crowd, shopper: Shopper) -> None:
    """Very many clicks at once."""
    lines = [Line() for _ in range(STORM)]
    await asyncio.gather(*(crowd.click(shopper, line=line) for line in lines))
    for line in lines:
        line.close()


async def aborting(crowd: Crowd, shopper: Shopper) -> None:
    """Be gone before the answer; come back later, or never."""
    op = crowd.history.invoke(Op(shopper.name, shopper.offer.id))
    whole = shopper.dice.random() < 0.7
    await shopper.line.abort(
        f"{crowd._stack.gateway_url}/seckill/{shopper.offer.id}",
        shopper.token,
        100_000 if whole else shopper.dice.randint(1, 200),
        reset=shopper.dice.random() < 0.5,
    )
    op.replied_ms = now_ms()
    if shopper.dice.random() < 0.7:
        await asyncio.sleep(shopper.dice.random() * 0.3)
        await crowd.until_known(shopper)


async def greedy(crowd: Crowd, shopper: Shopper) -> None:
    """Buy several times, several units at a time, each purchase under a key that is used again when in doubt."""
    for number in range(shopper.dice.randint(1, 3)):
        key, quantity = f"k{number}", shopper.dice.randint(1, 3)
        op = await crowd.until_known(shopper, quantity, key)
        if op.outcome in TOLD:
            if shopper.dice.random() < 0.4:
                await crowd.click(shopper, quantity, key)
            await crowd.decide(shopper, op)
        if op.outcome in FINAL:
            break


async def loyal(crowd: Crowd, shopper: Shopper) -> None:
    """Stay for a while and click again and again, through expiry and a new order."""
    for _ in range(12):
        if crowd._stopping:
            break
        await crowd.until_known(shopper)
        await asyncio.sleep(0.4 + 0.4 * shopper.dice.random())


HABITS: dict[str, Habit] = {
    "plain": plain,
    "impatient": impatient,
    "storm": storm,
    "aborting": aborting,
    "greedy": greedy,
    "loyal": loyal,
}
GREEDY = frozenset({"greedy"})
USUAL = {"plain": 10, "impatient": 3, "aborting": 3, "greedy": 6, "loyal": 1, "storm": 0}
