"""What `seckill reconcile` prints."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from gateway.orders.reconcile.breaches import Breach, Remedy


def as_json(offers: int, found: Sequence[Breach], repaired: Sequence[Breach]) -> str:
    """One document: `sound`, how many offers were looked at, what is broken, what was repaired."""
    document = {
        "sound": not found,
        "offers": offers,
        "broken": [each.as_json() for each in found],
        "repaired": [each.as_json() for each in repaired],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def as_text(offers: int, found: Sequence[Breach], repaired: Sequence[Breach], *, repairing: bool) -> str:
    """The same for people: a line for each, and below it what would put it right."""
    lines = [f"repaired  {_where(each)}: {each.says}" for each in repaired]
    for each in found:
        lines.append(f"broken    {_where(each)}: {each.says}")
        if each.remedy is Remedy.ASK:
            lines.append(f"          to decide: {each.asks}")
        elif repairing:
            lines.append("          could not be repaired now: the log says why; try again")
        else:
            lines.append(f"          --repair would {each.remedy.value}")
    repaired_too = f", {len(repaired)} repaired" if repairing else ""
    lines.append(f"{offers} offer{'' if offers == 1 else 's'} looked at, {len(found)} broken{repaired_too}")
    return "\n".join(lines)


def _where(breach: Breach) -> str:
    parts = [breach.code]
    if breach.offer:
        parts.append(f"offer {breach.offer}")
    if breach.unit is not None:
        parts.append(f"unit {breach.unit}")
    if breach.order_no:
        parts.append(f"order {breach.order_no}")
    if breach.entry:
        parts.append(breach.entry)
    return ", ".join(parts)
