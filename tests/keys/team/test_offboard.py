"""Off-boarding a member: plan, dry run, each step killed and resumed, report."""

from __future__ import annotations

import base64
import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from estuary_admin.security.models import MemberSession
from estuary_admin.sso.sessions import PROVED_AT
from keys.actors import Actor
from keys.api_keys.rotation_end import end_due
from keys.audit import chain
from keys.audit import record as record_module
from keys.audit.vocabulary import Action, Outcome
from keys.exports.queueing import queue_export
from keys.jobs import claims, workers
from keys.models import (
    AuditEntry,
    ExportLease,
    KeyCreation,
    KeyNote,
    OffBoardedKey,
    OffBoarding,
    PreparedExport,
    Reminders,
    Rotation,
    SeenKey,
    StoredToken,
    Worker,
)
from keys.notes.services import NoteText, save_note
from keys.notices.choices import create_feed
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.team import off_board_plan, offboarding
from keys.team.offboarding import run_due
from keys.team.sync import sync_due
from keys.token.replacing import adopt, keep_candidate
from keys.token.stored_tokens import NotConnected, sealed_candidate
from keys.upstream import EstuaryClient, hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import last_row, revoke_elsewhere, words_of
from tests.keys.team.conftest import look_again

PAGE = "/team/alice/offboard/"
DAY = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def admin(carol: User) -> Client:
    return signed_in(carol)


@pytest.fixture
def secrets(node: Sandbox, account: Account, alice: User, token: str) -> list[str]:
    """Alice's keys beside the console's own, of every kind."""
    connect(alice, token)
    found = [node.add_key(account, label=label) for label in ("backup", "web")]
    found.append(node.add_key(account, label="ended", lifetime=-DAY))
    found.append(node.add_key(account, is_session=True))
    found.append(node.add_key(account, label="old", era="legacy"))
    sync_due()
    node.forget_requests()
    return found


def start(admin: Client, **fields: Any) -> OffBoarding:
    form = {"reason": "left the company", "confirm": "alice"} | fields
    response = admin.post(PAGE, form)
    assert response.status_code == 302, words_of(response)
    return OffBoarding.objects.get()


def run_again() -> OffBoarding:
    """As when the next try is due."""
    caches["key_lists"].clear()
    OffBoarding.objects.exclude(due_at=None).update(due_at=timezone.now())
    run_due()
    return OffBoarding.objects.get()


def left(node: Sandbox, *tokens: str) -> list[str]:
    return [one for one in tokens if one in node.state.keys]


def test_the_page_says_what_exists_and_what_will_be_done(
    admin: Client, secrets: list[str], alice: User, node: Sandbox
) -> None:
    signed_in(alice)
    create_feed(Actor(alice, "", ""))

    words = words_of(admin.get(PAGE))

    assert "Keys 4 that work" in words
    assert "Calendar feed Yes" in words
    assert words.index("Disable the member") < words.index("Revoke the keys")
    assert words.index("Hand the kept keys over") < words.index("destroy the stored token")
    assert node.requests == []


def test_only_sessions_that_still_work_are_counted(
    admin: Client, secrets: list[str], alice: User
) -> None:
    signed_in(alice).get("/account/")
    MemberSession.objects.create(member=alice, session_key="long-over", device="phone")

    assert "Sessions 1 " in words_of(admin.get(PAGE))
    assert MemberSession.objects.filter(session_key="long-over").exists()  # a GET changes nothing

    start(admin)
    assert run_again().sessions_ended == 1


def test_everything_ends_and_is_reported(
    admin: Client, secrets: list[str], alice: User, node: Sandbox, token: str
) -> None:
    member = signed_in(alice)
    member.get("/account/")
    create_feed(Actor(alice, "", ""))
    row = start(admin)
    assert (row.state, row.member_name, row.started_by_name) == ("queued", "alice", "carol")

    row = run_again()

    assert row.state == "done"
    assert left(node, token, *secrets) == []
    alice.refresh_from_db()
    assert not alice.is_active
    assert member.get("/account/").status_code == 302
    assert not StoredToken.objects.exists()
    assert Reminders.objects.get(member=alice).feed_hash is None
    assert not SeenKey.objects.exists()
    page = admin.get(PAGE)
    assert 'data-state="done"' in page.content.decode()
    assert "Revoked: Estuary no longer lists it" in words_of(page)
    last = last_row(Action.OFF_BOARDING_FINISHED)
    assert last.detail | {"given_reason": ""} == {
        "revoked": 6,
        "kept": 0,
        "not_confirmed": 0,
        "given_reason": "",
    }
    assert row.audit_head == f"{last.sequence}:{last.row_hash}"
    assert chain.verify(row.audit_head).holds


def test_the_report_is_a_file(admin: Client, secrets: list[str], token: str) -> None:
    assert admin.get(f"{PAGE}report.json").status_code == 404
    start(admin)
    assert admin.get(f"{PAGE}report.json").status_code == 404
    row = run_again()

    response = admin.get(f"{PAGE}report.json")

    report = response.json()
    assert report["all_confirmed"] is True
    assert report["audit_head"] == row.audit_head
    assert {key["outcome"] for key in report["keys"]} == {"revoked"}
    assert "attachment" in response["Content-Disposition"]
    kept = response.content.decode() + repr(list(OffBoardedKey.objects.values()))
    assert not any(secret in kept for secret in [token, *secrets])


def test_kept_keys_are_handed_over_in_their_notes(
    admin: Client, secrets: list[str], alice: User, carol: User, node: Sandbox, token: str
) -> None:
    save_note(Actor(alice, "", ""), hash_of(secrets[0]), NoteText(purpose="wiki", note="old"))

    start(admin, keep=[hash_of(secrets[0])], successor="carol")
    row = run_again()

    assert row.state == "done"
    assert left(node, token, *secrets) == [secrets[0]]
    note = KeyNote.objects.get(token_hash=hash_of(secrets[0]))
    assert (note.contact, note.purpose) == ("carol", "wiki")
    assert note.note.startswith("Handed over from alice on ")
    assert note.note.endswith("left the company\nold")
    assert carol in note.members.all()
    assert row.keys.get(token_hash=hash_of(secrets[0])).outcome == "kept"
    assert list(SeenKey.objects.values_list("label", flat=True)) == ["backup"]


def test_handing_over_takes_nothing_from_a_long_note(
    admin: Client, secrets: list[str], alice: User
) -> None:
    key, written = hash_of(secrets[0]), "x" * 1980 + "\nRESTORE: call 555"
    save_note(Actor(alice, "", ""), key, NoteText(contact="ops@example.com", note=written))

    start(admin, keep=[key], successor="carol")
    run_again()
    OffBoarding.objects.update(step=OffBoarding.Step.HAND_OVER, state="running")
    run_again()  # as after a worker was killed

    note = KeyNote.objects.get(token_hash=key)
    assert note.contact == "carol"
    assert note.note.endswith(f"\nContact before: ops@example.com\n{written}")
    assert note.note.count("Contact before") == note.note.count("Handed over") == 1


def test_a_dry_run_changes_nothing(
    admin: Client, secrets: list[str], node: Sandbox, alice: User
) -> None:
    words = words_of(
        admin.post(PAGE, {"dry_run": "1", "keep": hash_of(secrets[1]), "successor": "carol"})
    )

    assert "Dry run: nothing was changed. 5 keys would be revoked, 1 kept." in words
    assert "Keep “web”" in words
    assert not OffBoarding.objects.exists()
    assert {request.method for request in node.requests} == {"GET"}
    alice.refresh_from_db()
    assert alice.is_active


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": ""}, "This field is required."),
        ({"confirm": "alic"}, "This is not the name of the member."),
        ({"confirm": ""}, "This field is required."),
        ({"keep": "x" * 43}, "Select a valid choice"),
        ({"keep": "known"}, "Name the member who takes the kept keys over."),
        ({"successor": "nobody"}, "There is no other active member of this name."),
        ({"successor": "alice"}, "There is no other active member of this name."),
        ({"successor": "carol"}, "Choose the keys to keep, or name nobody here."),
    ],
)
def test_a_form_that_is_not_right_starts_nothing(
    admin: Client, secrets: list[str], fields: dict[str, str], sentence: str
) -> None:
    form = {"reason": "left", "confirm": "alice"} | fields
    if form.get("keep") == "known":
        form["keep"] = hash_of(secrets[0])

    assert sentence in words_of(admin.post(PAGE, form))
    assert not OffBoarding.objects.exists()


STEPS = ["_lock", "_end_keys", "_hand_over", "_end_token", "_finish"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_a_step_is_resumed_by_the_next(
    admin: Client,
    secrets: list[str],
    node: Sandbox,
    token: str,
    step: str,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(admin, keep=[hash_of(secrets[0])], successor="carol")
    if (step, moment) == ("_finish", "after"):
        pytest.skip("nothing is left to do")
    with monkeypatch.context() as patch:
        kill_at(patch, step, moment)
        with pytest.raises(KeyboardInterrupt):
            run_due()
    workers.unregister()
    workers.register()

    row = run_again()

    assert row.state == "done"
    assert left(node, token, *secrets) == [secrets[0]]
    assert not StoredToken.objects.exists()
    outcomes = dict(row.keys.values_list("token_hash", "outcome"))
    assert len(outcomes) == 6
    assert set(outcomes.values()) == {"revoked", "kept"}
    assert AuditEntry.objects.filter(action=Action.OFF_BOARDING_FINISHED).count() == 1
    assert AuditEntry.objects.filter(action=Action.SWITCHED_OFF).count() == 1


def kill_at(patch: pytest.MonkeyPatch, step: str, moment: str) -> None:
    real = getattr(offboarding, step)

    def killed(row: OffBoarding) -> None:
        if moment == "after":
            real(row)
        raise KeyboardInterrupt

    patch.setattr(offboarding, step, killed)
    for name, function in list(offboarding.STEPS.items()):
        if function is real:
            patch.setitem(offboarding.STEPS, name, killed)


@pytest.mark.parametrize("recorded", ["_record", "_ended"])
def test_a_worker_killed_between_revoking_and_recording_leaves_no_key_open(
    admin: Client,
    secrets: list[str],
    node: Sandbox,
    token: str,
    recorded: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(admin)

    def killed(*_: Any) -> None:
        if node.state.keys.get(secrets[0]) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(offboarding, recorded, killed)
        with pytest.raises(KeyboardInterrupt):
            run_due()
    workers.unregister()
    workers.register()

    row = run_again()

    assert row.state == "done"
    assert set(row.keys.values_list("outcome", flat=True)) == {"revoked"}
    assert left(node, token, *secrets) == []


def test_while_estuary_is_away_it_waits_and_says_so(
    admin: Client, secrets: list[str], node: Sandbox, token: str, alice: User
) -> None:
    start(admin)
    node.set_fault("any", Fault("502-html"))

    row = run_again()

    assert (row.state, row.failures, row.step) == ("running", 1, 2)
    alice.refresh_from_db()
    assert not alice.is_active  # nobody creates keys meanwhile
    page = admin.get(PAGE)
    assert 'data-state="running"' in page.content.decode()
    assert "The worker tries again." in words_of(page)
    assert StoredToken.objects.exists()
    node.clear_faults()
    assert run_again().state == "done"
    assert left(node, token, *secrets) == []


def test_a_list_without_the_key_that_asked_does_not_prove_that_all_have_ended(
    admin: Client, secrets: list[str], node: Sandbox, token: str
) -> None:
    start(admin)
    revoke_elsewhere(node, token)  # by the member who leaves

    run_again()
    row = run_again()

    assert (row.state, row.is_list_settled) == ("running", False)
    assert "does not hold the key of the member's stored token" in row.trouble
    assert left(node, *secrets) == []  # what it lists is revoked all the same


def test_what_estuary_does_not_carry_out_is_not_claimed(
    admin: Client, secrets: list[str], node: Sandbox
) -> None:
    start(admin)
    node.set_fault("revoke", Fault("silent-ok"))

    row = run_again()

    assert row.state == "running"
    assert "still lists" in row.trouble
    assert StoredToken.objects.exists()


def test_an_admin_who_gives_up_gets_a_report_of_what_is_not_confirmed(
    admin: Client, secrets: list[str], node: Sandbox, token: str
) -> None:
    start(admin)
    node.set_fault("any", Fault("401-unknown"))
    assert run_again().state == "running"

    admin.post(PAGE, {"finish": "1"})
    row = run_again()

    assert row.state == "failed"
    assert not StoredToken.objects.exists()
    assert set(row.keys.values_list("outcome", flat=True)) >= {"unconfirmed"}
    assert last_row(Action.OFF_BOARDING_FINISHED).outcome == Outcome.FAILED
    assert last_row(Action.OFF_BOARDING_GIVEN_UP).actor_name == "carol"
    assert "treat it as working" in words_of(admin.get(PAGE))


def test_a_member_without_connection_is_off_boarded_too(admin: Client, alice: User) -> None:
    start(admin)

    assert run_again().state == "done"
    alice.refresh_from_db()
    assert not alice.is_active


def test_keys_of_a_member_who_disconnected_are_not_called_revoked(
    admin: Client, secrets: list[str], node: Sandbox
) -> None:
    StoredToken.objects.all().delete()
    start(admin)

    row = run_again()

    assert row.state == "failed"
    assert set(row.keys.values_list("outcome", flat=True)) == {"unconfirmed"}
    assert node.requests == []


def made_here(alice: User, label: str, **fields: Any) -> KeyCreation:
    facts = {"permission": "all", "outcome": "created", "token_hash": hash_of(label)} | fields
    return KeyCreation.objects.create(
        nonce=label, member=alice, member_name="alice", label=label, **facts
    )


def test_a_key_that_was_made_after_the_last_look_is_named_when_the_member_disconnected(
    admin: Client, alice: User
) -> None:
    made_here(alice, "made in the last minutes")
    start(admin)

    row = run_again()

    assert row.state == "failed"
    assert list(row.keys.values_list("label", "outcome")) == [
        ("made in the last minutes", "unconfirmed")
    ]
    assert admin.get(f"{PAGE}report.json").json()["all_confirmed"] is False


def test_keys_made_here_that_have_ended_hold_no_confirmation_up(admin: Client, alice: User) -> None:
    gone = {"revoked": Action.KEY_REVOKED, "gone elsewhere": Action.KEY_VANISHED}
    for label, action in gone.items():
        made_here(alice, label)
        record_module.record_action(Actor(alice, "", ""), action, token_hash=hash_of(label))
    made_here(alice, "past its end", lifetime=DAY, requested_at=timezone.now() - 2 * DAY)
    made_here(alice, "not made", outcome="not-created", token_hash="")
    start(admin)

    row = run_again()

    assert row.state == "done"
    assert not row.keys.exists()


def test_a_revocation_that_estuary_did_not_confirm_is_no_end(admin: Client, alice: User) -> None:
    made_here(alice, "still there")
    actor = Actor(alice, "", "")
    record_module.record_action(
        actor, Action.KEY_REVOKED, Outcome.UNKNOWN, token_hash=hash_of("still there")
    )
    start(admin)

    assert run_again().keys.get().outcome == "unconfirmed"


@pytest.mark.parametrize("outcome", ["requested", "lost", "unknown"])
def test_a_key_of_unknown_hash_is_never_all_confirmed_without_a_list(
    admin: Client, alice: User, outcome: str
) -> None:
    made_here(alice, "whatever", outcome=outcome, token_hash="")
    start(admin)

    assert run_again().state == "failed"
    assert "keys that this report does not name" in words_of(admin.get(PAGE))


def exchange_begun(alice: User, node: Sandbox, account: Account, token: str) -> str:
    """The console's own key is being exchanged: the new token is sealed, and not proved yet."""
    new = node.add_key(account, label="new console")
    record = made_here(alice, "new console", token_hash=hash_of(new))
    end = timezone.now() + 30 * DAY
    Rotation.objects.create(
        creation=record,
        member=alice,
        old_hash=hash_of(token),
        old_label="console",
        old_expiry=end,
        stored_hash=hash_of(token),
        ends_at=timezone.now() + DAY,
        latest_end=end,
        state=Rotation.State.OVERLAP,
        sealed_candidate=sealed_candidate(alice, new),
        due_at=timezone.now(),
    )
    return new


@pytest.mark.parametrize("is_connected", [True, False], ids=["given up", "disconnected"])
def test_no_second_token_of_the_leaver_stays(
    admin: Client,
    secrets: list[str],
    node: Sandbox,
    account: Account,
    alice: User,
    token: str,
    is_connected: bool,
) -> None:
    new = exchange_begun(alice, node, account, token)
    start(admin)
    node.set_fault("any", Fault("502-html"))
    if is_connected:
        run_again()
        admin.post(PAGE, {"finish": "1"})
    else:
        StoredToken.objects.all().delete()

    row = run_again()

    assert row.state == "failed"
    assert row.keys.get(token_hash=hash_of(new)).outcome == "unconfirmed"
    rotation = Rotation.objects.get()
    assert (rotation.sealed_candidate, rotation.state) == ("", "kept")
    assert (rotation.reason, rotation.due_at) == ("off-boarded", None)
    assert "off-boarded" in rotation.kept_sentence


def test_no_token_is_sealed_for_a_member_who_has_been_off_boarded(
    admin: Client, secrets: list[str], node: Sandbox, account: Account, alice: User, token: str
) -> None:
    """The request that made the key goes on slowly."""
    stored = StoredToken.objects.select_related("member").get()
    new = exchange_begun(alice, node, account, token)
    rotation = Rotation.objects.get()
    start(admin)
    run_again()

    keep_candidate(stored, rotation, new)

    assert Rotation.objects.get().sealed_candidate == ""


def test_an_exchange_of_the_consoles_key_does_not_go_on_while_its_member_leaves(
    admin: Client,
    secrets: list[str],
    node: Sandbox,
    account: Account,
    alice: User,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = exchange_begun(alice, node, account, token)
    start(admin)
    revoke = offboarding._revoke

    def both_jobs_at_once(*arguments: Any) -> None:
        end_due()
        revoke(*arguments)

    monkeypatch.setattr(offboarding, "_revoke", both_jobs_at_once)

    row = run_again()

    assert row.state == "done"
    assert left(node, token, new, *secrets) == []
    assert row.keys.get(token_hash=hash_of(token)).outcome == "revoked"
    assert not StoredToken.objects.exists()


def test_a_request_that_is_exchanging_the_consoles_key_stops_when_its_member_leaves(
    admin: Client, secrets: list[str], node: Sandbox, account: Account, alice: User, token: str
) -> None:
    exchange_begun(alice, node, account, token)
    stored = StoredToken.objects.select_related("member").get()
    start(admin)

    with pytest.raises(NotConnected):
        adopt(Actor(alice, "", ""), stored, Rotation.objects.get())

    assert StoredToken.objects.get().token_hash == hash_of(token)


def test_an_overlap_of_a_member_who_is_only_disabled_ends(
    secrets: list[str], node: Sandbox, account: Account, alice: User, token: str
) -> None:
    new = exchange_begun(alice, node, account, token)
    User.objects.update(is_active=False)

    for _ in range(2):
        Rotation.objects.update(due_at=Now(), ends_at=Now())
        end_due()

    assert StoredToken.objects.get().token_hash == hash_of(new)
    assert left(node, token, new) == [new]


def taken_over(alice: User, other: str) -> None:
    """The stored token is another one from now on."""
    StoredToken.objects.all().delete()
    connect(alice, other)


@pytest.mark.parametrize("moment", ["_revoke", "_hand_over", "_end_own_key"])
def test_a_token_that_was_changed_meanwhile_is_never_all_confirmed_while_the_old_one_works(
    admin: Client,
    secrets: list[str],
    node: Sandbox,
    account: Account,
    alice: User,
    token: str,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = node.add_key(account, label="new console")
    start(admin)
    real = getattr(offboarding, moment)

    def changed_meanwhile(*arguments: Any) -> None:
        real(*arguments)
        if StoredToken.objects.filter(token_hash=hash_of(token)).exists():
            taken_over(alice, new)

    monkeypatch.setattr(offboarding, moment, changed_meanwhile)
    if moment == "_hand_over":
        monkeypatch.setitem(offboarding.STEPS, OffBoarding.Step.HAND_OVER, changed_meanwhile)

    row = run_again()
    for _ in range(2):
        if row.is_open:
            row = run_again()
    admin.post(PAGE, {"finish": "1"})
    row = run_again() if row.is_open else row

    works = left(node, token)
    outcome = row.keys.get(token_hash=hash_of(token)).outcome
    assert (row.state, outcome) == (("failed", "unconfirmed") if works else ("done", "revoked"))


def test_a_token_of_another_account_does_not_prove_that_keys_have_ended(
    admin: Client, secrets: list[str], node: Sandbox, alice: User, token: str
) -> None:
    start(admin)
    node.state.on_change = lambda *_: node.set_fault("list", Fault("502-html"))
    run_again()
    node.state.on_change = lambda *_: None
    node.clear_faults()
    taken_over(alice, node.add_key(node.add_user("other"), label="console"))

    row = run_again()

    assert (row.state, row.is_list_settled) == ("running", False)
    assert "the token that was stored before" in row.trouble
    assert not row.keys.filter(outcome="revoked").exists()


def test_a_token_that_is_refused_before_its_own_end_is_not_all_confirmed(
    admin: Client, secrets: list[str], node: Sandbox, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ended it may have made a key with it before."""
    start(admin)
    hand_over = offboarding.STEPS[OffBoarding.Step.HAND_OVER]

    def ended_meanwhile(row: OffBoarding) -> None:
        hand_over(row)
        node.remove_key(token)
        node.set_fault("list", Fault("401-unknown"))

    monkeypatch.setitem(offboarding.STEPS, OffBoarding.Step.HAND_OVER, ended_meanwhile)

    row = run_again()

    assert (row.state, row.step) == ("running", OffBoarding.Step.TOKEN)
    admin.post(PAGE, {"finish": "1"})
    row = run_again()
    assert (row.state, row.is_list_settled) == ("failed", False)
    assert "keys that this report does not name" in words_of(admin.get(PAGE))


def test_a_token_that_is_disconnected_while_keys_end_is_not_all_confirmed(
    admin: Client, secrets: list[str], node: Sandbox, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(admin)
    revoke = offboarding._revoke

    def disconnected_meanwhile(*arguments: Any) -> None:
        revoke(*arguments)
        StoredToken.objects.all().delete()

    monkeypatch.setattr(offboarding, "_revoke", disconnected_meanwhile)

    assert "replaced or disconnected meanwhile" in run_again().trouble
    row = run_again()

    assert row.state == "failed"
    assert left(node, token) == [token]
    assert row.keys.get(token_hash=hash_of(token)).outcome == "unconfirmed"


def test_names_are_the_same_in_either_normal_form(admin: Client) -> None:
    for name in ("ren\u00e9", "zo\u00eb"):
        User.objects.create_user(name)

    response = admin.post(
        "/team/ren\u00e9/offboard/",
        {"reason": "left", "confirm": "rene\u0301", "successor": "zoe\u0308"},
    )

    # Both names are found: nothing but the choice of keys is missing.
    assert response.context["form"].errors == {
        "successor": ["Choose the keys to keep, or name nobody here."]
    }


def test_the_end_takes_its_locks_as_giving_up_does(admin: Client, secrets: list[str]) -> None:
    start(admin)
    row = claims.claim_next(OffBoarding.objects.all())
    assert row

    with CaptureQueriesContext(connection) as queries:
        offboarding._finish(row)
    claims._let_go(row)

    text = " ".join(query["sql"] for query in queries.captured_queries)
    assert text.index("keys_offboarding") < text.index("keys_audithead")


def proved(client: Client, seconds_ago: float) -> None:
    session = client.session
    session[PROVED_AT] = time.time() - seconds_ago
    session.save()


def test_a_choice_that_a_proof_interrupted_does_not_end_kept_keys(
    admin: Client, secrets: list[str]
) -> None:
    form = {
        "reason": "left",
        "confirm": "alice",
        "keep": hash_of(secrets[0]),
        "successor": "carol",
    }
    proved(admin, seconds_ago=24 * 3600)
    assert "/reauthenticate/" in admin.post(PAGE, form)["Location"]
    proved(admin, seconds_ago=1)
    page = admin.get(PAGE).content.decode()
    for value in ("left", "alice", "carol"):
        assert f'value="{value}"' in page
    ticked = re.findall(r'name="keep" value="([^"]+)" checked', page)
    assert ticked == [hash_of(secrets[0])]

    del form["keep"]
    words = words_of(admin.post(PAGE, form))

    assert "Choose the keys to keep, or name nobody here." in words
    assert not OffBoarding.objects.exists()


def test_who_watches_longer_than_a_proof_counts_sees_how_it_ends(
    admin: Client, secrets: list[str]
) -> None:
    start(admin)
    proved(admin, seconds_ago=24 * 3600)

    assert 'data-state="queued"' in admin.get(PAGE, headers=HTMX).content.decode()
    assert "/reauthenticate/" in admin.post(PAGE, {"finish": "1"})["Location"]
    run_due()
    assert 'data-state="done"' in admin.get(PAGE, headers=HTMX).content.decode()


def test_two_starts_are_one(admin: Client, secrets: list[str]) -> None:
    start(admin)
    admin.post(PAGE, {"reason": "again", "confirm": "alice"})

    assert OffBoarding.objects.count() == 1


def test_nobody_off_boards_themselves(admin: Client) -> None:
    response = admin.post("/team/carol/offboard/", {"reason": "x", "confirm": "carol"}, follow=True)

    assert "Nobody can off-board themselves." in words_of(response)
    assert not OffBoarding.objects.exists()


def test_another_worker_takes_nothing_away(
    admin: Client, secrets: list[str], node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = start(admin)
    hand_over = offboarding.STEPS[OffBoarding.Step.HAND_OVER]

    def claimed_meanwhile(one: OffBoarding) -> None:
        other = Worker.objects.create(host="other", pid=1)
        rows = OffBoarding.objects.filter(pk=row.pk)
        rows.update(claimed_by=other, claims=one.claims + 1)
        hand_over(one)

    monkeypatch.setitem(offboarding.STEPS, OffBoarding.Step.HAND_OVER, claimed_meanwhile)
    run_due()

    assert StoredToken.objects.exists()  # the step behind it was not done
    assert not AuditEntry.objects.filter(action=Action.OFF_BOARDING_FINISHED).exists()


def test_no_drift_is_told_of_what_an_off_boarding_ended(admin: Client, secrets: list[str]) -> None:
    start(admin)
    run_again()
    look_again()

    assert not AuditEntry.objects.filter(action=Action.KEY_VANISHED).exists()


def test_a_second_start_says_that_nothing_was_started(admin: Client, secrets: list[str]) -> None:
    start(admin)

    words = words_of(admin.post(PAGE, {"reason": "again", "confirm": "alice"}))

    assert "An off-boarding of this member is in progress already. Nothing was started." in words


def test_two_admins_cannot_off_board_each_other(admin: Client, carol: User) -> None:
    dora = User.objects.create_user("dora")
    dora.groups.set(carol.groups.all())
    admin.post("/team/dora/offboard/", {"reason": "x", "confirm": "dora"})

    response = signed_in(dora).post(
        "/team/carol/offboard/", {"reason": "y", "confirm": "carol"}, follow=True
    )

    assert "You are being off-boarded yourself. Nothing was started." in words_of(response)
    assert [row.member_name for row in OffBoarding.objects.all()] == ["dora"]


def test_keys_are_not_handed_over_to_a_member_who_leaves_too(
    admin: Client, secrets: list[str]
) -> None:
    User.objects.create_user("bob")
    admin.post("/team/bob/offboard/", {"reason": "x", "confirm": "bob"})

    form = {"reason": "left", "confirm": "alice", "keep": hash_of(secrets[0]), "successor": "bob"}

    assert "There is no other active member of this name." in words_of(admin.post(PAGE, form))


def test_an_admin_who_was_demoted_or_disabled_starts_nothing(
    admin: Client, carol: User, alice: User
) -> None:
    actor = Actor(carol, "", "")
    User.objects.filter(pk=carol.pk).update(is_active=False)

    with pytest.raises(offboarding.CannotStart):
        offboarding.start(actor, alice, "x", [], None)


def test_a_key_that_is_being_created_is_waited_for(
    admin: Client, secrets: list[str], alice: User, node: Sandbox, account: Account
) -> None:
    creation = KeyCreation.objects.create(
        nonce="n", member=alice, member_name="alice", label="late", permission="all"
    )
    start(admin)

    row = run_again()

    assert (row.state, row.trouble) == ("running", "A key of the member is being created.")
    late = node.add_key(account, label="late")
    creation.outcome = KeyCreation.Outcome.CREATED
    creation.save()
    assert run_again().state == "done"
    assert left(node, late, *secrets) == []


def test_a_creation_that_nobody_waits_for_holds_nothing_up(
    admin: Client, secrets: list[str], alice: User
) -> None:
    KeyCreation.objects.create(
        nonce="n",
        member=alice,
        member_name="alice",
        label="lost",
        permission="all",
        requested_at=timezone.now() - DAY,
    )
    start(admin)

    assert run_again().state == "done"


def test_a_key_that_appears_while_the_others_end_is_revoked_too(
    admin: Client,
    secrets: list[str],
    node: Sandbox,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(admin)
    late: list[str] = []
    hand_over = offboarding.STEPS[OffBoarding.Step.HAND_OVER]

    def created_meanwhile(row: OffBoarding) -> None:
        hand_over(row)
        late.append(node.add_key(account, label="late"))

    monkeypatch.setitem(offboarding.STEPS, OffBoarding.Step.HAND_OVER, created_meanwhile)

    row = run_again()

    assert row.state == "done"
    assert left(node, *late) == []
    assert row.keys.get(token_hash=hash_of(late[0])).outcome == "revoked"


def test_a_token_that_was_stored_meanwhile_ends_too(
    admin: Client,
    secrets: list[str],
    node: Sandbox,
    account: Account,
    alice: User,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(admin)
    other = node.add_key(account, label="other console")
    end_own_key = offboarding._end_own_key

    def connected_meanwhile(row: OffBoarding, stored: StoredToken) -> None:
        end_own_key(row, stored)
        other_one = node.add_key(account, label="console 2")
        connect(alice, other_one)
        monkeypatch.setattr(offboarding, "_end_own_key", end_own_key)

    monkeypatch.setattr(offboarding, "_end_own_key", connected_meanwhile)

    row = run_again()
    assert (row.state, row.step) == ("running", OffBoarding.Step.TOKEN)
    assert "Another token of the member was stored meanwhile." in row.trouble

    assert run_again().state == "done"
    assert not StoredToken.objects.exists()
    assert left(node, token, other, *secrets) == []


def test_a_kept_key_that_has_gone_is_not_called_kept(
    admin: Client, secrets: list[str], node: Sandbox
) -> None:
    start(admin, keep=[hash_of(secrets[0])], successor="carol")
    node.remove_key(secrets[0])

    row = run_again()

    assert row.keys.get(token_hash=hash_of(secrets[0])).outcome == "revoked"
    assert not KeyNote.objects.exists()


def test_giving_up_before_the_list_was_read_is_never_all_confirmed(
    admin: Client, secrets: list[str], node: Sandbox, alice: User
) -> None:
    SeenKey.objects.all().delete()
    start(admin)
    node.set_fault("any", Fault("502-html"))
    run_again()
    admin.post(PAGE, {"finish": "1"})
    node.clear_faults()

    row = run_again()

    assert row.state == "failed"
    report = admin.get(f"{PAGE}report.json").json()
    assert (report["all_confirmed"], report["list_was_read"]) == (False, False)
    assert "keys that this report does not name" in words_of(admin.get(PAGE))
    assert last_row(Action.OFF_BOARDING_FINISHED).outcome == Outcome.FAILED


def test_giving_up_during_a_try_takes_effect_at_once(
    admin: Client, secrets: list[str], node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(admin)
    node.set_fault("any", Fault("502-html"))
    keys_left = offboarding._keys_left

    def given_up_meanwhile(*arguments: Any) -> Any:
        OffBoarding.objects.update(gives_up=True)
        return keys_left(*arguments)

    monkeypatch.setattr(offboarding, "_keys_left", given_up_meanwhile)

    run_again()

    assert OffBoarding.objects.get().state == "failed"  # without another 15 seconds


def test_a_member_who_is_deleted_meanwhile_is_not_all_confirmed(
    admin: Client, secrets: list[str], alice: User
) -> None:
    start(admin)
    alice.delete()

    assert run_again().state == "failed"


def test_an_export_that_is_queued_before_the_member_is_disabled_is_cancelled(
    admin: Client, secrets: list[str], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(admin)
    record_action = record_module.record_action

    def queued_meanwhile(actor: Actor, action: str, *arguments: Any, **more: Any) -> Any:
        if action == Action.SWITCHED_OFF:
            queue_export(Actor(alice, "", ""), StoredToken.objects.get())
        return record_action(actor, action, *arguments, **more)

    monkeypatch.setattr(offboarding, "record_action", queued_meanwhile)

    run_again()

    assert PreparedExport.objects.get().state == PreparedExport.State.CANCELLED


def test_the_page_names_members_who_use_the_same_account(
    admin: Client, secrets: list[str], node: Sandbox, account: Account
) -> None:
    assert "The same account" not in words_of(admin.get(PAGE))
    bob = User.objects.create_user("bob")
    connect(bob, node.add_key(account, label="bob's console"))
    sync_due()

    assert "The same account at Estuary is used by bob." in words_of(admin.get(PAGE))


def test_keys_of_an_account_that_was_not_read_are_not_counted(
    admin: Client, alice: User, token: str
) -> None:
    connect(alice, token)

    assert "Keys Not known yet" in words_of(admin.get(PAGE))


def test_keys_that_the_page_does_not_list_are_told(
    admin: Client, secrets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(off_board_plan, "KEYS_SHOWN", 2)

    words = words_of(admin.get(PAGE))

    assert "Keys 4 that work" in words
    assert "Only the first 2 that end are listed; the others are revoked." in words


@pytest.mark.parametrize("moment", ["disconnect_token", "_revoke_own", "_close_rotations"])
def test_a_worker_killed_around_the_end_of_the_token_is_resumed(
    admin: Client,
    secrets: list[str],
    node: Sandbox,
    token: str,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(admin)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(offboarding, moment, killed)
        with pytest.raises(KeyboardInterrupt):
            run_due()
    workers.unregister()
    workers.register()
    if moment != "_revoke_own":  # 10 seconds after its end, Estuary refuses the token
        node.set_fault("any", Fault("401-unknown"))

    row = run_again()

    assert row.state == "done"
    assert left(node, token, *secrets) == []
    assert row.keys.get(token_hash=hash_of(token)).outcome == "revoked"
    assert row.is_list_settled
    assert not StoredToken.objects.exists()


def test_the_consoles_own_key_that_estuary_keeps_is_not_called_revoked(
    admin: Client, secrets: list[str], node: Sandbox, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(admin)
    revoke_own = offboarding._revoke_own

    def lied_to(*arguments: Any) -> None:
        node.set_fault("revoke", Fault("silent-ok"))
        revoke_own(*arguments)

    monkeypatch.setattr(offboarding, "_revoke_own", lied_to)

    row = run_again()

    assert (row.state, row.step) == ("running", OffBoarding.Step.TOKEN)
    assert row.keys.get(token_hash=hash_of(token)).outcome == "requested"
    assert StoredToken.objects.exists()

    admin.post(PAGE, {"finish": "1"})
    row = run_again()
    assert (row.state, row.is_list_settled) == ("failed", True)
    assert row.keys.get(outcome="unconfirmed").token_hash == hash_of(token)


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_admins_off_board(method: str, secrets: list[str], alice: User, node: Sandbox) -> None:
    for member in (alice, User.objects.create_user("bob")):
        for path in (PAGE, f"{PAGE}report.json"):
            assert getattr(signed_in(member), method)(path).status_code in {403, 405}
    assert getattr(Client(), method)(PAGE).status_code == 302
    assert not OffBoarding.objects.exists()


def unreadable_row(node: Sandbox, account: Account) -> None:
    node.state.keys[node.add_key(account)].row = b'{"tokenHash":"x"}'


def test_an_export_that_runs_while_the_member_leaves_is_asked_to_stop(
    admin: Client, secrets: list[str], token: str
) -> None:
    until = timezone.now() + DAY
    lease = ExportLease.objects.create(token_hash=hash_of(token), until=until)
    other = ExportLease.objects.create(token_hash="x" * 43, until=until)
    start(admin)

    run_again()

    lease.refresh_from_db()
    other.refresh_from_db()
    assert (lease.stop_requested, other.stop_requested) == (True, False)


def test_a_stored_token_that_cannot_be_opened_is_named_and_nothing_is_called_revoked(
    admin: Client, secrets: list[str], node: Sandbox, settings: Any, token: str
) -> None:
    start(admin)
    fitting = settings.TOKEN_SEALING_KEYS
    settings.TOKEN_SEALING_KEYS = [base64.b64encode(b"o" * 32).decode()]

    row = run_again()

    assert row.state == "running"
    assert row.trouble == "The stored token cannot be opened with this server's keys."
    assert row.trouble in words_of(admin.get(PAGE))
    assert left(node, *secrets) == secrets
    settings.TOKEN_SEALING_KEYS = fitting
    assert run_again().state == "done"
    assert left(node, token, *secrets) == []


def test_a_list_with_an_unreadable_row_does_not_prove_that_all_have_ended(
    admin: Client, secrets: list[str], node: Sandbox, account: Account
) -> None:
    unreadable_row(node, account)
    start(admin)

    run_again()
    row = run_again()

    assert (row.state, row.is_list_settled) == ("running", False)
    assert row.trouble == "Estuary's list could not be read whole."
    assert left(node, *secrets) == []  # what it lists is revoked all the same


def test_revoked_keys_are_not_called_so_until_estuary_gives_a_list(
    admin: Client, secrets: list[str], node: Sandbox, token: str
) -> None:
    start(admin)
    node.state.on_change = lambda *_: node.set_fault("list", Fault("502-html"))

    row = run_again()

    assert (row.state, row.failures) == ("running", 1)
    assert left(node, *secrets) == []
    others = row.keys.exclude(token_hash=hash_of(token))
    assert set(others.values_list("outcome", flat=True)) == {"requested"}
    assert not AuditEntry.objects.filter(action=Action.KEY_REVOKED, outcome=Outcome.DONE).exists()
    node.state.on_change = lambda *_: None
    node.clear_faults()
    row = run_again()
    assert row.state == "done"
    assert set(row.keys.values_list("outcome", flat=True)) == {"revoked"}
    assert left(node, token) == []


def test_the_consoles_own_key_is_not_called_revoked_without_a_list_afterwards(
    admin: Client, secrets: list[str], node: Sandbox, token: str
) -> None:
    start(admin)
    node.set_fault("any", Fault("502-html"))
    run_again()
    admin.post(PAGE, {"finish": "1"})
    node.clear_faults()
    node.state.on_change = lambda *_: node.set_fault("list", Fault("502-html"))

    row = run_again()

    assert row.state == "failed"
    assert left(node, token) == []
    assert row.keys.get(token_hash=hash_of(token)).outcome == "unconfirmed"
    assert not StoredToken.objects.exists()


def test_keys_that_time_did_not_reach_are_revoked_in_the_next_round(
    admin: Client, secrets: list[str], node: Sandbox, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    start(admin)
    revoke_each, rounds = EstuaryClient._revoke_each, []

    def out_of_time(client: EstuaryClient, listing: Any, wanted: list[str]) -> Any:
        rounds.append(wanted)
        reached = wanted[:1] if len(rounds) == 1 else wanted
        yield from revoke_each(client, listing, reached)
        yield from ((one, None) for one in wanted[len(reached) :])

    monkeypatch.setattr(EstuaryClient, "_revoke_each", out_of_time)

    row = run_again()

    assert row.state == "done"
    assert [len(one) for one in rounds] == [5, 4]
    assert left(node, token, *secrets) == []


def test_kept_keys_of_a_successor_who_is_deleted_keep_the_name(
    admin: Client, secrets: list[str]
) -> None:
    bob = User.objects.create_user("bob")
    start(admin, keep=[hash_of(secrets[0])], successor="bob")
    bob.delete()

    row = run_again()

    assert row.state == "done"
    note = KeyNote.objects.get(token_hash=hash_of(secrets[0]))
    assert note.contact == "bob"
    assert note.note.startswith("Handed over from alice on ")


def test_the_consoles_own_key_can_be_kept(
    admin: Client, secrets: list[str], node: Sandbox, token: str
) -> None:
    start(admin, keep=[hash_of(token)], successor="carol")

    row = run_again()

    assert row.state == "done"
    assert left(node, token, *secrets) == [token]
    assert not StoredToken.objects.exists()
    assert row.keys.get(token_hash=hash_of(token)).outcome == "kept"


def test_a_dry_run_of_a_member_who_is_not_connected_names_no_keys(
    admin: Client, alice: User, node: Sandbox
) -> None:
    words = words_of(admin.post(PAGE, {"dry_run": "1"}))

    assert "Dry run: nothing was changed. 0 keys would be revoked, 0 kept." in words
    assert node.requests == []
    assert not OffBoarding.objects.exists()


def test_a_member_who_is_deleted_before_the_start_is_told(carol: User, alice: User) -> None:
    gone = User.objects.get(pk=alice.pk)
    alice.delete()

    with pytest.raises(offboarding.CannotStart, match="no such member any more"):
        offboarding.start(Actor(carol, "", ""), gone, "left", [], None)

    assert not OffBoarding.objects.exists()


def test_a_start_that_another_admin_was_quicker_with_starts_nothing(
    admin: Client, secrets: list[str], carol: User, alice: User
) -> None:
    start(admin)

    with pytest.raises(offboarding.CannotStart, match="Nothing was started"):
        offboarding.start(Actor(carol, "", ""), alice, "again", [], None)

    assert OffBoarding.objects.count() == 1


def test_giving_up_twice_is_recorded_once(admin: Client, secrets: list[str], node: Sandbox) -> None:
    start(admin)
    node.set_fault("any", Fault("502-html"))
    run_again()

    for _ in range(2):
        admin.post(PAGE, {"finish": "1"})

    assert AuditEntry.objects.filter(action=Action.OFF_BOARDING_GIVEN_UP).count() == 1
