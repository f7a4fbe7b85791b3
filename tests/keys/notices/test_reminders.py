"""The page of reminders, and the calendar feed that it makes."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.test import Client
from icalendar import Calendar

from keys.audit.vocabulary import Action
from keys.management.commands import reseal_tokens
from keys.models import AuditEntry, Message, Reminders, StoredToken
from keys.notices.choices import feed_secret_of, reminders_of, webhook_secret_of
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.estuary_admin.sso.conftest import BEHIND_PROXY, PROXY, use

URL = "/account/reminders/"
HOOK = "https://example.com/hook"


def words(response: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def test_the_usual_thresholds_are_ticked_until_others_are_saved(browser: Client) -> None:
    assert browser.get(URL).content.decode().count("checked") == 4

    browser.post(URL, {"days": ["7"], "webhook_url": ""})

    assert browser.get(URL).content.decode().count("checked") == 1
    assert Reminders.objects.get().days == [7]
    assert AuditEntry.objects.filter(action="member:reminders-changed").count() == 1


def test_a_webhook_gets_a_secret_that_is_sealed_at_rest(browser: Client, alice: User) -> None:
    browser.post(URL, {"days": ["7"], "webhook_url": HOOK})

    row = reminders_of(alice)
    secret = webhook_secret_of(row)
    assert secret.startswith("whsec_")
    assert secret in browser.get(URL).content.decode()
    assert secret not in row.webhook_secret

    browser.post(URL, {"days": ["14"], "webhook_url": HOOK})
    assert webhook_secret_of(reminders_of(alice)) == secret  # the same address, the same secret
    browser.post(URL, {"webhook_url": HOOK + "2"})
    assert webhook_secret_of(reminders_of(alice)) != secret


@pytest.mark.parametrize(
    "url",
    ["example.com", "http://example.com/", "https://a:b@example.com/", "https://[::1", "x" * 501],
)
def test_what_cannot_be_a_webhook_is_told_beside_the_field(browser: Client, url: str) -> None:
    response = browser.post(URL, {"days": ["7"], "webhook_url": url})

    assert response.context["form"].errors.keys() == {"webhook_url"}
    assert not Reminders.objects.exists()


def test_a_token_in_the_address_is_refused(browser: Client, token: str) -> None:
    response = browser.post(URL, {"webhook_url": f"https://example.com/{token}"})

    assert token not in response.content.decode()
    assert not Reminders.objects.exists()


def test_a_test_goes_over_every_channel(browser: Client) -> None:
    browser.post(URL, {"days": ["7"], "webhook_url": HOOK})

    page = browser.post(URL, {"test": "1"}, follow=True)

    assert set(Message.objects.values_list("channel", flat=True)) == {"page", "webhook"}
    assert "Test on its way: Notice on the page, Webhook." in words(page)
    assert "Test of your reminders" in words(page)


def test_tests_are_throttled(browser: Client, settings: Any) -> None:
    settings.MEMBER_CHANGES_PER_MINUTE = 2
    answers = [browser.post(URL, {"test": "1"}).status_code for _ in range(3)]

    assert answers == [302, 302, 429]


def test_a_notice_is_dismissed_by_its_member_alone(browser: Client, carol: User) -> None:
    browser.post(URL, {"test": "1"})
    number = str(Message.objects.get().number)

    signed_in(carol).post(URL, {"dismiss": number})
    assert Message.objects.get().read_at is None
    browser.post(URL, {"dismiss": number})

    assert Message.objects.get().read_at
    assert "Test of your reminders" not in words(browser.get(URL))


def test_the_list_of_keys_leads_to_the_notices(browser: Client) -> None:
    assert "notice" not in words(browser.get("/keys/")).lower()

    browser.post(URL, {"test": "1"})

    assert "You have 1 notice. Read it" in words(browser.get("/keys/"))


def test_a_dismissal_of_nonsense_changes_nothing(browser: Client) -> None:
    assert browser.post(URL, {"dismiss": "nonsense"}).status_code == 302


def test_admins_see_what_did_not_get_through(browser: Client, carol: User, alice: User) -> None:
    Message.objects.create(
        member=alice,
        channel="webhook",
        subject="Of alice",
        failures=2,
        last_error="It answered 500.",
    )

    page = words(signed_in(carol).get(URL))

    assert "Of alice" in page
    assert "It answered 500." in page
    assert "did not get through" not in words(browser.get(URL))


@pytest.fixture
def feed(browser: Client, node: Sandbox, account: Account) -> str:
    node.add_key(account, label="Straße, für; das\nWiki", lifetime=timedelta(days=9))
    node.add_key(account, label="never", lifetime=timedelta(days=36_500))
    node.add_key(account, label="session", is_session=True)
    browser.post(URL, {"create_feed": "1"})
    [url] = re.findall(r"http://localhost:8000(/feeds/[^<]+)", browser.get(URL).content.decode())
    return str(url)


def summaries(body: bytes) -> list[str]:
    return [str(event["summary"]) for event in Calendar.from_ical(body).walk("VEVENT")]


def test_the_feed_needs_no_sign_in_and_holds_the_ends_of_keys(
    feed: str, token: str, node: Sandbox
) -> None:
    response = Client().get(feed)

    assert response.status_code == 200
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert "“Straße, für; das Wiki” ends" in summaries(response.content)
    assert not any(name in str(summaries(response.content)) for name in ("never", "session"))
    assert token not in response.content.decode()
    assert b"\r\n" in response.content


def test_the_feed_needs_no_identity_of_a_proxy(feed: str, settings: Any) -> None:
    use(settings, BEHIND_PROXY)

    response = Client(REMOTE_ADDR=PROXY).get(feed)

    assert response.status_code == 200
    assert "“Straße, für; das Wiki” ends" in summaries(response.content)
    assert Client(REMOTE_ADDR=PROXY).get("/feeds/").status_code == 403
    assert Client(REMOTE_ADDR=PROXY).get("/keys/").status_code == 403


def test_the_feed_answers_a_conditional_get(feed: str) -> None:
    first = Client().get(feed)
    caches["key_lists"].clear()  # the list is read again, at another moment

    again = Client().get(feed, headers={"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_a_feed_of_another_moment_is_not_called_the_same_byte_for_byte(feed: str) -> None:
    first = Client().get(feed)

    assert first["ETag"].startswith('W/"')
    byte_for_byte = Client().get(feed, headers={"If-Match": first["ETag"]})
    assert byte_for_byte.status_code == 412


def test_a_feed_without_an_end_is_a_calendar_all_the_same(
    browser: Client, node: Sandbox, account: Account, alice: User
) -> None:
    connect(alice, node.add_key(account, label="never", lifetime=timedelta(days=36_500)))
    for old in [one for one, key in node.state.keys.items() if key.label != "never"]:
        node.remove_key(old)
    browser.post(URL, {"create_feed": "1"})

    body = Client().get(f"/feeds/{feed_secret_of(reminders_of(alice))}/keys.ics").content

    calendar = Calendar.from_ical(body)
    assert calendar.walk("VEVENT") == []
    [zone] = calendar.subcomponents  # RFC 5545, section 3.6: a calendar has at least one
    assert (zone.name, zone["TZID"]) == ("VTIMEZONE", "UTC")
    assert b"BEGIN:STANDARD" in body
    assert b"TZOFFSETTO:+0000" in body
    assert b"REFRESH-INTERVAL" in body
    assert b"X-WR-CALNAME" in body


def test_an_ended_or_changed_feed_is_gone(feed: str, browser: Client, alice: User) -> None:
    browser.post(URL, {"create_feed": "1"})
    assert Client().get(feed).status_code == 404
    other = f"/feeds/{feed_secret_of(reminders_of(alice))}/keys.ics"
    assert Client().get(other).status_code == 200

    browser.post(URL, {"end_feed": "1"})

    assert Client().get(other).status_code == 404
    assert AuditEntry.objects.filter(action__startswith="feed:").count() == 3


def test_the_feed_of_a_member_who_was_switched_off_or_disconnected_is_gone(
    feed: str, alice: User, browser: Client
) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert Client().get(feed).status_code == 404
    User.objects.filter(pk=alice.pk).update(is_active=True)

    browser.post("/account/token/disconnect/")

    assert Client().get(feed).status_code == 404


def test_a_feed_without_any_known_list_says_when_to_come_back(feed: str, node: Sandbox) -> None:
    caches["key_lists"].clear()
    node.set_fault("list", Fault("502-html"))

    response = Client().get(feed)

    assert (response.status_code, response["Retry-After"]) == (503, "600")


def test_the_feeds_secret_is_sealed_and_found_by_its_hash(feed: str, alice: User) -> None:
    secret = feed.split("/")[2]
    row = reminders_of(alice)

    assert len(secret) == 43
    assert secret not in f"{row.feed_hash} {row.feed_secret}"


def test_one_key_can_be_put_into_a_calendar(browser: Client, backup: str) -> None:
    response = browser.get(f"/keys/{hash_of(backup)}/ends.ics")

    assert summaries(response.content) == ["“backup” ends"]
    assert Client().get(f"/keys/{hash_of(backup)}/ends.ics").status_code == 302
    assert browser.get(f"/keys/{'x' * 43}/ends.ics").status_code == 404


def test_secrets_move_to_a_new_sealing_key(
    browser: Client, feed: str, alice: User, settings: Any
) -> None:
    browser.post(URL, {"webhook_url": HOOK})
    row = reminders_of(alice)
    before = (feed_secret_of(row), webhook_secret_of(row))
    new, old = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=", settings.TOKEN_SEALING_KEYS[0]
    settings.TOKEN_SEALING_KEYS = [new, old]

    reseal_tokens.Command().handle()

    settings.TOKEN_SEALING_KEYS = [new]
    row = reminders_of(alice)
    assert (feed_secret_of(row), webhook_secret_of(row)) == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_is_signed_out_is_led_to_sign_in(method: str, db: None) -> None:
    response = getattr(Client(), method)(URL)

    assert "/accounts/login/" in response["Location"]


def test_a_post_without_csrf_is_refused(alice: User) -> None:
    assert signed_in(alice, enforce_csrf_checks=True).post(URL, {"test": "1"}).status_code == 403


def test_a_webhook_whose_secret_cannot_be_opened_gets_another_when_it_is_saved_again(
    browser: Client, alice: User, settings: Any
) -> None:
    browser.post(URL, {"days": ["7"], "webhook_url": HOOK})
    Reminders.objects.update(webhook_secret="sealed under another key")
    assert "do not open the webhook's secret" in words(browser.get(URL))

    browser.post(URL, {"days": ["7"], "webhook_url": HOOK})

    assert webhook_secret_of(reminders_of(alice)).startswith("whsec_")


def test_a_feed_that_is_ended_twice_is_recorded_once(feed: str, browser: Client) -> None:
    for _ in range(2):
        browser.post(URL, {"end_feed": "1"})

    assert AuditEntry.objects.filter(action=Action.FEED_ENDED).count() == 1


def test_secrets_under_the_newest_key_stay_and_lost_ones_are_counted(
    browser: Client, feed: str, alice: User
) -> None:
    browser.post(URL, {"days": ["7"], "webhook_url": HOOK})
    Reminders.objects.update(feed_secret="sealed under another key")
    before, out, err = reminders_of(alice).webhook_secret, io.StringIO(), io.StringIO()

    with pytest.raises(CommandError, match="Not everything was moved"):
        call_command("reseal_tokens", stdout=out, stderr=err)

    assert "1 secret of webhooks and feeds cannot be opened" in err.getvalue()
    assert "secrets of reminders" not in out.getvalue()
    assert reminders_of(alice).webhook_secret == before


def test_a_feed_whose_address_cannot_be_opened_is_shown_and_can_be_ended(
    feed: str, browser: Client
) -> None:
    Reminders.objects.update(feed_secret="sealed under another key")

    page = words(browser.get(URL))
    assert "Your feed works" in page
    assert "End feed" in page
    assert Client().get(feed).status_code == 200

    browser.post(URL, {"end_feed": "1"})
    assert Client().get(feed).status_code == 404


def test_a_feed_whose_token_cannot_be_opened_says_when_to_come_back(feed: str) -> None:
    caches["key_lists"].clear()
    StoredToken.objects.update(sealed="sealed under another key")

    assert Client().get(feed).status_code == 503


@pytest.mark.parametrize("method", ["head", "get"])
def test_a_feed_answers_head_as_get(feed: str, method: str) -> None:
    whole, response = Client().get(feed), getattr(Client(), method)(feed)

    assert response.status_code == 200
    assert response["ETag"] == whole["ETag"]
    assert response["Content-Type"] == whole["Content-Type"]
    assert response.content == (whole.content if method == "get" else b"")


@pytest.mark.parametrize(
    "label",
    [
        "a\x00b\x07",
        "\u202eevil",
        "👩‍👩‍👧" * 60,
        "x" * 10_000,
        "\r\nEND:VEVENT",
        "\ufeff\u200b",
        "‫שלום‬",
    ],
)
def test_no_label_breaks_the_feed(
    browser: Client, node: Sandbox, account: Account, label: str
) -> None:
    node.add_key(account, label=label, lifetime=timedelta(days=9))
    browser.post(URL, {"create_feed": "1"})
    [url] = re.findall(r"http://localhost:8000(/feeds/[^<]+)", browser.get(URL).content.decode())

    body = Client().get(url).content

    assert len(summaries(body)) == 2
    assert body.count(b"\r\nEND:VEVENT\r\n") == 2


def test_backslashes_of_a_label_stay_in_the_feed(
    browser: Client, node: Sandbox, account: Account
) -> None:
    node.add_key(account, label=r"acme\Nightly; a,b\n", lifetime=timedelta(days=9))
    browser.post(URL, {"create_feed": "1"})
    [url] = re.findall(r"http://localhost:8000(/feeds/[^<]+)", browser.get(URL).content.decode())

    body = Client().get(url).content.replace(b"\r\n ", b"").decode()

    assert r"SUMMARY:“acme\\Nightly\; a\,b\\n” ends" in body


def test_a_token_among_the_thresholds_is_not_sent_back(browser: Client, token: str) -> None:
    for days in ([token], [token, "7"]):
        response = browser.post(URL, {"days": days})

        assert response.status_code == 200
        assert token not in response.content.decode()
