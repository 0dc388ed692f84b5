"""`seckill operator`: the way in for whoever has the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from admin import cli
from admin.errors import Unauthenticated
from admin.operators import signing_in
from admin.resources import Resources
from gateway.settings import Settings


def test_a_password_that_was_printed_signs_in_until_it_is_reset(
    settings: Settings, resources: Resources, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECKILL_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SECKILL_ADMIN_KEY", settings.admin_key[0].decode())
    assert cli.main(["operator", "--name", "amy", "--role", "editor"]) == 0
    first = capsys.readouterr().out.strip()
    session = signing_in.sign_in(resources, "amy", first)
    assert signing_in.find(resources, session) == signing_in.Operator("amy", "editor")

    assert cli.main(["operator", "--name", "amy"]) == 2
    assert "there is an operator amy already" in capsys.readouterr().err
    assert cli.main(["operator", "--name", "amy", "--role", "owner", "--reset"]) == 0
    second = capsys.readouterr().out.strip()
    assert signing_in.find(resources, session) is None
    with pytest.raises(Unauthenticated):
        signing_in.sign_in(resources, "amy", first)
    assert signing_in.find(resources, signing_in.sign_in(resources, "amy", second)) is not None


def test_what_is_wrong_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECKILL_ADMIN_KEY", "k" * 32)
    monkeypatch.setenv("SECKILL_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    assert cli.main(["operator", "--name", "amy"]) == 2
    assert "seckill migrate" in capsys.readouterr().err
