"""The daily look: one digest for each member, over each channel, without any token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.utils import timezone

from keys.actors import Actor
from keys.api_keys import key_lists
from keys.models import Message, Reminded, Reminders, Rotation, StoredToken, Worker
from keys.notes.services import NoteText, save_note
from keys.notices.choices import save_choices
from keys.notices.outbox import deliver_due
from keys.notices.reminding import remind_due
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.api_keys.test_key_rotate import rotate
from tests.keys.evidence import words_of
from tests.keys.notices.conftest import Receiver
from tests.support.mail_server import MailServer

DAY = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def ending(node: Sandbox, account: Account, alice: User, token: str) -> list[str]:
    """Alice is connected; two of her keys end soon and one has ended."""
    alice.email = "alice@example.com"
    alice.save()
    connect(alice, token)
    ends = {"in 6 days": 6 * DAY, "in 12 hours": DAY / 2, "yesterday": -DAY, "next year": 300 * DAY}
    return [node.add_key(account, label=label, lifetime=left) for label, left in ends.items()]


def look_again() -> None:
    """As on the next morning."""
    Reminders.objects.update(due_at=timezone.now())
    remind_due()


def test_all_keys_stand_in_one_mail(
    ending: list[str], alice: User, mail_server: MailServer, token: str
) -> None:
    save_note(Actor(alice, "", ""), hash_of(ending[0]), NoteText(purpose="copies of the wiki"))

    remind_due()
    deliver_due()

    [mail] = mail_server.mails
    assert mail_server.recipients == ["alice@example.com"]
    assert mail["Subject"] == "[Estuary Admin] 3 keys ending soon or ended"
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain
    assert html
    for text in (plain.get_content(), html.get_content()):
        assert text.index("yesterday") < text.index("in 12 hours") < text.index("in 6 days")
        assert "copies of the wiki" in text
        assert f"http://localhost:8000/keys/{hash_of(ending[0])}/" in text
        assert "create a new key" in text
        assert "http://localhost:8000/account/reminders/" in text
        assert "next year" not in text
    assert not any(secret in mail.as_string() for secret in [*ending, token])


def test_the_same_is_not_told_again(ending: list[str]) -> None:
    remind_due()
    before = Message.objects.count()

    look_again()
    look_again()

    assert Message.objects.count() == before == 1  # without a mail server, only the page's notice
    assert Reminded.objects.filter(token_hash=hash_of(ending[0])).count() == 3


def test_the_next_look_is_tomorrow_morning(ending: list[str]) -> None:
    remind_due()

    due = Reminders.objects.get().due_at
    assert due
    assert timedelta(0) < due - timezone.now() < 2 * DAY
    assert timezone.localtime(due, timezone.get_default_timezone()).hour == 7


def test_a_key_that_crosses_the_next_threshold_is_told_of_alone(
    ending: list[str], node: Sandbox, account: Account
) -> None:
    remind_due()
    node.add_key(account, label="new arrival", lifetime=10 * DAY)
    caches["key_lists"].clear()
    look_again()

    assert Message.objects.latest("pk").subject == "1 key ending soon"
    assert "in 6 days" not in Message.objects.latest("pk").text


def test_the_fallback_addresses_get_it_too(
    ending: list[str], mail_server: MailServer, settings: Any
) -> None:
    settings.EXPIRY_FALLBACK_EMAILS = ["ops@example.com", "alice@example.com", "ops@example.com"]

    remind_due()
    deliver_due()

    assert sorted(mail_server.recipients) == ["alice@example.com", "ops@example.com"]


def test_a_token_in_a_label_is_masked(
    node: Sandbox, account: Account, alice: User, token: str, mail_server: MailServer
) -> None:
    alice.email = "alice@example.com"
    alice.save()
    connect(alice, token)
    other = node.add_key(account, label="x")
    node.add_key(account, label=f"use {other}", lifetime=DAY)

    remind_due()
    deliver_due()

    assert other not in mail_server.mails[0].as_string()
    assert not Message.objects.filter(text__contains=other).exists()


def test_while_estuary_is_away_the_look_is_repeated_later(ending: list[str], node: Sandbox) -> None:
    node.set_fault("list", Fault("502-html"))

    remind_due()

    row = Reminders.objects.get()
    assert row.failures == 1
    assert not Message.objects.exists()
    node.clear_faults()
    look_again()
    assert Message.objects.exists()


def test_a_refused_token_waits_for_tomorrow(ending: list[str], node: Sandbox) -> None:
    node.set_fault("list", Fault("401-unknown"))

    remind_due()

    row = Reminders.objects.get()
    assert (row.failures, Message.objects.count()) == (0, 0)


def test_a_webhook_gets_the_keys_as_data(
    ending: list[str], alice: User, receiver: Receiver
) -> None:
    save_choices(Actor(alice, "", ""), [30, 14, 7, 1], receiver.url)

    remind_due()
    deliver_due()

    [(path, headers, body)] = receiver.posts
    assert path == "/hook?a=b"
    assert b'"type": "keys.ending"' in body
    assert b'"days_left": 6' in body
    assert not any(one.encode() in body for one in ending)
    assert headers["webhook-id"] == str(Message.objects.get(channel="webhook").number)


@pytest.mark.django_db
def test_members_without_a_token_are_left_alone(alice: User, worker: Worker) -> None:
    remind_due()

    assert not Reminders.objects.exists()


def test_keys_that_are_replaced_stay_quiet(
    ending: list[str], alice: User, node: Sandbox, account: Account
) -> None:
    browser = signed_in(alice)
    for token in ending[1:3]:  # one that ends in 12 hours, and one that has ended
        assert "It will not be shown again." in words_of(rotate(browser, token))

    remind_due()

    [message] = Message.objects.filter(kind="keys.ending")
    assert "in 6 days" in message.text
    assert "in 12 hours" not in message.text
    assert "yesterday" not in message.text


def test_a_replaced_key_that_ended_by_itself_stays_quiet(
    ending: list[str], alice: User, node: Sandbox
) -> None:
    """No token was connected when its overlap was over; Estuary lists it until it is revoked."""
    rotate(signed_in(alice), ending[1])
    ended_at = timezone.now() - DAY / 2
    key = node.state.keys[ending[1]]
    key.expiry, key.row = int(ended_at.timestamp() * 1e9), b""
    Rotation.objects.update(state="ended", reason="own-end", ended_at=ended_at, due_at=None)

    remind_due()

    [message] = Message.objects.filter(kind="keys.ending")
    assert "yesterday" in message.text
    assert "in 12 hours" not in message.text


def test_a_digest_about_very_many_keys_names_some_and_counts_the_rest(
    ending: list[str], node: Sandbox, account: Account, mail_server: MailServer, settings: Any
) -> None:
    for number in range(60):
        node.add_key(account, label=f"sensor {number:02}", lifetime=5 * DAY)

    remind_due()
    deliver_due()

    [mail] = mail_server.mails
    assert mail["Subject"] == "[Estuary Admin] 63 keys ending soon or ended"
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part
        text = part.get_content()
        assert text.count("/keys/") == 51  # 50 keys, and the list
        assert "and 13 more" in text
    assert Reminded.objects.filter(days=7).count() == 63
    before = Message.objects.count()
    look_again()
    assert Message.objects.count() == before


def test_a_label_with_control_characters_is_told_of(
    node: Sandbox, account: Account, alice: User, token: str
) -> None:
    connect(alice, token)
    node.add_key(account, label="a\x00b\x07c\nd", lifetime=DAY)

    remind_due()

    [message] = Message.objects.all()
    assert "“a b c d”" in message.text


def test_a_token_that_cannot_be_opened_waits_for_tomorrow(ending: list[str]) -> None:
    StoredToken.objects.update(sealed="sealed under another key")

    remind_due()

    assert Reminders.objects.get().failures == 0
    assert not Message.objects.exists()


def test_a_list_that_is_only_the_last_known_one_ends_no_look(
    ending: list[str], node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_lists, "REUSE_LIST", -DAY)  # as a while later
    stored = StoredToken.objects.get()
    key_lists.current_list(stored, Actor(stored.member, "", ""), reuse=False)
    node.set_fault("list", Fault("502-html"))

    remind_due()

    assert Reminders.objects.get().failures == 1
    assert not Message.objects.exists()


def test_a_member_who_has_disconnected_is_looked_at_tomorrow(
    ending: list[str], node: Sandbox
) -> None:
    remind_due()
    StoredToken.objects.all().delete()
    node.forget_requests()

    look_again()

    row = Reminders.objects.get()
    assert row.due_at
    assert row.due_at > timezone.now()
    assert row.failures == 0
    assert node.requests == []


def test_a_mail_about_ended_keys_alone_says_so(
    node: Sandbox, account: Account, alice: User, token: str
) -> None:
    connect(alice, token)
    for label in ("one", "two"):
        node.add_key(account, label=label, lifetime=-DAY)

    remind_due()

    assert Message.objects.get().subject == "2 keys ended"


def test_a_look_put_off_under_a_wrong_clock_is_due_all_the_same(ending: list[str]) -> None:
    Reminders.objects.create(
        member=User.objects.get(username="alice"), due_at=timezone.now() + 365 * DAY
    )

    remind_due()

    assert Message.objects.exists()


def test_a_disabled_member_gets_no_mail_and_the_fallback_addresses_do(
    ending: list[str], alice: User, mail_server: MailServer, settings: Any
) -> None:
    settings.EXPIRY_FALLBACK_EMAILS = ["ops@example.com"]
    alice.is_active = False
    alice.save()

    remind_due()
    deliver_due()

    assert mail_server.recipients == ["ops@example.com"]
