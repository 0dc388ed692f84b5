"""What the storefront's templates are made with: the environment they are rendered in, and their files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from admin.pages import locales
from admin.storefront.pages import drawing
from gateway.files import LOOK, Folder

_HERE = Path(__file__).parent
TEMPLATES = _HERE / "templates"
FOLDER = Folder.read(LOOK, _HERE / "static")


@cache
def environment() -> Environment:
    """Templates with our filters; whatever they are given is escaped, and a name that is missing is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_callables(locales.gettext, locales.ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.filters |= {
        "money": locales.money,
        "number": locales.number,
        "percent": locales.percent,
        "when": locales.when,
        "poster": drawing.poster,
        "initial": drawing.initial,
        "safe_image": drawing.safe_image,
        "time_left": drawing.time_left,
        "moment": drawing.moment,
    }
    made.globals |= {
        "static": lambda name: f"/static/{FOLDER.version}/{name}",
        "locales": locales.NAMES,
        "locale": locales.current,
    }
    return made
