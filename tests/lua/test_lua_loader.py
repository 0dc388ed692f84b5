"""Given a folder of commands, the loader expands includes once and refuses what it cannot trust."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from gateway import scripts
from gateway.errors import ScriptContractError

HEADER = """--[[
greet: say a word.

KEYS
  1 offer  hash  unused
ARGV
  1 name  string  unused
RETURNS
  HELLO name
SCHEMA 1
]]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "one.lua").write_text("local function one() return 1 end\n")
    return tmp_path


def expand(folder: Path, body: str) -> str:
    path = folder / "greet.lua"
    path.write_text(HEADER + body)
    return scripts.expand(path)


def test_an_include_takes_the_place_of_its_line(folder: Path) -> None:
    assert expand(folder, "--@include one\nreturn {'HELLO', one()}\n") == (
        HEADER + "local function one() return 1 end\nreturn {'HELLO', one()}\n"
    )


def test_a_missing_include_is_refused(folder: Path) -> None:
    with pytest.raises(ScriptContractError, match=r"include/two\.lua"):
        expand(folder, "--@include two\n")


def test_an_include_twice_is_refused(folder: Path) -> None:
    with pytest.raises(ScriptContractError, match="twice"):
        expand(folder, "--@include one\n--@include one\n")


def test_an_include_in_an_include_is_refused(folder: Path) -> None:
    (folder / "include" / "two.lua").write_text("--@include one\n")
    with pytest.raises(ScriptContractError, match="may not include"):
        expand(folder, "--@include two\n")


def test_a_missing_command_is_refused() -> None:
    with pytest.raises(ScriptContractError, match=r"nothing\.lua"):
        scripts.load("nothing")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("greet: ", "meet: ", "must open with a header"),
        ("--[[\n", "-- none\n--[[\n", "must open with a header"),
        ("  1 offer", "  2 offer", "stands where 1 should"),
        ("SCHEMA 1\n", "", "lacks a section"),
        ("RETURNS\n  HELLO name\n", "", "lacks a section"),
        ("KEYS\n  1 offer  hash  unused\n", "", "lacks a section"),
        ("SCHEMA 1", "SCHEMA one", "lacks a section or a number"),
    ],
)
def test_a_header_of_another_form_is_refused(old: str, new: str, says: str) -> None:
    assert old in HEADER
    with pytest.raises(ScriptContractError, match=says):
        scripts.parse("greet", HEADER.replace(old, new))


def test_a_header_is_read() -> None:
    script = scripts.parse("greet", HEADER)
    assert (script.keys, script.args, script.words, script.schema) == (
        ("offer",),
        ("name",),
        {"HELLO": ("name",)},
        1,
    )


def test_a_call_with_other_keys_or_arguments_is_refused(redis: Redis) -> None:
    script = scripts.parse("greet", HEADER + "return {'HELLO', ARGV[1]}")
    with pytest.raises(ScriptContractError, match="wants keys"):
        script.call(redis, {"offer": "x", "more": "y"}, {"name": "Amy"})
    with pytest.raises(ScriptContractError, match="wants keys"):
        script.call(redis, {"offer": "x"}, {})


def test_a_word_that_the_header_does_not_list_is_an_error_and_no_answer(redis: Redis) -> None:
    script = scripts.parse("greet", HEADER + "return {'GOODBYE'}")
    with pytest.raises(ScriptContractError, match="GOODBYE"):
        script.call(redis, {"offer": "x"}, {"name": "Amy"})


def test_a_server_that_does_not_know_the_script_is_given_it(redis: Redis) -> None:
    script = scripts.parse("greet", HEADER + "return {'HELLO', ARGV[1]}")
    assert not redis.script_exists(script.sha)[0]
    assert script.call(redis, {"offer": "x"}, {"name": "Amy"}) == ["HELLO", b"Amy"]
