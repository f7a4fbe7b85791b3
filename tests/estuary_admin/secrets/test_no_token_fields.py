"""A form refuses a pasted token, and does not send it back in the page."""

from __future__ import annotations

import pytest
from django import forms
from django.test import Client

from estuary_admin.secrets.no_token_fields import NoTokenFieldsMixin
from keys.sandbox import Sandbox
from tests.keys.evidence import asked, words_of

TOKEN = "EST11111111-1111-4111-8111-111111111111ARY"
REFUSAL = "This looks like the token of a key, which does not belong here."


@pytest.mark.parametrize("field", ["label", "custom_lifetime", "lifetime", "permission", "nonce"])
def test_the_create_form_does_not_send_a_token_back(
    browser: Client, node: Sandbox, field: str
) -> None:
    filled = {"label": "backup", "lifetime": "custom", "custom_lifetime": "3d"}

    response = browser.post("/keys/new/", {**filled, "permission": "upload", field: TOKEN})

    assert REFUSAL in words_of(response)
    assert TOKEN not in response.content.decode()
    assert asked(node) == []


def test_text_around_the_token_does_not_hide_it(browser: Client) -> None:
    response = browser.post("/keys/new/", {"label": f"Bearer {TOKEN} of the backup"})

    assert REFUSAL in words_of(response)
    assert TOKEN not in response.content.decode()


@pytest.mark.parametrize("inside", ["\u200b", "\u00ad", "\u2060", "\ufeff", "\r\n"])
def test_characters_that_show_nothing_do_not_hide_a_token(
    browser: Client, node: Sandbox, inside: str
) -> None:
    hidden = TOKEN[:20] + inside + TOKEN[20:]

    response = browser.post("/keys/new/", {"label": hidden, "lifetime": "30d"})

    assert REFUSAL in words_of(response)
    assert hidden not in response.content.decode()
    assert asked(node) == []


@pytest.mark.django_db
def test_the_sign_in_form_does_not_send_a_token_back() -> None:
    response = Client().post("/accounts/login/", {"login": TOKEN, "password": "x"})

    assert REFUSAL in words_of(response)
    assert TOKEN not in response.content.decode()


@pytest.mark.parametrize("field", ["label", "lifetime", "permission"])
def test_a_text_that_is_far_too_long_is_refused_unread_and_not_sent_back(
    browser: Client, node: Sandbox, field: str
) -> None:
    filled = {"label": "backup", "lifetime": "30d", "permission": "upload"}

    response = browser.post("/keys/new/", {**filled, field: TOKEN + "x" * 5000})

    assert "This is too long: it has 5042 characters." in words_of(response)
    assert TOKEN not in response.content.decode()
    assert asked(node) == []


def test_what_is_no_field_of_the_form_is_not_searched(browser: Client) -> None:
    response = browser.post("/keys/new/", {"label": "", "lifetime": "30d", "other": TOKEN})

    assert REFUSAL not in words_of(response)
    assert TOKEN not in response.content.decode()


def test_a_value_that_is_no_text_is_left_to_its_field() -> None:
    class NumberForm(NoTokenFieldsMixin):
        number = forms.IntegerField()

    form = NumberForm({"number": 5})

    assert form.is_valid()
    assert form.cleaned_data == {"number": 5}
