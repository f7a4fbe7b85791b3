"""The page that an admin opens in the morning: cards that are filters, the team over time."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.jobs import tasks
from keys.models import AuditEntry, Message, Reminders, StoredToken, TeamSample
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.stats.history import today
from keys.team.overview import keep_sample, verify_chain
from keys.team.sync import sync_due
from keys.templatetags.formats import exact_moment
from tests.conftest import connect, signed_in
from tests.keys.evidence import last_row, words_of
from tests.keys.team.conftest import look_again

DAY = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def admin(carol: User) -> Client:
    return signed_in(carol)


@pytest.fixture
def synced(node: Sandbox, alice: User) -> Account:
    account = node.add_user("alice", contents=40)
    connect(alice, node.add_key(account, label="console", lifetime=5 * DAY))
    node.add_key(account, label="forever", lifetime=None)
    node.add_key(account, label="old", lifetime=90 * DAY, era="legacy")
    sync_due()
    node.forget_requests()
    return account


def figures(client: Client) -> dict[str, str]:
    return {card.words: card.figure for card in client.get("/overview/").context["cards"]}


def test_each_card_counts_and_leads_to_what_it_counts(
    admin: Client, synced: Account, alice: User, node: Sandbox
) -> None:
    record_action(Actor(alice, "", ""), Action.EXPORT_FAILED)
    Message.objects.create(member=alice, channel="email", subject="x", text="x", failures=2)
    alice.is_active = False
    alice.save()

    found = figures(admin)

    assert found | {"Worker": "Awake"} == {
        "End within 14 days": "1",
        "No expiry": "1",
        "Plain text": "1",
        "Over policy": "0",
        "Rotations overdue": "0",
        "Tokens that end or are refused": "1",
        "Off-boarding due": "1",
        "Exports failed": "1",
        "Prepared exports failed": "0",
        "Messages undelivered": "1",
        "Worker": "Awake",
        "Audit chain": "Not verified yet",
    }
    assert node.requests == []
    cards = {card.words: card.url for card in admin.get("/overview/").context["cards"]}
    assert [row.seen.label for row in admin.get(cards["No expiry"]).context["rows"]] == ["forever"]
    assert [row.seen.label for row in admin.get(cards["Plain text"]).context["rows"]] == [""]
    for words in ("Tokens that end or are refused", "Off-boarding due"):
        rows = admin.get(cards[words]).context["rows"]
        assert [row.member.username for row in rows] == ["alice"]
    assert all(admin.get(url).status_code == 200 for url in cards.values() if url)


def test_failed_exports_lead_to_those_that_are_counted(admin: Client, alice: User) -> None:
    for days in (8, 1):
        with time_machine.travel(timezone.now() - days * DAY, tick=False):
            record_action(Actor(alice, "", ""), Action.EXPORT_FAILED)

    [card] = [
        card for card in admin.get("/overview/").context["cards"] if card.words == "Exports failed"
    ]

    assert card.figure == "1"
    assert len(admin.get(card.url).context["rows"]) == 1


def test_keys_that_nobody_has_read_are_not_counted_as_none(
    admin: Client, node: Sandbox, alice: User
) -> None:
    connect(alice, node.add_key(node.add_user("alice"), label="console"))
    assert figures(admin)["Plain text"] == "Not known yet"

    sync_due()
    assert figures(admin)["Plain text"] == "0"

    bob = User.objects.create_user("bob")
    connect(bob, node.add_key(node.add_user("bob"), label="console"))
    assert figures(admin)["Plain text"] == "0"
    assert "1 account not read yet" in words_of(admin.get("/overview/"))


def test_failed_exports_lead_to_the_entries_of_the_same_week(
    admin: Client, synced: Account, alice: User
) -> None:
    for action in (Action.EXPORT_FAILED, Action.EXPORT_PREPARE_FAILED):
        record_action(Actor(alice, "", ""), action)
        with time_machine.travel(timezone.now() - 8 * DAY, tick=True):
            record_action(Actor(alice, "", ""), action)

    cards = {card.words: card for card in admin.get("/overview/").context["cards"]}

    for words in ("Exports failed", "Prepared exports failed"):
        assert cards[words].figure == "1"
        assert len(admin.get(cards[words].url).context["rows"]) == 1


def test_the_chain_is_verified_and_said_when(admin: Client, synced: Account) -> None:
    verify_chain()

    assert figures(admin)["Audit chain"] == "Holds"
    verified_at = AuditEntry.objects.get(action=Action.AUDIT_VERIFIED).at
    assert f"verified {exact_moment(verified_at)}" in words_of(admin.get("/overview/"))
    row = last_row(Action.AUDIT_VERIFIED)
    assert (row.job, row.outcome, row.detail["breaks"]) == ("verify-audit", Outcome.DONE, 0)


def test_a_broken_chain_is_told(
    admin: Client, synced: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keys.audit import chain

    verdict = chain.Verdict(3, "3:x", [chain.Break(2, "Row 2 was changed or moved.")])
    monkeypatch.setattr(chain, "verify", lambda: verdict)
    verify_chain()

    assert figures(admin)["Audit chain"] == "Broken"
    [notice] = Message.objects.all()
    assert (notice.member.username, notice.channel) == ("carol", "page")
    assert "Row 2 was changed or moved." in notice.text


def test_the_head_of_the_audit_goes_to_the_webhooks_of_admins(
    admin: Client, synced: Account, alice: User, carol: User
) -> None:
    for member in (alice, carol):
        url = f"https://hooks.example.com/{member.username}"
        Reminders.objects.create(member=member, webhook_url=url)

    verify_chain()

    [message] = Message.objects.all()
    assert (message.recipient, message.kind) == ("https://hooks.example.com/carol", "audit.head")
    assert message.data["holds"] is True
    # What the receiver keeps proves the chain later on.
    call_command("verify_audit", head=message.data["head"])
    number, _, digest = message.data["head"].partition(":")
    with pytest.raises(CommandError):
        call_command("verify_audit", head=f"{number}:{digest[::-1]}")


def test_the_team_over_time_is_one_sample_a_day(admin: Client, synced: Account) -> None:
    keep_sample()
    keep_sample()
    sample = TeamSample.objects.get()
    assert (sample.pin_count, sample.members, sample.keys) == (36, 2, 3)
    TeamSample.objects.create(
        day=sample.day - 20 * DAY, total_size=0, pin_count=10, members=1, keys=1
    )

    page = admin.get("/overview/").content.decode()

    assert 'role="img"' in page
    assert "Pins: 36" in page
    assert "more by 26" in page
    [points, _] = re.findall(r'<polyline points="([^"]+)"', page)
    assert points == "0.0,120.0 600.0,0.0"


def test_without_samples_the_page_says_so(admin: Client) -> None:
    assert "Not known yet: the worker keeps one figure a day" in words_of(admin.get("/overview/"))


def test_a_day_whose_first_sample_was_too_early_has_the_figures_of_the_look(
    admin: Client, node: Sandbox, alice: User
) -> None:
    connect(alice, node.add_key(node.add_user("alice", contents=40), label="console"))
    tasks.sample_team.call_local()
    assert not TeamSample.objects.exists()
    assert "Not known yet" in words_of(admin.get("/overview/"))

    tasks.sync.call_local()

    assert TeamSample.objects.get().pin_count == 36
    response = admin.get("/overview/")
    assert "more by" not in words_of(response)  # one day tells no change
    assert '<svg class="chart"' not in response.content.decode()


def test_an_account_that_was_never_read_is_not_counted_and_named(
    admin: Client, node: Sandbox, synced: Account
) -> None:
    bob = User.objects.create_user("bob")
    connect(bob, node.add_key(node.add_user("bob", contents=3), label="console"))
    node.set_fault("stats", Fault("502-html"))
    tasks.sync.call_local()

    sample = TeamSample.objects.get()
    assert (sample.pin_count, sample.missing_accounts) == (36, 1)
    words = words_of(admin.get("/overview/"))
    assert "One connected account is not counted" in words
    assert "(without 1 account)" in words


def test_an_account_that_fails_later_keeps_its_figures(node: Sandbox, synced: Account) -> None:
    keep_sample()
    node.set_fault("any", Fault("502-html"))

    look_again()
    keep_sample()

    sample = TeamSample.objects.get()
    assert (sample.pin_count, sample.missing_accounts) == (36, 0)


def test_without_a_connected_member_no_figure_is_kept(admin: Client, synced: Account) -> None:
    StoredToken.objects.all().delete()

    keep_sample()

    assert not TeamSample.objects.exists()


def test_a_figure_of_another_day_says_so(admin: Client, synced: Account) -> None:
    day = today() - 3 * DAY
    TeamSample.objects.create(day=day, total_size=10, pin_count=1, members=1, keys=1)

    assert f"Stored on {day.day} {day:%b %Y}: 10 B" in words_of(admin.get("/overview/"))


def test_a_change_is_told_only_between_sums_of_all_accounts(admin: Client) -> None:
    for days, missing in ((3, 1), (0, 0)):
        TeamSample.objects.create(
            day=today() - days * DAY,
            total_size=10,
            pin_count=1,
            members=1,
            keys=1,
            missing_accounts=missing,
        )

    assert "more by" not in words_of(admin.get("/overview/"))


def test_the_latest_events_are_shown(admin: Client, alice: User) -> None:
    record_action(Actor(alice, "", ""), Action.KEY_CREATED)

    assert "Key created: alice" in words_of(admin.get("/overview/"))


def test_only_admins_see_the_overview(alice: User) -> None:
    assert signed_in(alice).get("/overview/").status_code == 403
    assert AuditEntry.objects.filter(action=Action.ACCESS_DENIED).exists()
    assert Client().get("/overview/")["Location"].startswith("/accounts/login/")
