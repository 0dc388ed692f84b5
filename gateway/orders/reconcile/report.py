"""What `seckill reconcile` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import orjson


class Told(Protocol):
    """A broken invariant, whoever found it."""

    @property
    def where(self) -> str:
        """Its name and where it is."""

    @property
    def says(self) -> str:
        """What is wrong."""

    @property
    def asks(self) -> str:
        """What an operator has to do; empty where `--repair` acts."""

    @property
    def repair(self) -> str:
        """What `--repair` would do."""

    def as_json(self) -> dict[str, Any]:
        """The form of `--json`."""


def as_json(offers: int, found: Sequence[Told], repaired: Sequence[Told]) -> str:
    """One document: `sound`, how many offers were looked at, what is broken, what was repaired."""
    document = {
        "sound": not found,
        "offers": offers,
        "broken": [each.as_json() for each in found],
        "repaired": [each.as_json() for each in repaired],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def as_text(offers: int, found: Sequence[Told], repaired: Sequence[Told], *, repairing: bool) -> str:
    """The same for people: a line for each, and below it what would put it right."""
    lines = [f"repaired  {each.where}: {each.says}" for each in repaired]
    for each in found:
        lines.append(f"broken    {each.where}: {each.says}")
        if each.asks:
            lines.append(f"          to decide: {each.asks}")
        elif repairing:
            lines.append("          could not be repaired now: the log says why; try again")
        else:
            lines.append(f"          --repair would {each.repair}")
    repaired_too = f", {len(repaired)} repaired" if repairing else ""
    lines.append(f"{offers} offer{'' if offers == 1 else 's'} looked at, {len(found)} broken{repaired_too}")
    return "\n".join(lines)
