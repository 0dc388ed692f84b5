"""Requests are taken together, without a task each; none is lost, and one that fails is only itself."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from gateway.admission.flight import Click
from gateway.web.intake import Intake
from tests.conftest import free_port, wait_until
from tests.gateway.asgi import app_of, lifespan, settings_of
from tests.gateway.waiting import until
from tests.lua.calling import Sale

ROOT = Path(__file__).parents[2]


@contextmanager
def taking_app(folder: Path, *given: str) -> Iterator[httpx.Client]:
    """The app of `taking_app.py` under granian."""
    port = free_port()
    command = [sys.executable, "-m", "tests.gateway.taking_app", str(port), *given]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as server:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:

                def answers() -> bool:
                    try:
                        return client.get("/").status_code == 200
                    except httpx.TransportError:
                        return False

                wait_until(answers, within_s=20, what="the app")
                yield client
        finally:
            server.terminate()


def test_under_granian_only_what_cannot_be_taken_costs_a_task(tmp_path: Path) -> None:
    # This is the test that fails when granian changes what is replaced there.
    with taking_app(tmp_path) as client:
        assert client.get("/taken").text == "taken"
        assert client.get("/other").text == "by a task"
        assert client.get("/broken").status_code == 500
        assert client.get("/taken").text == "taken"
    log = (tmp_path / "log").read_text()
    assert "RuntimeError: broken on purpose" in log
    assert "every click costs a task" not in log


def test_under_a_strange_granian_everything_costs_a_task_and_the_log_says_so(tmp_path: Path) -> None:
    with taking_app(tmp_path, "strange") as client:
        assert client.get("/taken").text == "by a task"
    assert "every click costs a task, which is slower" in (tmp_path / "log").read_text()


class Asking:
    """A request and who asks, as granian hands them over; keeps what it is answered."""

    def __init__(self, name: Any) -> None:
        self.scope = name
        self.proto = self
        self.status: int | None = None

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status


def test_one_that_fails_is_answered_500_and_the_others_of_its_turn_are_taken() -> None:
    requests = [Asking(name) for name in ("first", "broken", "left", "last")]
    left: list[Any] = []

    def take(scope: str, proto: Asking) -> bool:
        if scope == "broken":
            raise ValueError
        if scope == "left":
            return False
        proto.response_bytes(200, [], b"")
        return True

    async def work() -> None:
        intake = Intake(asyncio.get_running_loop(), contextvars.copy_context(), take, left.append)
        for request in requests:
            intake.schedule(request)
        await until(lambda: requests[-1].status)

    asyncio.run(work())
    assert [request.status for request in requests] == [200, 500, None, 200]
    assert left == [requests[2]]


def test_a_request_that_comes_while_others_are_being_taken_is_not_left_lying() -> None:
    requests = [Asking("first"), Asking("late")]
    interrupted: dict[int, Intake] = {}

    class Interrupted(list[Any]):
        """Another thread hands one over in the very moment in which the waiting ones have been read."""

        def __getitem__(self, where: Any) -> Any:
            found = super().__getitem__(where)
            if requests[0] in found:
                interrupted[0].schedule(requests[1])
            return found

    def take(scope: str, proto: Asking) -> bool:
        proto.response_bytes(200, [], b"")
        return True

    async def work() -> None:
        interrupted[0] = intake = Intake(asyncio.get_running_loop(), contextvars.copy_context(), take, print)
        intake._waiting = Interrupted()
        intake.schedule(requests[0])
        await until(lambda: requests[0].status)
        await until(lambda: requests[1].status)

    asyncio.run(work())


def test_a_ticket_that_cannot_be_told_is_500_and_the_others_of_its_batch_are_told(
    redis: Redis, offer_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    Sale.open(redis, offer_id, stock=5)
    app = app_of(settings_of(redis))
    askers = [Asking(name) for name in range(3)]

    async def work() -> None:
        async with lifespan(app.asgi):
            gate = app.rsgi._clicks._gate
            lane = await gate.lane(offer_id)
            assert lane is not None
            clicks = [Click(asker, b"amy", 1, b"", True, 0.0) for asker in askers]
            ticket = b"abc,1,1,9900,1790000000000,1780000000000,"
            gate.teller.tell(lane, clicks, b"WWA", [ticket, b"unreadable", ticket])

    asyncio.run(work())
    assert [asker.status for asker in askers] == [201, 500, 200]
    assert "a click could not be answered" in caplog.text
