"""One HTML page with charts and tables, in one file that loads nothing, readable in light and dark."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STYLE = """
:root{color-scheme:light dark;--ink:light-dark(#1f2328,#e6e8eb);--faint:light-dark(#59636e,#9aa4af);
--line:light-dark(#d8dee4,#343b44);--ground:light-dark(#fff,#15191f);--good:light-dark(#1a7f37,#4ac26b);
--bad:light-dark(#b42318,#ff7b6b);--warn:light-dark(#8a5a00,#e0a83c)}
body{font:15px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:2.5rem auto;
max-width:76rem;padding:0 1.5rem}
h1{font-size:1.7rem;margin:0}h2{font-size:1.2rem;margin:2.4rem 0 .4rem}p{max-width:62rem;margin:.4rem 0 .8rem}
.about,.faint{color:var(--faint)}img{max-width:100%;height:auto;border:1px solid var(--line);border-radius:8px}
.scroll{overflow-x:auto;margin:.8rem 0}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th{font-weight:600;color:var(--faint)}td,th{padding:.28rem .8rem;text-align:right;
border-bottom:1px solid var(--line)}
td.text,th.text{text-align:left}.yes{color:var(--good)}.no{color:var(--bad);font-weight:600}.warn{color:var(--warn)}
td{white-space:nowrap}details td{white-space:normal;overflow-wrap:anywhere}
details{margin:1rem 0}summary{cursor:pointer;font-weight:600}ul{padding-left:1.2rem;max-width:62rem}
"""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text. The first `text_columns` columns are left-aligned; a cell's mood by its text."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1
    moods: Mapping[str, str] | None = None
    """Class (`yes`, `no`, `warn`, `faint`) of cells that have exactly this text."""


@dataclass(frozen=True, slots=True)
class Image:
    """A PNG, and what it shows for whoever cannot see it."""

    png: bytes
    shows: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and what stands below it. `folded` shows the rest only when asked for."""

    heading: str
    text: str = ""
    parts: Sequence[Table | Image | Sequence[str]] = ()
    folded: bool = False


def render(title: str, about: Sequence[str], warnings: Sequence[str], sections: Sequence[Section]) -> str:
    """The page. `about` stands below the title, `warnings` stand out."""
    head = "".join(f'<p class="about">{html.escape(line)}</p>' for line in about)
    head += "".join(f'<p class="warn">{html.escape(line)}</p>' for line in warnings)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
        f"<h1>{html.escape(title)}</h1>{head}{''.join(_section(each) for each in sections)}</html>\n"
    )


def _section(section: Section) -> str:
    text = f"<p>{html.escape(section.text)}</p>" if section.text else ""
    body = text + "".join(_part(each) for each in section.parts)
    heading = html.escape(section.heading)
    if section.folded:
        return f"<details><summary>{heading}</summary>{body}</details>"
    return f"<h2>{heading}</h2>{body}"


def _part(part: Table | Image | Sequence[str]) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Image):
        data = base64.b64encode(part.png).decode()
        return f'<p><img alt="{html.escape(part.shows, quote=True)}" src="data:image/png;base64,{data}"></p>'
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in part) + "</ul>"


def _table(table: Table) -> str:
    def cell(tag: str, column: int, text: str) -> str:
        names = ["text"] if column < table.text_columns else []
        mood = (table.moods or {}).get(text)
        if mood and tag == "td":
            names.append(mood)
        classes = f' class="{" ".join(names)}"' if names else ""
        return f"<{tag}{classes}>{html.escape(text)}</{tag}>"

    head = "".join(cell("th", number, text) for number, text in enumerate(table.head))
    rows = "".join(
        "<tr>" + "".join(cell("td", number, text) for number, text in enumerate(row)) + "</tr>"
        for row in table.rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'
