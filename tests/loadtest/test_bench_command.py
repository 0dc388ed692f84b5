"""Given a benchmark's command line, options that all benchmarks have are read in one way."""

from __future__ import annotations

import argparse
from pathlib import Path

from loadtest.command import RESULTS, read_options


def options(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    return read_options(parser, list(argv), quick={"repetitions": 1, "connections": [16]})


def test_quick_is_short_but_for_what_is_said() -> None:
    assert (options().repetitions, options().connections) == (5, [64, 256])
    found = options("--quick", "--connections", "32")
    assert (found.repetitions, found.connections) == (1, [32])


def test_results_go_where_is_said() -> None:
    assert options().results == RESULTS
    assert options("--results", "elsewhere").results == Path("elsewhere")
