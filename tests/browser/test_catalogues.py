"""Every text of the sale page stands in both catalogues, and nothing else does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway.admission.outcome import Outcome
from gateway.web.offers_view import STATES

LANGUAGES = ("en", "zh-Hant")
STEPS = ("sending", "settling", "waiting")


def catalogue(static: Path, language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((static / f"text.{language}.json").read_text())
    return found


def used_keys(static: Path) -> set[str]:
    """Keys in the code: quoted in scripts, named by the page, or made of a word the gateway sends."""
    page = (static / "index.html").read_text()
    scripts = "\n".join(path.read_text() for path in static.glob("*.js"))
    known = catalogue(static, "en")
    quoted = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)*)"', scripts))
    # A dotted word in quotes is a key, apart from what is said to other windows.
    dotted = {
        word for word in quoted if "." in word and not word.startswith("seckill.") and not word.endswith(".json")
    }
    made = {f"outcome.{outcome.word}" for outcome in Outcome} | {"outcome.lost", "outcome.pending", "outcome.none"}
    made |= {f"state.{state}" for state in STATES} | {
        f"group.{group}" for group in ("running", "upcoming", "ended")
    }
    made |= {f"buy.{step}" for step in STEPS}
    return set(re.findall(r'data-t="([^"]+)"', page)) | dotted | made | (quoted & known.keys())


def test_both_languages_have_the_same_keys_and_places(static: Path) -> None:
    english, chinese = (catalogue(static, language) for language in LANGUAGES)

    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", chinese[key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_in_use_has_a_text_and_every_text_is_in_use(static: Path, language: str) -> None:
    texts = catalogue(static, language)
    used = used_keys(static)

    assert used - texts.keys() == set()
    assert texts.keys() - used == set()
    assert all(texts.values())


def test_no_text_of_the_page_is_written_in_its_code(static: Path) -> None:
    scripts = "\n".join(path.read_text() for path in static.glob("*.js"))

    assert "innerHTML" not in scripts
    assert "insertAdjacentHTML" not in scripts
    assert re.findall(r'\b(?:textContent|innerText) = "[^"]', scripts) == []
