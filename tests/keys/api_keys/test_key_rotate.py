"""Rotating a key: the form, the new token shown once, and when the old key ends."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from keys.actors import Actor
from keys.api_keys import rotate as rotate_service
from keys.api_keys import rotations
from keys.api_keys.rotations import ties_of
from keys.audit.vocabulary import Action
from keys.models import KeyCreation, Rotation, StoredToken
from keys.notes.services import NoteText, note_of, save_note, text_of
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.token import replacing
from keys.token.stored_tokens import prove_candidate
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.api_keys.test_key_create import first_look_too_early, token_in
from tests.keys.evidence import asked, audited, labels_at, last_row, words_of

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _time_enough(node: Sandbox, settings: Any) -> None:
    """On a busy machine too, the request does everything itself."""
    settings.ESTUARY_TIMEOUT = 30


def url_of(token: str) -> str:
    return f"/keys/{hash_of(token)}/rotate/"


def filled_in(client: Client, token: str, **changes: str) -> dict[str, str]:
    """What a browser sends when only `changes` are made to the form."""
    page = unescape(client.get(url_of(token)).content.decode())
    data = dict(re.findall(r'<input type="(?:text|hidden)" name="(\w+)" value="([^"]*)"', page))
    checked = re.findall(r'type="radio" name="(\w+)" value="(\w+)"[^>]* checked', page)
    data |= dict(checked)
    data.pop("csrfmiddlewaretoken", None)
    return data | changes


def rotate(client: Client, token: str, **changes: str) -> Any:
    return client.post(url_of(token), filled_in(client, token, **changes))


def test_the_form_proposes_a_key_like_the_old_one(
    browser: Client, node: Sandbox, alice: User
) -> None:
    form = {"label": "ci", "lifetime": "custom", "custom_lifetime": "45d", "permission": "all"}
    page = browser.get("/keys/new/").content.decode()
    [nonce] = re.findall(r'name="nonce" value="([^"]+)"', page)
    old = token_in(browser.post("/keys/new/", form | {"nonce": nonce, "purpose": "builds"}))

    proposed = filled_in(browser, old)

    assert proposed["label"] == "ci"
    assert (proposed["lifetime"], proposed["custom_lifetime"]) == ("custom", "45 days")
    assert (proposed["permission"], proposed["purpose"]) == ("all", "builds")
    assert proposed["overlap"] == "24h"


def test_a_key_made_elsewhere_keeps_its_label_and_gets_the_least(
    browser: Client, backup: str
) -> None:
    proposed = filled_in(browser, backup)

    assert (proposed["label"], proposed["lifetime"]) == ("backup", "30d")
    assert proposed["permission"] == "upload"
    assert "its permission is not known" in words_of(browser.get(url_of(backup)))


def test_the_new_token_is_shown_and_the_old_key_works_on(
    browser: Client, node: Sandbox, backup: str
) -> None:
    response = rotate(browser, backup)

    new = token_in(response)
    assert new != backup
    assert node.state.keys[new].label == "backup"
    assert backup in node.state.keys
    assert "It will not be shown again." in words_of(response)
    assert f"The old key {hash_of(backup)[:8]} ends" in words_of(response)
    assert backup not in response.content.decode()
    rotation = Rotation.objects.get()
    assert rotation.state == "overlap"
    assert timedelta(hours=23) < rotation.ends_at - timezone.now() <= timedelta(hours=24)
    assert rotation.due_at == rotation.ends_at


def test_now_ends_the_old_key_after_the_new_one_is_there(
    browser: Client, node: Sandbox, backup: str
) -> None:
    data = filled_in(browser, backup, overlap="now")
    node.forget_requests()
    response = browser.post(url_of(backup), data)

    new = token_in(response)
    assert labels_at(node) == ["backup", "console"]
    assert set(node.state.keys) >= {new}
    assert backup not in node.state.keys
    changes = [request.method for request in node.requests if request.method != "GET"]
    assert changes == ["POST", "DELETE"]
    assert f"The old key {hash_of(backup)[:8]} has ended" in words_of(response)
    assert Rotation.objects.get().state == "ended"
    assert Rotation.objects.get().due_at is None


@pytest.mark.parametrize(
    ("overlap", "custom", "expected"),
    [
        ("1h", "", timedelta(hours=1)),
        ("7d", "", timedelta(days=7)),
        ("custom", "36h", timedelta(hours=36)),
        ("custom", "1m", timedelta(minutes=1)),
    ],
)
def test_the_overlap_can_be_chosen(
    browser: Client, backup: str, overlap: str, custom: str, expected: timedelta
) -> None:
    rotate(browser, backup, overlap=overlap, custom_overlap=custom)

    rotation = Rotation.objects.get()
    assert expected - MINUTE < rotation.ends_at - timezone.now() <= expected


@pytest.mark.parametrize("custom", ["", "soon", "30s", "-1h", "0", "5"])
def test_a_time_that_makes_no_sense_is_refused(
    browser: Client, node: Sandbox, backup: str, custom: str
) -> None:
    response = rotate(browser, backup, overlap="custom", custom_overlap=custom)

    assert "one minute at least" in words_of(response)
    assert labels_at(node) == ["backup", "console"]


def test_the_old_key_ends_at_its_own_end_at_the_latest(
    browser: Client, node: Sandbox, account: Account
) -> None:
    old = node.add_key(account, label="short", lifetime=timedelta(hours=2))

    response = rotate(browser, old, overlap="7d")

    left = Rotation.objects.get().ends_at - timezone.now()
    assert timedelta(hours=1, minutes=58) < left <= timedelta(hours=2)
    assert "at its own end" in words_of(response)


def test_the_same_form_twice_makes_one_key(browser: Client, node: Sandbox, backup: str) -> None:
    for overlap in ("24h", "now"):
        data = filled_in(browser, list(node.state.keys)[-1], overlap=overlap)
        url = url_of(list(node.state.keys)[-1])
        before = len(KeyCreation.objects.all())
        browser.post(url, data)
        response = browser.post(url, data)

        assert KeyCreation.objects.count() == before + 1
        assert "This key was created already" in words_of(response)
        assert not re.search(r"EST[0-9a-f-]{36}ARY", response.content.decode())


def test_a_key_is_not_replaced_twice_at_a_time(browser: Client, node: Sandbox, backup: str) -> None:
    data = filled_in(browser, backup)
    rotate(browser, backup)
    node.forget_requests()

    response = browser.post(url_of(backup), data)

    assert "is being replaced already" in words_of(response)
    assert "POST /user/api-keys" not in asked(node)


def test_the_new_key_can_be_rotated_while_the_old_one_works(
    browser: Client, node: Sandbox, backup: str
) -> None:
    second = token_in(rotate(browser, backup))
    third = token_in(rotate(browser, second, overlap="1h"))

    ties = ties_of([hash_of(token) for token in (backup, second, third)])
    assert [tie.other_hash for tie in ties[hash_of(backup)]] == [hash_of(second)]
    assert {tie.other_hash for tie in ties[hash_of(second)]} == {hash_of(backup), hash_of(third)}
    assert [tie.is_replaced for tie in ties[hash_of(third)]] == [False]


def test_the_ties_of_a_page_take_one_query(
    browser: Client, backup: str, django_assert_num_queries: Any
) -> None:
    new = token_in(rotate(browser, backup))

    with django_assert_num_queries(1):
        ties_of([hash_of(token) for token in (backup, new, "another")])
    with django_assert_num_queries(0):
        assert ties_of([]) == {}


def test_a_key_that_has_ended_is_created_once_more_and_said_so(
    browser: Client, node: Sandbox, account: Account
) -> None:
    old = node.add_key(account, label="old", lifetime=timedelta(days=-1))

    page = browser.get(url_of(old))
    response = browser.post(url_of(old), filled_in(browser, old))

    assert "This key has ended, so it cannot be rotated." in words_of(page)
    assert 'name="overlap"' not in page.content.decode()
    assert "had ended before. Nothing was done to it." in words_of(response)
    assert labels_at(node) == ["console", "old", "old"]
    assert Rotation.objects.get().state == "recreated"
    assert last_row(Action.KEY_RECREATED).token_hash == hash_of(old)


def test_the_new_key_gets_the_note_of_the_old_one(
    browser: Client, alice: User, backup: str
) -> None:
    text = NoteText(display_name="Nightly", purpose="copies", contact="ops@example.com")
    save_note(Actor(alice, "", ""), hash_of(backup), text)

    new = token_in(rotate(browser, backup, purpose="copies of the wiki"))

    expected = NoteText("Nightly", "copies of the wiki", "", "ops@example.com", "")
    assert text_of(note_of(hash_of(new))) == expected


def test_it_is_recorded_without_a_token(browser: Client, backup: str) -> None:
    new = token_in(rotate(browser, backup))

    assert ("key:rotated", "done") in audited()
    row = last_row(Action.KEY_ROTATED)
    assert row.token_hash == hash_of(backup)
    assert row.detail["replaced_by"] == hash_of(new)[:8]
    assert not any(token in str(vars(Rotation.objects.get())) for token in (backup, new))


def test_the_policy_is_kept_and_the_replaced_key_does_not_count(
    browser: Client, node: Sandbox, backup: str, settings: Any
) -> None:
    settings.POLICY = settings.POLICY | {
        "POLICY_LONGEST_LIFETIME": "7d",
        "POLICY_MAX_KEYS": "2",
    }

    proposed = filled_in(browser, backup)
    refused = browser.post(url_of(backup), proposed | {"lifetime": "90d"})

    assert proposed["lifetime"] == "7d"
    assert "at most 7 days" in words_of(refused)
    assert labels_at(node) == ["backup", "console"]
    assert token_in(rotate(browser, backup))


def test_a_chain_of_overlaps_does_not_void_the_most_keys(
    browser: Client, node: Sandbox, token: str, backup: str, settings: Any
) -> None:
    settings.POLICY = settings.POLICY | {"POLICY_MAX_KEYS": "2"}
    second = token_in(rotate(browser, backup, overlap="7d"))

    refused = rotate(browser, second, overlap="7d")

    assert labels_at(node) == ["backup", "backup", "console"]
    assert f"This key replaces the key {hash_of(backup)[:8]}" in words_of(refused)
    assert "end that one first, then rotate this one." in words_of(refused)
    assert token_in(rotate(browser, token, overlap="7d")) in node.state.keys
    browser.post(f"/keys/{hash_of(backup)}/rotation/", {"overlap": "now"})
    assert token_in(rotate(browser, second)) in node.state.keys


def test_a_key_that_is_kept_beside_its_replacement_is_not_rotated_again_at_the_most_keys(
    browser: Client, node: Sandbox, backup: str, settings: Any
) -> None:
    settings.POLICY = settings.POLICY | {"POLICY_MAX_KEYS": "2"}
    second = token_in(rotate(browser, backup))
    Rotation.objects.update(state="kept", reason="used-by-console", due_at=None)

    for old in (backup, second):
        assert "The account has 3 keys, and may have 2." in words_of(rotate(browser, old))

    refused = words_of(rotate(browser, backup))
    assert f"{hash_of(second)[:8]} was made to replace this one, and both work" in refused
    assert labels_at(node) == ["backup", "backup", "console"]
    node.remove_key(second)
    assert token_in(rotate(browser, backup)) in node.state.keys


def test_below_the_most_keys_a_chain_of_overlaps_is_allowed(
    browser: Client, node: Sandbox, backup: str, settings: Any
) -> None:
    settings.POLICY = settings.POLICY | {"POLICY_MAX_KEYS": "4"}
    second = token_in(rotate(browser, backup))

    third = token_in(rotate(browser, second))

    refused = rotate(browser, third)
    assert "The account has 4 keys, and may have 4." in words_of(refused)


def test_an_old_key_that_is_gone_does_not_keep_its_successor_from_being_rotated(
    browser: Client, node: Sandbox, backup: str, settings: Any
) -> None:
    settings.POLICY = settings.POLICY | {"POLICY_MAX_KEYS": "2"}
    second = token_in(rotate(browser, backup))
    node.remove_key(backup)

    assert token_in(rotate(browser, second)) in node.state.keys


@pytest.mark.parametrize("kind", ["500", "reset-before", "429"])
def test_nothing_ends_when_no_new_key_was_made(
    browser: Client, node: Sandbox, backup: str, kind: str
) -> None:
    data = filled_in(browser, backup, overlap="now")
    node.set_fault("create", Fault(kind))

    response = browser.post(url_of(backup), data)

    assert not re.search(r"EST[0-9a-f-]{36}ARY", response.content.decode())
    assert labels_at(node) == ["backup", "console"]
    assert Rotation.objects.get().state == "kept"


def test_a_lost_answer_keeps_the_old_key_and_says_that_the_token_is_lost(
    browser: Client, node: Sandbox, backup: str
) -> None:
    data = filled_in(browser, backup, overlap="now")
    node.set_fault("create", Fault("reset-after", times=1))

    response = browser.post(url_of(backup), data)

    assert "The key was created, but its token was lost" in words_of(response)
    assert "was kept, because it is not certain" in words_of(response)
    assert labels_at(node) == ["backup", "backup", "console"]
    assert backup in node.state.keys
    assert Rotation.objects.get().state == "kept"


def test_a_new_key_that_is_not_listed_lets_the_old_one_work_on(
    browser: Client, node: Sandbox, backup: str
) -> None:
    data = filled_in(browser, backup, overlap="now")
    node.set_fault("create", Fault("silent-ok", times=1))

    response = browser.post(url_of(backup), data)

    assert "does not list the key yet" in words_of(response)
    assert backup in node.state.keys
    assert Rotation.objects.get().state == "kept"


@pytest.mark.parametrize("kind", ["500", "reset-after", "silent-ok", "429"])
def test_the_token_is_shown_when_the_old_key_cannot_be_ended(
    browser: Client, node: Sandbox, backup: str, kind: str
) -> None:
    data = filled_in(browser, backup, overlap="now")
    node.set_fault("revoke", Fault(kind))

    response = browser.post(url_of(backup), data)

    assert token_in(response) in node.state.keys
    rotation = Rotation.objects.get()
    if backup in node.state.keys:
        assert "is not known to have ended yet: treat it as working" in words_of(response)
        assert rotation.state == "overlap"
        assert rotation.due_at
    else:  # carried out, and the list confirms it
        assert "has ended" in words_of(response)


def test_after_a_failure_the_key_can_be_rotated_again(
    browser: Client, node: Sandbox, backup: str
) -> None:
    data = filled_in(browser, backup)
    node.set_fault("create", Fault("500", times=1))
    browser.post(url_of(backup), data)

    assert token_in(rotate(browser, backup)) in node.state.keys
    assert list(Rotation.objects.order_by("pk").values_list("state", flat=True)) == [
        "kept",
        "overlap",
    ]


def test_the_consoles_own_key_changes_over_before_the_old_one_ends(
    browser: Client, node: Sandbox, token: str
) -> None:
    data = filled_in(browser, token, overlap="now")
    assert data["permission"] == "all"
    response = browser.post(url_of(token), data)

    new = token_in(response)
    assert token not in node.state.keys
    assert StoredToken.objects.get().token_hash == hash_of(new)
    assert "This console now works with the new key." in words_of(response)
    assert "console" in words_of(browser.get("/keys/"))
    assert ("token:renewed", "done") in audited()
    assert Rotation.objects.get().sealed_candidate == ""


SWITCHED = "This console now works with the new key."


def test_a_console_that_could_not_switch_does_not_say_that_it_did(
    browser: Client, node: Sandbox, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(rotate_service, "keep_candidate", away)

    response = rotate(browser, token, overlap="now")

    assert token_in(response) in node.state.keys
    assert SWITCHED not in words_of(response)
    assert "This console still works with the old key" in words_of(response)
    assert ", so it does not end it" in words_of(response)
    assert "keeps trying" not in words_of(response)
    assert token in node.state.keys
    assert StoredToken.objects.get().token_hash == hash_of(token)


@pytest.mark.parametrize("way", ["another", "none"])
def test_a_token_that_was_connected_or_disconnected_meanwhile_is_not_said_to_be_the_new_one(
    browser: Client,
    node: Sandbox,
    account: Account,
    token: str,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    other = node.add_key(account, label="another")

    def meanwhile(*args: Any) -> None:
        prove_candidate(*args)
        if way == "another":
            connect(alice, other)
        else:
            StoredToken.objects.all().delete()

    monkeypatch.setattr(replacing, "prove_candidate", meanwhile)

    response = rotate(browser, token)

    assert token_in(response) in node.state.keys
    assert SWITCHED not in words_of(response)
    assert "still works with the old key" not in words_of(response)


def test_a_second_submit_says_which_key_the_console_works_with(
    browser: Client, token: str, alice: User
) -> None:
    data = filled_in(browser, token)
    browser.post(url_of(token), data)

    assert SWITCHED in words_of(browser.post(url_of(token), data))
    connect(alice, token)
    assert SWITCHED not in words_of(browser.post(url_of(token), data))


def test_the_consoles_own_key_cannot_become_upload_only(
    browser: Client, node: Sandbox, token: str
) -> None:
    response = rotate(browser, token, permission="upload")

    assert "Select a valid choice" in words_of(response)
    assert labels_at(node) == ["console"]


def test_a_part_is_answered_to_htmx(browser: Client, backup: str) -> None:
    page = browser.get(url_of(backup), headers=HTMX).content.decode()
    answer = browser.post(url_of(backup), filled_in(browser, backup), headers=HTMX)

    assert page.lstrip().startswith('<form id="key-rotate"')
    assert answer.content.decode().lstrip().startswith('<section id="key-created"')


def test_other_members_and_strangers_cannot_rotate_it(
    browser: Client, node: Sandbox, carol: User, backup: str
) -> None:
    connect(carol, node.add_key(node.add_user("carol"), label="hers"))
    data = filled_in(browser, backup)

    other = signed_in(carol).post(url_of(backup), data)
    stranger = Client().post(url_of(backup), data)

    assert other.status_code == 302
    assert stranger["Location"].startswith("/accounts/login/")
    assert labels_at(node) == ["backup", "console", "hers"]
    assert not Rotation.objects.exists()


def test_a_form_of_another_session_creates_nothing(
    browser: Client, node: Sandbox, alice: User, backup: str
) -> None:
    data = filled_in(browser, backup)

    response = signed_in(alice).post(url_of(backup), data)

    assert "This form was too old" in words_of(response)
    assert labels_at(node) == ["backup", "console"]


def test_wrong_methods_and_missing_csrf_tokens_are_refused(
    alice: User, browser: Client, backup: str
) -> None:
    strict = signed_in(alice, enforce_csrf_checks=True)

    assert browser.put(url_of(backup)).status_code == 405
    assert strict.post(url_of(backup), {"label": "x"}).status_code == 403


def test_the_keys_page_shows_the_chain(browser: Client, node: Sandbox, backup: str) -> None:
    second = token_in(rotate(browser, backup))
    third = token_in(rotate(browser, second, overlap="now"))

    page = words_of(browser.get(f"/keys/{hash_of(third)}/"))

    first_link = page.index(f"{hash_of(backup)[:8]} replaced by {hash_of(second)[:8]}")
    assert first_link < page.index(f"{hash_of(second)[:8]} replaced by {hash_of(third)[:8]}")
    assert "Both work; the old key ends in" in page
    assert "The old key ended just now" in page


def test_a_rotation_whose_outcome_stays_unknown_does_not_block_the_key(
    browser: Client, node: Sandbox, backup: str
) -> None:
    rotate(browser, backup)
    Rotation.objects.update(state="requested", due_at=None)
    assert "is being replaced already" in words_of(rotate(browser, backup))
    KeyCreation.objects.update(requested_at=timezone.now() - timedelta(hours=1))

    assert token_in(rotate(browser, backup)) in node.state.keys


def test_a_key_that_vanished_since_the_form_was_shown_is_not_replaced(
    browser: Client, node: Sandbox, backup: str
) -> None:
    data = filled_in(browser, backup)
    node.remove_key(backup)

    response = browser.post(url_of(backup), data)

    assert "Estuary does not list the key that is to be replaced." in words_of(response)
    assert labels_at(node) == ["console"]


def test_two_forms_at_once_replace_a_key_once(
    browser: Client, node: Sandbox, backup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = filled_in(browser, backup), filled_in(browser, backup)
    browser.post(url_of(backup), first)
    # The second one looked before the first one was recorded.
    monkeypatch.setattr(rotations, "open_rotation_of", lambda _: None)

    response = browser.post(url_of(backup), second)

    assert "No key was created. This key is being replaced already." in words_of(response)
    assert labels_at(node) == ["backup", "backup", "console"]


def test_one_form_that_arrives_twice_at_once_makes_one_key(
    browser: Client, node: Sandbox, backup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = filled_in(browser, backup)
    browser.post(url_of(backup), data)
    # The second request looked before the first one was recorded.
    monkeypatch.setattr("keys.api_keys.views.key_rotate.rotated_before", lambda *_: None)

    response = browser.post(url_of(backup), data)

    assert "This key was created already" in words_of(response)
    assert Rotation.objects.count() == 1
    assert labels_at(node) == ["backup", "backup", "console"]


def test_the_second_of_two_submits_is_not_refused_for_what_the_first_one_did(
    browser: Client, node: Sandbox, backup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = filled_in(browser, backup)
    browser.post(url_of(backup), data)
    monkeypatch.setattr("keys.api_keys.views.key_rotate.rotated_before", lambda *_: None)
    first_look_too_early(monkeypatch)

    response = browser.post(url_of(backup), data)

    assert "This key was created already" in words_of(response)
    assert labels_at(node) == ["backup", "backup", "console"]


def test_a_form_that_made_a_key_on_another_page_rotates_nothing(
    browser: Client, node: Sandbox, backup: str
) -> None:
    data = filled_in(browser, backup, label="first")
    browser.post("/keys/new/", data)

    response = browser.post(url_of(backup), data)

    assert "This key was created already" in words_of(response)
    assert not Rotation.objects.exists()
    assert labels_at(node) == ["backup", "console", "first"]


@pytest.mark.parametrize("is_own", [True, False])
def test_the_token_is_shown_before_the_time_of_the_page_is_over(
    browser: Client,
    node: Sandbox,
    token: str,
    backup: str,
    monkeypatch: pytest.MonkeyPatch,
    is_own: bool,
) -> None:
    """Creating the key took so long that no further call to Estuary would end in time."""
    monkeypatch.setattr(rotate_service, "SHORTEST_CALL_SECONDS", 1000)
    old = token if is_own else backup

    response = rotate(browser, old, overlap="now")

    assert token_in(response) in node.state.keys
    assert old in node.state.keys
    assert StoredToken.objects.get().token_hash == hash_of(token)
    rotation = Rotation.objects.get()
    assert rotation.state == "overlap"
    assert rotation.due_at


def test_chains_that_are_longer_than_a_page_are_cut(
    browser: Client, backup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotations, "MAX_CHAIN_LENGTH", 1)
    second = token_in(rotate(browser, backup))
    third = token_in(rotate(browser, second))

    assert [link.old_hash for link in rotations.chain_of(hash_of(third))] == [hash_of(second)]
    assert [link.new_hash for link in rotations.chain_of(hash_of(backup))] == [hash_of(second)]
