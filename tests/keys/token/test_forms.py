"""Tokens as people paste them."""

from __future__ import annotations

import pytest

from keys.token.forms import TokenConnectForm, bare_token

TOKEN = "EST6f2a1c9e-0000-4000-8000-000000000000ARY"


@pytest.mark.parametrize(
    "pasted",
    [
        TOKEN,
        f"  {TOKEN}\n",
        f"Bearer {TOKEN}",
        f"bearer   {TOKEN}",
        f'"{TOKEN}"',
        f"'Bearer {TOKEN}'",
        f"Authorization: Bearer {TOKEN}",
        f"authorization:bearer\t{TOKEN}",
        f'"Authorization: Bearer {TOKEN}"',
        f'Bearer "{TOKEN}"',
        f"`{TOKEN}`",
        f"{TOKEN[:9]}\u200b{TOKEN[9:]}",
        f"\ufeff{TOKEN}\u2060",
        f"{TOKEN[:9]}\u00ad{TOKEN[9:20]}\ufe0f{TOKEN[20:]}\u3164",
        f"{TOKEN[:9]}\n{TOKEN[9:]}",
        f"{TOKEN[:9]}\r\n    {TOKEN[9:30]}\u2028{TOKEN[30:]}",
        f"Authorization: Bearer \n  {TOKEN[:9]}\n  {TOKEN[9:]}",
        f"{TOKEN[:9]} {TOKEN[9:20]}\t{TOKEN[20:30]}\u00a0{TOKEN[30:]}",
        f"{TOKEN[:9]}\u2800{TOKEN[9:]}",
        f"“{TOKEN}”",
    ],
)
def test_text_around_a_token_is_removed(pasted: str) -> None:
    form = TokenConnectForm({"token": pasted})

    assert form.is_valid()
    assert form.cleaned_data["token"] == TOKEN


@pytest.mark.parametrize(
    "pasted",
    [
        "x",
        "ESTARX",
        TOKEN[:-1],
        TOKEN[1:],
        "EST/../ARY",
        "ESTüARY",
        "EST\tARY",
        "ESTARY",
    ],
)
def test_other_text_is_refused_and_not_shown_again(pasted: str) -> None:
    form = TokenConnectForm({"token": pasted})

    assert not form.is_valid()
    assert "is not the token of a key" in str(form.errors["token"])
    assert f'value="{pasted}' not in str(form["token"])


@pytest.mark.parametrize("between", ["\n", " ", ""])
def test_two_keys_are_not_joined(between: str) -> None:
    form = TokenConnectForm({"token": f"{TOKEN}{between}{TOKEN}"})

    assert form.errors["token"] == ["This holds more than one token: paste one of them."]


def test_an_empty_field_has_an_error() -> None:
    form = TokenConnectForm({"token": " "})

    assert form.errors["token"] == ["Paste the token of one of your Estuary keys."]


def test_bare_token_leaves_other_text_alone() -> None:
    assert bare_token("hello") == "hello"
