"""Given a sale that is being clicked, any process may be killed at any moment, and everything still adds up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import wait_until
from tests.system.crowd import Crowd
from tests.system.running import Up
from tests.system.test_up import all_answer, sell

StartUp = Callable[..., Up]

STOCK = 400
SHOPPERS = 600
RATES = {"SECKILL_RATE_PER_IP": "off", "SECKILL_RATE_PER_SHOPPER": "off"}


@pytest.mark.timeout(120)
def test_each_process_killed_in_the_middle_of_a_sale(up: StartUp) -> None:
    # Given a crowd larger than the stock,
    one = up("--no-demo", "--workers", "2", **RATES).until_ready()
    crowd = Crowd(one, sell(one, "noon", STOCK), SHOPPERS).start()

    # when each process is killed without warning at another point of the sale,
    for number, role in enumerate(("gateway", "writer", "admin", "redis"), start=1):
        wait_until(lambda number=number: crowd.answered() >= number * STOCK // 6, within_s=30, what="clicks")
        child = one.child(role)
        assert child is not None
        child.kill()
        wait_until(lambda: all_answer(one), within_s=25, what=f"answers after {role} was killed")

    # then everybody gets a final answer, and the ledger agrees with every one of them.
    crowd.finish(within_s=40)
    wait_until(lambda: len(crowd.orders()) == STOCK, within_s=15, what="every order")
    crowd.check(STOCK)


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_everything_killed_in_the_middle_of_a_sale(up: StartUp) -> None:
    # Given a crowd in the middle of a sale,
    one = up("--no-demo", **RATES).until_ready()
    offer = sell(one, "noon", STOCK)
    crowd = Crowd(one, offer, SHOPPERS).start()
    wait_until(lambda: crowd.answered() >= STOCK // 3, within_s=30, what="clicks")

    # when everything is killed at once and started again on the same folder,
    one.kill_all()
    one.process.wait()
    again = up("--no-demo", **RATES).until_ready()
    one.ready = again.ready

    # then the sale goes on where it was, and everybody who was told `won` before has that very order.
    crowd.finish(within_s=40)
    wait_until(lambda: len(crowd.orders()) == STOCK, within_s=15, what="every order")
    crowd.check(STOCK)
    for shopper in list(crowd.tickets)[:20]:
        assert crowd.click(shopper)
    crowd.check(STOCK)
