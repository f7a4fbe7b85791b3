"""Whose token is this: yours, somebody's of the team, or unknown; and does it work?"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.audit.vocabulary import Action
from keys.jobs import workers
from keys.models import (
    AuditEntry,
    KeyCreation,
    KeyNote,
    Message,
    SeenKey,
    StoredToken,
    SyncedAccount,
)
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.team.sync import sync_due
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.estuary_admin.security.conftest import prove
from tests.keys.evidence import asked, audited, labels_at, last_row, words_of

URL = "/keys/find/"
UNKNOWN = "EST11111111-1111-4111-8111-111111111111ARY"


def kinds(response: Any) -> list[str]:
    return re.findall(r'data-kind="([^"]*)"', response.content.decode())


def standing(response: Any) -> list[str]:
    return re.findall(r'data-standing="([^"]*)"', response.content.decode())


@pytest.fixture
def bob(node: Sandbox, db: None) -> tuple[User, str]:
    """Another member, connected, with another key."""
    member = User.objects.create_user("bob")
    account = node.add_user("bob")
    connect(member, node.add_key(account, label="bob's console"))
    return member, node.add_key(account, label="bob's web")


def test_the_page_asks_for_a_token_and_asks_estuary_nothing(browser: Client, node: Sandbox) -> None:
    response = browser.get(URL)

    assert "Token, fingerprint or text around one" in words_of(response)
    assert node.requests == []


def test_a_token_of_ones_own_is_found_in_a_log_line(
    browser: Client, node: Sandbox, backup: str
) -> None:
    response = browser.post(URL, {"text": f"Authorization: Bearer {backup}"})

    assert kinds(response) == ["mine"]
    assert "Yours: backup" in words_of(response)
    assert f"/keys/{hash_of(backup)}/revoke/?incident" in response.content.decode()
    assert backup not in response.content.decode()
    assert asked(node) == ["GET /user/api-keys"]  # the token itself was not used


def test_session_keys_are_found_too(browser: Client, node: Sandbox, account: Account) -> None:
    session = node.add_key(account, label="on-login", is_session=True)

    response = browser.post(URL, {"text": session})

    assert kinds(response) == ["mine"]
    assert "Session" in words_of(response)


def test_several_tokens_each_get_an_answer(
    browser: Client, node: Sandbox, backup: str, token: str
) -> None:
    response = browser.post(URL, {"text": f"A={backup}\nB={UNKNOWN}\nC={token}"})

    assert kinds(response) == ["mine", "unknown", "mine"]
    assert "3 keys in this text" in words_of(response)


def test_a_fingerprint_is_enough(browser: Client, backup: str) -> None:
    response = browser.post(URL, {"text": hash_of(backup)[:8]})

    assert "Yours: backup" in words_of(response)


def test_a_part_answers_htmx(browser: Client, backup: str) -> None:
    response = browser.post(URL, {"text": backup}, headers=HTMX)

    assert response.content.decode().lstrip().startswith('<section id="key-find"')


def test_the_field_comes_back_empty(browser: Client) -> None:
    for text in (UNKNOWN, f"broken {UNKNOWN[:-2]}", "x" * 200_001, f"{UNKNOWN}\0"):
        page = browser.post(URL, {"text": text}).content.decode()

        assert re.search(r"<textarea[^>]*>\s*</textarea>", page)
        assert UNKNOWN[3:-3] not in page


def test_text_without_a_key_says_so_and_is_not_recorded(browser: Client) -> None:
    response = browser.post(URL, {"text": "nothing in here"})

    assert "There is no token and no fingerprint in this text." in words_of(response)
    assert not AuditEntry.objects.filter(action=Action.KEY_LOOKED_UP).exists()


def test_a_member_learns_that_a_key_is_of_the_team_but_not_whose(
    browser: Client, bob: tuple[User, str]
) -> None:
    stored = StoredToken.objects.get(member=bob[0])

    response = browser.post(URL, {"text": stored.token_hash})

    assert kinds(response) == ["team"]
    assert "Ask an admin of this console to look at it" in words_of(response)
    assert "bob" not in response.content.decode()
    assert last_row(Action.KEY_LOOKED_UP).token_hash == ""
    assert last_row(Action.KEY_LOOKED_UP).detail == {
        "result": "team",
        "asked_for": stored.fingerprint,
    }


def test_an_admin_sees_whose_a_key_in_a_kept_list_is(
    carol: User, node: Sandbox, bob: tuple[User, str]
) -> None:
    member, web = bob
    signed_in(member).get("/keys/")
    node.forget_requests()

    response = signed_in(carol).post(URL, {"text": web})

    assert kinds(response) == ["team"]
    assert "Belongs to bob" in words_of(response)
    assert "Listed among the keys of bob when last read" in words_of(response)
    assert node.requests == []  # nobody's stored token is used
    assert last_row(Action.KEY_LOOKED_UP).token_hash == hash_of(web)


@pytest.mark.parametrize("what", ["creation", "note", "inventory", "revocation"])
def test_an_admin_sees_whose_a_recorded_key_is(
    carol: User, bob: tuple[User, str], what: str
) -> None:
    member, web = bob
    if what == "creation":
        KeyCreation.objects.create(
            nonce="n",
            member=member,
            member_name="bob",
            label="web",
            permission="all",
            outcome="created",
            token_hash=hash_of(web),
        )
    elif what == "inventory":
        SeenKey.objects.create(
            account=SyncedAccount.objects.create(member=member, as_of=timezone.now()),
            token_hash=hash_of(web),
            owner="bob",
            expiry=timezone.now(),
        )
    elif what == "note":
        KeyNote.objects.create(token_hash=hash_of(web)).members.add(member)
    else:
        signed_in(member).get("/keys/")
        signed_in(member).post(f"/keys/{hash_of(web)}/revoke/")

    response = signed_in(carol).post(URL, {"text": hash_of(web)[:8]})

    assert kinds(response) == ["team"]
    assert "Belongs to bob" in words_of(response)


def test_a_key_of_ones_own_that_was_revoked_says_so(browser: Client, backup: str) -> None:
    browser.get("/keys/")
    browser.post(f"/keys/{hash_of(backup)}/revoke/")

    response = browser.post(URL, {"text": backup})

    assert kinds(response) == ["former"]
    assert "Revoked here by alice" in words_of(response)


def test_an_unknown_token_says_so(browser: Client) -> None:
    response = browser.post(URL, {"text": UNKNOWN})

    assert kinds(response) == ["unknown"]
    assert "It is in no list and no record of this console." in words_of(response)


def test_who_is_not_connected_may_look_too(alice: User, node: Sandbox) -> None:
    response = signed_in(alice).post(URL, {"text": UNKNOWN})

    assert kinds(response) == ["unknown"]
    assert "You have connected no Estuary key" in words_of(response)


def test_without_a_list_the_answer_is_marked_as_uncertain(
    browser: Client, node: Sandbox, backup: str
) -> None:
    node.set_fault("list", Fault("500"))

    response = browser.post(URL, {"text": backup})

    assert kinds(response) == ["unknown"]
    assert "This page cannot say for certain now whether a key is yours." in words_of(response)


def test_with_a_token_that_cannot_be_unsealed_the_answer_is_marked_as_uncertain(
    browser: Client, node: Sandbox, backup: str, settings: Any
) -> None:
    settings.TOKEN_SEALING_KEYS = ["b" * 43 + "="]

    response = browser.post(URL, {"text": backup})

    assert kinds(response) == ["unknown"]
    assert "This page cannot say for certain now whether a key is yours." in words_of(response)


def test_an_admin_finds_a_key_in_a_kept_list_by_its_fingerprint(
    carol: User, bob: tuple[User, str]
) -> None:
    member, token = bob
    signed_in(member).get("/keys/")  # keeps the list

    response = signed_in(carol).post(URL, {"text": hash_of(token)[:8]})

    assert kinds(response) == ["team"]
    assert "Listed among the keys of bob" in words_of(response)


def test_an_incident_is_recorded_although_the_note_of_the_key_is_full(
    browser: Client, backup: str
) -> None:
    full = "x" * 1990
    browser.post(f"/keys/{hash_of(backup)}/note/", {"note": full})

    browser.post(f"/keys/{hash_of(backup)}/revoke/", {"incident": "In the log of build 812"})

    assert last_row(Action.KEY_INCIDENT).detail == {"note": "In the log of build 812"}
    assert KeyNote.objects.get().note == full


@pytest.mark.parametrize(
    ("permission", "lifetime", "expected"),
    [("all", 30, "full"), ("upload", 30, "upload"), ("all", -1, "ended")],
)
@pytest.mark.parametrize("generation", ["current", "legacy", "vintage"])
def test_estuary_is_asked_with_the_token_when_the_member_presses_for_it(
    alice: User, settings: Any, generation: str, permission: str, lifetime: int, expected: str
) -> None:
    with Sandbox(generation=generation, rate_limit=None) as node:
        settings.ESTUARY_API_URL = urlsplit(node.url)
        leaked = node.add_key(
            node.add_user("eve"), "x", timedelta(days=lifetime), permission=permission
        )

        response = signed_in(alice).post(URL, {"text": leaked, "ask": "1"})

        # A vintage node does not say why it permits nothing.
        is_vague = generation == "vintage" and expected == "upload"
        assert standing(response) == ["limited" if is_vague else expected]
        assert "about 10 more seconds" in words_of(response)
        assert asked(node) == ["GET /user/stats"]
        assert leaked not in response.content.decode()


def test_estuary_does_not_know_a_token(browser: Client) -> None:
    response = browser.post(URL, {"text": UNKNOWN, "ask": "1"})

    assert standing(response) == ["unknown"]
    assert ("token:tested", "done") in audited()
    assert last_row(Action.TOKEN_TESTED).detail == {
        "result": "unknown",
        "asked_for": hash_of(UNKNOWN)[:8],
    }


def test_estuary_that_is_away_tells_nothing(browser: Client, node: Sandbox) -> None:
    node.set_fault("stats", Fault("500"))

    response = browser.post(URL, {"text": UNKNOWN, "ask": "1"})

    assert standing(response) == ["not-told"]
    assert "Estuary failed while working on this" in words_of(response)


@pytest.mark.parametrize("text", [hash_of(UNKNOWN), f"{UNKNOWN} {UNKNOWN.replace('1', '2')}"])
def test_estuary_is_asked_about_one_token_only(browser: Client, node: Sandbox, text: str) -> None:
    response = browser.post(URL, {"text": text, "ask": "1"})

    assert "paste that one token, whole" in words_of(response)
    assert node.requests == []


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_result_stays_when_something_else_is_pasted_to_ask_estuary_about_it(
    browser: Client, node: Sandbox, backup: str, headers: dict[str, str]
) -> None:
    for text, sentence in (
        ("hunter2, a password", "Estuary was not asked. There is no token"),
        (hash_of(backup), "Estuary was not asked. To ask Estuary about a token, paste that one"),
        (UNKNOWN, "Estuary was not asked. This is the token of another key"),
    ):
        node.forget_requests()
        sent = {"text": text, "ask": "1", "about": hash_of(backup)}

        response = browser.post(URL, sent, headers=headers)

        assert kinds(response) == ["mine"]
        result = response.content.decode().split('data-kind="mine"')[1]
        assert 'role="alert" tabindex="-1" autofocus' in result
        assert sentence in words_of(response)
        assert "GET /user/stats" not in asked(node)


def test_a_result_that_cannot_be_looked_up_again_is_not_taken_off_the_page(
    browser: Client, backup: str, settings: Any
) -> None:
    sent = {"text": backup, "ask": "1", "about": hash_of(backup)}
    settings.MEMBER_CHANGES_PER_MINUTE = 1
    browser.post(URL, sent)

    response = browser.post(URL, sent, headers=HTMX)

    assert response["HX-Retarget"] == "#notices"
    assert response["HX-Reselect"] == ".notice.error"
    assert response["HX-Reswap"] == "innerHTML"
    assert "Estuary was not asked. You did this" in words_of(response)
    assert "Estuary was not asked. You did this" in words_of(browser.post(URL, sent))


def test_looking_up_is_throttled(browser: Client, settings: Any) -> None:
    settings.MEMBER_CHANGES_PER_MINUTE = 2
    for _ in range(2):
        assert kinds(browser.post(URL, {"text": UNKNOWN})) == ["unknown"]

    response = browser.post(URL, {"text": UNKNOWN})

    assert kinds(response) == []
    assert "this console does it no more often" in words_of(response)


def test_a_leaked_key_is_revoked_with_an_incident_note(
    browser: Client, node: Sandbox, backup: str
) -> None:
    url = f"/keys/{hash_of(backup)}/revoke/"
    assert "Incident note" in words_of(browser.get(f"{url}?incident"))

    browser.post(url, {"incident": "In the log of build 812"})

    assert "backup" not in labels_at(node)
    row = last_row(Action.KEY_INCIDENT)
    assert (row.token_hash, row.detail) == (hash_of(backup), {"note": "In the log of build 812"})
    assert "In the log of build 812" in KeyNote.objects.get().note


def test_an_everyday_revocation_asks_for_no_incident(browser: Client, backup: str) -> None:
    url = f"/keys/{hash_of(backup)}/revoke/"
    assert "Incident note" not in words_of(browser.get(url))

    browser.post(url)

    assert not AuditEntry.objects.filter(action=Action.KEY_INCIDENT).exists()


def test_an_incident_note_holds_no_token(browser: Client, node: Sandbox, backup: str) -> None:
    response = browser.post(f"/keys/{hash_of(backup)}/revoke/", {"incident": f"leaked: {backup}"})

    assert "looks like the token of a key" in words_of(response)
    assert "backup" in labels_at(node)


def test_an_incident_of_a_foreign_key_is_not_noted(
    browser: Client, node: Sandbox, bob: tuple[User, str]
) -> None:
    browser.post(f"/keys/{hash_of(bob[1])}/revoke/", {"incident": "mine now"})

    assert "bob's web" in labels_at(node)
    assert not KeyNote.objects.exists()
    assert not AuditEntry.objects.filter(action=Action.KEY_INCIDENT).exists()


@pytest.mark.parametrize("how", ["kept list", "inventory"])
def test_an_admin_revokes_a_found_key_of_a_member_with_an_incident_note(
    carol: User, node: Sandbox, bob: tuple[User, str], how: str
) -> None:
    member, web = bob
    if how == "kept list":
        signed_in(member).get("/keys/")
    else:
        workers.register()
        sync_due()
        workers.unregister()
    admin, path = signed_in(carol), f"/team/bob/keys/{hash_of(web)}/revoke/"
    found = admin.post(URL, {"text": f"TOKEN={web}"}).content.decode()
    assert f'href="{path}?incident">Revoke now' in found

    page = admin.get(f"{path}?incident")
    assert "Incident note" in words_of(page)
    form = page.context["form"]
    sent = {"reason": "In the log of build 812", "incident": str(form["incident"].value())}
    told = admin.post(path, sent, follow=True)

    assert "Revoked “bob's web”" in words_of(told)
    assert web not in node.state.keys
    for row in (last_row(Action.KEY_REVOKED), last_row(Action.KEY_INCIDENT)):
        assert (row.actor_name, row.on_behalf_of_name) == ("carol", "bob")
        assert row.token_hash == hash_of(web)
    assert last_row(Action.KEY_INCIDENT).detail["note"] == "In the log of build 812"
    note = KeyNote.objects.get(token_hash=hash_of(web))
    assert "In the log of build 812" in note.note
    assert list(note.members.all()) == [member]  # readable for the owner when the key is gone
    text = Message.objects.get(member=member, channel="page").text
    assert "carol revoked “bob's web” for you. Reason: In the log of build 812" in text
    for reader in (member, carol):
        assert "In the log of build 812" in words_of(signed_in(reader).get("/audit/"))
    assert web not in found + page.content.decode() + told.content.decode()


def test_an_incident_note_is_kept_while_the_admin_confirms_the_password(
    carol: User, bob: tuple[User, str]
) -> None:
    signed_in(bob[0]).get("/keys/")
    admin, path = signed_in(carol), f"/team/bob/keys/{hash_of(bob[1])}/revoke/"
    session = admin.session
    del session["proved_at"]
    session.save()
    admin.post(path, {"reason": "In a log", "incident": "True"})

    page = admin.get(prove(admin, path)["Location"])

    assert page.context["form"]["reason"].value() == "In a log"
    assert page.context["form"].is_incident


def test_a_member_gets_no_way_to_revoke_the_key_of_another(
    browser: Client, node: Sandbox, bob: tuple[User, str]
) -> None:
    signed_in(bob[0]).get("/keys/")
    path = f"/team/bob/keys/{hash_of(bob[1])}/revoke/"

    assert "/revoke/" not in browser.post(URL, {"text": bob[1]}).content.decode()
    assert browser.post(path, {"reason": "mine", "incident": "1"}).status_code == 403
    assert "bob's web" in labels_at(node)


def test_a_key_that_no_list_holds_is_not_offered_for_revocation(
    carol: User, bob: tuple[User, str]
) -> None:
    KeyNote.objects.create(token_hash=hash_of(UNKNOWN)).members.add(bob[0])

    response = signed_in(carol).post(URL, {"text": UNKNOWN})

    assert kinds(response) == ["team"]
    assert "ask the owner whether it still works" in words_of(response)
    assert "/revoke/" not in response.content.decode()


def test_a_list_in_doubt_opens_no_note_of_a_foreign_key(
    browser: Client, alice: User, node: Sandbox, token: str, bob: tuple[User, str]
) -> None:
    """A token that has just ended is told of no keys, so that nothing is certain."""
    note = KeyNote.objects.create(token_hash=hash_of(bob[1]), purpose="bob's secret plan")
    note.members.add(bob[0])
    node.remove_key(token)

    page = browser.post(f"/keys/{hash_of(bob[1])}/revoke/", {"incident": "mine now"}, follow=True)

    assert "We do not know whether" in words_of(page)
    assert list(note.members.all()) == [bob[0]]
    note.refresh_from_db()
    assert note.note == ""
    assert not AuditEntry.objects.filter(action=Action.KEY_INCIDENT).exists()
