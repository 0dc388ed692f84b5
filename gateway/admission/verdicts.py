"""What an error reply of Redis says about the clicks it answers, and what to do next.

Every error here is one that Redis gives instead of running the script, or at the script's first write, when
nothing has changed yet (`lua/README.md`). Those clicks are certainly not sold: they are answered `unavailable`, or
sent again. Any other error may have come in the middle of a script, so its clicks are `unknown`.

What is no reply at all is told apart by the connection (`gateway/wire.py`):

==================================================  ==============================================
refused, or no connection to send it on             `NotSent`: certainly not executed
lost or timed out after sending                     `OutcomeUnknown`: settled at the batch's deadline
==================================================  ==============================================
"""

from __future__ import annotations

import re
from enum import Enum, auto


class Remedy(Enum):
    """What the gateway does after an error that means "not executed"."""

    RELOAD = auto()
    """Load the script again and send the same clicks once more."""
    RECONNECT = auto()
    """No click can succeed here: look for the primary again, and be ready when a trial call works."""
    REFUSE = auto()
    """Redis refuses writes: go on, as tickets can still be told, and try a write every second."""
    FOLLOW = auto()
    """In a cluster: another server has the slot or is about to get it. Send the same clicks again, where it is."""


_REMEDIES = {
    "NOSCRIPT": Remedy.RELOAD,
    "LOADING": Remedy.RECONNECT,
    "READONLY": Remedy.RECONNECT,
    "MASTERDOWN": Remedy.RECONNECT,
    "NOAUTH": Remedy.RECONNECT,
    "MOVED": Remedy.RECONNECT,
    "ASK": Remedy.RECONNECT,
    "TRYAGAIN": Remedy.REFUSE,
    "CLUSTERDOWN": Remedy.RECONNECT,
    "NOREPLICAS": Remedy.REFUSE,
    "BUSY": Remedy.RECONNECT,
    "UNKILLABLE": Remedy.REFUSE,
    "OOM": Remedy.REFUSE,
    "MISCONF": Remedy.REFUSE,
    "NOPERM": Remedy.RECONNECT,
}
SLOT_ERRORS = {"MOVED", "ASK", "TRYAGAIN"}
"""What a server of a cluster says when it does not have the keys, or not all of them."""
_AT_THE_FIRST_WRITE = {"READONLY", "NOREPLICAS", "OOM", "MISCONF"}
"""Of these, the ones that a command inside a script may get: Redis refuses any write then, so also the first."""
_MAX_CLIENTS = "ERR max number of clients reached"
_IN_SCRIPT = re.compile(r" script: [0-9a-f]{40}, on @user_script:\d+\.$")
# Before version 7 Redis wraps what a command inside a script was refused with.
_WRAPPED = re.compile(
    r"ERR Error running script \(call to f_\w+\): @user_script:\d+: @user_script: \d+: -([A-Z]+) "
)


def remedy_of(error: str, *, clustered: bool = False) -> Remedy | None:
    """What to do after this error reply; None when the script may have written before it."""
    if error.startswith(_MAX_CLIENTS):
        return Remedy.RECONNECT
    wrapped = _WRAPPED.match(error)
    code = wrapped[1] if wrapped else error.partition(" ")[0]
    if (wrapped or _IN_SCRIPT.search(error)) and code not in _AT_THE_FIRST_WRITE:
        return None
    if clustered and (code in SLOT_ERRORS or code == "CLUSTERDOWN"):
        return Remedy.FOLLOW
    return _REMEDIES.get(code)
