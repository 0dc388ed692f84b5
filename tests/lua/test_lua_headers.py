"""Given any Lua command, its header says the truth about its body."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import keys, scripts
from gateway.admission import outcome
from gateway.scripts import Script

VERSIONS = Path(__file__).with_name("versions.txt")
REDIS_TYPES = {"hash", "set", "zset", "stream", "string", "list"}
ARGUMENT_TYPES = {"string", "integer", "msgpack"}
READS = {"TIME", "HMGET", "HGET", "HEXISTS", "HLEN", "EXISTS", "ZCARD", "ZRANGE", "ZSCORE", "XINFO", "XLEN"}
INCLUDES = sorted((scripts.folder() / "include").glob("*.lua"))

each_script = pytest.mark.parametrize("name", scripts.names())
each_include = pytest.mark.parametrize("path", INCLUDES, ids=lambda path: path.stem)


def header_of(script: Script) -> str:
    return script.source.split("\n]]", 1)[0]


def body_of(script: Script) -> str:
    """The code without its comments."""
    return re.sub(r"^\s*--(?!\s?Writes$).*$", "", script.source.split("\n]]", 1)[1], flags=re.MULTILINE)


def halves(script: Script) -> tuple[str, str]:
    parts = re.split(r"^-- Writes$", body_of(script), flags=re.MULTILINE)
    assert len(parts) == 2, "a command has one line '-- Writes'"
    return parts[0], parts[1]


def rows(script: Script, section: str) -> list[list[str]]:
    found = re.search(rf"^{section}\n((?:  .*\n?)+)", header_of(script), re.MULTILINE)
    return [row.split() for row in found[1].splitlines()] if found else []


def commands(code: str) -> list[str]:
    return re.findall(r"redis\.call\(\s*'([A-Z]+)'", code)


def test_the_sections_of_this_test_are_read(request: pytest.FixtureRequest) -> None:
    # Given the command with every section, then the reader here finds what the loader finds.
    script = scripts.load("admit")
    assert [row[1] for row in rows(script, "KEYS")] == list(script.keys)
    assert [row[1] for row in rows(script, "ARGV")] == list(script.args)
    assert {row[0] for row in rows(script, "RETURNS")} == set(script.words)
    assert "HSET" in commands(body_of(script))


@each_script
@pytest.mark.parametrize("section", ["KEYS", "ARGV"])
def test_numbers_run_from_one_and_types_are_named(name: str, section: str) -> None:
    listed = rows(scripts.load(name), section)
    assert listed, f"{section} is missing"
    assert [int(row[0]) for row in listed] == list(range(1, len(listed) + 1))
    allowed = REDIS_TYPES if section == "KEYS" else ARGUMENT_TYPES
    assert {row[2] for row in listed} <= allowed
    assert all(len(row) > 3 for row in listed), "every row says what it is, with its unit"
    assert len({row[1] for row in listed}) == len(listed)


@each_script
@pytest.mark.parametrize("section", ["KEYS", "ARGV"])
def test_every_declared_one_is_used_and_no_other(name: str, section: str) -> None:
    script = scripts.load(name)
    body = body_of(script)
    used = re.findall(rf"\b{section}\[(\d+)\]", body)
    assert len(used) == len(re.findall(rf"\b{section}\b", body)), f"{section} is used only by number"
    declared = script.keys if section == "KEYS" else script.args
    assert {int(number) for number in used} == set(range(1, len(declared) + 1))


@each_script
def test_the_words_it_answers_are_those_it_lists(name: str) -> None:
    script = scripts.load(name)
    # A command's name and sub-command are no words of the reply.
    code = re.sub(r"redis\.call\(\s*'[A-Z]+'(, '[A-Z]+')?", "", body_of(script))
    assert set(re.findall(r"'([A-Z][A-Z_]{2,})'", code)) == set(script.words)


@each_script
def test_it_returns_once_after_its_writes_and_at_the_end(name: str) -> None:
    _, after = halves(scripts.load(name))
    returns = re.findall(r"\breturn\b.*", after)
    assert len(returns) == 1
    assert after.rstrip().endswith(returns[0].rstrip())


@each_script
def test_it_writes_only_after_its_checks(name: str) -> None:
    before, after = halves(scripts.load(name))
    assert set(commands(before)) <= READS
    assert set(commands(after)) - READS, "there is something to write"
    assert "redis.pcall" not in before + after, "an error of Redis is an outage, never an answer"


@each_script
def test_its_schema_is_that_of_the_keys(name: str) -> None:
    assert scripts.load(name).schema == keys.SCHEMA


def test_the_letters_are_those_of_the_gateway() -> None:
    script = scripts.load("admit")
    body = body_of(script)
    assert set(script.letters) == {*outcome.LETTERS, outcome.ELSEWHERE} == set(re.findall(r"'([A-Z])'", body))
    with_detail = {letter for letter, detail in script.letters.items() if detail}
    assert with_detail == set(outcome.WITH_DETAIL) == set(re.findall(r"return '([A-Z])', ", body))
    assert set(re.findall(r"return '([A-Z])'\n", body)).isdisjoint(with_detail)


@each_include
def test_an_include_reads_no_keys_or_arguments_and_writes_nothing(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\b(KEYS|ARGV)\b", re.sub(r"--.*", "", text))
    assert set(commands(text)) <= READS


@each_include
def test_an_include_says_what_it_gives_and_is_used(path: Path) -> None:
    text = path.read_text()
    for function in re.findall(r"^local function (\w+)\(", text, re.MULTILINE):
        assert re.search(rf"^-- {function}\(", text, re.MULTILINE), f"{function} has no line that explains it"
    users = [file for file in scripts.folder().glob("*.lua") if f"--@include {path.stem}\n" in file.read_text()]
    assert users


def test_versions_are_those_of_the_last_review() -> None:
    # A changed command has another SHA, so old and new gateways can run side by side. When this fails on
    # purpose, put the new lines into versions.txt: so a reviewer sees which commands have changed.
    now = [f"{name} {scripts.load(name).sha}" for name in scripts.names()]
    assert VERSIONS.read_text().splitlines() == now
