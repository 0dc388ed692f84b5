"""Given the house rules that a linter does not know, every file keeps them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.tidy.source import FOLDERS, ROOT, modules, packaged

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
TEXT_ENDINGS = {".py", ".lua", ".md", ".toml", ".yaml", ".yml", ".js", ".css", ".html", ".conf", ".sh", ".svg", ""}

# Put together here, so that this file does not contain them.
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r"\b")
MACHINE_PATH = re.compile("|".join((r"/ho" + r"me/\w", r"/Us" + r"ers/\w", r"/ro" + r"ot/", r"/wo" + r"rk/")))

MAY_PRINT = ("admin/cli.py",)
"""The command speaks. Elsewhere a `print` needs an exemption on its line that says why."""


def text_files() -> list[Path]:
    top = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXT_ENDINGS]
    inner = [
        path
        for folder in (*FOLDERS, "lua", "docs", "deploy", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and path.suffix in TEXT_ENDINGS
        and "__pycache__" not in path.parts
        and "results" not in path.parts
    ]
    return sorted(path for path in [*top, *inner] if path.name != ".git")


def test_every_module_says_what_it_is() -> None:
    silent = [module.path for module in modules() if not ast.get_docstring(module.tree)]
    assert not silent, "a module begins with a sentence about itself"


def test_modules_and_functions_are_short() -> None:
    long = [
        f"{module.path}: {lines} lines"
        for module in modules()
        if (lines := len(module.text.splitlines())) > MODULE_LINES_MAX
    ]
    long += [
        f"{module.path}: {node.name} has {lines} lines"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not long


def test_only_commands_print() -> None:
    spoken = [
        f"{module.path}:{node.lineno}"
        for module in packaged()
        if module.path not in MAY_PRINT and not module.path.startswith("loadtest/")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and "noqa: T201 - " not in module.text.splitlines()[node.lineno - 1]
    ]
    assert not spoken


def test_nothing_is_left_unfinished() -> None:
    assert not _lines_with(UNFINISHED)


def test_no_path_of_some_machine() -> None:
    assert not _lines_with(MACHINE_PATH)


def _lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]


def test_every_package_is_marked() -> None:
    # A folder of modules without __init__.py would be left out of types and of the wheel.
    folders = {(ROOT / module.path).parent for module in packaged()}
    assert not [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()]
