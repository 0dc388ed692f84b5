"""The Lua commands: found in ``lua/``, includes expanded once, called by key and argument name.

The header of each file is its contract (see ``lua/README.md``); what a caller passes and what a script may
answer are checked against it, so code and header cannot drift apart.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import NoScriptError

from gateway.errors import ScriptContractError

_INCLUDE = re.compile(r"^--@include (\w+)$", re.MULTILINE)
_SECTIONS = ("KEYS", "ARGV", "RETURNS", "LETTERS", "SCHEMA")


@dataclass(frozen=True, slots=True)
class Script:
    """One Lua command. `keys`, `args` in calling order; `words` → their fields; `letters` → has a detail."""

    name: str
    source: str
    sha: str
    keys: tuple[str, ...]
    args: tuple[str, ...]
    words: dict[str, tuple[str, ...]]
    letters: dict[str, bool]
    schema: int

    def call(self, client: Redis, keys: dict[str, str], args: dict[str, Any]) -> list[Any]:
        """Run the script; the reply's first element is one of `words`, as text.

        Raises:
            ScriptContractError: the word is unknown to the header.
            redis.RedisError: Redis refused or could not be reached.
        """
        values = self.ordered(keys, args)
        try:
            reply: Any = client.evalsha(self.sha, len(self.keys), *values)
        except NoScriptError:
            client.script_load(self.source)
            reply = client.evalsha(self.sha, len(self.keys), *values)
        return self.read(reply)

    def queue(self, pipeline: Pipeline, keys: dict[str, str], args: dict[str, Any]) -> None:
        """Add a call to a pipeline in which the script was loaded before; `read` its reply."""
        pipeline.evalsha(self.sha, len(self.keys), *self.ordered(keys, args))

    def read(self, reply: Any) -> list[Any]:
        """A reply with its word as text.

        Raises:
            ScriptContractError: the word is unknown to the header.
        """
        word = reply[0].decode() if isinstance(reply[0], bytes) else reply[0]
        if word not in self.words:
            raise ScriptContractError(f"{self.name} answered {word!r}, which its header does not list")
        return [word, *reply[1:]]

    def ordered(self, keys: dict[str, str], args: dict[str, Any]) -> list[Any]:
        """Keys and arguments as they are sent.

        Raises:
            ScriptContractError: one is missing, or not wanted.
        """
        if set(keys) != set(self.keys) or set(args) != set(self.args):
            raise ScriptContractError(f"{self.name} wants keys {self.keys} and arguments {self.args}")
        return [*(keys[name] for name in self.keys), *(args[name] for name in self.args)]


def folder() -> Path:
    """Where the scripts lie: inside the installed package, or beside it in a checkout."""
    packaged = Path(__file__).parent / "lua"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "lua"


@cache
def load(name: str) -> Script:
    """The script of a file name without its ending.

    Raises:
        ScriptContractError: the file, an include or a section of the header is missing.
    """
    return parse(name, expand(folder() / f"{name}.lua"))


def names() -> list[str]:
    """Every command there is."""
    return sorted(path.stem for path in folder().glob("*.lua"))


def expand(path: Path) -> str:
    """A command's text with every include in its place, each once.

    Raises:
        ScriptContractError: a file is missing, or an include includes (they are leaves, so no cycle can be).
    """
    seen: set[str] = set()

    def include(match: re.Match[str]) -> str:
        name = match[1]
        if name in seen:
            raise ScriptContractError(f"{path.name} includes {name} twice")
        seen.add(name)
        text = _read(path.parent / "include" / f"{name}.lua")
        if _INCLUDE.search(text):
            raise ScriptContractError(f"include/{name}.lua may not include")
        return text.rstrip()

    return _INCLUDE.sub(include, _read(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ScriptContractError(f"there is no {path.parent.name}/{path.name}") from error


def parse(name: str, source: str) -> Script:
    """Read a command's header.

    Raises:
        ScriptContractError: the header is absent, or a section has another form.
    """
    header = re.match(r"--\[\[\n(.*?)\n\]\]", source, re.DOTALL)
    if header is None or not header[1].startswith(f"{name}: "):
        raise ScriptContractError(f"{name}.lua must open with a header that begins '{name}: '")
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in header[1].splitlines():
        title = line.split(" ", 1)[0]
        if title in _SECTIONS:
            current = sections.setdefault(title, [])
            current.append(line[len(title) :].strip())
        elif line.startswith("  "):
            current.append(line.strip())
    try:
        schema = int(sections["SCHEMA"][0])
        keys = _numbered(name, sections["KEYS"][1:])
        args = _numbered(name, sections.get("ARGV", [""])[1:])
        words = {row.split()[0]: tuple(row.split()[1:]) for row in sections["RETURNS"][1:]}
    except (KeyError, ValueError, IndexError) as error:
        raise ScriptContractError(f"{name}.lua: the header lacks a section or a number ({error})") from error
    letters = {}
    for row in sections.get("LETTERS", [""])[1:]:
        letter, detail = re.match(r"(\w)(?: (\w+))?", row).groups()  # type: ignore[union-attr]
        letters[letter] = detail is not None
    return Script(
        name=name,
        source=source,
        sha=hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest(),
        keys=keys,
        args=args,
        words=words,
        letters=letters,
        schema=schema,
    )


def _numbered(name: str, rows: list[str]) -> tuple[str, ...]:
    named = []
    for position, row in enumerate(rows, start=1):
        number, title = row.split()[:2]
        if int(number) != position:
            raise ScriptContractError(f"{name}.lua: number {number} stands where {position} should")
        named.append(title)
    return tuple(named)
