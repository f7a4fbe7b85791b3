"""Which characters show nothing."""

from __future__ import annotations

import pytest

from estuary_admin.unicode_text import shows_something, without_invisible


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\u00a0",
        "\u200b",
        "\u200d",
        "\u3164",
        "\u2800",
        "\ufe0f",
        "\u00ad",
        "\u034f",
        "\n",
        "\U0001d159",
        "\U000e0041",
    ],
)
def test_nothing_is_seen_of_these(text: str) -> None:
    assert not shows_something(text)


@pytest.mark.parametrize("text", ["a", ".", "é", "e\u0301", "🔑", "\u200bx", "中", "עברית"])
def test_something_is_seen_of_these(text: str) -> None:
    assert shows_something(text)


def test_what_shows_nothing_is_taken_out_and_blanks_stay() -> None:
    assert without_invisible("a\u200bb c\u2060\r\n\u3164d") == "ab cd"
    assert without_invisible("plain text") == "plain text"
