"""The small commands: tokens, help, mistakes; and the health check of a container."""

from __future__ import annotations

import ipaddress
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest

from admin import health
from gateway.serving import listening_address
from tests.conftest import RedisServer, free_port, wait_until
from tests.system.running import SECKILL, environment

SECRET = "s" * 32
OLDER = "o" * 32


def run(*arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SECKILL, *arguments], env=environment(**given), capture_output=True, text=True, timeout=20, check=False
    )


def test_a_token_is_signed_with_the_first_secret() -> None:
    done = run(
        "token", "--sub", '王 "o\'neil"', "--level", "2", "--ttl", "60", SECKILL_TOKEN_SECRET=f"{SECRET},{OLDER}"
    )
    claims = jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"], options={"verify_iat": False})
    assert (claims["sub"], claims["level"]) == ('王 "o\'neil"', 2)


@pytest.mark.parametrize(
    ("arguments", "secret", "sentence"),
    [
        (("token", "--sub", "a"), "", "set SECKILL_TOKEN_SECRET"),
        (("token", "--sub", "a\tb"), SECRET, "sub"),
        (("token", "--sub", "a" * 65), SECRET, "sub"),
        (("token",), SECRET, "--sub"),
        (("token", "--sub", "a", "--ttl", "0"), SECRET, "above zero"),
        (("token", "--sub", "a", "--ttl", "9" * 20), SECRET, "shorter"),
        (("token", "--sub", "a", "--level", "9" * 20), SECRET, "to 1000000"),
        (("gateway", "--port", "70000"), SECRET, "between 0 and 65535"),
        (("up", "--nodemo"), SECRET, "unrecognized arguments"),
        (("admin",), "", "set SECKILL_ADMIN_KEY"),
        (("gateway",), "", "set SECKILL_TOKEN_SECRET"),
        ((), SECRET, "COMMAND"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], secret: str, sentence: str) -> None:
    done = run(*arguments, SECKILL_TOKEN_SECRET=secret)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("role", ["gateway", "admin"])
def test_a_role_that_may_not_listen_says_so_in_one_sentence(role: str) -> None:
    given = {
        "SECKILL_TOKEN_SECRET": SECRET,
        "SECKILL_ADMIN_KEY": SECRET,
        "SECKILL_METRICS_BIND": f"127.0.0.1:{free_port()}",
    }
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        for where, sentence in (
            (("--port", port), f"cannot listen on port {port} of 127.0.0.1 (Address already in use)"),
            (("--host", "192.0.2.1"), "of 192.0.2.1 (Cannot assign requested address)"),
            (("--host", "nobody.invalid"), "nobody.invalid is not an address to listen on"),
        ):
            done = run(role, *where, **given)
            assert (done.returncode, done.stdout) == (2, "")
            assert sentence in done.stderr.splitlines()[-1]
            assert "Traceback" not in done.stderr


def test_a_host_may_be_given_by_name() -> None:
    assert ipaddress.ip_address(listening_address("localhost", 0)).is_loopback


def test_a_writer_without_its_tables_says_what_to_run(tmp_path: object, redis_server: RedisServer) -> None:
    done = run("writer", SECKILL_REDIS_URL=redis_server.url, SECKILL_DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")
    assert done.returncode == 2
    assert "seckill migrate" in done.stderr.splitlines()[-1]


@pytest.fixture
def answering() -> Iterator[int]:
    """A port whose server answers 200 to `/healthz` alone."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_role_that_answers_is_alive(answering: int) -> None:
    assert health.answers(answering, "/healthz")
    assert not health.answers(answering, "/elsewhere")
    assert not health.answers(1, "/healthz")


def test_a_writer_that_speaks_to_redis_is_alive(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given nobody but the health check at this address, then there is no writer.
    assert not health.writer_is_alive(own_redis.url)

    # When somebody looks for work there, then it is alive, until it has been silent for too long.
    with own_redis.client() as writer:
        writer.ping()
        assert health.writer_is_alive(own_redis.url)
        monkeypatch.setattr(health, "WRITER_IDLE_MAX_S", 1)  # Redis counts whole seconds
        wait_until(lambda: not health.writer_is_alive(own_redis.url))
        writer.ping()
        assert health.writer_is_alive(own_redis.url)

    # And while Redis is away nobody can tell, so it is left alone.
    own_redis.kill()
    assert health.writer_is_alive(own_redis.url)
