"""No process outlives the one that started it, even when that one is killed without warning.

On Linux the kernel sends the signal. Elsewhere a thread looks whether the parent is still there. Every check
compares with the parent's id known beforehand, so a child born just as its parent died notices too.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time

PARENT_VARIABLE = "SECKILL_UP_PID"
"""Set by `seckill up` for its children: the process they must not outlive. Not a setting."""

WATCH_EVERY_S = 0.5

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: a child must not take the loader's lock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Have this process killed when its parent dies. Call it early, in every process.

    The parent is the one that `multiprocessing` knows, else the `seckill up` that started this role; a role
    started by hand or by a service manager has none, and nothing happens. The kernel's promise is tied to the
    thread that started this process, so start processes from the main thread.
    """
    parent = multiprocessing.parent_process()
    passed = os.environ.get(PARENT_VARIABLE, "") if parent is None else str(parent.pid)
    if not passed.isdigit():
        return
    if _libc is None:
        threading.Thread(target=watch_parent, args=(int(passed),), daemon=True, name="lifeline").start()
    else:
        ask_kernel(int(passed))


def ask_kernel(parent_pid: int) -> None:
    """The Linux way, usable between fork and exec (it survives exec); elsewhere nothing happens."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _leave_if_orphaned(parent_pid)  # the parent may have died before the call


def watch_parent(parent_pid: int) -> None:
    """The portable way: look every `WATCH_EVERY_S`; never returns while the parent lives."""
    while True:
        _leave_if_orphaned(parent_pid)
        time.sleep(WATCH_EVERY_S)


def _leave_if_orphaned(parent_pid: int) -> None:
    if os.getppid() != parent_pid:
        os._exit(1)
