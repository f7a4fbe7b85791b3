"""The page that an admin opens in the morning: cards that are filters, the team over time."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.models import AuditEntry, Message, Reminders, TeamSample
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.team.overview import keep_sample, verify_chain
from keys.team.sync import sync_due
from tests.conftest import connect, signed_in
from tests.keys.evidence import last_row, words_of

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


def test_the_chain_is_verified_and_said_when(admin: Client, synced: Account) -> None:
    verify_chain()

    assert figures(admin)["Audit chain"] == "Holds"
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
    assert "Nothing yet: the worker keeps one figure a day." in words_of(admin.get("/overview/"))


def test_the_latest_events_are_shown(admin: Client, alice: User) -> None:
    record_action(Actor(alice, "", ""), Action.KEY_CREATED)

    assert "Key created: alice" in words_of(admin.get("/overview/"))


def test_only_admins_see_the_overview(alice: User) -> None:
    assert signed_in(alice).get("/overview/").status_code == 403
    assert AuditEntry.objects.filter(action=Action.ACCESS_DENIED).exists()
    assert Client().get("/overview/")["Location"].startswith("/accounts/login/")
