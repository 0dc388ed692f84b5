"""The clients' side of the story: every reply a shopper heard, every change an operator made, as JSON lines.

One line is one reply or one operation::

    {"kind": "click", "offer": …, "shopper": …, "key": "", "quantity": 1, "outcome": "won", "status": 201,
     "left": null, "tickets": [{"order_no", "units", "price", "receipt"}], "sent_at_ms": …, "heard_at_ms": …}
    {"kind": "operation", "offer": …, "name": "stock", "stock": 150, "at_ms": …}

``kind`` is ``click`` or ``mine`` (the shopper asked for the result). A click that got no answer at all has
the outcome ``lost`` and status 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import orjson

from loadtest.errors import LedgerError

LOST = "lost"
"""The outcome of a click without an answer: a broken connection or a client-side time-out."""

STATUS_OF_OUTCOME = {
    "won": 201,
    "already_won": 200,
    "sold_out": 409,
    "limit_reached": 409,
    "not_started": 403,
    "ended": 410,
    "paused": 403,
    "not_eligible": 403,
    "rate_limited": 429,
    "busy": 503,
    "unavailable": 503,
    "unknown": 504,
    LOST: 0,
}
"""Every answer that a well-formed click may get, with its status."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a winner was told. `price` is minor units for one unit."""

    order_no: str
    units: tuple[int, ...]
    price: int
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer that a shopper heard, or did not hear."""

    kind: Literal["click", "mine"]
    offer: str
    shopper: str
    outcome: str
    status: int
    sent_at_ms: int
    heard_at_ms: int
    tickets: tuple[Ticket, ...] = ()
    left: int | None = None
    key: str = ""
    quantity: int = 1


OperationName = Literal["created", "stock", "paused", "resumed", "terminated"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One change by an operator, at the time the API had answered; `stock` is the offer's stock after it."""

    offer: str
    name: OperationName
    at_ms: int
    stock: int | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that the clients of one run know."""

    replies: tuple[Reply, ...]
    operations: tuple[Operation, ...]

    def offers(self) -> list[str]:
        """Ids of all offers that were clicked or changed, in order."""
        return sorted({each.offer for each in self.replies} | {each.offer for each in self.operations})


class LedgerWriter:
    """Appends records to one file; every line is in the file once `record` returns."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("ab", buffering=0)

    def record(self, entry: Reply | Operation) -> None:
        """Append one line."""
        line = asdict(entry)
        if isinstance(entry, Operation):
            line["kind"] = "operation"
        self._file.write(orjson.dumps(line) + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def tickets_of(body: dict[str, Any]) -> tuple[Ticket, ...]:
    """The tickets in a gateway reply: of a click (its own fields) or of `mine` (a list)."""
    listed = body.get("tickets", [body] if "order_no" in body else [])
    return tuple(
        Ticket(each["order_no"], tuple(each["units"]), each["price"], each.get("receipt", "")) for each in listed
    )


def read(paths: Iterable[Path]) -> Ledger:
    """Read ledgers; a folder stands for all its ``*.jsonl`` files.

    Raises:
        LedgerError: no ledger is there, or a line cannot be read; the text names file and line.
    """
    replies: list[Reply] = []
    operations: list[Operation] = []
    for path in _files(paths):
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            try:
                fields = orjson.loads(line)
                if fields["kind"] == "operation":
                    operations.append(Operation(**{k: v for k, v in fields.items() if k != "kind"}))
                else:
                    tickets = tuple(Ticket(**{**t, "units": tuple(t["units"])}) for t in fields["tickets"])
                    replies.append(Reply(**{**fields, "tickets": tickets}))
            except (ValueError, KeyError, TypeError) as error:
                raise LedgerError(f"{path}:{number}: not a ledger line: {error}") from error
    return Ledger(tuple(replies), tuple(operations))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        found = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
        if not found or not all(each.exists() for each in found):
            raise LedgerError(f"there is no ledger at {path}")
        yield from found
