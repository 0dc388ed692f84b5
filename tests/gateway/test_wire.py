"""Given any kind of other end, replies are matched with their commands or declared unknown, never mixed up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway import wire as wire_module
from gateway.admission.gate import Gate
from gateway.errors import NotSent, OutcomeUnknown, Refused, SettingsError
from gateway.resp import pack
from gateway.settings import Settings
from gateway.wire import Wire
from tests.conftest import RedisServer, free_port
from tests.gateway.fake_redis import FakeRedis, echo
from tests.gateway.telling import Told
from tests.gateway.waiting import until
from tests.gateway.wired import connected, run


def collect(wire: Wire, command: bytes) -> list[Any]:
    """Send it; the list gets the reply."""
    replies: list[Any] = []
    wire.send(command, replies.append)
    return replies


# A real Redis.


def test_commands_of_any_bytes(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with connected(redis_server.url) as wire:
            for text in (b"", b"\r\n", b"$5\r\n", b"\x00\xff", "王😀".encode(), b"x" * 300_000):
                assert await wire.request("ECHO", text) == text
            assert await wire.pipeline([("ECHO", "a"), ("ECHO", 7), ("TIME",)]) != []
            assert await wire.pipeline([]) == []
            assert await wire.request("GET", "no-such-key") is None

    run(work())


def test_many_at_once_come_back_in_order(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with connected(redis_server.url) as wire:
            replies: list[Any] = []
            for number in range(5000):
                wire.send(pack("ECHO", number), replies.append)
            more = [asyncio.create_task(wire.request("ECHO", f"r{number}")) for number in range(200)]
            assert await asyncio.gather(*more) == [f"r{number}".encode() for number in range(200)]
            assert replies == [str(number).encode() for number in range(5000)]

    run(work())


def test_refused_an_error_reply_spoils_nothing_else(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with connected(redis_server.url) as wire:
            first = collect(wire, pack("NONSENSE"))
            second = collect(wire, pack("EVALSHA", "0" * 40, 0))
            assert await wire.request("ECHO", "x") == b"x"
            assert isinstance(first[0], Refused)
            assert isinstance(second[0], Refused)
            assert str(second[0]).startswith("NOSCRIPT")
            with pytest.raises(Refused, match="unknown command"):
                await wire.pipeline([("ECHO", "a"), ("NONSENSE",)])

    run(work())


def test_password_and_database_of_the_url(own_redis: RedisServer) -> None:
    client = own_redis.client()
    client.acl_setuser("gate", enabled=True, passwords=["+p@ss"], keys=["*"], commands=["+@all"])
    client.close()

    async def work() -> None:
        url = own_redis.url.replace("redis://", "redis://gate:p%40ss@").replace("/0", "/3")
        async with connected(url) as wire:
            assert await wire.request("ACL", "WHOAMI") == b"gate"
            assert b"db=3" in await wire.request("CLIENT", "INFO")
        wrong = Wire(url.replace("p%40ss", "other"))
        await wrong.start()
        await until(lambda: "WRONGPASS" in wrong.problem)
        with pytest.raises(NotSent, match="WRONGPASS"):
            await wrong.request("PING")
        await wrong.stop()

    run(work())


def test_a_unix_socket(tmp_path: Path) -> None:
    async def work() -> None:
        async with FakeRedis(echo) as fake:
            path = tmp_path / "redis.sock"
            async with await asyncio.start_unix_server(fake.serve, path), connected(f"unix://{path}") as wire:
                assert await wire.request("ECHO", "x") == b"x"

    run(work())


def test_a_killed_redis_leaves_unknowns_and_a_restarted_one_is_found(own_redis: RedisServer) -> None:
    async def work() -> None:
        async with connected(own_redis.url) as wire:
            blocked = collect(wire, pack("BLPOP", "nothing", 0))
            await asyncio.sleep(0)
            own_redis.kill()
            await until(lambda: blocked)
            assert isinstance(blocked[0], OutcomeUnknown)
            with pytest.raises(NotSent):
                wire.send(pack("PING"), blocked.append)
            await asyncio.to_thread(own_redis.start)
            await until(lambda: wire.ready)
            assert await wire.request("ECHO", "x") == b"x"
            assert len(blocked) == 1

    run(work())


def test_dropping_makes_what_is_unanswered_unknown_and_connects_anew(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with connected(redis_server.url) as wire:
            blocked = collect(wire, pack("BLPOP", "nothing", 0))
            wire.drop("on purpose")
            with pytest.raises(NotSent, match="on purpose"):
                wire.send(pack("PING"), blocked.append)
            await until(lambda: wire.ready)
            assert [type(reply) for reply in blocked] == [OutcomeUnknown]
            assert await wire.request("ECHO", "x") == b"x"

    run(work())


@pytest.mark.parametrize("url", ["http://x", "redis+cluster://x", "nonsense", "redis://host:port"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(SettingsError, match="SECKILL_REDIS_URL"):
        Wire(url)


# Another end.


def test_not_sent_before_there_is_a_connection() -> None:
    async def work() -> None:
        wire = Wire(f"redis://127.0.0.1:{free_port()}/0")
        called: list[Any] = []
        with pytest.raises(NotSent):
            wire.send(pack("PING"), called.append)
        await wire.start()
        await until(lambda: wire.problem != "not connected to Redis yet")
        with pytest.raises(NotSent):
            wire.send(pack("PING"), called.append)
        with pytest.raises(NotSent):
            await wire.request("PING")
        assert not called
        await wire.stop()

    run(work())


def test_replies_in_pieces() -> None:
    async def slowly(parts: list[bytes], writer: asyncio.StreamWriter) -> None:
        for byte in b"*2\r\n$%d\r\n%b\r\n:7\r\n" % (len(parts[1]), parts[1]):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async def work() -> None:
        async with FakeRedis(slowly) as fake, connected(fake.url) as wire:
            replies = await asyncio.gather(*(wire.request("ECHO", f"x{number}") for number in range(20)))
            assert replies == [[f"x{number}".encode(), 7] for number in range(20)]

    run(work())


def test_a_connection_cut_in_mid_reply_loses_only_what_was_unanswered() -> None:
    async def cut_at_five(parts: list[bytes], writer: asyncio.StreamWriter) -> None:
        if parts[1] == b"5":
            writer.write(b"$1\r\n")
            writer.close()
        elif not writer.is_closing():
            await echo(parts, writer)

    async def work() -> None:
        async with FakeRedis(cut_at_five) as fake, connected(fake.url) as wire:
            replies: dict[int, Any] = {}
            for number in range(10):
                wire.send(pack("ECHO", number), lambda reply, number=number: replies.update({number: reply}))
            await until(lambda: len(replies) == 10)
            assert [replies[number] for number in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
            assert all(isinstance(replies[number], OutcomeUnknown) for number in range(5, 10))
            await until(lambda: wire.ready)
            assert fake.connections == 2
            assert await wire.request("ECHO", "x") == b"x"

    run(work())


@pytest.mark.parametrize(
    "garbage", [b"nonsense\r\n", b"\x00\x01\x02", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$-5\r\n", b"*x\r\n"]
)
def test_garbage_ends_the_connection_and_every_command_on_it(garbage: bytes) -> None:
    async def babble(parts: list[bytes], writer: asyncio.StreamWriter) -> None:
        if parts[1] == b"bad":
            writer.write(garbage)
        else:
            await echo(parts, writer)

    async def work() -> None:
        async with FakeRedis(babble) as fake, connected(fake.url) as wire:
            replies = [collect(wire, pack("ECHO", text)) for text in ("good", "bad", "good")]
            await until(lambda: all(replies))
            assert replies[0] == [b"good"]
            assert [type(each[0]) for each in replies[1:]] == [OutcomeUnknown] * 2
            await until(lambda: wire.ready)
            assert await wire.request("ECHO", "x") == b"x"

    run(work())


def test_a_reply_too_many_ends_the_connection() -> None:
    async def twice(parts: list[bytes], writer: asyncio.StreamWriter) -> None:
        await echo(parts, writer)
        if parts[1] == b"twice":
            await echo(parts, writer)

    async def work() -> None:
        async with FakeRedis(twice) as fake, connected(fake.url) as wire:
            assert await wire.request("ECHO", "twice") == b"twice"
            await until(lambda: fake.connections == 2 and wire.ready)
            # The surplus reply is nobody's.
            assert await wire.request("ECHO", "x") == b"x"

    run(work())


def test_silence_is_unknown_and_a_late_reply_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "COMMAND_TIMEOUT_S", 0.2)
    late: list[asyncio.StreamWriter] = []

    async def hold(parts: list[bytes], writer: asyncio.StreamWriter) -> None:
        if parts[1] == b"hold":
            late.append(writer)
        else:
            await echo(parts, writer)

    async def work() -> None:
        async with FakeRedis(hold) as fake, connected(fake.url) as wire:
            with pytest.raises(OutcomeUnknown, match="in time"):
                await wire.request("ECHO", "hold")
            late[0].write(b"$4\r\nlate\r\n")
            await until(lambda: wire.ready)
            assert await wire.request("ECHO", "x") == b"x"
            assert fake.connections == 2

    run(work())


def test_no_more_than_a_bound_is_left_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "UNANSWERED_MAX", 5)

    async def silent(parts: list[bytes], writer: asyncio.StreamWriter) -> None:
        pass

    async def work() -> None:
        async with FakeRedis(silent) as fake, connected(fake.url) as wire:
            for _ in range(5):
                collect(wire, pack("ECHO", "x"))
            with pytest.raises(NotSent):
                collect(wire, pack("ECHO", "x"))

    run(work())


def test_a_connection_is_ready_only_after_its_set_up_and_tries_again_when_that_fails() -> None:
    tries: list[bytes] = []

    async def set_up(wire: Wire) -> None:
        assert not wire.ready
        tries.append((await wire.while_setting_up([("ECHO", "hello")]))[0])
        if len(tries) < 3:
            raise Refused("LOADING")

    async def work() -> None:
        async with FakeRedis(echo) as fake, connected(fake.url, set_up):
            assert tries == [b"hello"] * 3
            assert fake.connections == 3

    run(work())


def test_stopping_tells_everybody_who_waits(redis_server: RedisServer) -> None:
    async def work() -> None:
        wire = Wire(redis_server.url)
        await wire.start()
        await until(lambda: wire.ready)
        blocked = collect(wire, pack("BLPOP", "nothing", 0))
        await wire.stop()
        await until(lambda: blocked)
        assert isinstance(blocked[0], OutcomeUnknown)
        with pytest.raises(NotSent):
            wire.send(pack("PING"), blocked.append)

    run(work())


def test_stopping_at_any_moment_of_a_failing_attempt_is_a_matter_of_moments(tmp_path: Path) -> None:
    async def work() -> None:
        for turns in range(60):
            wire = Wire(f"unix://{tmp_path}/nobody")
            await wire.start()
            for _ in range(turns):
                await asyncio.sleep(0)
            stopping = asyncio.create_task(wire.stop())
            await asyncio.wait([stopping], timeout=2)
            assert stopping.done(), turns

    run(work())


def test_a_server_that_is_no_redis_is_tried_again_and_named(redis_server: RedisServer) -> None:
    # Given a server that answers everything with +OK, the gate finds it strange and goes on trying.
    async def agree(parts: list[bytes], writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK\r\n")

    async def work() -> None:
        async with FakeRedis(agree) as fake:
            gate = Gate(Settings(redis_url=fake.url), lambda clicks, seconds: None, Told())
            await gate.start()
            await until(lambda: fake.connections > 4)
            assert "no connection to Redis" in gate.problems()[0]
            assert not gate.primaries[0].wire.ready
            await gate.stop()

    run(work())
