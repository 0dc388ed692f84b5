"""The peers do a click's work, their books are checked, and what cannot run is left out with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from loadtest import bench_peers, generators
from loadtest.errors import DirtyTreeError
from loadtest.figures import Run
from loadtest.machine import describe, describe_for_report
from loadtest.peers import books, goals, kinds, probe, report
from loadtest.peers.books import Book, Sold
from loadtest.peers.goals import FLAG, Latency
from loadtest.peers.kinds import KINDS
from loadtest.peers.stack import RATE_PER_SHOPPER, SETTINGS, PeerStack
from loadtest.scenarios import new_shoppers
from loadtest.stack import Cores
from loadtest.tokens import Mint

SECRET = "p" * 64
ANYWHERE = Cores(None, None)


@pytest.fixture(scope="module", params=list(KINDS))
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeerStack]:
    kind = KINDS[request.param]
    if missing := kind.missing():
        pytest.skip(f"{', '.join(missing)} not installed: {kind.install}")
    if kind.name == "go_gin":
        request.applymarker(pytest.mark.timeout(300))  # the first build compiles gin
    folder = tmp_path_factory.mktemp("peer")
    with PeerStack(kind, folder, ANYWHERE, durability="strict", secret=SECRET) as running:
        yield running


def ask(peer: PeerStack, offer: str, shopper: str) -> tuple[int, str]:
    token = Mint(SECRET.encode()).token(shopper).decode()
    url = f"{peer.gateway_url}/seckill/{offer}"
    reply = httpx.post(url, headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False)
    return reply.status_code, reply.json()["outcome"]


@pytest.mark.soak
class TestPeers:
    def test_each_does_the_work_of_a_click(self, peer: PeerStack) -> None:
        peer.open_offer("probe", 1)
        mint, expired = Mint(SECRET.encode()), Mint(SECRET.encode(), valid_s=-60)
        assert probe.faults(peer.gateway_url, mint, "probe", expired=expired, foreign=Mint(b"q" * 64)) == []
        assert books.breaches(peer.close_offer("probe", 1)) == []

    def test_clicks_of_a_shopper_are_limited(self, peer: PeerStack) -> None:
        """Given nothing left, when one shopper clicks on and on, then the next click within a second is refused."""
        peer.open_offer("limited", 1)
        ask(peer, "limited", "ann")
        # A window may end between two of them, so twice as many are sent, and at once.
        with ThreadPoolExecutor(4 * RATE_PER_SHOPPER) as pool:
            heard = list(pool.map(lambda _: ask(peer, "limited", "ben"), range(4 * RATE_PER_SHOPPER)))
        # Where a flag answers, clicks are not counted.
        assert (429, "rate_limited") in heard or peer.kind.name == FLAG
        assert (409, "sold_out") in heard
        peer.close_offer("limited", 1)

    def test_a_winner_who_asks_again_after_the_end_is_known_unless_a_flag_answers(self, peer: PeerStack) -> None:
        peer.open_offer("again", 1)
        assert ask(peer, "again", "ann")[1] == "won"
        heard = set()
        for number in range(20):
            # A click that may set the flag, and at once the winner's, who may come when it is over.
            assert ask(peer, "again", f"ben{number}")[1] == "sold_out"
            heard.add(ask(peer, "again", "ann")[1])
        assert ("sold_out" in heard) is (peer.kind.name == FLAG)
        assert peer.kind.name == FLAG or heard == {"already_won"}
        peer.close_offer("again", 1)

    def test_a_crowd_is_sold_exactly_the_stock(self, peer: PeerStack, tmp_path: Path) -> None:
        peer.open_offer("crowd", 50)
        requests = generators.write_requests(tmp_path / "c", "crowd", new_shoppers(400), Mint(SECRET.encode()))
        heard = generators.click(
            peer.gateway_url, requests, connections=16, duration_s=1, core=None, until_sent=True
        )
        assert heard.failed == 0
        book = peer.close_offer("crowd", 50)
        assert len(book.buyers) == book.wins_answered == 50
        assert books.breaches(book) == []


def sold(shopper: str, unit: int) -> Sold:
    return Sold(shopper, f"o-{unit}", unit)


GOOD = Book("o", 3, 1, 2, (sold("ann", 1), sold("ben", 2)), (sold("ann", 1), sold("ben", 2)))


@pytest.mark.parametrize(
    ("book", "said"),
    [
        (GOOD, []),
        (replace(GOOD, stock=1, left=-1), ["OVERSOLD by 1 units of 1"]),
        (replace(GOOD, wins_answered=3), ["3 wins were answered, the stream has 2"]),
        (replace(GOOD, left=0), ["3 units were taken, 2 shoppers hold one"]),
        (
            replace(GOOD, entries=(sold("ann", 1), sold("ben", 1)), buyers=(sold("ann", 1), sold("ben", 1))),
            ["OVERSOLD by 1 units of 3", "unit 1 was sold 2 times"],
        ),
        (
            replace(GOOD, entries=(sold("ann", 1), sold("ann", 2)), buyers=(sold("ann", 2),), left=2),
            ["ann won 2 times", "stream and buyers do not name the same winners"],
        ),
    ],
    ids=["sound", "beyond-the-stock", "lost-win", "lost-unit", "unit-twice", "shopper-twice"],
)
def test_books_that_do_not_add_up_are_named(book: Book, said: list[str]) -> None:
    assert books.breaches(book) == said


def a_run(target: str, repetition: int, rate: float, *, cpu: float, redis: float, connections: int = 64) -> Run:
    return Run(
        "win",
        connections,
        target,
        repetition,
        clicks=1000,
        clicks_per_s=rate,
        p50_us=1000,
        p99_us=2000,
        p999_us=3000,
        gateway_cpu_us=cpu,
        redis_cpu_us=redis,
        generator_cpu_share=0.5,
        batch_mean=30.0 if target.startswith("seckill") else 0.0,
        local_share=0.0,
        outcomes={"won": 1000},
        failed=0,
    )


def a_latency(target: str, p99_us: int) -> Latency:
    return Latency("win", target, 0.5, 9000.0, 0, 500, p99_us, 2 * p99_us, 100, 100, 0, 0.4, 0.3)


RUNS = [
    a_run("seckill-relaxed", 0, 20_000, cpu=25, redis=4),
    a_run("nginx_lua-relaxed", 0, 25_000, cpu=35, redis=25),
    a_run("seckill-relaxed", 1, 40_000, cpu=25, redis=4),
    a_run("nginx_lua-relaxed", 1, 32_000, cpu=35, redis=25),
    a_run("fastapi-relaxed", 0, 1_000, cpu=900, redis=60),
]


def test_every_aim_is_listed_whether_reached_or_not() -> None:
    latencies = [a_latency("seckill-relaxed", 3000), a_latency("nginx_lua-relaxed", 2500)]
    found = {goal.name: goal for goal in goals.goals(RUNS, latencies, ["relaxed"])}
    win = found["win, clicks/s / nginx + Lua, 64 connections, relaxed"]
    assert (win.value, win.reached) == (pytest.approx((0.8 + 1.25) / 2), True)
    assert found["win, CPU together / nginx + Lua, 64 connections, relaxed"].reached is True
    assert found["win, Redis CPU / nginx + Lua, 64 connections, relaxed"].value == pytest.approx(0.16)
    assert found["win, clicks/s / FastAPI, 64 connections, relaxed"].value == 20
    assert found["win, p99 / nginx + Lua at 50% of capacity, relaxed"].reached is False
    assert found["sold out, clicks/s / nginx + Lua, 256 connections, relaxed"].reached is None
    assert found["win, clicks/s, ours strict / ours relaxed, 64 connections"].reached is None


def test_an_aim_is_not_called_reached_by_a_machine_that_had_other_things_to_do() -> None:
    """Given runs in which both cores were half idle, rates prove nothing, CPU per click does, a miss is a miss."""
    slow = [replace(run, clicks_per_s=run.clicks_per_s / 4, generator_cpu_share=0.1) for run in RUNS]
    late = [
        replace(a_latency(name, p99_us), late_ms=30.0)
        for name, p99_us in (("seckill-relaxed", 2000), ("nginx_lua-relaxed", 2500))
    ]
    told = {goal.name: report.report.goal_cells(goal)[3] for goal in goals.goals(slow, late, ["relaxed"])}
    assert told["win, clicks/s / nginx + Lua, 64 connections, relaxed"] == "undecided: busy machine"
    assert told["win, CPU together / nginx + Lua, 64 connections, relaxed"] == "reached"
    assert told["win, p99 / nginx + Lua at 50% of capacity, relaxed"] == "undecided: late generator"
    missed = [replace(run, clicks_per_s=run.clicks_per_s / 2) if "seckill" in run.target else run for run in slow]
    cells = {goal.name: report.report.goal_cells(goal)[3] for goal in goals.goals(missed, late, ["relaxed"])}
    assert cells["win, clicks/s / nginx + Lua, 64 connections, relaxed"] == "NOT reached"


def test_a_report_holds_charts_aims_and_what_was_broken(tmp_path: Path) -> None:
    latencies = [a_latency("seckill-relaxed", 3000), a_latency("nginx_lua-relaxed", 2500)]
    saturated = [replace(run, generator_cpu_share=0.9) for run in RUNS]
    found = report.PeersReport(
        when="2026-11-22T12:00:00+00:00",
        machine=replace(describe(), commit="abc123", dirty=True),
        versions={"nginx_lua": "nginx version: nginx/1.22.1"},
        generator="wrk",
        settings=dict(SETTINGS),
        durabilities=["relaxed"],
        servers=["seckill", "nginx_lua", "fastapi"],
        left_out={"Go, gin + redigo": "apt-get install golang-go"},
        runs=saturated,
        latencies=latencies,
        goals=goals.goals(RUNS, latencies, ["relaxed"]),
        breaches={"seckill-relaxed": [], "nginx_lua-relaxed": ["o: OVERSOLD by 1 units of 3"]},
        forgotten={"nginx_lua-relaxed": 17},
    )
    page = report.write(found, tmp_path)
    text = page.read_text(encoding="utf-8")
    for part in (
        "commit abc123 (dirty)",
        "uncommitted changes",
        "NOT reached",
        "BROKEN: nginx_lua-relaxed: o: OVERSOLD by 1 units of 3",
        "seckill-relaxed: held in every run",
        "17 winners who asked again were told sold_out",
        "Go, gin + redigo, which needs: apt-get install golang-go",
        "could do more than is shown: win 64 seckill-relaxed",
        "1.02 ×",
        "0.80–1.25",
    ):
        assert part in text
    assert text.count("data:image/png;base64,") == 3
    assert "http://" not in text
    assert "https://" not in text
    saved = json.loads(page.with_suffix(".json").read_bytes())
    assert len(saved["runs"]) == len(RUNS)
    assert {path.suffix for path in tmp_path.iterdir()} == {".html", ".json", ".png"}


def test_a_peer_that_cannot_run_is_left_out_with_its_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given a machine without any peer, when asked to compare, then it says what each needs."""
    monkeypatch.setattr(kinds.shutil, "which", lambda name: None)
    monkeypatch.setattr(kinds, "find_spec", lambda name: None)
    console = Console(width=80)
    with console.capture() as shown:
        here, left_out = bench_peers.present(list(KINDS), console)
    assert here == []
    assert set(left_out) == {kind.title for kind in KINDS.values()}
    for words in (
        "nginx + Lua is left out: nginx-light",
        "apt-get install nginx-light libnginx-mod-http-lua lua-nginx-redis lua-cjson",
        "golang-github-gin-gonic-gin-dev",
        "FastAPI + redis-py is left out: fastapi, uvicorn, httptools not found",
        "pip install --editable '.[peers]'",
    ):
        assert words in shown.get()
    assert bench_peers.main(["--results", str(tmp_path)]) == 2
    assert list(tmp_path.iterdir()) == []


def test_figures_of_a_changed_tree_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from loadtest import machine

    said = {"status": " M loadtest/bench.py\n M Makefile", "rev-parse": "abc123"}
    monkeypatch.setattr(machine, "_output", lambda *command: said.get(command[1], "") if len(command) > 1 else "")
    with pytest.raises(DirtyTreeError, match=r"2 files differ from commit abc123.*--allow-dirty"):
        describe_for_report(allow_dirty=False)
    assert describe_for_report(allow_dirty=True).dirty
    said["status"] = ""
    assert not describe_for_report(allow_dirty=False).dirty


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_comparison_runs_from_the_command_line(tmp_path: Path) -> None:
    if missing := KINDS["nginx_lua"].missing():
        pytest.skip(f"{', '.join(missing)} not installed: {KINDS['nginx_lua'].install}")
    arguments = ["--quick", "--peers", "nginx_lua", "--scenarios", "win", "mixed", "--connections", "16"]
    arguments += ["--open-s", "1", "--allow-dirty", "--results", str(tmp_path)]
    assert bench_peers.main(arguments) == 0
    (saved,) = tmp_path.glob("peers-*.json")
    found = json.loads(saved.read_bytes())
    assert {run["target"] for run in found["runs"]} == {"seckill-relaxed", "nginx_lua-relaxed"}
    assert found["breaches"] == {"seckill-relaxed": [], "nginx_lua-relaxed": []}
    assert {each["share"] for each in found["latencies"]} == {0.5}
    assert all(run["clicks_per_s"] > 0 and run["gateway_cpu_us"] > 0 for run in found["runs"])
    assert saved.with_suffix(".html").exists()
