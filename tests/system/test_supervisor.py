"""Given parts that behave well or badly, what the supervisor does with them. The parts are real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from admin.up import child as child_module
from admin.up.child import Child, Part
from admin.up.errors import CannotStart, GaveUp
from admin.up.signals import STOP_SIGNALS, Signals, StopAsked
from admin.up.supervisor import FAILURES_MAX, Supervisor
from tests.conftest import wait_until

OBEDIENT = """
    import signal, sys, time
    signal.signal(signal.SIGTERM, lambda *_: (print(f"{sys.argv[1]} stopped", file=book), sys.exit(0)))
    book = open(sys.argv[2], "a", buffering=1)
    print(f"{sys.argv[1]} started", file=book)
    while True: time.sleep(60)
"""
STUBBORN = OBEDIENT.replace("sys.exit(0)", "None")


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Signal handling as in `up`, undone afterwards."""
    before = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGCHLD)}
    with Signals() as entered:
        yield entered
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def supervisor(tmp_path: Path, signals: Signals) -> Iterator[Supervisor]:
    one = Supervisor(tmp_path, signals)
    yield one
    signals.stops = 2  # whatever still runs gets no time
    one.stop()


@pytest.fixture
def part(tmp_path: Path) -> Callable[..., Part]:
    """A part that runs a piece of Python; it is given its name and the path of the book."""

    def make(
        name: str, code: str, *, answers: Callable[[], bool] = lambda: True, stop_within_s: float = 10
    ) -> Part:
        command = [sys.executable, "-c", textwrap.dedent(code), name, str(tmp_path / "book")]
        return Part(name, command, dict(os.environ), answers, stop_within_s)

    return make


def book(tmp_path: Path) -> list[str]:
    path = tmp_path / "book"
    return path.read_text().splitlines() if path.exists() else []


def ask_to_stop_when(*holds: Callable[[], object]) -> threading.Thread:
    """From aside, send SIGTERM to this process once something holds; once more when the next thing does."""

    def later() -> None:
        for each in holds:
            wait_until(each)
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=later)
    thread.start()
    return thread


def test_parts_stop_in_the_order_asked_for(
    supervisor: Supervisor, part: Callable[..., Part], tmp_path: Path
) -> None:
    # Given three parts that note when they start and stop,
    names = ("one", "two", "three")
    supervisor.start(*(part(name, OBEDIENT) for name in names))
    wait_until(lambda: len(book(tmp_path)) == 3)

    # when they are stopped in another order than they were started,
    supervisor.stop("three", "one", "two")

    # then they stop in that order.
    assert book(tmp_path)[3:] == ["three stopped", "one stopped", "two stopped"]


def test_a_signal_ends_the_watch(supervisor: Supervisor, part: Callable[..., Part], tmp_path: Path) -> None:
    supervisor.start(part("one", OBEDIENT))
    sender = ask_to_stop_when(lambda: book(tmp_path))
    with pytest.raises(StopAsked):
        supervisor.watch()
    sender.join()


def test_a_dead_part_is_started_again(supervisor: Supervisor, part: Callable[..., Part], tmp_path: Path) -> None:
    # Given a part that dies at its first two starts, when it is waited for, then its third start stays.
    code = OBEDIENT.replace(
        "while", "\n    if open(sys.argv[2]).read().count('started') < 3: sys.exit(7)\n    while"
    )
    supervisor.start(part("one", code, answers=lambda: book(tmp_path).count("one started") == 3))
    supervisor.wait_until_answering("one", within_s=20)
    assert book(tmp_path).count("one started") == 3


def test_a_hopeless_part_is_given_up_with_its_last_lines(
    supervisor: Supervisor,
    part: Callable[..., Part],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a part that always dies, when it is watched, then it is given up, and its own words are shown.
    monkeypatch.setattr("admin.up.supervisor.BACKOFF_MAX_S", 0.01)
    supervisor.start(
        part("one", "import sys; open(sys.argv[2], 'a').write('x\\n'); sys.exit('the disk is made of cheese')")
    )
    with pytest.raises(GaveUp, match="one ended with exit code 1"):
        supervisor.watch()
    assert len(book(tmp_path)) == FAILURES_MAX + 1
    assert "one| the disk is made of cheese" in capfd.readouterr().err


def test_a_part_that_the_operator_must_help_is_not_tried_again(
    supervisor: Supervisor, part: Callable[..., Part]
) -> None:
    supervisor.start(part("one", "import sys; print('seckill: set SECKILL_X'); sys.exit(2)", answers=lambda: False))
    with pytest.raises(CannotStart, match=r"^set SECKILL_X$"):
        supervisor.wait_until_answering("one", within_s=20)


def test_the_sentence_is_found_in_a_log_line(supervisor: Supervisor, part: Callable[..., Part]) -> None:
    line = "2026-11-21 12:00:00,123 ERROR gateway.orders.writer run `seckill migrate` first"
    with pytest.raises(CannotStart, match=r"^run `seckill migrate` first$"):
        supervisor.run_once(part("one", f"import sys; print({line!r}); sys.exit(2)"), within_s=20)


def test_a_part_that_never_answers_is_given_up(supervisor: Supervisor, part: Callable[..., Part]) -> None:
    supervisor.start(part("one", OBEDIENT, answers=lambda: False))
    with pytest.raises(GaveUp, match="no answer from one"):
        supervisor.wait_until_answering("one", within_s=0.2)


def test_a_part_that_does_not_stop_is_killed(
    supervisor: Supervisor, part: Callable[..., Part], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    supervisor.start(part("one", STUBBORN, stop_within_s=0.2))
    wait_until(lambda: book(tmp_path))
    supervisor.stop()
    assert "one did not stop" in capfd.readouterr().err


def test_a_second_signal_hastens(
    supervisor: Supervisor, part: Callable[..., Part], tmp_path: Path, signals: Signals
) -> None:
    # Given a part that takes no notice and has a minute, when two signals come, then it is killed at once.
    supervisor.start(part("one", STUBBORN, stop_within_s=60))
    wait_until(lambda: book(tmp_path))
    sender = ask_to_stop_when(lambda: "one stopped" in book(tmp_path), lambda: signals.stops)
    began_s = time.monotonic()
    supervisor.stop()
    sender.join()
    assert time.monotonic() - began_s < 20


def test_what_a_dead_part_had_started_ends_too(
    supervisor: Supervisor, part: Callable[..., Part], tmp_path: Path
) -> None:
    # Given a part that starts a process which closes nothing and then dies,
    code = """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(child.pid, file=open(sys.argv[2], "a"), flush=True)
        sys.exit(1)
    """
    supervisor.start(part("one", code, answers=lambda: len(book(tmp_path)) >= 2))

    # when it is started again,
    supervisor.wait_until_answering("one", within_s=20)

    # then the first one's process is gone.
    first = int(book(tmp_path)[0])
    wait_until(lambda: not psutil.pid_exists(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE)


def test_a_log_is_bounded(part: Callable[..., Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process that has logged more than the bound,
    monkeypatch.setattr(child_module, "LOG_BYTES_MAX", 1000)
    chatter = Child(part("one", "import time; print('x' * 2000, flush=True); time.sleep(600)"), tmp_path)
    chatter.start()
    wait_until(lambda: chatter.log.stat().st_size > 2000)

    # when the log is bounded, then the old piece is kept aside, and the process goes on in an empty file.
    chatter.bound_log()
    assert chatter.log.stat().st_size == 0
    assert chatter.log.with_name("one.log.1").stat().st_size > 2000
    chatter.kill()


def test_a_killed_parent_takes_its_children_along(tmp_path: Path) -> None:
    # Given a process that has started a child as `up` does,
    code = """
        import sys, time
        from pathlib import Path
        from admin.up.child import Child, Part
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        child = Child(Part("one", command, {}, lambda: True, 1), Path(sys.argv[1]))
        child.start()
        print(child._process.pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())

    # when that process is killed without warning, then the child ends.
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_the_portable_watch_notices_a_dead_parent() -> None:
    # Given a grandchild that watches its parent the portable way,
    code = """
        import os, subprocess, sys, time
        watch = "import os, sys; from gateway import lifeline; print('watching', flush=True); "
        watch += "lifeline.watch_parent(int(sys.argv[1]))"
        child = subprocess.Popen([sys.executable, "-c", watch, str(os.getpid())])
        print(child.pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert re.match("watching", parent.stdout.readline())

    # when the parent is killed, then the grandchild leaves by itself.
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
