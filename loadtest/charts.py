"""Charts for reports: medians as bars from zero with the smallest and largest run as whiskers, on a light card.

The card has its own background, so that a chart reads the same on a light and on a dark page.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

CARD = "#fbfbfc"
INK = "#24292f"
FAINT = "#6e7781"
GRID = "#d8dee4"
PALETTE = ("#0b6e99", "#d9730d", "#5b8c5a", "#8e5ea2", "#8c959f", "#c0392b")
DPI = 144
PANEL_HEIGHT_INCH = 3.1
WIDTH_INCH = 9.6
LIGHTER = 0.5
"""Opacity of bars of which a part is drawn darker."""

BAR_MAX = 0.25
"""The widest bar, as a share of a group's place."""

GROUP_SHARE = 0.82
"""How much of a group's place its bars take together."""


@dataclass(frozen=True, slots=True)
class Bars:
    """One series: a name, and per group the values of all runs (none: no bar). `hue` counts in the palette."""

    name: str
    runs: Sequence[Sequence[float]]
    hue: int
    part: Sequence[Sequence[float]] = ()
    """A part of the values, drawn darker from zero."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One set of axes with bars."""

    title: str
    unit: str
    groups: Sequence[str]
    series: Sequence[Bars]


@dataclass(frozen=True, slots=True)
class Line:
    """One series over a number: at each `x` the values of all runs."""

    name: str
    x: Sequence[float]
    runs: Sequence[Sequence[float]]
    hue: int


@dataclass(frozen=True, slots=True)
class Curves:
    """One set of axes with lines."""

    title: str
    unit: str
    x_name: str
    lines: Sequence[Line]
    x_log: int = 0
    """Base of a logarithmic x axis; 0: a linear one from zero."""


def draw(panels: Sequence[Panel | Curves], *, columns: int = 1) -> bytes:
    """A PNG with all panels, row by row."""
    rows = -(-len(panels) // columns)
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure(figsize=(WIDTH_INCH, PANEL_HEIGHT_INCH * rows), layout=layout, facecolor=CARD)
    grid = figure.subplots(rows, columns, squeeze=False)
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        panel = panels[number]
        _frame(axes, panel.title, panel.unit)
        if isinstance(panel, Panel):
            _bars(axes, panel)
        else:
            _curves(axes, panel)
        axes.set_ylim(bottom=0)
    known: dict[str, Any] = {}
    for axes in grid.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    figure.legend(
        list(known.values()),
        list(known),
        loc="outside upper left",
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        ncols=max(1, len(known)),
    )
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=DPI, facecolor=CARD)
    return image.getvalue()


def _frame(axes: Any, title: str, unit: str) -> None:
    axes.set_facecolor(CARD)
    axes.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold")
    axes.set_ylabel(unit, fontsize=8, color=FAINT)
    axes.tick_params(colors=FAINT, labelsize=8, length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)


def _bars(axes: Any, panel: Panel) -> None:
    measured = [series for series in panel.series if any(series.runs)]
    width = min(GROUP_SHARE / max(1, len(measured)), BAR_MAX)
    for number, series in enumerate(measured):
        shift = (number - (len(measured) - 1) / 2) * width
        places = [place for place, runs in enumerate(series.runs) if runs]
        found = [list(series.runs[place]) for place in places]
        middles = [median(runs) for runs in found]
        reach = [
            [middle - min(runs) for middle, runs in zip(middles, found, strict=True)],
            [max(runs) - middle for middle, runs in zip(middles, found, strict=True)],
        ]
        axes.bar(
            [place + shift for place in places],
            middles,
            width * 0.92,
            label=series.name,
            color=PALETTE[series.hue % len(PALETTE)],
            alpha=LIGHTER if series.part else 1.0,
            yerr=reach if any(len(runs) > 1 for runs in found) else None,
            error_kw={"ecolor": INK, "elinewidth": 0.8, "capsize": 2, "capthick": 0.8, "alpha": 0.7},
        )
        if series.part:
            axes.bar(
                [place + shift for place in places],
                [median(series.part[place]) for place in places],
                width * 0.92,
                color=PALETTE[series.hue % len(PALETTE)],
            )
    axes.set_xticks(range(len(panel.groups)), panel.groups)
    axes.set_xlim(-0.5, len(panel.groups) - 0.5)


def _curves(axes: Any, panel: Curves) -> None:
    for line in panel.lines:
        colour = PALETTE[line.hue % len(PALETTE)]
        axes.plot(line.x, [median(runs) for runs in line.runs], "o-", color=colour, label=line.name, markersize=4)
        low, high = [min(runs) for runs in line.runs], [max(runs) for runs in line.runs]
        axes.fill_between(line.x, low, high, color=colour, alpha=0.15, linewidth=0)
    if panel.x_log:
        axes.set_xscale("log", base=panel.x_log)
        axes.minorticks_off()
    else:
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.set_xlabel(panel.x_name, fontsize=8, color=FAINT)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
