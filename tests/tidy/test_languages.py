"""Every reader reads their own language."""

from __future__ import annotations

from tests.tidy import untranslated


def test_nothing_is_left_untranslated() -> None:
    assert list(untranslated.problems()) == []


def test_a_text_without_gettext_would_be_found() -> None:
    parser = untranslated._Texts()
    parser.feed('<p title="Hello there">{{ _("x") }}</p><p>Buy now</p><script>let text</script>')
    assert [text for _, text in parser.found] == ["Hello there", "Buy now"]


def test_messages_and_codes_are_found_at_all() -> None:
    assert "Storefront" in untranslated.messages()
    assert {
        "error.tier_not_increasing",
        "error.not_found",
        "error.wrong_password",
    } <= untranslated.error_codes().keys()
