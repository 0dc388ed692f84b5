"""Tokens, prepared clicks, generators, metrics reading and the curve of a crowd."""

from __future__ import annotations

import ast
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import jwt
import pytest

from loadtest import generators, open_loop, scrape
from loadtest.errors import ApiError, GeneratorError, StartError
from loadtest.open_loop import Order
from loadtest.peers.constant import SERVED
from loadtest.processes import ROOT, Server, free_port
from loadtest.scenarios import new_shoppers
from loadtest.tokens import Mint
from tests.conftest import need, wait_until

SECRET = b"s" * 32


def test_a_token_is_what_a_jwt_library_accepts() -> None:
    for shopper in ("ann", 'an "odd" one, 阿明'):
        claims = jwt.decode(Mint(SECRET, valid_s=60).token(shopper), SECRET, algorithms=["HS256"])
        assert claims["sub"] == shopper
        assert claims["exp"] - time.time() == pytest.approx(60, abs=5)


def test_another_secret_is_refused() -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(Mint(SECRET).token("ann"), b"t" * 32, algorithms=["HS256"])


def test_prepared_clicks_are_of_one_length_and_each_of_its_own_shopper(tmp_path: Path) -> None:
    shoppers = list(new_shoppers(50))
    requests = generators.write_requests(tmp_path / "clicks", "noon-kettle", shoppers, Mint(SECRET))
    body = requests.path.read_bytes()
    assert len(body) == requests.count * requests.size_bytes
    first = body[: requests.size_bytes].decode()
    assert first.startswith("POST /seckill/noon-kettle HTTP/1.1\r\n")
    tokens = [line.split(" ")[-1] for line in body.decode().split("\r\n") if line.startswith("Authorization")]
    assert [jwt.decode(token, SECRET, algorithms=["HS256"])["sub"] for token in tokens] == shoppers


def test_clicks_of_different_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError):
        generators.write_requests(tmp_path / "clicks", "noon-kettle", ["ann", "barbara"], Mint(SECRET))


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import sys

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "loadtest.peers.constant", str(port)]
    server = Server.start("constant", command, folder=tmp_path_factory.mktemp("constant"))

    def ready() -> bool:
        try:
            return httpx.get(url, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    server.wait_ready(ready)
    yield url
    assert server.stop() == 0


@pytest.fixture(params=["wrk", "own"])
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test once with wrk and once as on a machine that lacks it."""
    if request.param == "wrk":
        if shutil.which("wrk") is None:
            need("wrk")
        assert generators.name() == "wrk"
    else:
        monkeypatch.setattr(generators.shutil, "which", lambda name: None)
        assert "wrk is not installed" in generators.name()


@pytest.mark.usefixtures("generator")
class TestGenerators:
    def test_a_file_is_sent_once(self, constant: str, tmp_path: Path) -> None:
        requests = generators.write_requests(tmp_path / "c", "noon-kettle", new_shoppers(3000), Mint(SECRET))
        heard = generators.click(constant, requests, connections=4, duration_s=1, core=None, until_sent=True)
        assert heard.replies + 4 >= 3000
        assert heard.rounds == 2
        assert heard.failed == heard.refused == 0
        assert 0 < heard.p50_us <= heard.p99_us <= heard.p999_us
        assert heard.generator_cpu_s > 0

    def test_a_file_that_is_too_short_is_no_measurement(self, constant: str, tmp_path: Path) -> None:
        requests = generators.write_requests(tmp_path / "c", "noon-kettle", new_shoppers(20), Mint(SECRET))
        with pytest.raises(GeneratorError, match="too few"):
            generators.click(constant, requests, connections=2, duration_s=1, core=None)

    def test_repeating_is_allowed_when_asked_for(self, constant: str, tmp_path: Path) -> None:
        requests = generators.write_requests(tmp_path / "c", "noon-kettle", new_shoppers(20), Mint(SECRET))
        heard = generators.click(constant, requests, connections=2, duration_s=1, core=None, repeat=True)
        assert heard.rounds > 1
        assert heard.duration_s == pytest.approx(1, abs=0.5)

    def test_nobody_there_is_an_error(self, tmp_path: Path) -> None:
        requests = generators.write_requests(tmp_path / "c", "noon-kettle", new_shoppers(20), Mint(SECRET))
        with pytest.raises(GeneratorError):
            generators.click(f"http://127.0.0.1:{free_port()}", requests, connections=1, duration_s=1, core=None)


def test_an_open_loop_asks_at_its_rate_whatever_the_answers(constant: str, tmp_path: Path) -> None:
    requests = generators.write_requests(tmp_path / "c", "noon-kettle", new_shoppers(50), Mint(SECRET))
    url = urlsplit(constant)
    place = (str(url.hostname), int(url.port or 0), str(requests.path), requests.size_bytes)
    heard = open_loop.click(Order(*place, 200.0, 1.0, 64, connections_first=8), core=None)
    assert heard["sent"] == heard["answered"] == heard["all"]["count"] == 200
    assert heard["failed"] == 0
    assert heard["connections"] >= 8
    every = heard["all"]
    assert 0 < every["p50_us"] <= every["p99_us"] <= every["p999_us"] <= every["max_us"]
    assert set(heard["outcomes"]) == {"constant"}


def test_the_constant_app_is_served_like_the_gateway() -> None:
    """Given the gateway's way of serving, when it changes, then the floor must be measured the same way."""
    tree = ast.parse((ROOT / "gateway" / "serving.py").read_text(encoding="utf-8"))
    # Whatever the server's class is called: the call that names the interface starts it.
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and any(each.arg == "interface" for each in node.keywords)
    ]
    assert len(calls) == 1
    served = {str(each.arg): ast.unparse(each.value) for each in calls[0].keywords}
    own = {"factory", "address", "port", "workers", "workers_kill_timeout"}
    assert set(served) - own == set(SERVED) - own
    from gateway.serving import HEAD_MAX_BYTES
    from gateway.settings import Settings

    settings = Settings()
    assert served["backlog"] == "settings.listen_backlog"
    assert served["backpressure"] == "settings.connections_max"
    assert (SERVED["backlog"], SERVED["backpressure"]) == (settings.listen_backlog, settings.connections_max)
    # The interface is the peer's own: the floor is that of an ASGI app.
    for name in ("loop", "runtime_mode", "log_level", "http"):
        assert served[name] == f"{type(SERVED[name]).__name__}.{SERVED[name].name}"
    assert served["websockets"] == str(SERVED["websockets"])
    assert served["http1_settings"] == "HTTP1Settings(max_buffer_size=HEAD_MAX_BYTES)"
    assert SERVED["http1_settings"].max_buffer_size == HEAD_MAX_BYTES


METRICS = """\
# TYPE seckill_clicks_total counter
seckill_clicks_total{outcome="won"} 5.0
seckill_clicks_total{outcome="sold_out"} 7.0
# TYPE seckill_clicks_local_total counter
seckill_clicks_local_total 4.0
# TYPE seckill_batch_clicks histogram
seckill_batch_clicks_bucket{le="1.0"} 1.0
seckill_batch_clicks_count 2.0
seckill_batch_clicks_sum 8.0
# TYPE seckill_backlog gauge
seckill_backlog 3.0
"""


def test_metrics_are_read_and_subtracted() -> None:
    now = scrape.read(METRICS)
    assert (now.clicks, now.local, now.batches, now.batch_clicks, now.backlog) == (12, 4, 2, 8, 3)
    earlier = scrape.read(METRICS.replace("5.0", "2.0"))
    assert now.since(earlier).outcomes == {"won": 3}


def test_metrics_of_something_else_are_an_error(constant: str) -> None:
    with pytest.raises(ApiError):
        scrape.scrape(constant)
    with pytest.raises(httpx.HTTPError):
        scrape.scrape(f"http://127.0.0.1:{free_port()}")


def test_a_server_that_ends_says_why(tmp_path: Path) -> None:
    server = Server.start("bad", ["python3", "-c", "raise SystemExit('no such luck')"], folder=tmp_path)
    with pytest.raises(StartError, match="no such luck"):
        server.wait_ready(lambda: False)
    assert server.stop() == 1


def test_usage_counts_descendants(tmp_path: Path) -> None:
    program = "import os\nif os.fork() == 0:\n while True: pass\nelse: os.wait()"
    server = Server.start("busy", ["python3", "-c", program], folder=tmp_path)
    wait_until(lambda: server.usage().cpu_s > 0.1, what="CPU time of the child")
    assert len(server.usage().resident_bytes) == 2
    import psutil

    children = psutil.Process(server.process.pid).children()
    for each in children:
        each.kill()
    server.stop()


def test_a_refusing_api_is_an_error_with_its_status() -> None:
    from loadtest.operators_api import OperatorsApi

    api = OperatorsApi(lambda method, path, body: (409, {"title": "in the way"}))
    with pytest.raises(ApiError, match="in the way") as caught:
        api.act("noon", "terminate")
    assert caught.value.status == 409
