"""Checks a sale from the outside: the clients' ledger against the operators' API.

``python -m loadtest.verify --ledger FOLDER --admin URL --admin-key-env SECKILL_ADMIN_KEY`` waits for the
order writer to catch up, prints a table of promises and exits with 1 if any is broken, with 2 if it could not
look.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadtest import back_office, ledger
from loadtest.checks import CHECKS, OfferFacts, Story
from loadtest.errors import LoadtestError
from loadtest.ledger import Ledger
from loadtest.operators_api import OperatorsApi

SHOWN_BREACHES_MAX = 5
DRAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one offer: breaches by the name of the promise, empty where it held."""

    facts: OfferFacts
    replies: int
    breaches: dict[str, list[str]]

    @property
    def holds(self) -> bool:
        """Whether every promise held."""
        return not any(self.breaches.values())


def judge(facts: OfferFacts, story: Story, *, names: Iterable[str] = CHECKS) -> Verdict:
    """Hold one offer's facts against what clients heard."""
    return Verdict(facts, len(story.replies), {name: CHECKS[name](facts, story) for name in names})


def verify(
    api: OperatorsApi, book: Ledger, *, drain_s: float, clock_tolerance_ms: int, console: Console
) -> list[Verdict]:
    """Judge every offer of a client ledger once the writer has caught up (for at most `drain_s`)."""
    offers = book.offers()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    verdicts = []
    with Progress(*columns, console=console, transient=True) as bars:
        found = back_office.listings(api, offers)
        for offer in offers:
            story = Story.about(offer, book, clock_tolerance_ms=clock_tolerance_ms)
            bar = bars.add_task(f"orders of {offer}")

            def show(written: int, given_out: int, bar: object = bar) -> None:
                bars.update(bar, completed=written, total=given_out)  # type: ignore[arg-type]

            facts = back_office.settled_facts(
                api,
                found[offer],
                known={ticket.order_no for _, ticket in story.wins()},
                within_s=drain_s,
                progress=show,
            )
            verdicts.append(judge(facts, story))
    return verdicts


def table(verdicts: list[Verdict]) -> Table:
    """One row per promise; a breach is quoted."""
    rows = Table(title="What must hold", show_lines=False)
    for name in ("promise", "holds", "breaches"):
        rows.add_column(name)
    for name in verdicts[0].breaches if verdicts else ():
        found = [f"{v.facts.id}: {text}" for v in verdicts for text in v.breaches[name]]
        shown = "\n".join(found[:SHOWN_BREACHES_MAX])
        if len(found) > SHOWN_BREACHES_MAX:
            shown += f"\n… and {len(found) - SHOWN_BREACHES_MAX} more"
        rows.add_row(name, "[red]NO[/red]" if found else "[green]yes[/green]", shown)
    return rows


def summary(verdicts: list[Verdict]) -> Table:
    """One row per offer: what was on sale, what was sold, what was heard."""
    rows = Table(title="Offers")
    for name in ("offer", "stock", "left", "orders", "units held", "replies"):
        rows.add_column(name, justify="left" if name == "offer" else "right")
    for each in verdicts:
        facts = each.facts
        counts = (facts.stock, facts.left, len(facts.orders), facts.held, each.replies)
        rows.add_row(facts.id, *(f"{count:,}" for count in counts))
    return rows


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.verify", description=__doc__)
    parser.add_argument("--ledger", type=Path, nargs="+", required=True, help="ledger files or folders")
    parser.add_argument("--admin", required=True, help="URL of the sidecar")
    parser.add_argument("--admin-key-env", default="SECKILL_ADMIN_KEY", help="variable that holds the key")
    parser.add_argument("--drain-s", type=float, default=DRAIN_S, help="longest wait for the writer, s")
    parser.add_argument("--clock-tolerance-ms", type=int, default=250, help="clients' clocks against Redis', ms")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run from the command line; the exit code."""
    arguments = _arguments(argv)
    console = Console()
    key = environ.get(arguments.admin_key_env)
    if not key:
        console.print(f"[red]set {arguments.admin_key_env} to the operators' key[/red]")
        return 2
    api = OperatorsApi.at(arguments.admin, key)
    try:
        verdicts = verify(
            api,
            ledger.read(arguments.ledger),
            drain_s=arguments.drain_s,
            clock_tolerance_ms=arguments.clock_tolerance_ms,
            console=console,
        )
    except (LoadtestError, httpx.HTTPError) as error:
        console.print(f"[red]could not look: {error}[/red]")
        return 2
    finally:
        api.close()
    console.print(summary(verdicts), table(verdicts))
    return 0 if verdicts and all(each.holds for each in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
