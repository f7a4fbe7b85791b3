"""Changes to many keys: preview, start, results, cancel, another try; the worker goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.api_keys import bulk, bulk_work
from keys.api_keys.bulk_work import work_off_changes
from keys.audit.vocabulary import Action
from keys.jobs import workers
from keys.models import (
    AuditEntry,
    BulkChange,
    BulkItem,
    KeyCreation,
    KeyNote,
    KeyReminder,
    Message,
    Rotation,
    StoredToken,
)
from keys.notices.reminding import remind_due
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.api_keys.test_key_revoke_expired import deletes
from tests.keys.evidence import labels_at, last_row, words_of

URL = "/keys/bulk/"


@pytest.fixture
def worker(db: None) -> Iterator[None]:
    workers.register()
    yield
    workers.unregister()


@pytest.fixture
def few(node: Sandbox, account: Account) -> list[str]:
    return [node.add_key(account, label=f"few-{number}") for number in range(3)]


@pytest.fixture
def many(node: Sandbox, account: Account) -> list[str]:
    return [node.add_key(account, label=f"many-{number:02}") for number in range(25)]


def preview(client: Client, action: str = "revoke", **data: Any) -> str:
    """Choose keys; returns the address of the change."""
    page = client.post(URL, {"action": action, **data}).content.decode()
    found = re.search(r'action="(/keys/bulk/[0-9a-f-]{36}/)"', page)
    assert found, page
    return found.group(1)


def hashes(tokens: list[str]) -> list[str]:
    return [hash_of(token) for token in tokens]


def state(client: Client, url: str) -> str:
    [found] = re.findall(r'data-state="([^"]*)"', client.get(url).content.decode())
    return str(found)


def outcomes() -> list[str]:
    return list(BulkItem.objects.order_by("position").values_list("outcome", flat=True))


def make_due() -> None:
    """Let the next try come now."""
    BulkChange.objects.exclude(due_at=None).update(due_at=timezone.now())


def test_the_preview_names_and_counts_and_changes_nothing(
    browser: Client, node: Sandbox, few: list[str]
) -> None:
    response = browser.post(URL, {"action": "revoke", "key": hashes(few[:2])})

    assert "2 keys will be revoked" in words_of(response)
    assert "few-0" in words_of(response)
    assert "few-2" not in words_of(response)
    assert "Revoke 2 keys" in words_of(response)
    assert 'data-state="ready"' in response.content.decode()
    assert deletes(node) == []


def test_a_few_keys_are_revoked_at_once(browser: Client, node: Sandbox, few: list[str]) -> None:
    url = preview(browser, key=hashes(few[:2]))

    response = browser.post(url, follow=True)

    assert response.redirect_chain == [(url, 302)]
    assert "2 of 2 keys revoked" in words_of(response)
    assert "about 10 seconds" in words_of(response)
    assert state(browser, url) == "done"
    assert labels_at(node) == ["console", "few-2"]
    rows = AuditEntry.objects.filter(action=Action.KEY_REVOKED, outcome="done", actor__isnull=False)
    assert {row.token_hash for row in rows} == set(hashes(few[:2]))
    assert last_row(Action.BULK_STARTED).detail["keys"] == 2


def test_the_bar_says_that_a_change_belongs_to_the_keys(browser: Client, few: list[str]) -> None:
    url = preview(browser, key=hashes(few[:1]))

    assert 'id="nav-keys" href="/keys/" aria-current="page"' in browser.get(url).content.decode()


def test_a_second_submit_does_nothing_more(browser: Client, node: Sandbox, few: list[str]) -> None:
    url = preview(browser, key=hashes(few))
    browser.post(url)
    node.forget_requests()

    browser.post(url)

    assert deletes(node) == []
    assert AuditEntry.objects.filter(action=Action.BULK_STARTED).count() == 1


def test_all_that_a_filter_finds(browser: Client, node: Sandbox, few: list[str]) -> None:
    node.add_key(node.state.users["alice"], label="other")

    url = preview(browser, all_found="1", q="few-")
    browser.post(url)

    assert labels_at(node) == ["console", "other"]


def test_foreign_and_vanished_hashes_are_named_and_left_alone(
    browser: Client, node: Sandbox, few: list[str]
) -> None:
    foreign = node.add_key(node.add_user("bob"), label="bob's")
    vanished = hash_of("EST11111111-1111-4111-8111-111111111111ARY")

    page = browser.post(
        URL, {"action": "revoke", "key": [*hashes(few[:1]), hash_of(foreign), vanished, "<b>"]}
    )

    assert "1 key will be revoked" in words_of(page)
    assert "2 keys will be left alone" in words_of(page)
    assert hash_of(foreign)[:8] in words_of(page)
    browser.post(f"{URL}{BulkChange.objects.get().pk}/")
    assert outcomes() == ["revoked", "left", "left"]
    assert "bob's" in labels_at(node)


def test_the_consoles_own_key_is_left_alone(
    browser: Client, node: Sandbox, token: str, few: list[str]
) -> None:
    url = preview(browser, key=hashes([token, *few]))
    browser.post(url)

    assert labels_at(node) == ["console"]


def test_only_what_has_ended_by_both_clocks_ends_with_the_expired(
    browser: Client, node: Sandbox, account: Account, expired: list[str]
) -> None:
    node.clock_offset = 3600  # the node's clock calls more keys ended than ours
    node.add_key(account, label="ended there", lifetime=timedelta(minutes=-30))

    url = preview(browser, all_found="1", status="expired")
    browser.post(url)

    assert labels_at(node) == ["console", "ended there", "session", "works"]


def test_nothing_ticked_says_so(browser: Client) -> None:
    response = browser.post(URL, {"action": "revoke"}, follow=True)

    assert "Tick at least one key" in words_of(response)
    assert not BulkChange.objects.exists()


def test_a_change_of_somebody_else_is_not_found(browser: Client, few: list[str]) -> None:
    url = preview(browser, key=hashes(few))
    other = signed_in(User.objects.create_user("eve"))

    assert other.get(url).status_code == 404
    assert other.post(url).status_code == 404
    assert other.post(f"{url}cancel/").status_code == 404


def test_starting_requires_a_fresh_proof_and_looking_does_not(
    browser: Client, node: Sandbox, few: list[str]
) -> None:
    url = preview(browser, key=hashes(few))
    session = browser.session
    del session["proved_at"]
    session.save()

    response = browser.post(url)

    assert response["Location"].startswith("/accounts/reauthenticate/?next=%2Fkeys%2Fbulk%2F")
    assert browser.get(url).status_code == 200
    assert deletes(node) == []


def test_many_keys_are_for_the_worker(
    browser: Client, node: Sandbox, many: list[str], worker: None
) -> None:
    url = preview(browser, key=hashes(many))
    browser.post(url)
    assert state(browser, url) == "queued"
    page = browser.get(url, headers=HTMX).content.decode()
    assert 'data-hx-trigger="every 2s"' in page
    assert "<progress" in page
    assert deletes(node) == []

    work_off_changes()

    page = browser.get(url, headers=HTMX).content.decode()
    assert state(browser, url) == "done"
    assert "data-hx-trigger" not in page
    assert "25 of 25 keys revoked" in words_of(browser.get(url))
    assert labels_at(node) == ["console"]
    rows = AuditEntry.objects.filter(action=Action.KEY_REVOKED, job="bulk")
    assert {row.token_hash for row in rows} == set(hashes(many))
    assert {row.on_behalf_of_name for row in rows} == {"alice"}


def test_without_a_worker_the_page_says_so(browser: Client, many: list[str]) -> None:
    url = preview(browser, key=hashes(many))
    browser.post(url)

    assert "This waits for the background worker" in words_of(browser.get(url))


def test_a_cancelled_change_begins_no_more_keys(
    browser: Client, node: Sandbox, many: list[str], worker: None
) -> None:
    url = preview(browser, key=hashes(many))
    browser.post(url)

    browser.post(f"{url}cancel/")
    work_off_changes()

    assert state(browser, url) == "cancelled"
    assert deletes(node) == []
    browser.post(f"{url}retry/")
    work_off_changes()
    assert labels_at(node) == ["console"]


def test_a_busy_node_is_left_in_peace_and_asked_again_later(
    browser: Client, node: Sandbox, many: list[str], worker: None
) -> None:
    url = preview(browser, key=hashes(many))
    browser.post(url)
    node.set_fault("revoke", Fault("429"))

    work_off_changes()

    assert len(deletes(node)) <= bulk_work.THREADS
    assert state(browser, url) in {"running", "queued"}
    assert "Estuary is busy" in words_of(browser.get(url))
    node.clear_faults()
    make_due()
    work_off_changes()
    assert labels_at(node) == ["console"]
    assert state(browser, url) == "done"


@pytest.mark.parametrize("fault", ["500-after", "reset-after", "500", "reset-before"])
def test_lost_answers_are_settled_by_the_list(
    browser: Client, node: Sandbox, many: list[str], worker: None, fault: str
) -> None:
    url = preview(browser, key=hashes(many))
    browser.post(url)
    node.set_fault("revoke", Fault(fault, times=3))

    for _ in range(4):
        work_off_changes()
        make_due()
    browser.post(f"{url}retry/")

    assert labels_at(node) == ["console"]
    assert set(outcomes()) <= {"revoked"}
    done = AuditEntry.objects.filter(action=Action.KEY_REVOKED, outcome="done")
    assert done.count() == 25


def test_a_list_that_fails_afterwards_leaves_the_outcome_open_until_it_is_back(
    browser: Client, node: Sandbox, many: list[str], worker: None
) -> None:
    url = preview(browser, key=hashes(many))
    browser.post(url)
    node.state.on_change = lambda *_: node.set_fault("list", Fault("500"))

    work_off_changes()

    assert "sent" in outcomes()
    assert "revoked" not in outcomes()
    node.state.on_change = lambda *_: None
    node.clear_faults()
    make_due()
    work_off_changes()
    assert outcomes() == ["revoked"] * 25


def test_a_silent_node_is_reported(browser: Client, node: Sandbox, few: list[str]) -> None:
    node.set_fault("revoke", Fault("silent-ok"))
    url = preview(browser, key=hashes(few))

    page = words_of(browser.post(url, follow=True))

    assert page.count("Still listed") == 3
    assert state(browser, url) == "failed"
    node.clear_faults()
    browser.post(f"{url}retry/")
    assert labels_at(node) == ["console"]


def test_a_few_keys_fail_at_once_when_estuary_is_busy(
    browser: Client, node: Sandbox, few: list[str]
) -> None:
    node.set_fault("revoke", Fault("429"))
    url = preview(browser, key=hashes(few))

    page = words_of(browser.post(url, follow=True))

    assert "0 of 3 keys revoked" in page
    assert "Estuary is busy" in page
    assert "Try the failed keys again" in page


def test_a_refused_token_ends_the_change(
    browser: Client, node: Sandbox, many: list[str], worker: None
) -> None:
    browser.post(preview(browser, key=hashes(many)))
    node.set_fault("list", Fault("401-unknown"))

    work_off_changes()

    assert set(outcomes()) == {"failed"}
    assert "Estuary does not know this key" in words_of(
        browser.get(f"{URL}{BulkChange.objects.get().pk}/")
    )


def test_a_disconnected_member_loses_nothing(
    browser: Client, node: Sandbox, many: list[str], alice: User, token: str, worker: None
) -> None:
    url = preview(browser, key=hashes(many))
    browser.post(url)
    StoredToken.objects.all().delete()

    work_off_changes()

    assert set(outcomes()) == {"failed"}
    assert deletes(node) == []
    connect(alice, token)
    browser.post(f"{url}retry/")
    work_off_changes()
    assert labels_at(node) == ["console"]


@pytest.mark.parametrize("is_same_account", [True, False])
def test_a_token_that_was_replaced_meanwhile(
    browser: Client,
    node: Sandbox,
    many: list[str],
    alice: User,
    account: Account,
    worker: None,
    is_same_account: bool,
) -> None:
    url = preview(browser, key=hashes(many))
    browser.post(url)
    owner = account if is_same_account else node.add_user("other")
    connect(alice, node.add_key(owner, label="replaced"))

    work_off_changes()

    expected = "revoked" if is_same_account else "unknown"
    assert set(outcomes()) == {expected}
    assert (len(deletes(node)) == 25) is is_same_account


def test_after_a_kill_what_was_sent_is_settled_and_not_sent_again(
    browser: Client, node: Sandbox, many: list[str], worker: None, monkeypatch: Any
) -> None:
    """The worker dies after Estuary was asked, before anything is written."""
    url = preview(browser, key=hashes(many))
    browser.post(url)

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as killed:
        killed.setattr(bulk_work.RevokingPart, "_conclude", die)
        with pytest.raises(SystemExit):
            work_off_changes()
    assert outcomes() == ["sent"] * 25
    workers.unregister()
    workers.register()
    sent = len(deletes(node))
    work_off_changes()

    assert outcomes() == ["revoked"] * 25
    assert len(deletes(node)) == sent == 25
    done = AuditEntry.objects.filter(action=Action.KEY_REVOKED, outcome="done")
    assert done.count() == 25
    assert state(browser, url) == "done"


def test_notes_are_set_and_other_fields_stay(
    browser: Client, few: list[str], node: Sandbox
) -> None:
    KeyNote.objects.create(token_hash=hash_of(few[0]), purpose="old", contact="me@example.com")
    url = preview(browser, "note", key=hashes(few))
    assert "Fill in at least one field" in words_of(browser.post(url))

    browser.post(url, {"purpose": "nightly copies"})

    notes = KeyNote.objects.order_by("pk")
    assert [note.purpose for note in notes] == ["nightly copies"] * 3
    assert notes[0].contact == "me@example.com"
    assert deletes(node) == []


def test_reminders_are_set_for_each_key(browser: Client, few: list[str]) -> None:
    url = preview(browser, "remind", key=hashes(few))

    browser.post(url, {"days": ["30", "7"]})

    assert [row.days for row in KeyReminder.objects.all()] == [[30, 7]] * 3
    assert state(browser, url) == "done"


@pytest.mark.parametrize("action", ["note", "remind"])
def test_many_notes_and_reminders_are_for_the_worker(
    browser: Client, many: list[str], worker: None, action: str
) -> None:
    url = preview(browser, action, key=hashes(many))
    browser.post(url, {"purpose": "x", "days": ["7"]})
    assert state(browser, url) == "queued"

    work_off_changes()

    assert state(browser, url) == "done"
    rows = KeyNote.objects if action == "note" else KeyReminder.objects
    assert rows.count() == 25


def test_no_token_goes_into_a_note(browser: Client, few: list[str]) -> None:
    url = preview(browser, "note", key=hashes(few))

    page = browser.post(url, {"purpose": f"use {few[0]}"})

    assert few[0] not in page.content.decode()
    assert not KeyNote.objects.exists()


def test_old_keys_warn_that_their_tokens_will_be_logged(
    browser: Client, node: Sandbox, account: Account
) -> None:
    old = node.add_key(account, era="legacy")

    page = browser.post(URL, {"action": "revoke", "key": hash_of(old)})

    assert "access log" in words_of(page)
    assert old not in page.content.decode()


def test_starting_is_throttled(browser: Client, few: list[str], settings: Any) -> None:
    settings.MEMBER_CHANGES_PER_MINUTE = 1
    browser.post(preview(browser, key=hashes(few[:1])))

    page = browser.post(preview(browser, key=hashes(few[1:])))

    assert "this console does it no more often" in words_of(page)
    assert BulkChange.objects.filter(started_at=None).count() == 1


def test_estuary_away_refuses_a_preview(browser: Client, node: Sandbox, few: list[str]) -> None:
    node.set_fault("list", Fault("500"))

    response = browser.post(URL, {"action": "revoke", "key": hashes(few)})

    assert not BulkChange.objects.exists()
    assert response.status_code in {302, 502}


def test_revoking_many_expired_keys_is_a_change_for_the_worker(
    browser: Client, node: Sandbox, account: Account, expired: list[str], worker: None
) -> None:
    for number in range(20):
        node.add_key(account, label=f"old-{number}", lifetime=timedelta(days=-2))

    response = browser.post("/keys/revoke-expired/", follow=True)

    url = response.redirect_chain[-1][0]
    assert state(browser, url) == "queued"
    work_off_changes()
    assert "23 of 23 keys revoked" in words_of(browser.get(url))
    assert labels_at(node) == ["console", "session", "works"]


def test_a_key_with_its_own_reminders_is_told_of_by_those(
    browser: Client, alice: User, node: Sandbox, account: Account, worker: None
) -> None:
    quiet = node.add_key(account, label="quiet", lifetime=timedelta(days=5))
    node.add_key(account, label="loud", lifetime=timedelta(days=5))
    browser.post(preview(browser, "remind", key=hash_of(quiet)), {"days": ["1"]})

    remind_due()

    text = Message.objects.get(kind="keys.ending").text
    assert "loud" in text
    assert "quiet" not in text


def test_the_overlap_of_a_key_that_is_revoked_ends(
    browser: Client, alice: User, few: list[str]
) -> None:
    old, new, _ = hashes(few)
    later = timezone.now() + timedelta(days=1)
    Rotation.objects.create(
        member=alice,
        creation=KeyCreation.objects.create(nonce="n", member=alice, token_hash=new),
        old_hash=old,
        old_expiry=later,
        ends_at=later,
        latest_end=later,
        state=Rotation.State.OVERLAP,
    )

    browser.post(preview(browser, key=old))

    assert Rotation.objects.get().state == Rotation.State.ENDED


@pytest.mark.parametrize("data", [{"action": "revoke"}, {"action": "nothing"}])
def test_a_token_in_the_search_gets_into_no_address(
    browser: Client, token: str, data: dict[str, str]
) -> None:
    for text in (token, f"see {token}", f"{token[:20]}\u200b{token[20:]}"):
        response = browser.post(URL, data | {"q": text, "status": "active"})

        assert response["Location"] == "/keys/?status=active"


def test_more_keys_than_one_change_takes_are_told(
    browser: Client, few: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MAX_KEYS_PER_CHANGE", 2)

    words = words_of(browser.post(URL, {"action": "revoke", "all_found": "1", "q": "few"}))

    assert "2 keys will be revoked" in words
    assert "1 more key was found than one change takes" in words
