"""Creating a key: the form, the request to Estuary, and the answer with the token."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from keys.api_keys import create
from keys.api_keys.table import PAGE_SIZE
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, KeyCreation
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import asked, audited, labels_at, last_row, listed, words_of

URL = "/keys/new/"


def form_of(client: Client, **changes: str) -> dict[str, str]:
    """What a browser sends: a fresh form, filled in."""
    page = client.get(URL).content.decode()
    [nonce] = re.findall(r'name="nonce" value="([^"]+)"', page)
    data = {"label": "backup", "lifetime": "30d", "permission": "upload", "nonce": nonce}
    return data | changes


def token_in(response: Any) -> str:
    tokens: set[str] = set(re.findall(r"EST[0-9a-f-]{36}ARY", response.content.decode()))
    [token] = tokens
    return token


def first_look_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next submit looks for an earlier one before that one is recorded."""
    found = create.created_before
    looks = iter([lambda *_: None, found])
    monkeypatch.setattr(create, "created_before", lambda *asked: next(looks)(*asked))


@pytest.mark.parametrize("limit", ["policy", "throttle", "list"])
def test_the_second_of_two_submits_is_not_refused_for_what_the_first_one_did(
    browser: Client, node: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    if limit == "policy":
        settings.POLICY = settings.POLICY | {"POLICY_MAX_KEYS": "2"}
    if limit == "throttle":
        settings.MEMBER_CHANGES_PER_MINUTE = 1
    data = form_of(browser)
    browser.post(URL, data)
    if limit == "list":
        node.set_fault("list", Fault("500"))
    first_look_too_early(monkeypatch)

    response = browser.post(URL, data)

    assert "This key was created already" in words_of(response)
    assert labels_at(node) == ["backup", "console"]


def test_the_form_defaults_to_the_least_permission(browser: Client, node: Sandbox) -> None:
    page = browser.get(URL).content.decode()

    assert re.search(r'value="30d"[^>]*checked', page)
    assert re.search(r'value="upload"[^>]*checked', page)
    assert node.requests == []


def test_the_answer_to_the_post_shows_the_token(browser: Client, node: Sandbox) -> None:
    response = browser.post(URL, form_of(browser))

    token = token_in(response)
    assert response.status_code == 200
    assert node.state.keys[token].label == "backup"
    assert node.state.keys[token].upload_only
    assert "It will not be shown again." in words_of(response)
    assert hash_of(token)[:8] in words_of(response)
    assert response["Cache-Control"] == "no-store"


def test_the_token_is_stored_nowhere(
    browser: Client, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    caplog.set_level(0)
    response = browser.post(URL, form_of(browser))
    token = token_in(response)

    rows = [vars(row) for row in (*AuditEntry.objects.all(), *KeyCreation.objects.all())]
    assert token not in str(rows)
    assert token not in str([session.get_decoded() for session in Session.objects.all()])
    assert token not in str(cache.get_many([f"key-list:{pk}" for pk in range(10)]))
    assert token not in str(response.headers) + str(response.cookies)
    assert token not in caplog.text
    for path in ("/keys/", f"/keys/{hash_of(token)}/", URL, "/account/"):
        assert token not in browser.get(path).content.decode()


def test_everything_is_sent_in_the_query_once(browser: Client, node: Sandbox) -> None:
    label = 'a;b%c+d&e=f#"ü🔑'

    browser.post(URL, form_of(browser, label=f" {label} ", lifetime="90d", permission="all"))

    [post] = [request for request in node.requests if request.method == "POST"]
    assert parse_qs(post.query) == {"label": [label], "expiry": ["2160h"], "perms": ["all"]}
    assert post.body == b""
    # The list is read before, to find a lost answer, and after, to see that the key is there.
    assert asked(node) == ["GET /user/api-keys", "POST /user/api-keys", "GET /user/api-keys"]


def test_a_custom_lifetime_is_sent(browser: Client, node: Sandbox) -> None:
    browser.post(URL, form_of(browser, lifetime="custom", custom_lifetime="1h30m"))

    assert "expiry=1h30m" in node.requests[-2].query
    assert KeyCreation.objects.get().lifetime == timedelta(minutes=90)


def test_a_permanent_key_can_be_chosen(browser: Client, node: Sandbox) -> None:
    response = browser.post(URL, form_of(browser, lifetime="never"))

    assert "expiry=false" in node.requests[-2].query
    assert "Expires No expiry" in words_of(response)


def test_it_is_recorded_before_and_after(browser: Client) -> None:
    token = token_in(browser.post(URL, form_of(browser)))

    assert audited()[-2:] == [("key:create-requested", "started"), ("key:created", "done")]
    assert last_row(Action.KEY_CREATED).fingerprint == hash_of(token)[:8]
    record = KeyCreation.objects.get()
    assert (record.outcome, record.token_hash) == ("created", hash_of(token))
    assert record.permission == "upload"


def test_the_list_shows_the_new_key_at_once(browser: Client, node: Sandbox) -> None:
    browser.get("/keys/")
    response = browser.post(URL, form_of(browser))
    [there] = re.findall(r'href="(/keys/\?new=[^"]+)"', response.content.decode())

    page = words_of(browser.get(there))

    assert re.search("backup [-\\w]{8} New Upload only", page)


def test_the_new_key_is_listed_first_and_once(
    browser: Client, node: Sandbox, account: Account
) -> None:
    others = [f"a {number:03}" for number in range(PAGE_SIZE + 10)]
    for label in others:
        node.add_key(account, label)
    response = browser.post(URL, form_of(browser, label="b"))
    [there] = re.findall(r'href="/keys/(\?new=[^"]+)"', response.content.decode())

    there += "&sort=label"
    assert listed(browser, there) == ["b", *others[: PAGE_SIZE - 1]]
    assert listed(browser, f"{there}&page=2") == [*others[PAGE_SIZE - 1 :], "console"]
    assert listed(browser, "?page=2&sort=label") == [*others[PAGE_SIZE:], "b", "console"]


def test_the_new_key_has_a_group_of_its_own(
    browser: Client, node: Sandbox, account: Account
) -> None:
    node.add_key(account, "ends first", timedelta(days=1))
    response = browser.post(URL, form_of(browser, label="b"))
    [there] = re.findall(r'href="/keys/(\?new=[^"]+)"', response.content.decode())

    page = words_of(browser.get(f"/keys/{there}"))

    assert listed(browser, there)[:2] == ["b", "ends first"]
    assert page.index("New · 1") < page.index("Ends within 7 days · 1") < page.index("Later · 1")


def test_the_list_warns_about_a_new_key_that_estuary_does_not_list(
    browser: Client, node: Sandbox
) -> None:
    node.set_fault("create", Fault("silent-ok"))
    token = token_in(browser.post(URL, form_of(browser)))
    told = "Estuary does not list the new key"

    assert f"{told} {hash_of(token)[:8]}" in words_of(browser.get(f"/keys/?new={hash_of(token)}"))
    assert told not in words_of(browser.get("/keys/?new=whatever"))


def test_an_address_alone_does_not_mark_a_key_as_new(
    browser: Client, node: Sandbox, account: Account
) -> None:
    token = token_in(browser.post(URL, form_of(browser)))
    other = node.add_key(account, label="other", lifetime=timedelta(days=-400))

    for query in (hash_of(other), "%00"):
        assert "New · 1" not in words_of(browser.get(f"/keys/?new={query}"))
    assert "New · 1" in words_of(browser.get(f"/keys/?new={hash_of(token)}"))
    KeyCreation.objects.update(requested_at=timezone.now() - timedelta(hours=2))
    assert "New · 1" not in words_of(browser.get(f"/keys/?new={hash_of(token)}"))


def test_htmx_gets_the_created_part(browser: Client) -> None:
    response = browser.post(URL, form_of(browser), headers=HTMX)

    assert response.content.decode().lstrip().startswith('<section id="key-created"')
    assert token_in(response)


def test_a_label_is_shown_as_text(browser: Client) -> None:
    response = browser.post(URL, form_of(browser, label="<img src=x onerror=alert(1)>"))

    assert "<img" not in response.content.decode()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"label": ""}, "Give the key a label"),
        ({"label": "x" * 201}, "200 characters at the most"),
        ({"label": "a\nb"}, "line breaks or control characters"),
        ({"lifetime": "custom", "custom_lifetime": "0"}, "at least one minute"),
        ({"lifetime": "custom", "custom_lifetime": "40000d"}, "at most 100 years"),
        ({"permission": "root"}, "Select a valid choice"),
    ],
)
def test_an_invalid_form_keeps_the_input_and_sends_nothing(
    browser: Client, node: Sandbox, changes: dict[str, str], sentence: str
) -> None:
    filled = form_of(browser, **{"label": "kept", "lifetime": "7d", **changes})

    response = browser.post(URL, filled)

    assert response.status_code == 200
    assert sentence in words_of(response)
    assert "kept" in response.content.decode() or "label" in changes
    assert node.requests == []
    assert not KeyCreation.objects.exists()


def test_htmx_gets_an_invalid_form_back(browser: Client, node: Sandbox) -> None:
    response = browser.post(URL, form_of(browser, label=""), headers=HTMX)

    assert response.status_code == 200
    assert response.content.decode().lstrip().startswith('<form id="key-create"')
    assert node.requests == []


@pytest.mark.parametrize("generation", ["legacy", "vintage"])
def test_old_nodes_create_keys_without_labels(alice: User, settings: Any, generation: str) -> None:
    with Sandbox(generation=generation) as old:
        settings.ESTUARY_API_URL = urlsplit(old.url)
        connect(alice, old.add_key(old.add_user("alice")))
        client = signed_in(alice)
        token = token_in(client.post(URL, form_of(client)))
        page = words_of(client.get("/keys/"))

    assert labels_at(old) == ["", ""]
    assert token in old.state.keys
    assert "backup" in page  # from our own record


def test_members_use_their_own_token(
    browser: Client, carol: User, node: Sandbox, token: str
) -> None:
    connect(carol, node.add_key(node.add_user("carol")))
    node.forget_requests()

    browser.post(URL, form_of(browser))

    assert {request.headers["authorization"] for request in node.requests} == {f"Bearer {token}"}


def test_a_token_pasted_as_a_label_is_refused(browser: Client, node: Sandbox, token: str) -> None:
    response = browser.post(URL, form_of(browser, label=f"key {token}"))

    assert "This looks like the token of a key" in words_of(response)
    assert token not in response.content.decode()
    assert not [request for request in node.requests if request.method == "POST"]
