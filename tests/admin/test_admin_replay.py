"""A stored quote is computed again to the same bytes, whatever the shop has become since."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from anyio.from_thread import BlockingPortal
from quoted import RecordedShop, random_cart, random_product
from sidecar import Api
from sqlalchemy import update

from admin import cli
from admin.quotes import replaying
from admin.quotes.tables import quotes
from admin.resources import Resources
from gateway.orders.database import writing
from tests.promotions.random_shops import CATEGORIES, OPTION_SKUS, SKUS

CAMPAIGNS = 14


@pytest.fixture
def recorded(resources: Resources) -> RecordedShop:
    return RecordedShop(resources)


@pytest.fixture
def one_api(shared_resources: Resources, portal: BlockingPortal) -> Iterator[Api]:
    with Api(shared_resources.settings, portal) as opened:
        yield opened


def answers(api: Api, recorded: RecordedShop, count: int) -> dict[str, bytes]:
    """Quotes of random carts, of guests and of operators as others, while the shop keeps changing."""
    given = {}
    for seed in range(count):
        dice = random.Random(f"replay {seed}")
        cart = random_cart(dice, CAMPAIGNS)
        languages = {"Accept-Language": dice.choice(("en", "zh-TW"))}
        if dice.random() < 0.5:
            reply = api.send("POST", "/api/quote", json=cart, key=None, headers=languages)
        else:
            birthday, level = dice.choice((None, "02-29")), dice.randint(0, 2)
            since = recorded.now_ms() - dice.randint(0, 10) * 86_400_000
            cart["shopper"] = {"level": level, "birthday": birthday, "since": since, "new_customer": True}
            cart["at"] = recorded.now_ms() + dice.choice((0, 3_600_000, 100 * 86_400_000))
            reply = api.send("POST", "/quote", json=cart, headers=languages)
        assert reply.status_code == 200, reply.text
        given[reply.json()["token"]] = reply.content
        recorded.random_campaign(dice, f"c{dice.randrange(CAMPAIGNS)}")
    return given


def turn_upside_down(recorded: RecordedShop) -> None:
    """Other prices, rules and categories, coupons that end, products and campaigns that are gone."""
    dice = random.Random("upside down")
    recorded.products([random_product(dice, sku) for sku in (*SKUS, *OPTION_SKUS)])
    recorded.remove_product(SKUS[0])
    recorded.remove_product("pen")
    for category in CATEGORIES:
        recorded.note("category", category, None)
    recorded.note("coupon", "SAVE", None)
    recorded.coupon("TENTH", amount_off=1, ended_at=recorded.now_ms())
    for number in range(CAMPAIGNS):
        if number % 2:
            recorded.note("campaign", f"c{number}", None)
        else:
            recorded.random_campaign(dice, f"c{number}")


def told_something(given: dict[str, bytes]) -> bool:
    replies = [orjson.loads(reply) for reply in given.values()]
    return sum(each["discount"] > 0 for each in replies) > len(replies) / 4


def test_a_hundred_quotes_are_computed_again_to_the_byte(one_api: Api, shared_resources: Resources) -> None:
    recorded = RecordedShop(shared_resources)
    recorded.fill(random.Random(7), CAMPAIGNS)
    given = answers(one_api, recorded, 100)
    assert told_something(given)
    turn_upside_down(recorded)
    assert {token: replaying.replay(shared_resources.engine, token) for token in given} == given


def test_quotes_are_computed_again_on_both_databases(api: Api, recorded: RecordedShop) -> None:
    recorded.fill(random.Random(8), CAMPAIGNS)
    given = answers(api, recorded, 8)
    turn_upside_down(recorded)
    assert {token: replaying.replay(recorded.resources.engine, token) for token in given} == given


@pytest.fixture
def quoted(
    one_api: Api, shared_resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> tuple[RecordedShop, str, bytes]:
    """A quote, and the command's settings in the environment."""
    recorded = RecordedShop(shared_resources)
    recorded.product("a", price=777)
    body = {"lines": [{"sku": "a", "quantity": 2}]}
    reply = one_api.send("POST", "/api/quote", json=body, key=None)
    monkeypatch.setenv("SECKILL_DATABASE_URL", shared_resources.settings.database_url)
    return recorded, reply.json()["token"], reply.content


def test_the_command_prints_the_bytes_of_the_reply(
    quoted: tuple[RecordedShop, str, bytes], capfdbinary: Any
) -> None:
    recorded, token, reply = quoted
    recorded.product("a", price=1)
    assert cli.main(["quote", "--replay", token]) == 0
    assert capfdbinary.readouterr().out == reply


def change(recorded: RecordedShop, token: str, **columns: Any) -> None:
    with writing(recorded.resources.engine) as connection:
        connection.execute(update(quotes).where(quotes.c.token == token).values(columns))


def test_the_command_says_when_the_result_differs(quoted: tuple[RecordedShop, str, bytes], capfd: Any) -> None:
    recorded, token, _reply = quoted
    snapshot = orjson.loads(recorded.stored(token).snapshot)
    snapshot["products"][0][1] += 1
    change(recorded, token, snapshot=orjson.dumps(snapshot))
    assert cli.main(["quote", "--replay", token]) == 1
    told = capfd.readouterr()
    assert told.out == ""
    assert "is not what was answered" in told.err


def test_the_command_knows_only_its_own_quotes(quoted: tuple[RecordedShop, str, bytes], capfd: Any) -> None:
    recorded, token, _reply = quoted
    assert cli.main(["quote", "--replay", "0" * 32]) == 2
    assert "there is no quote" in capfd.readouterr().err
    change(recorded, token, engine=999)
    assert cli.main(["quote", "--replay", token]) == 2
    assert "version 999 of the engine" in capfd.readouterr().err
