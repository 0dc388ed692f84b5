"""`seckill up`, from the command line to the last process stopped."""

from __future__ import annotations

import contextlib
import os
from typing import Any, NoReturn

from redis.exceptions import RedisError

from admin.up import addresses
from admin.up.child import Part
from admin.up.data_folder import DataFolder
from admin.up.embedded_redis import prepare, stop_leftover
from admin.up.errors import CannotStart, GaveUp
from admin.up.plan import Options, Plan
from admin.up.redis_server import find_server
from admin.up.signals import Signals, StopAsked
from admin.up.supervisor import Supervisor, say
from gateway import keys, offers, store
from gateway.orders import runs

ANSWER_WITHIN_S = 60.0
LOAD_WITHIN_S = 900.0
"""Time for Redis to read its append-only file: a large one takes minutes."""

MIGRATE_WITHIN_S = 900.0
DEMO_WITHIN_S = 60.0
REOPEN_WITHIN_S = 10.0
REDIS_STOPS_WITHIN_S = 60.0
REDIS_STOPS_IN_HASTE_S = 5.0

STOP_ORDER = ("gateway", "writer", "admin", "redis")
"""No new wins; then every win is written; then nobody asks; then the data is closed."""


def run(options: Options) -> int:
    """Start everything, print the ready line, supervise until a signal comes.

    Returns:
        0 after an orderly stop, 1 when a part had to be given up.

    Raises:
        SettingsError, CannotStart: nothing is left running; the text is for the operator.
    """
    folder = DataFolder.open(options.data)
    with folder.locked(), Signals() as signals:
        supervisor = Supervisor(folder.logs, signals)
        try:
            _run_until_stopped(options, folder, supervisor)
        except StopAsked:
            say("stopping")
            return 0
        except GaveUp as error:
            say(f"{error}; stopping everything")
            return 1
        finally:
            supervisor.stop(*STOP_ORDER)


def _run_until_stopped(options: Options, folder: DataFolder, supervisor: Supervisor) -> NoReturn:
    redis, redis_url = _choose_redis(folder)
    plan = Plan.make(options, folder, os.environ, redis_url)
    say(f"data and logs are in {folder.path}; secrets made here are in {folder.secrets}")
    if redis is None:
        _require_redis(redis_url)
    else:
        supervisor.start(redis)
    if supervisor.run_once(plan.migrate(), MIGRATE_WITHIN_S) != 0:
        raise GaveUp("the database could not be brought to the newest schema")
    known = folder.first_operator.exists()
    if supervisor.run_once(plan.first_operator(), MIGRATE_WITHIN_S) != 0:
        raise GaveUp("the first operator could not be made")
    if redis is not None:
        supervisor.wait_until_answering("redis", within_s=LOAD_WITHIN_S)
    roles = plan.roles()
    supervisor.start(*roles)
    if plan.demo and supervisor.run_once(plan.refresh_demo(), DEMO_WITHIN_S) != 0:
        say("there are no fresh demo sales; everything else goes on")
    supervisor.wait_until_answering(*(role.name for role in roles), within_s=ANSWER_WITHIN_S)
    _wait_until_offers_are_open(supervisor, redis_url)
    say(f"metrics are at {addresses.url(plan.metrics)}/metrics")
    say(f"the back office is at {addresses.url(plan.admin)}/admin{_first_sign_in(folder, known)}")
    with contextlib.suppress(OSError):  # nobody reads it: no reason to stop
        print(plan.ready_line(), flush=True)  # noqa: T201 - the one line of output
    supervisor.watch()


def _first_sign_in(folder: DataFolder, known: bool) -> str:
    """How to sign in for the first time; the password itself is told when it has just been made."""
    file = folder.first_operator
    if not file.exists():
        return ""
    name, password = file.read_text().split()
    told = f"the first password of {name} is in {file}" if known else f"sign in as {name}, password {password}"
    return f": {told}"


def _choose_redis(folder: DataFolder) -> tuple[Part | None, str]:
    """The embedded Redis as a part, or none when the environment names one; and the URL."""
    given = os.environ.get("SECKILL_REDIS_URL")
    leftover = stop_leftover(folder.redis)
    if leftover is not None:
        say(f"stopped the Redis of an earlier run (process {leftover})")
    if given:
        return None, given
    redis = prepare(find_server(), folder.redis)
    say(f"Redis is {redis.server}")
    part = Part("redis", redis.command, {}, redis.answers, REDIS_STOPS_WITHIN_S, REDIS_STOPS_IN_HASTE_S)
    return part, redis.url


def _require_redis(url: str) -> None:
    try:
        with contextlib.closing(store.connect(url)) as client:
            client.ping()
    except (RedisError, OSError) as error:
        raise CannotStart(f"the Redis of SECKILL_REDIS_URL does not answer: {error}") from error


def _wait_until_offers_are_open(supervisor: Supervisor, redis_url: str) -> None:
    """After a restart the order writer compares every offer with the ledger before it may sell again."""
    closed: list[str] = []

    def all_open() -> bool:
        try:
            closed[:] = _closed_offers(redis_url)
        except (RedisError, OSError):
            return False
        return not closed

    if not supervisor.wait_until(all_open, within_s=REOPEN_WITHIN_S):
        say(f"these offers stay closed, and the order writer's log says why: {', '.join(closed)}")


def _closed_offers(redis_url: str) -> list[str]:
    """Offers that may not sell on this run of Redis."""
    with contextlib.closing(store.connect(redis_url)) as client:
        there = runs.now(client)
        known: Any = [each for shard in keys.shards() for each in client.smembers(keys.offers(shard))]
        ids = sorted(each.decode() for each in known)
        found = offers.read_all(client, ids)
        return [each for each in ids if each not in found or not runs.open_on(found[each], there)]
