"""The project's own files, parsed once for all tidy tests."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gateway", "admin", "loadtest")
FOLDERS = (*PACKAGES, "tests")


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file: its path from the root, its dotted name, its text and its tree."""

    path: str
    name: str
    text: str
    tree: ast.Module


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file of the project."""
    return tuple(
        _parse(path)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "__pycache__" not in path.parts
    )


def packaged() -> tuple[Module, ...]:
    """Every Python file that is not a test."""
    return tuple(module for module in modules() if not module.path.startswith("tests/"))


def _parse(path: Path) -> Module:
    relative = path.relative_to(ROOT)
    parts = relative.with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Module(str(relative), name, text, ast.parse(text))


def imports(module: Module, known: frozenset[str]) -> set[str]:
    """The project's modules that this one imports, wherever in its code and however written."""
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = (
                    module.name.split(".") if module.path.endswith("__init__.py") else module.name.split(".")[:-1]
                )
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            # `from package import module` means the module, not everything in the package.
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names}
    return {name for name in found if name in known} - {module.name}
