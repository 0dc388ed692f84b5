"""Given any code of a reason in the engine, there is a sentence for it in every language, and none is left over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from string import Formatter

import pytest

from admin.promotions import reasons
from admin.promotions.model import LANGUAGES
from tests.tidy.source import ROOT

FOLDER = ROOT / "admin" / "promotions"
STATES = {"unknown", "not_running", "not_eligible", "exhausted", "threshold_not_met", "applied"}
TOLD_AT = {"reason": 0, "Refusal": 1, "refuse": 1, "Redeemed": 2, "stands": 1}
"""Calls that are given a code, and at which place."""
TELLERS = {"_refuses", "refuses", "usable", "_why_not_running", "_why_no_gift", "outside"}
"""Functions that return a code, alone or after a state."""


def codes_in(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and re.fullmatch("[a-z_]+", each.value):
            yield each.value


def said_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        place = TOLD_AT.get(str(name), len(node.args))
        for argument in node.args[place : place + 1]:
            yield from codes_in(argument)
    elif isinstance(node, ast.FunctionDef) and node.name in TELLERS:
        for each in ast.walk(node):
            if isinstance(each, ast.Return) and each.value is not None:
                yield from codes_in(each.value)
    elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "why":
        yield from codes_in(node.value) if isinstance(node.value, ast.Constant | ast.IfExp) else ()


def said() -> set[str]:
    """The codes that the engine says, and the shoppers' list of coupons, read from their text."""
    # The guards of operators refuse with codes of their own, which have their texts beside them.
    engine = {ROOT / "admin" / "coupons" / "standing.py", *FOLDER.glob("*.py"), *FOLDER.glob("types/*.py")} - {
        FOLDER / "model.py",
        FOLDER / "percent.py",
    }
    found = {code for path in engine for node in ast.walk(ast.parse(path.read_text())) for code in said_by(node)}
    return found - STATES


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_code_has_a_sentence_and_every_sentence_a_use() -> None:
    assert said() == set(reasons._SENTENCES)


@pytest.mark.parametrize("code", sorted(reasons._SENTENCES))
def test_a_reason_is_a_code_and_a_sentence_in_each_language(code: str) -> None:
    by_language = reasons._SENTENCES[code]
    assert set(by_language) == set(LANGUAGES)
    assert len({frozenset(gaps(text)) for text in by_language.values()}) == 1
    told = {reasons.reason(code, language, amount="9.00", count=3, code="x") for language in (*LANGUAGES, "fr")}
    assert len(told) == len(LANGUAGES), "other languages read the first"
    assert all(re.fullmatch(rf"{code}: [^{{}}]+", each) for each in told)
