"""Charts as SVG, for pages that must say everything without a script.

Letters are HTML beside the drawing, so that they keep their size on a phone. The drawing itself is hidden from
screen readers: a page gives the same figures as a table. `charts.css` has the colours; every second series has a
pattern besides, so that nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from admin.pages.locales import number

HEIGHT = 100
"""Of every drawing, in its own units; it is as wide as it has points."""
SERIES_MAX = 6
X_LABELS = 4
STEPS = (1, 2, 4, 6, 8, 10)

_PATTERNS = {
    1: Markup('<rect width="1" height="5" class="c1"/><rect y="2" width="1" height="1" class="gap"/>'),
    3: Markup('<rect width="1" height="4" class="c3"/><rect width=".35" height="4" class="gap"/>'),
    5: Markup('<rect width="1" height="8" class="c5"/><rect y="3" width="1" height="3" class="gap"/>'),
}
_SIZES = {1: 5, 3: 4, 5: 8}


@dataclass(frozen=True, slots=True)
class Series:
    """One row of figures, from left to right."""

    name: str
    values: Sequence[float]


def columns(
    name: str,
    title: str,
    series: Sequence[Series],
    labels: Sequence[str],
    shown: Callable[[float], str] = number,
) -> Markup:
    """A column for each label, with the series stacked in it. `name` is the chart's own on its page."""
    assert len(series) <= SERIES_MAX
    count = max(len(labels), 1)
    top = ceiling(max((sum(each) for each in zip(*(one.values for one in series), strict=True)), default=0))
    drawn = [
        _column(place, [one.values[place] for one in series], top, name)
        for place in range(len(labels))
        if any(one.values[place] for one in series)
    ]
    drawing = _drawing(name, count, Markup("").join(drawn))
    keys = [_key(name, index, each) for index, each in enumerate(series)]
    # A single series is what the title says.
    legend = Markup("").join(keys) if len(keys) > 1 else None
    return _figure(name, title, drawing, _heights(top, shown), labels, legend)


def steps(
    name: str, title: str, values: Sequence[float], labels: Sequence[str], shown: Callable[[float], str] = number
) -> Markup:
    """One series as a line that goes up and down in steps, with the area below it."""
    count = max(len(values), 1)
    top = ceiling(max(values, default=0))
    path = path_of(values, top)
    drawing = Markup('<path class="area" d="{}V100H0Z"/><path class="line" d="{}"/>').format(path, path)
    return _figure(
        name, title, _drawing(name, count, drawing if values else Markup("")), _heights(top, shown), labels
    )


def bar(part: int, whole: int, mark: str = "c0") -> Markup:
    """How much of a whole a part is; the numbers stand beside it."""
    share = round(min(max(part / whole, 0), 1) * 100, 1) if whole > 0 else 0
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/><rect class="{}" width="{}" height="8"/></svg>'
    ).format(mark, share)


def ceiling(value: float) -> int:
    """The next round number that is not below a value."""
    if value <= 1:
        return 1
    power: int = 10 ** (len(str(int(value))) - 1)
    return next(step * power for step in STEPS if step * power >= value)


def path_of(values: Sequence[float], top: float) -> str:
    """The line of a chart of steps, from its left edge to its right one."""
    if not values:
        return ""
    heights = [_y(value, top) for value in values]
    return f"M0 {heights[0]}" + "".join(f"V{y}H{place + 1}" for place, y in enumerate(heights))


def _y(value: float, top: float) -> float:
    return round(HEIGHT - HEIGHT * value / top, 2)


def _column(place: int, values: Sequence[float], top: float, name: str) -> Markup:
    parts, below = [], 0.0
    for index, value in enumerate(values):
        if value:
            height = round(HEIGHT * value / top, 2)
            y = round(HEIGHT - below - height, 2)
            rect = Markup('<rect x="{}" y="{}" width=".9" height="{}" {}/>')
            parts.append(rect.format(place + 0.05, y, height, _fill(name, index)))
            below += height
    return Markup("").join(parts)


def _fill(name: str, index: int) -> Markup:
    if index in _PATTERNS:
        return Markup('fill="url(#{}-{})"').format(name, index)
    return Markup('class="c{}"').format(index)


def _patterns(name: str) -> Markup:
    made = [
        Markup('<pattern id="{}-{}" width="1" height="{}" patternUnits="userSpaceOnUse">{}</pattern>').format(
            name, index, _SIZES[index], content
        )
        for index, content in _PATTERNS.items()
    ]
    return Markup("<defs>{}</defs>").format(Markup("").join(made))


def _drawing(name: str, width: int, content: Markup) -> Markup:
    grid = Markup('<path class="grid" d="M0 0H{w}M0 50H{w}M0 100H{w}"/>').format(w=width)
    return Markup(
        '<svg viewBox="0 0 {} 100" preserveAspectRatio="none" aria-hidden="true">{}{}<g>{}</g></svg>'
    ).format(width, _patterns(name), grid, content)


def _heights(top: int, shown: Callable[[float], str]) -> list[str]:
    return [shown(top), "" if top % 2 else shown(top // 2), shown(0)]


def _key(name: str, index: int, series: Series) -> Markup:
    return Markup(
        '<li><svg viewBox="0 0 4 20" preserveAspectRatio="none" aria-hidden="true"><rect width="4" height="20" {}/>'
        '</svg> {} <b data-series="{}"></b></li>'
    ).format(_fill(name, index), series.name, index)


def _figure(
    name: str,
    title: str,
    drawing: Markup,
    heights: Sequence[str],
    labels: Sequence[str],
    legend: Markup | None = None,
) -> Markup:
    last = len(labels) - 1
    places = sorted({round(last * each / (X_LABELS - 1)) for each in range(X_LABELS)}) if labels else []
    chosen = [labels[place] for place in places]
    return Markup(
        '<figure class="chart" data-chart="{}"><figcaption>{}</figcaption>'
        '<div class="chart-y" aria-hidden="true">{}'
        '</div>{}<div class="chart-x" aria-hidden="true">{}</div>{}</figure>'
    ).format(
        name,
        title,
        _spans(heights),
        drawing,
        _spans(chosen),
        Markup('<ul class="chart-keys">{}</ul>').format(legend) if legend else "",
    )


def _spans(texts: Sequence[str]) -> Markup:
    return Markup("").join(Markup("<span>{}</span>").format(escape(text)) for text in texts)
