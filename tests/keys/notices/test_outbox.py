"""Messages are sent once, tried again when that can help, and given up when it cannot."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import smtplib
import socket
import threading
import time
from datetime import timedelta
from ipaddress import ip_network
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from keys.actors import Actor
from keys.models import Message, Reminders
from keys.notices import outbox, webhook
from keys.notices.channels import DeliveryFailed
from keys.notices.choices import save_choices, webhook_secret_of
from keys.notices.digest import test_message as message_for_test
from keys.notices.outbox import deliver_due, enqueue
from keys.upstream.deadlines import Deadline
from tests.keys.notices.conftest import Receiver
from tests.support.mail_server import MailServer

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def hooked(alice: User, receiver: Receiver) -> Reminders:
    return save_choices(Actor(alice, "", ""), [7], receiver.url)


def again() -> Message:
    """Try once more, however long the wait would be."""
    Message.objects.exclude(due_at=None).update(due_at=timezone.now())
    deliver_due()
    return Message.objects.exclude(channel="page").get()


def test_a_webhook_is_signed_as_standard_webhooks_describes(
    alice: User, hooked: Reminders, receiver: Receiver
) -> None:
    enqueue(alice, message_for_test(alice))
    deliver_due()

    [(_, headers, body)] = receiver.posts
    key = base64.b64decode(webhook_secret_of(hooked).removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert len(key) == 32
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["type"] == "test"


def test_a_message_that_got_through_is_not_sent_again(
    alice: User, hooked: Reminders, receiver: Receiver
) -> None:
    enqueue(alice, message_for_test(alice))
    for _ in range(3):
        deliver_due()

    assert len(receiver.posts) == 1
    assert Message.objects.get(channel="webhook").sent_at


def test_a_message_is_tried_again_under_the_same_number(
    alice: User, hooked: Reminders, receiver: Receiver
) -> None:
    receiver.status = 500
    enqueue(alice, message_for_test(alice))
    deliver_due()
    failed = Message.objects.get(channel="webhook")
    assert (failed.failures, failed.last_error) == (1, "The address answered 500.")
    assert failed.due_at
    assert failed.due_at > timezone.now()
    assert list(outbox.undelivered()) == [failed]

    receiver.status = 200
    sent = again()

    assert sent.sent_at
    assert len({headers["webhook-id"] for _, headers, _ in receiver.posts}) == 1
    assert not outbox.undelivered().exists()


def test_a_message_is_given_up_after_many_tries(
    alice: User, hooked: Reminders, receiver: Receiver
) -> None:
    receiver.status = 500
    enqueue(alice, message_for_test(alice))
    Message.objects.update(failures=outbox.MAX_TRIES - 1)

    over = again()

    assert (over.due_at, over.sent_at) == (None, None)
    assert over.failed_at
    assert list(outbox.undelivered()) == [over]


def test_a_message_that_failed_often_waits_also_when_the_workers_clock_is_ahead(
    alice: User, hooked: Reminders, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status = 500
    enqueue(alice, message_for_test(alice))
    Message.objects.update(failures=8)
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(seconds=2))

    for _ in range(3):
        deliver_due()

    assert len(receiver.posts) == 1
    assert Message.objects.get(channel="webhook").failures == 9


def test_a_message_of_a_clock_that_was_set_back_is_sent_all_the_same(
    alice: User, hooked: Reminders, receiver: Receiver
) -> None:
    enqueue(alice, message_for_test(alice))
    Message.objects.exclude(due_at=None).update(due_at=timezone.now() + timedelta(days=400))

    deliver_due()

    assert len(receiver.posts) == 1


def test_a_receiver_that_is_gone_is_not_asked_again(
    alice: User, hooked: Reminders, receiver: Receiver
) -> None:
    receiver.status = 410
    enqueue(alice, message_for_test(alice))

    deliver_due()

    assert Message.objects.get(channel="webhook").failed_at


def test_a_redirect_is_not_followed(alice: User, hooked: Reminders, receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, receiver.url
    enqueue(alice, message_for_test(alice))

    deliver_due()

    assert len(receiver.posts) == 1
    assert Message.objects.get(channel="webhook").last_error == "The address answered 302."


def test_a_changed_address_does_not_get_the_messages_of_the_former_one(
    alice: User, hooked: Reminders, receiver: Receiver
) -> None:
    enqueue(alice, message_for_test(alice))
    save_choices(Actor(alice, "", ""), [7], receiver.url + "c")

    deliver_due()

    assert receiver.posts == []
    assert Message.objects.get(channel="webhook").failed_at


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.8",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "2001:0:a00:8::1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1:a00:8::",
        "::7f00:1",
        "::ffff:0:7f00:1",
        "::ffff:0:a9fe:a9fe",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "192.0.0.8",
        "192.88.99.1",
        "fec0::1",
    ],
)
def test_names_that_lead_inside_are_refused_at_the_time_of_connecting(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def lead_inside(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", ("93.184.216.34", 443)), (0, 0, 0, "", (address, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", lead_inside)

    with pytest.raises(DeliveryFailed, match="not a public https address"):
        webhook.post("https://example.com/hook", b"{}", {})


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_names_that_lead_to_public_addresses_are_connected_to(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def lead_outside(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", lead_outside)

    found = webhook.checked_address(
        urlsplit("https://example.com/x"), Deadline(time.monotonic() + 5)
    )

    assert str(found) == address


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    answers = [[(0, 0, 0, "", ("127.0.0.1", receiver.port))]]
    asked: list[str] = []

    def rebinding(host: str, *rest: Any, **more: Any) -> list[Any]:
        asked.append(host)
        if host == "hook.example":
            return answers.pop()  # a second question would fail
        return real(host, *rest, **more)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)

    webhook.post(f"http://hook.example:{receiver.port}/x", b"{}", {})

    [(path, headers, _)] = receiver.posts
    assert (path, headers["host"]) == ("/x", f"hook.example:{receiver.port}")
    assert asked.count("hook.example") == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://me:secret@example.com/hook",
        "https://example.com/hook#x",
        "https://example.com:99999/hook",
        "ftp://example.com/",
        "https:///hook",
        "https://-ł.example/hook",
    ],
)
def test_what_is_no_webhook_is_refused_without_asking_anybody(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)

    with pytest.raises(DeliveryFailed) as refused:
        webhook.post(url, b"{}", {})

    assert refused.value.is_final
    assert "secret" not in refused.value.reason


@pytest.fixture
def mailed(alice: User, mail_server: MailServer) -> MailServer:
    alice.email = "alice@example.com"
    alice.save()
    return mail_server


def test_a_mail_keeps_its_id_when_it_is_sent_again(alice: User, mailed: MailServer) -> None:
    enqueue(alice, message_for_test(alice))
    mailed.refusal = "451 later"
    deliver_due()
    assert again().last_error == "The mail server refused it with code 451."

    mailed.refusal = ""
    sent = again()

    [mail] = mailed.mails
    assert mail["Message-ID"] == f"<{sent.number}@localhost>"
    assert mail["Auto-Submitted"] == "auto-generated"


def test_an_address_that_does_not_exist_is_given_up(alice: User, mailed: MailServer) -> None:
    enqueue(alice, message_for_test(alice))
    mailed.refusal = "550 no such user"

    deliver_due()

    assert Message.objects.get(channel="email").failed_at


def test_a_mail_that_is_refused_for_its_content_is_given_up(
    alice: User, mailed: MailServer
) -> None:
    enqueue(alice, message_for_test(alice))
    mailed.refusal_of_content = "554 this looks like spam"

    deliver_due()

    failed = Message.objects.get(channel="email")
    assert failed.failed_at
    assert failed.last_error == "The mail server refused it with code 554."


def test_an_address_with_a_line_break_gets_no_mail(alice: User, mailed: MailServer) -> None:
    enqueue(alice, message_for_test(alice))
    Message.objects.filter(channel="email").update(recipient="a@example.com\nBcc: b@example.com")

    deliver_due()

    failed = Message.objects.get(channel="email")
    assert failed.failed_at
    assert failed.last_error == "The address is not one that mail can go to."
    assert mailed.mails == []


def test_a_mail_without_html_is_plain_text(alice: User, mailed: MailServer) -> None:
    enqueue(alice, message_for_test(alice))
    Message.objects.filter(channel="email").update(html="")

    deliver_due()

    [mail] = mailed.mails
    assert mail.get_content_type() == "text/plain"


def test_a_webhook_whose_secret_cannot_be_opened_is_given_up_unsigned(
    alice: User, hooked: Reminders, receiver: Receiver
) -> None:
    enqueue(alice, message_for_test(alice))
    Reminders.objects.update(webhook_secret="sealed under another key")

    deliver_due()

    failed = Message.objects.get(channel="webhook")
    assert failed.failed_at
    assert failed.last_error == "The secret cannot be opened; save it again."
    assert receiver.posts == []


def test_a_webhook_whose_name_cannot_be_resolved_is_tried_again(
    alice: User, hooked: Reminders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "in a test")

    monkeypatch.setattr(webhook, "look_up", unknown)
    enqueue(alice, message_for_test(alice))

    deliver_due()

    failed = Message.objects.get(channel="webhook")
    assert failed.due_at
    assert failed.last_error == "The name of the address cannot be resolved."


def test_a_mail_server_that_is_away_is_tried_again(
    alice: User, mailed: MailServer, settings: Any
) -> None:
    settings.EMAIL_PORT = 9
    enqueue(alice, message_for_test(alice))

    deliver_due()

    failed = Message.objects.get(channel="email")
    assert failed.due_at
    assert failed.last_error == "The mail server could not be used: ConnectionRefusedError."


class Dripping:
    """A server that sends a beginning, then one byte after the other until the client has left."""

    def __init__(self, beginning: bytes) -> None:
        self._beginning = beginning
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/hook"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client, contextlib.suppress(OSError):
            client.recv(65536)
            client.settimeout(0.05)
            client.sendall(self._beginning)
            while True:
                client.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    if not client.recv(1):
                        return


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 1.0)


def test_a_receiver_that_answers_byte_by_byte_is_left_in_time(brief: None) -> None:
    with (
        Dripping(b"HTTP/1.1 200 OK\r\nX-Long: ") as server,
        pytest.raises(DeliveryFailed, match="did not answer"),
    ):
        webhook.post(server.url, b"{}", {})


def test_a_message_got_through_although_its_answer_never_ends(brief: None) -> None:
    with Dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n") as server:
        webhook.post(server.url, b"{}", {})


def test_a_name_is_written_as_dns_and_http_want_it(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    asked: list[str] = []

    def answer(host: str, *rest: Any, **more: Any) -> list[Any]:
        asked.append(host)
        return real("127.0.0.1", *rest, **more)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", answer)

    webhook.post(f"http://łódź.example:{receiver.port}/ł", b"{}", {})

    [(path, headers, _)] = receiver.posts
    assert path == "/%C5%82"
    assert headers["host"] == f"xn--d-uga0v4h.example:{receiver.port}"
    assert asked[0] == "xn--d-uga0v4h.example"


def test_slow_receivers_take_one_thread_and_hold_up_no_mail(
    alice: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.HAS_MAIL_SERVER, alice.email = True, "alice@example.com"
    alice.save()
    save_choices(Actor(alice, "", ""), [7], "https://example.com/hook")
    for _ in range(2):
        enqueue(alice, message_for_test(alice))
    running, at_once, mailed = [], [], []

    def slow(message: Message) -> None:
        running.append(message)
        deliver_due()  # as another thread of this worker
        at_once.append(len(running))
        running.pop()

    monkeypatch.setitem(outbox.DELIVER, "webhook", slow)
    monkeypatch.setitem(outbox.DELIVER, "email", lambda _: mailed.append(len(running)))
    webhooks_first = dict(reversed(outbox._delivering.items()))
    monkeypatch.setattr(outbox, "_delivering", webhooks_first)
    deliver_due()

    assert at_once == [1, 1]
    assert mailed == [1, 1]  # while a receiver was slow


def test_a_message_written_under_a_wrong_clock_is_delivered(
    alice: User, hooked: Reminders, receiver: Receiver
) -> None:
    enqueue(alice, message_for_test(alice))
    Message.objects.exclude(due_at=None).update(due_at=timezone.now() + timedelta(days=365))

    deliver_due()

    assert len(receiver.posts) == 1


def test_a_disabled_member_is_told_nothing_more(
    alice: User, hooked: Reminders, receiver: Receiver
) -> None:
    enqueue(alice, message_for_test(alice))
    alice.is_active = False
    alice.save()
    enqueue(alice, message_for_test(alice))

    deliver_due()

    assert receiver.posts == []
    [message] = Message.objects.filter(channel="webhook")
    assert message.last_error == "The member was disabled meanwhile."
    assert message.failed_at
    assert not outbox.undelivered().exists()  # nothing for admins to mend


def test_the_fallback_addresses_are_told_of_the_keys_of_a_disabled_member(
    alice: User, mailed: MailServer, settings: Any
) -> None:
    settings.EXPIRY_FALLBACK_EMAILS = ["ops@example.com"]
    alice.is_active = False
    alice.save()

    enqueue(alice, message_for_test(alice), extra_mail=settings.EXPIRY_FALLBACK_EMAILS)
    deliver_due()

    assert mailed.recipients == ["ops@example.com"]


def test_a_mistake_in_the_settings_of_the_mail_server_loses_no_mail(
    alice: User, mailed: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> None:
        raise smtplib.SMTPAuthenticationError(535, b"wrong password")

    monkeypatch.setattr(EmailMultiAlternatives, "send", refuse)
    enqueue(alice, message_for_test(alice))

    deliver_due()

    message = Message.objects.get(channel="email")
    assert message.due_at
    assert message.last_error == "The mail server refused it with code 535."
