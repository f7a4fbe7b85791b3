"""Links that fill the form of a new key, and the link to make another key like one that exists."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client

from keys.api_keys.prefill import address_like, prefill_of
from keys.models import KeyCreation
from keys.policy.rules import NoEnd, Policy
from keys.sandbox import Sandbox
from keys.upstream import Permission
from tests.keys.evidence import words_of

URL = "/keys/new/"
TOKEN = "EST6f1c2a4e-1111-4a2b-9c3d-1234567890abARY"


def chosen(response: Any) -> dict[str, str]:
    """The values of the form as the page shows it."""
    page = response.content.decode()
    found = {}
    for tag in re.findall(r"<input[^>]*>", page):
        value = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if value.get("type") == "radio" and " checked" not in tag:
            continue
        found[value.get("name", "")] = value.get("value", "")
    return found


def test_a_link_fills_the_form_and_sends_nothing(browser: Client, node: Sandbox) -> None:
    values = {
        "label": "ci & more",
        "lifetime": "90d",
        "permission": "all",
        "purpose": "The nightly build",
    }

    page = browser.get(URL, values)

    assert chosen(page).items() >= {**values, "label": "ci &amp; more"}.items()
    assert "left out" not in words_of(page)
    assert node.requests == []
    assert not KeyCreation.objects.exists()


@pytest.mark.parametrize(
    ("asked", "filled"),
    [
        ({"lifetime": "8h"}, {"lifetime": "8h"}),
        ({"custom_lifetime": "2w"}, {"lifetime": "custom", "custom_lifetime": "2w"}),
        ({"ends_on": "2120-01-31"}, {"lifetime": "date", "ends_on": "2120-01-31"}),
        ({"lifetime": "never"}, {"lifetime": "never"}),
        ({"lifetime": "30d", "ends_on": "rubbish"}, {"lifetime": "30d"}),
        ({"lifetime": ""}, {"lifetime": "30d"}),
        ({"nonce": "mine", "csrfmiddlewaretoken": "mine", "other": "x"}, {"lifetime": "30d"}),
    ],
)
def test_a_link_may_name_any_field(
    browser: Client, asked: dict[str, str], filled: dict[str, str]
) -> None:
    page = browser.get(URL, asked)

    assert chosen(page).items() >= filled.items()
    assert "left out" not in words_of(page)
    assert 'value="mine"' not in page.content.decode()


@pytest.mark.parametrize(
    ("asked", "sentence", "usual"),
    [
        ({"label": "x" * 201}, "200 characters at the most", {"label": ""}),
        ({"label": "a\nb"}, "cannot hold line breaks", {"label": ""}),
        ({"label": "a\0b"}, "Null characters", {"label": ""}),
        ({"lifetime": "2d"}, "Select a valid choice", {"lifetime": "30d"}),
        ({"custom_lifetime": "soon"}, "not a length of time", {"custom_lifetime": ""}),
        ({"ends_on": "2001-01-01"}, "This day is over", {"ends_on": ""}),
        ({"ends_on": "tomorrow"}, "2027-01-31", {"ends_on": ""}),
        ({"permission": "root"}, "Select a valid choice", {"permission": "upload"}),
        ({"purpose": "x" * 501}, "500 characters", {"purpose": ""}),
    ],
)
def test_what_the_form_refuses_is_left_out_and_said(
    browser: Client, asked: dict[str, str], sentence: str, usual: dict[str, str]
) -> None:
    page = browser.get(URL, asked)

    assert {name: chosen(page).get(name, "") for name in usual} == usual
    assert "value was left out." in words_of(page)
    assert sentence in words_of(page)


def test_a_link_gives_no_more_than_the_policy() -> None:
    policy = Policy(
        longest_lifetime=timedelta(days=30),
        no_end=NoEnd.FORBID,
        permissions=(Permission.UPLOAD,),
    )
    for asked in ({"lifetime": "never"}, {"permission": "all"}, {"custom_lifetime": "31d"}):
        found = prefill_of(asked, policy, is_admin=False)

        assert found.refused.keys() == asked.keys()
        assert not found.values.keys() & asked.keys()


@pytest.mark.parametrize("name", ["label", "purpose", "custom_lifetime", "other", TOKEN])
@pytest.mark.parametrize("secret", [TOKEN, f"x{TOKEN}", TOKEN[:9] + "\u200b" + TOKEN[9:]])
def test_a_link_with_a_token_leads_to_the_empty_form(
    browser: Client, name: str, secret: str
) -> None:
    response = browser.get(URL, {name: secret})

    assert response.status_code == 302
    assert response["Location"] == URL
    page = browser.get(URL)
    assert "held a token" in words_of(page)
    assert TOKEN not in page.content.decode()


@pytest.mark.parametrize(
    "lifetime", [timedelta(hours=8), timedelta(days=90), timedelta(minutes=97), None]
)
def test_a_link_to_a_key_like_another_is_accepted_whole(lifetime: timedelta | None) -> None:
    address = address_like("a=b&c", "to test", "all", lifetime)
    asked = dict(parse_qsl(urlsplit(address).query))

    found = prefill_of(asked, Policy(), is_admin=False)

    assert found.values == asked
    assert found.refused == {}


def test_the_page_of_a_key_leads_to_another_like_it(browser: Client, node: Sandbox) -> None:
    nonce = chosen(browser.get(URL))["nonce"]
    values = {"label": "first", "purpose": "to test"}
    values |= {"lifetime": "custom", "custom_lifetime": "90m", "permission": "all"}
    browser.post(URL, {**values, "nonce": nonce})
    token_hash = KeyCreation.objects.get().token_hash

    page = browser.get(f"/keys/{token_hash}/").content.decode()
    [there] = re.findall(r'href="([^"]+)"[^>]*>Another like this', page)
    form = browser.get(there.replace("&amp;", "&"))

    assert chosen(form).items() >= {**values, "custom_lifetime": "1 hour 30 minutes"}.items()
    assert "left out" not in words_of(form)
