"""Given an offer in three buckets, whoever is killed while units move or are cut: none is lost, none is sold twice.

All shoppers of the crowd buy in one bucket, so what lies in the other two has to come to them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway import keys
from tests.conftest import wait_until
from tests.faults import looking
from tests.faults.crowd import Crowd, Shopper
from tests.faults.injector import Injector
from tests.faults.plans import Fault, plan
from tests.faults.run import Run, run_plan
from tests.faults.sale import Offer
from tests.faults.stack import Stack, standing

THREE = 3
SETTINGS = {"SECKILL_BUCKETS": str(THREE)}
RAISED_BY = 24
CUT_BY = 13

MOVES = (("gateway worker", "after give"), ("writer", "before receive"), ("redis", "after receive"))
CUTS = (("redis", "after a cut"),)
ALL_MOVES = tuple(
    (target, point)
    for target in ("gateway worker", "gateway main", "redis", "writer")
    for point in ("before give", "after give", "before receive", "after receive", "before close", "after close")
)
ALL_CUTS = tuple(
    (target, point) for target in ("sidecar", "redis", "writer") for point in ("in a cut", "after a cut")
)


class OneBucketCrowd(Crowd):
    """Shoppers who all buy in the first bucket."""

    def shopper(self, name: str, offer: Offer) -> Shopper:
        number = 0
        while keys.home_bucket(f"{name} {number}".encode(), THREE) != 0:
            number += 1
        return super().shopper(f"{name} {number}", offer)


class BucketRun(Run):
    """One offer that is always sold out in the crowd's bucket, and one that nobody buys, to be cut."""

    def opened(self) -> BucketRun:
        sold, cut = (
            self.sale.publish(f"b{code}", sku, stock=stock, limit=1, pay_within_s=900, lasts_s=900)
            for code, sku, stock in (("sold", "kettle", 30), ("cut", "pan", 90))
        )
        self.sold, self.cut = sold, cut
        habits = {"plain": 3, "aborting": 1}
        self.crowd = OneBucketCrowd(self.stack, self.history, habits, [sold], seed=3, width=8).start()
        return self

    @contextmanager
    def changing(self, offer: Offer, delta: int) -> Iterator[None]:
        """Operators change an offer's stock meanwhile; however often they must ask."""
        thread = threading.Thread(target=self.sale.change_stock, args=(offer, delta))
        thread.start()
        yield
        thread.join(60)
        assert not thread.is_alive()

    def moved(self) -> int:
        """How many transfers there have been."""
        with self.stack.redis() as redis:
            return sum(
                int(number)
                for bucket in keys.bucket_numbers(THREE)
                for name, number in redis.hgetall(keys.transfers(self.sold.id, 1, bucket)).items()  # type: ignore[union-attr]
                if name.startswith(b"given:")
            )


def sells(stack: Stack) -> None:
    """Wait until it does. A gateway whose only worker dies twice in seconds gives up, and is started again."""

    def ready() -> bool:
        stack.gateway.start()
        return not stack.not_ready()

    wait_until(ready, within_s=40, what=f"readiness\n{stack.logs()}")


def kill_each(stack: Stack, moves: Sequence[tuple[str, str]], cuts: Sequence[tuple[str, str]]) -> None:
    run = BucketRun(stack, "b", seed=3).opened()
    wait_until(lambda: run.moved() >= 2, within_s=20, what="units that move")
    injector = Injector(stack, reached_within_s=20)
    for target, point in moves:
        sells(stack)
        with run.changing(run.sold, RAISED_BY):
            injector.inject(Fault("kill", target, point, 0.0, 0.1, lose=True, amount=0.3))
    for target, point in cuts:
        sells(stack)
        with run.changing(run.cut, -CUT_BY):
            injector.inject(Fault("kill", target, point, 0.0, 0.1, lose=True, amount=0.3))
    result = run.finish()
    assert not result.breaches, "\n".join(map(str, result.breaches))
    assert [str(each.fault) for each in injector.done if not each.reached] == []
    # Every unit is sold, wherever it was at first.
    for offer in (run.sold, run.cut):
        changes = sum(act.delta for act in run.history.acts if act.offer == offer.id and act.ok)
        found = looking.orders(run.sale, offer) or []
        assert sum(len(order["units"]) for order in found) == offer.stock + changes


@pytest.mark.timeout(120)
def test_each_process_killed_while_units_move_or_are_cut(tmp_path: Path) -> None:
    with standing(tmp_path, settings=SETTINGS, workers=1) as stack:
        kill_each(stack, MOVES, CUTS)


@pytest.mark.soak
@pytest.mark.timeout(400)
@pytest.mark.parametrize("workers", [1, 3])
def test_each_process_killed_at_every_step_of_a_move_and_a_cut(tmp_path: Path, workers: int) -> None:
    with standing(tmp_path, settings=SETTINGS, workers=workers) as stack:
        kill_each(stack, ALL_MOVES, ALL_CUTS)


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(40, 46))
def test_any_faults_on_a_sale_in_three_buckets(tmp_path: Path, seed: int) -> None:
    result, _ = run_plan(plan(seed), tmp_path, settings=SETTINGS)
    assert not result.breaches, "\n".join(map(str, result.breaches))
    assert result.outcomes["won"] > 50
