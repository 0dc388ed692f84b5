"""Given what the documents say, the code says the same."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import gateway
from tests.tidy import settings_page
from tests.tidy.source import ROOT

WITH_PAGES = ("docs", "lua", "loadtest", "tests")
MARKDOWN = sorted([*ROOT.glob("*.md"), *(path for folder in WITH_PAGES for path in (ROOT / folder).rglob("*.md"))])
MAKE_TARGETS = ("install", "up", "test", "check", "bench", "load", "soak")


def commands_in(text: str) -> list[list[str]]:
    """Every `make …` and `seckill …` in code blocks and code spans, as words."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    lines = [line for block in blocks for line in block.splitlines()] + spans
    found = []
    for line in lines:
        match = re.match(r"\s*(?:\$ )?((?:make|seckill)(?: [^#|&>;]*)?)(?:$|[#|&>;])", line)
        if match:
            found.append(shlex.split(match[1].replace("…", "").replace("[", "").replace("]", "")))
    return found


def targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def seckill_help(*command: str) -> str:
    return subprocess.run(
        [sys.executable, "-P", "-m", "admin.cli", *command, "--help"], capture_output=True, text=True, check=True
    ).stdout


def test_the_makefile_has_what_the_contract_names() -> None:
    assert set(MAKE_TARGETS) <= targets()


def test_documented_commands_exist() -> None:
    # Given every command that the documents show,
    helps: dict[str, str] = {}
    unknown = []
    for page in MARKDOWN:
        for words in commands_in(page.read_text(encoding="utf-8")):
            # when its name and options are looked up,
            match words:
                case ["make", target, *_] if target not in targets():
                    unknown.append(f"{page.name}: {words}")
                case ["seckill", command, *options] if not command.startswith("-"):
                    if command not in helps:
                        known = re.search(rf"^    {re.escape(command)}\b", seckill_help(), re.MULTILINE)
                        helps[command] = seckill_help(command) if known else ""
                    wanted = [option.split("=")[0] for option in options if option.startswith("--")]
                    if not helps[command] or any(option not in helps[command] for option in wanted):
                        unknown.append(f"{page.name}: {words}")
    # then all are there.
    assert not unknown


def test_commands_are_found_in_text() -> None:
    text = "Run `make up` or:\n```\nseckill up --data x   # here\ncurl x | seckill\n$ make test ARGS=1\n```\n"
    assert commands_in(text) == [["seckill", "up", "--data", "x"], ["make", "test", "ARGS=1"], ["make", "up"]]


def anchors_of(page: Path) -> set[str]:
    """The fragments that lead to a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for page in MARKDOWN:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if not target.exists() or (anchor and anchor not in anchors_of(target)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert not broken


def test_every_package_has_its_place_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+(?:/\w+)*)/`", page))
    folders = [path.parent for name in ("gateway", "admin") for path in (ROOT / name).glob("*/__init__.py")]
    assert not {folder.relative_to(ROOT).as_posix() for folder in folders} - named


def test_tests_that_documents_name_are_there() -> None:
    missing = []
    for page in MARKDOWN:
        for path, name in re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", page.read_text(encoding="utf-8")):
            file = ROOT / path
            if not file.exists() or (name and f"def {name}(" not in file.read_text(encoding="utf-8")):
                missing.append(f"{page.name}: {path} {name}")
    assert not missing


def test_settings_page_is_up_to_date() -> None:
    page = settings_page.PAGE.read_text(encoding="utf-8")
    assert page == settings_page.renewed(page), "run tests/tidy/settings_page.py"
    assert settings_page.BEGIN in page


def test_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert versions[0] == gateway.__version__


@pytest.mark.parametrize("group", ["dependencies", "postgres", "load", "peers", "dev"])
def test_every_dependency_says_what_it_earns(group: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["dependencies"] if group == "dependencies" else project["optional-dependencies"][group]
    names = {re.split(r"[\[<>=!; ]", line)[0] for line in declared} - {"seckill"}
    assert not names - documented_dependencies()


def test_no_dependency_is_documented_that_is_gone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        *project["dependencies"],
        *(each for group in project["optional-dependencies"].values() for each in group),
    ]
    assert not documented_dependencies() - {re.split(r"[\[<>=!; ]", line)[0] for line in lines}


def documented_dependencies() -> set[str]:
    page: Path = ROOT / "docs" / "dependencies.md"
    return set(re.findall(r"^\| `([a-z0-9-]+)` \| \S", page.read_text(encoding="utf-8"), re.MULTILINE))
