"""Given the import direction of the design, no module points the other way, and there is no cycle."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.tidy.source import Module, imports, modules, packaged

KNOWN = frozenset(module.name for module in modules())
ARROWS = {module.name: imports(module, KNOWN) for module in packaged()}

# Who (a prefix) must not import whom (a prefix), and who of them may all the same.
FORBIDDEN = (
    ("gateway", "admin", ()),
    ("gateway", "loadtest", ()),
    ("gateway", "tests", ()),
    ("gateway.web", "gateway.orders", ()),
    ("gateway.admission", "gateway.orders", ()),
    ("gateway.orders", "gateway.web", ()),
    ("admin", "loadtest", ()),
    ("admin", "tests", ()),
    # The command is the only place that knows every role.
    ("admin", "gateway.web", ("admin.cli",)),
    ("admin", "gateway.admission", ()),
    ("loadtest", "gateway", ()),
    ("loadtest", "admin", ()),
    ("loadtest", "tests", ()),
)


def inside(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


@pytest.mark.parametrize(("source", "target", "exceptions"), FORBIDDEN, ids=str)
def test_no_forbidden_arrow(source: str, target: str, exceptions: tuple[str, ...]) -> None:
    found = [
        f"{name} imports {imported}"
        for name, names in ARROWS.items()
        if inside(name, source) and name not in exceptions
        for imported in names
        if inside(imported, target)
    ]
    assert not found


def reached(*prefixes: str) -> set[str]:
    """Some modules and everything that they import, directly or through others of this project."""
    seen: set[str] = set()
    waiting = [name for name in ARROWS if any(inside(name, prefix) for prefix in prefixes)]
    while waiting:
        name = waiting.pop()
        seen.add(name)
        waiting += [each for each in ARROWS.get(name, ()) if each not in seen]
    return seen


def outside(names: set[str], packages: set[str]) -> list[str]:
    """Which of some packages these modules import."""
    return [
        f"{module.name}: {imported}"
        for module in packaged()
        if module.name in names
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for imported in (
            [each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        )
        if imported.split(".")[0] in packages
    ]


def test_the_click_path_reaches_no_database_by_any_way() -> None:
    names = reached("gateway.web", "gateway.admission")
    assert not [name for name in names if inside(name, "gateway.orders")]
    assert not outside(names, {"sqlalchemy"})


IMPURE = {"time", "random", "secrets", "os", "threading", "sqlalchemy", "redis", "starlette", "socket", "logging"}
"""What reads a clock, a store, the network or chance."""


def test_the_engine_is_pure() -> None:
    assert not outside(reached("admin.promotions"), IMPURE)


def test_no_cycle() -> None:
    assert not list(_cycles())


def _cycles() -> Iterator[list[str]]:
    finished: set[str] = set()
    for start in ARROWS:
        path: list[str] = []
        yield from _search(start, path, finished)


def _search(name: str, path: list[str], finished: set[str]) -> Iterator[list[str]]:
    if name in path:
        yield [*path[path.index(name) :], name]
        return
    if name in finished:
        return
    path.append(name)
    for imported in sorted(ARROWS.get(name, ())):
        yield from _search(imported, path, finished)
    path.pop()
    finished.add(name)


def test_imports_are_understood() -> None:
    # Given every way to import a module, when the tree is read, then each is seen.
    text = "import b.c\nfrom b import c, thing\nfrom . import d\nfrom .d import x\ndef f():\n    from b import e\n"
    module = Module("a/m.py", "a.m", text, ast.parse(text))
    known = frozenset({"a", "a.m", "a.d", "b", "b.c", "b.e"})
    assert imports(module, known) == {"b.c", "b", "a.d", "b.e"}
