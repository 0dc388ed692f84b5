"""What people read and no catalogue translates: `python -m tests.tidy.untranslated`.

Messages are taken from our templates and modules; texts that stand in a template without gettext are found too.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from admin import errors, inputs

ROOT = Path(__file__).parents[2]
LOCALES = ROOT / "admin" / "locale"
TEMPLATES = sorted((ROOT / "admin").rglob("templates/**/*.html"))
MODULES = [path for path in sorted((ROOT / "admin").rglob("*.py")) if "migrations" not in path.parts]
SPOKEN_ATTRIBUTES = {"alt", "aria-label", "aria-description", "placeholder", "title", "content"}
NO_TEXT = {"script", "style", "code"}
NAMES = {"Seckill", "JSON", "CSV", "SKU", "×", "HH:MM", "OK"}
"""Names and signs that are the same in every language."""

_KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
_JINJA = re.compile(r"\{#.*?#\}|\{%\s*trans\b.*?\{%\s*endtrans\s*%\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_ATTRIBUTE = re.compile(r'[\w-]+="[^"]*"')
_LETTERS = re.compile(r"[^\W\d_]{2,}")


@cache
def messages() -> dict[str, str]:
    """Every message that is asked for, and where first."""
    found: dict[str, str] = {}
    for path in TEMPLATES:
        for line, message, *_ in extract_from_file(
            "jinja2.ext.babel_extract", str(path), _KEYWORDS, (), {"extensions": "jinja2.ext.do"}
        ):
            _note(found, message, path, line)
    for path in (each for each in MODULES if "gettext" in each.read_text(encoding="utf-8")):
        for line, message, *_ in extract_from_file("python", str(path), _KEYWORDS):
            _note(found, message, path, line)
    return found


def _note(found: dict[str, str], message: str | tuple[str, ...], path: Path, line: int) -> None:
    text = message if isinstance(message, str) else message[0]
    found.setdefault(text, f"{path.relative_to(ROOT)}:{line}")


@cache
def error_codes() -> dict[str, str]:
    """Every code of an error that pages may tell, and where: `error.<code>` is its message in the catalogue."""
    found: dict[str, str] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for code in _codes(node):
                found.setdefault(f"error.{code}", f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
    classes = (
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if isinstance(getattr(each, "code", None), str)
    )
    for code in (*(each.code for each in classes), *inputs._CODES.values()):
        found.setdefault(f"error.{code}", "admin/errors.py:1")
    return found


def _codes(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2]
        position = {"FieldError": 1, "one": 1, "refuse": 0, "Refusal": 0}.get(name)
        given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        if position is not None and len(node.args) > position:
            given.append(node.args[position])
        for value in given:
            if (
                isinstance(value, ast.Constant)
                and isinstance(value.value, str)
                and re.fullmatch(r"[a-z_]+", value.value)
            ):
                yield value.value


def translated(locale: str) -> dict[str, set[str]]:
    """Every message that a locale's catalogues have, and what it is there: one text, however many have it."""
    found: dict[str, set[str]] = {}
    for path in sorted((LOCALES / locale).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=locale):
                if message.id and message.string and not message.fuzzy:
                    key = message.id if isinstance(message.id, str) else message.id[0]
                    text = message.string if isinstance(message.string, str) else message.string[0]
                    found.setdefault(key, set()).add(text)
    return found


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in NO_TEXT:
            self._inside.append(tag)
        for name, value in attrs:
            if name in SPOKEN_ATTRIBUTES and value and not (tag == "meta" and name == "content"):
                self._judge(value)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            # Attributes that a macro writes stand outside of any tag.
            self._judge(_ATTRIBUTE.sub("", data))

    def _judge(self, text: str) -> None:
        words = [word for word in _LETTERS.findall(text) if word not in NAMES]
        if words:
            self.found.append((self.getpos()[0], " ".join(text.split())))


def bare_texts() -> list[str]:
    """Texts in templates that no gettext surrounds."""
    told = []
    for path in TEMPLATES:
        parser = _Texts()
        # What Jinja fills in is no text of the template; lines stay where they are.
        parser.feed(_JINJA.sub(lambda match: "\n" * match[0].count("\n"), path.read_text(encoding="utf-8")))
        told += [f"{path.relative_to(ROOT)}:{line}: {text[:60]}" for line, text in parser.found]
    return told


def _starlette_admin() -> set[str]:
    """What starlette-admin's own catalogue has; its messages need no second translation."""
    import starlette_admin

    path = Path(starlette_admin.__file__).parent / "translations" / "zh_Hant" / "LC_MESSAGES" / "admin.po"
    with path.open("rb") as file:
        return {str(message.id) for message in read_po(file) if message.id and message.string}


def problems() -> Iterable[str]:
    """Everything that some reader would see in a language that is not theirs."""
    yield from bare_texts()
    wanted = messages() | error_codes()
    for folder in sorted(path for path in LOCALES.iterdir() if path.is_dir()):
        known = translated(folder.name)
        theirs = _starlette_admin()
        for message, where in sorted(wanted.items(), key=lambda each: each[1]):
            if message not in known and message not in theirs:
                yield f"{where}: {folder.name} lacks {message!r}"
        for message in sorted(known.keys() - wanted.keys()):
            yield f"{folder.name}: nobody asks for {message!r}"
        for message, texts in known.items():
            if len(texts) > 1:
                yield f"{folder.name}: {message!r} is {' and '.join(sorted(texts))}: the last file would win"
            places = [set(_PLACES.findall(text)) for text in (message, *texts)]
            if not message.startswith("error.") and any(each != places[0] for each in places):
                yield f"{folder.name}: {message!r} has other places to fill than {', '.join(sorted(texts))}"


_PLACES = re.compile(r"%\(\w+\)s|%%")

if __name__ == "__main__":
    for problem in problems():
        sys.stdout.write(f"{problem}\n")
