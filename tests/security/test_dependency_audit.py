"""Given what pip-audit says, a vulnerability fails the check, and silence is not taken for safety."""

from __future__ import annotations

import json
from typing import Any

from tests.security.dependency_audit import judge


def package(name: str, *ids: str) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": [{"id": each, "fix_versions": ["1.1"]} for each in ids]}


def skipped(name: str) -> dict[str, Any]:
    return {"name": name, "skip_reason": "not found"}


def judged(*packages: dict[str, Any]) -> tuple[int, str]:
    return judge(json.dumps({"dependencies": packages, "fixes": []}), "")


def test_a_known_vulnerability_fails_and_says_where_it_is_fixed() -> None:
    code, text = judged(package("safe"), package("weak", "GHSA-1", "PYSEC-2"), skipped("seckill"))
    assert code == 1
    assert "weak 1.0: GHSA-1, fixed in 1.1" in text
    assert "PYSEC-2" in text


def test_nothing_known_is_said_with_what_could_not_be_looked_up() -> None:
    code, text = judged(package("safe"), skipped("private"), skipped("seckill"))
    assert (code, text) == (0, "dependency audit: no known vulnerability in 1 packages; not on the lists: private")


def test_lists_that_cannot_be_asked_are_no_failure_of_the_code_and_no_proof_either() -> None:
    for code, text in (
        judge("", "Traceback …\nConnectionError: no route"),
        judge("{}", ""),
        judged(skipped("a"), skipped("seckill")),
    ):
        assert code == 0
        assert text.startswith("dependency audit SKIPPED: ")
