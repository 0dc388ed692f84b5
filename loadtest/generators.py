"""Clicks by the tens of thousands per second, from prepared requests: by wrk, else by our own generator."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from loadtest.errors import GeneratorError
from loadtest.processes import ROOT, pinned
from loadtest.tokens import Mint

RUN_TIMEOUT_S = 600
STOP_DURATION_S = 300
"""Upper bound of a run that ends with its file."""


@dataclass(frozen=True, slots=True)
class Requests:
    """A file of click requests of one length each."""

    path: Path
    size_bytes: int
    count: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What the generator saw. `refused` are replies of status 400 and above; latencies are closed-loop, µs."""

    replies: int
    duration_us: int
    p50_us: int
    p99_us: int
    p999_us: int
    refused: int
    failed: int
    rounds: int
    generator_cpu_s: float

    @property
    def duration_s(self) -> float:
        """Length of the run, s."""
        return self.duration_us / 1e6


def name() -> str:
    """The generator that this machine has."""
    return "wrk" if shutil.which("wrk") else "own (wrk is not installed: figures are limited by the generator)"


def write_requests(path: Path, offer: str, shoppers: Iterable[str], mint: Mint) -> Requests:
    """Prepare one click on `offer` for each shopper, in order; shopper ids must be of one length."""
    head = f"POST /seckill/{offer} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ".encode()
    tail = b"\r\nContent-Length: 0\r\n\r\n"
    size = count = 0
    with path.open("wb", buffering=1 << 20) as file:
        for shopper in shoppers:
            request = head + mint.token(shopper) + tail
            if size not in {0, len(request)}:
                raise GeneratorError(f"{shopper!r}: all shopper ids of one file must be of one length")
            size = len(request)
            count += 1
            file.write(request)
    return Requests(path, size, count)


def click(
    url: str,
    requests: Requests,
    *,
    connections: int,
    duration_s: float,
    core: int | None,
    until_sent: bool = False,
    repeat: bool = False,
) -> Heard:
    """Send clicks for `duration_s`, or (`until_sent`) until the file has been sent once.

    Raises:
        GeneratorError: it failed, or the file ran out (a second click of the same shopper is another
            measurement) and `repeat` does not allow it.
    """
    tail = [str(requests.path), str(requests.size_bytes), "1" if until_sent else "0"]
    seconds = STOP_DURATION_S if until_sent else max(1, round(duration_s))
    if shutil.which("wrk"):
        script = str(ROOT / "loadtest" / "clicks.lua")
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "10s",
            "-s",
            script,
            url,
            "--",
            *tail,
        ]
    else:
        target = urlsplit(url)
        command = [sys.executable, "-m", "loadtest.own_generator", str(target.hostname), str(target.port)]
        command += [str(connections), str(seconds), *tail]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_TIMEOUT_S,
        preexec_fn=pinned(core),
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
        raise GeneratorError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    heard = Heard(**orjson.loads(lines[-1]), generator_cpu_s=cpu_s)
    if heard.rounds > 1 and not repeat and not until_sent:
        raise GeneratorError(f"{requests.count} prepared clicks were too few for {seconds} s")
    return heard
