"""``make load``: a crowd and an operator against ``seckill up`` for a minute, then verification from the outside.

Exit code 1 on any broken promise or any answer that is not from the table. Leaves Locust's HTML report and a JSON
result under ``loadtest/results``.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
from rich.console import Console

from loadtest import ledger, verify
from loadtest.command import read_options
from loadtest.errors import LoadtestError, StartError
from loadtest.machine import describe
from loadtest.operators_api import OperatorsApi
from loadtest.processes import READY_WITHIN_S, ROOT, Server, free_port, seckill_command, unwind_on_sigterm
from loadtest.verify import Verdict

STOP_TIMEOUT_S = 25
"""How long shoppers may finish their visit after the end of the run."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running system and what is needed to use it."""

    gateway: str
    admin: str
    environ: dict[str, str]


def start_up(folder: Path, workers: int) -> tuple[Server, Target]:
    """Start ``seckill up`` without demo data in `folder`, with per-address limits off, and wait for it.

    Raises:
        StartError: it did not become ready.
    """
    environ = {
        "SECKILL_TOKEN_SECRET": secrets.token_hex(32),
        "SECKILL_ADMIN_KEY": secrets.token_hex(32),
        # All shoppers of a load test come from one address.
        "SECKILL_RATE_PER_IP": "off",
        "SECKILL_RATE_TOTAL": "off",
        "SECKILL_METRICS_BIND": f"127.0.0.1:{free_port()}",
    }
    command = [seckill_command(), "up", "--data", str(folder / "data"), "--no-demo"]
    command += ["--gateway-port", str(free_port()), "--admin-port", str(free_port()), "--workers", str(workers)]
    server = Server.start("up", command, folder=folder, environ=environ, pipe=True)
    line = server.first_line(within_s=READY_WITHIN_S)
    found = re.match(r"ready gateway=(\S+) admin=(\S+) ", line)
    if found is None:
        server.stop()
        raise StartError(f"seckill up printed {line!r}:\n{server.log_tail()}")
    return server, Target(found[1].rstrip("/"), found[2].rstrip("/"), environ)


def run_locust(target: Target, book: Path, report: Path, *, users: int, duration_s: float, shape: str) -> int:
    """Run the crowd headless; Locust's exit code. Its HTML report and JSON figures go beside `report`."""
    environ = {
        **os.environ,
        **target.environ,
        "PYTHONPATH": str(ROOT),
        "LOADTEST_GATEWAY": target.gateway,
        "LOADTEST_ADMIN": target.admin,
        "LOADTEST_LEDGER": str(book),
        "LOADTEST_SHAPE": shape,
        "LOADTEST_USERS": str(users),
        "LOADTEST_DURATION_S": str(duration_s),
    }
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtest" / "locustfile.py"), "--headless"]
    command += ["--html", f"{report}.html", "--json-file", f"{report}-locust", "--only-summary"]
    command += ["--stop-timeout", str(STOP_TIMEOUT_S), "--loglevel", "ERROR"]
    return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode


def write_result(path: Path, verdicts: list[Verdict], *, settings: dict[str, object]) -> None:
    """Everything that was found, as JSON."""
    offers = [
        {
            "offer": each.facts.id,
            "stock": each.facts.stock,
            "left": each.facts.left,
            "orders": len(each.facts.orders),
            "replies": each.replies,
            "breaches": each.breaches,
        }
        for each in verdicts
    ]
    result = {"machine": asdict(describe()), "settings": settings, "offers": offers}
    path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.load", description=__doc__)
    parser.add_argument("--duration-s", type=float, default=60.0)
    parser.add_argument("--users", type=int, default=300, help="size of the crowd")
    parser.add_argument("--shape", choices=("spike", "ramp"), default="spike")
    parser.add_argument("--workers", type=int, default=1, help="gateway workers")
    parser.add_argument("--drain-s", type=float, default=verify.DRAIN_S)
    arguments = read_options(parser, argv)
    console = Console()
    arguments.results.mkdir(parents=True, exist_ok=True)
    report = arguments.results / f"load-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    try:
        good = _run(arguments, report, console)
    except LoadtestError as error:
        console.print(f"[red]{error}[/red]")
        return 1
    console.print(f"report: {report}.html, result: {report}.json")
    return 0 if good else 1


def _run(arguments: argparse.Namespace, report: Path, console: Console) -> bool:
    with tempfile.TemporaryDirectory(prefix="seckill-load-") as name:
        folder = Path(name)
        book = folder / "ledger"
        book.mkdir()
        server, target = start_up(folder, arguments.workers)
        try:
            locust_code = run_locust(
                target,
                book,
                report,
                users=arguments.users,
                duration_s=arguments.duration_s,
                shape=arguments.shape,
            )
            api = OperatorsApi.at(target.admin, target.environ["SECKILL_ADMIN_KEY"])
            heard = ledger.read([book])
            verdicts = verify.verify(api, heard, drain_s=arguments.drain_s, clock_tolerance_ms=250, console=console)
            api.close()
        finally:
            stop_code = server.stop()
    wins = sum(each.outcome == "won" for each in heard.replies)
    settings = {name: str(value) for name, value in vars(arguments).items()}
    write_result(report.with_suffix(".json"), verdicts, settings=settings | {"wins": wins})
    console.print(verify.summary(verdicts), verify.table(verdicts))
    if locust_code != 0:
        console.print(f"[red]Locust counted failures (exit code {locust_code}); see the report[/red]")
    if stop_code != 0:
        console.print(f"[red]seckill up stopped with exit code {stop_code}[/red]")
    if wins == 0:
        console.print("[red]nobody won anything: this run proves nothing[/red]")
    return locust_code == 0 and stop_code == 0 and wins > 0 and all(each.holds for each in verdicts)


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())
