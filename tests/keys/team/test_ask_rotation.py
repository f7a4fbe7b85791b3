"""An admin asks a member for a rotation by a date; after it, a finding or a revocation."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.api_keys import create
from keys.audit.vocabulary import Action
from keys.models import (
    AuditEntry,
    KeyCreation,
    Message,
    Rotation,
    RotationRequest,
    SeenKey,
    StoredToken,
    Worker,
)
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.team import requested_rotations
from keys.team.forms import AskRotationForm
from keys.team.requested_rotations import work_off_deadlines
from keys.team.sync import sync_due
from keys.templatetags.formats import exact_moment
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.api_keys.test_bulk import preview
from tests.keys.api_keys.test_key_rotate import rotate
from tests.keys.evidence import labels_at, last_row, revoke_elsewhere, words_of
from tests.keys.team.conftest import look_again

pytestmark = pytest.mark.usefixtures("worker")
DAY = timedelta(days=1)
State = RotationRequest.State


@pytest.fixture
def admin(carol: User) -> Client:
    return signed_in(carol)


@pytest.fixture
def backup(node: Sandbox, account: Account, alice: User, token: str) -> str:
    """A key that the worker has seen in Alice's account."""
    connect(alice, token)
    secret = node.add_key(account, label="backup")
    sync_due()
    node.forget_requests()
    return secret


def page_of(secret: str) -> str:
    return f"/team/alice/keys/{hash_of(secret)}/ask-rotation/"


def in_days(count: int) -> str:
    return f"{timezone.localdate() + count * DAY:%Y-%m-%d}"


def ask(admin: Client, secret: str, **changes: str) -> Any:
    data = {"by": in_days(3), "reason": "It was in a log.", **changes}
    return admin.post(page_of(secret), data, follow=True)


def pass_deadline() -> None:
    past = timezone.now() - timedelta(minutes=1)
    RotationRequest.objects.update(deadline=past, due_at=past)
    work_off_deadlines()


def test_the_member_is_told_and_rotates_with_one_click(
    admin: Client, backup: str, alice: User, node: Sandbox
) -> None:
    response = ask(admin, backup)

    assert response.redirect_chain == [("/team/alice/", 302)]
    assert "alice is asked to rotate “backup” by" in words_of(response)
    row = last_row(Action.ROTATION_ASKED_FOR)
    assert (row.actor_name, row.on_behalf_of_name) == ("carol", "alice")
    assert row.token_hash == hash_of(backup)
    assert row.detail["given_reason"] == "It was in a log."
    [notice] = Message.objects.filter(member=alice)
    assert "The admin carol asks you to rotate “backup” by" in notice.text
    assert "Reason: It was in a log." in notice.text
    rotate_url = f"/keys/{hash_of(backup)}/rotate/"
    assert f'href="{rotate_url}"' in signed_in(alice).get("/account/reminders/").content.decode()
    assert node.requests == []


def test_the_request_is_shown_in_both_lists_and_on_the_keys_page(
    admin: Client, backup: str, alice: User
) -> None:
    ask(admin, backup)
    browser = signed_in(alice)

    own_list = browser.get("/keys/").content.decode()
    assert "Rotate by " in own_list
    assert own_list.count(f"/keys/{hash_of(backup)}/rotate/") == 2  # the tag, and the action
    own_page = words_of(browser.get(f"/keys/{hash_of(backup)}/"))
    assert "carol asks you to rotate this key by" in own_page
    assert "Reason: It was in a log." in own_page
    for path in ("/team/keys/", "/team/alice/"):
        assert "Asked to rotate by" in words_of(admin.get(path)), path
    assert "carol asked for a rotation by" in words_of(admin.get(page_of(backup)))
    assert "Rotation overdue" not in words_of(admin.get("/team/alice/"))


def test_a_rotation_fulfils_the_request(admin: Client, backup: str, alice: User) -> None:
    ask(admin, backup, revokes="on")

    rotate(signed_in(alice), backup)

    assert RotationRequest.objects.get().state == State.FULFILLED
    assert "Rotate by" not in words_of(signed_in(alice).get("/keys/"))
    pass_deadline()
    assert not AuditEntry.objects.filter(action=Action.KEY_REVOKED).exists()


def by_when() -> str:
    return exact_moment(RotationRequest.objects.get().deadline)


def test_a_key_that_would_be_revoked_works_no_longer_than_its_deadline(
    admin: Client, backup: str, alice: User
) -> None:
    ask(admin, backup, revokes="on")
    browser = signed_in(alice)

    form = words_of(browser.get(f"/keys/{hash_of(backup)}/rotate/"))
    response = words_of(rotate(browser, backup, overlap="7d"))

    assert f"asked for its rotation by {by_when()}, or it is revoked. The old key ends by" in form
    assert f"ends {by_when()}" in response
    assert ", by when an admin asked for its rotation." in response
    assert Rotation.objects.get().ends_at == RotationRequest.objects.get().deadline


def test_an_extension_stays_within_the_deadline(admin: Client, backup: str, alice: User) -> None:
    ask(admin, backup, revokes="on")
    browser, url = signed_in(alice), f"/keys/{hash_of(backup)}/rotation/"
    rotate(browser, backup, overlap="1h")

    page = words_of(browser.get(url))
    extended = browser.post(url, {"overlap": "7d"}, follow=True)
    refused = browser.post(url, {"overlap": "7d"})

    assert f"Nor later than {by_when()}: an admin asked for its rotation" in page
    assert f"The old key ends {by_when()}, by when an admin asked" in words_of(extended)
    assert Rotation.objects.get().ends_at == RotationRequest.objects.get().deadline
    assert "cannot work longer: an admin asked for its rotation by then" in words_of(refused)


def test_after_the_deadline_the_old_key_ends_at_once(
    admin: Client, backup: str, alice: User, node: Sandbox
) -> None:
    ask(admin, backup, revokes="on")
    RotationRequest.objects.update(deadline=timezone.now() - timedelta(minutes=1))
    browser = signed_in(alice)

    form = words_of(browser.get(f"/keys/{hash_of(backup)}/rotate/"))
    rotate(browser, backup, overlap="7d")

    assert "That time has passed, so the old key ends at once whatever you choose." in form
    assert backup not in node.state.keys
    assert labels_at(node) == ["backup", "console"]


@pytest.mark.parametrize("way", ["finding", "withdrawn"])
def test_without_a_revocation_the_overlap_is_the_members_choice(
    admin: Client, backup: str, alice: User, way: str
) -> None:
    ask(admin, backup, **({} if way == "finding" else {"revokes": "on"}))
    if way == "withdrawn":
        admin.post(page_of(backup), {"withdraw": "1"})
    browser = signed_in(alice)

    form = words_of(browser.get(f"/keys/{hash_of(backup)}/rotate/"))
    rotate(browser, backup, overlap="1h")
    browser.post(f"/keys/{hash_of(backup)}/rotation/", {"overlap": "7d"})

    assert "or it is revoked" not in form
    assert Rotation.objects.get().ends_at > timezone.now() + 6 * DAY


@pytest.mark.parametrize("way", ["one", "bulk", "admin", "elsewhere"])
def test_a_revocation_ends_the_request(
    admin: Client, backup: str, alice: User, node: Sandbox, way: str
) -> None:
    ask(admin, backup)
    browser = signed_in(alice)

    if way == "one":
        browser.post(f"/keys/{hash_of(backup)}/revoke/")
    elif way == "bulk":
        browser.post(preview(browser, key=hash_of(backup)))
    elif way == "admin":
        admin.post(f"/team/alice/keys/{hash_of(backup)}/revoke/", {"reason": "leak"})
    else:
        node.remove_key(backup)
        look_again()

    assert labels_at(node) == ["console"]
    assert RotationRequest.objects.get().state == State.ENDED


def test_after_the_date_it_is_a_finding(
    admin: Client, backup: str, alice: User, node: Sandbox
) -> None:
    ask(admin, backup)

    pass_deadline()

    assert "Rotation overdue" in words_of(admin.get("/team/keys/?finding=rotation-overdue"))
    assert "1 key found" in words_of(admin.get("/team/keys/?finding=rotation-overdue"))
    assert "Rotations overdue 1" in words_of(admin.get("/overview/"))
    assert "1 to rotate, overdue" in words_of(admin.get("/team/"))
    report = admin.get("/team/keys/download/?form=csv").getvalue().decode()
    assert "Rotation overdue" in report
    assert "Rotation overdue since" in words_of(signed_in(alice).get("/keys/"))
    assert last_row(Action.ROTATION_OVERDUE).on_behalf_of_name == "alice"
    assert "is overdue" in Message.objects.filter(member=alice).latest("pk").subject
    assert labels_at(node) == ["backup", "console"]
    work_off_deadlines()
    assert AuditEntry.objects.filter(action=Action.ROTATION_OVERDUE).count() == 1


def test_the_worker_revokes_after_the_date_if_the_admin_chose_so(
    admin: Client, backup: str, alice: User, node: Sandbox
) -> None:
    ask(admin, backup, revokes="on")
    work_off_deadlines()
    assert labels_at(node) == ["backup", "console"]  # not before

    pass_deadline()

    assert labels_at(node) == ["console"]
    assert RotationRequest.objects.get().state == State.ENDED
    row = last_row(Action.KEY_REVOKED)
    assert (row.job, row.on_behalf_of_name) == ("requested-rotations", "alice")
    assert row.detail["given_reason"] == "It was in a log."
    told = Message.objects.filter(member=alice).latest("pk")
    assert "Estuary no longer lists" in told.text
    assert not SeenKey.objects.filter(token_hash=hash_of(backup)).exists()
    look_again()
    assert not AuditEntry.objects.filter(action=Action.KEY_VANISHED).exists()


@pytest.mark.parametrize(
    ("endpoint", "fault"), [("revoke", "silent-ok"), ("revoke", "502-html"), ("list", "502-html")]
)
def test_what_estuary_does_not_confirm_is_not_told(
    admin: Client, backup: str, alice: User, node: Sandbox, endpoint: str, fault: str
) -> None:
    ask(admin, backup, revokes="on")
    node.set_fault(endpoint, Fault(fault))

    pass_deadline()

    request = RotationRequest.objects.get()
    assert request.state == State.OPEN
    assert request.due_at is not None
    assert request.failures == 1
    assert Message.objects.filter(member=alice).count() == 1
    node.clear_faults()
    RotationRequest.objects.update(due_at=timezone.now())
    work_off_deadlines()
    assert RotationRequest.objects.get().state == State.ENDED
    assert labels_at(node) == ["console"]


def test_a_worker_that_died_after_the_revocation_is_made_up_for(
    admin: Client, backup: str, node: Sandbox, worker: Worker, alice: User
) -> None:
    ask(admin, backup, revokes="on")
    dead = Worker.objects.create(host="gone", pid=1, ended_at=timezone.now())
    RotationRequest.objects.update(claimed_by=dead, claims=1)
    node.remove_key(backup)

    pass_deadline()

    assert RotationRequest.objects.get().state == State.ENDED
    assert "Estuary no longer lists" in Message.objects.filter(member=alice).latest("pk").text


def test_without_a_connection_the_worker_waits_and_the_admin_sees_why(
    admin: Client, backup: str, node: Sandbox
) -> None:
    ask(admin, backup, revokes="on")
    StoredToken.objects.all().delete()

    pass_deadline()

    assert RotationRequest.objects.get().state == State.OPEN
    assert "The member is not connected" in words_of(admin.get(page_of(backup)))
    assert "Rotation overdue" in words_of(admin.get("/team/alice/"))
    assert node.requests == []


def test_another_account_proves_nothing(
    admin: Client, backup: str, node: Sandbox, alice: User
) -> None:
    ask(admin, backup, revokes="on")
    connect(alice, node.add_key(node.add_user("other"), label="other"))

    pass_deadline()

    assert RotationRequest.objects.get().state == State.OPEN
    assert "backup" in labels_at(node)


def test_a_request_is_withdrawn(admin: Client, backup: str, alice: User, node: Sandbox) -> None:
    ask(admin, backup, revokes="on")

    response = admin.post(page_of(backup), {"withdraw": "1"}, follow=True)

    assert "The request is withdrawn" in words_of(response)
    assert last_row(Action.ROTATION_WITHDRAWN).on_behalf_of_name == "alice"
    assert "need not be rotated" in Message.objects.filter(member=alice).latest("pk").subject
    pass_deadline()
    assert labels_at(node) == ["backup", "console"]
    again = admin.post(page_of(backup), {"withdraw": "1"}, follow=True)
    assert "There is no open request" in words_of(again)


def test_a_second_request_replaces_the_first(admin: Client, backup: str) -> None:
    ask(admin, backup)
    ask(admin, backup, by=in_days(5), reason="Sooner is better.")

    assert RotationRequest.objects.filter(state=State.OPEN).count() == 1
    assert RotationRequest.objects.filter(state=State.WITHDRAWN).count() == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reason": ""}, "This field is required"),
        ({"reason": "EST1e2feb89-414c-443c-9027-c4d1c386bbc4ARY"}, "does not belong here"),
        ({"by": ""}, "This field is required"),
        ({"by": "tomorrow"}, "Write the date as year, month and day"),
        ({"by": "2020-01-01"}, "This day is over"),
        ({"by": "9999-12-31"}, "The key ends before this day"),
    ],
)
def test_a_request_needs_a_reason_and_a_day_before_the_keys_end(
    admin: Client,
    node: Sandbox,
    account: Account,
    alice: User,
    token: str,
    changes: dict[str, str],
    sentence: str,
) -> None:
    connect(alice, token)
    short = node.add_key(account, label="short", lifetime=30 * DAY)
    sync_due()

    response = ask(admin, short, **changes)

    assert sentence in words_of(response)
    assert "414c" not in response.content.decode()
    assert not RotationRequest.objects.exists()
    assert not Message.objects.filter(member=alice).exists()


def test_the_day_on_which_a_key_ends_is_too_late(
    admin: Client, node: Sandbox, account: Account, alice: User, token: str
) -> None:
    connect(alice, token)
    noon = timezone.localtime().replace(hour=12, minute=0) + 30 * DAY
    short = node.add_key(account, label="short", lifetime=noon - timezone.localtime())
    sync_due()

    words = words_of(ask(admin, short, by=f"{noon:%Y-%m-%d}"))

    assert "The key ends during this day" in words
    assert not RotationRequest.objects.exists()


def test_keys_that_cannot_be_rotated_are_not_asked_for(
    admin: Client, node: Sandbox, account: Account, alice: User, token: str
) -> None:
    connect(alice, token)
    ended = node.add_key(account, label="ended", lifetime=-DAY)
    session = node.add_key(account, label="session", is_session=True)
    working = node.add_key(account, label="working")
    sync_due()
    rotate(signed_in(alice), working)

    assert "This key has ended" in words_of(ask(admin, ended))
    assert "at a sign-in of its own" in words_of(ask(admin, session))
    assert "is replacing this key already" in words_of(ask(admin, working))
    alice.is_active = False
    alice.save()
    assert "The member is disabled" in words_of(ask(admin, token))
    assert not RotationRequest.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_admins_ask(method: str, backup: str, alice: User, node: Sandbox) -> None:
    other = signed_in(User.objects.create_user("bob"))
    data = {"by": in_days(3), "reason": "x"}

    assert getattr(other, method)(page_of(backup), data).status_code == 403
    assert getattr(signed_in(alice), method)(page_of(backup), data).status_code == 403
    assert getattr(Client(), method)(page_of(backup), data).status_code == 302
    assert not RotationRequest.objects.exists()


def test_another_member_does_not_see_the_request(admin: Client, backup: str, node: Sandbox) -> None:
    ask(admin, backup)
    bob = User.objects.create_user("bob")
    connect(bob, node.add_key(node.add_user("bob"), label="own"))

    assert "Rotate by" not in words_of(signed_in(bob).get("/keys/"))
    assert "Rotate key" not in words_of(signed_in(bob).get("/account/reminders/"))


def test_the_key_of_another_member_is_not_found(admin: Client, backup: str) -> None:
    User.objects.create_user("bob")

    assert admin.get(f"/team/bob/keys/{hash_of(backup)}/ask-rotation/").status_code == 404


def look_at_deadlines_again() -> RotationRequest:
    """As when the next try is due."""
    RotationRequest.objects.exclude(due_at=None).update(due_at=timezone.now())
    work_off_deadlines()
    return RotationRequest.objects.get()


def test_a_member_who_is_disabled_while_the_admin_sends_the_form_is_not_asked(
    admin: Client, backup: str, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_valid = AskRotationForm.is_valid

    def disabled_meanwhile(form: AskRotationForm) -> bool:
        User.objects.filter(pk=alice.pk).update(is_active=False)
        return is_valid(form)

    monkeypatch.setattr(AskRotationForm, "is_valid", disabled_meanwhile)

    response = ask(admin, backup)

    assert "The member is disabled and cannot rotate a key" in words_of(response)
    assert not RotationRequest.objects.exists()
    assert not Message.objects.filter(member=alice).exists()


def test_the_worker_revokes_nothing_while_a_rotation_is_in_doubt(
    admin: Client, backup: str, alice: User, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    ask(admin, backup, revokes="on")
    monkeypatch.setattr(create, "_checked", killed)  # the new key is not recorded yet
    with pytest.raises(KeyboardInterrupt):
        rotate(signed_in(alice), backup)

    pass_deadline()

    request = RotationRequest.objects.get()
    assert request.state == State.OPEN
    assert request.due_at
    assert request.due_at > timezone.now()
    assert backup in node.state.keys


@pytest.mark.parametrize("changes", [{"state": "requested"}, {"keeps_old": True}])
def test_a_rotation_that_nobody_waits_for_any_more_does_not_stop_the_worker(
    admin: Client, backup: str, alice: User, node: Sandbox, changes: dict[str, Any]
) -> None:
    ask(admin, backup, revokes="on")
    rotate(signed_in(alice), backup)
    RotationRequest.objects.update(state=State.OPEN)
    Rotation.objects.update(due_at=None, **changes)
    pass_deadline()
    assert backup in node.state.keys
    KeyCreation.objects.update(requested_at=timezone.now() - timedelta(hours=1))

    pass_deadline()

    assert RotationRequest.objects.get().state == State.ENDED
    assert backup not in node.state.keys


def test_a_rotation_that_nobody_waits_for_any_more_does_not_stop_an_admin(
    admin: Client, backup: str, alice: User
) -> None:
    rotate(signed_in(alice), backup)
    Rotation.objects.update(state="requested", due_at=None)
    assert "is replacing this key already" in words_of(ask(admin, backup))
    KeyCreation.objects.update(requested_at=timezone.now() - timedelta(hours=1))

    assert "alice is asked to rotate “backup”" in words_of(ask(admin, backup))


def test_a_refused_token_is_shown_to_the_admin_and_recorded_once(
    admin: Client, backup: str, node: Sandbox
) -> None:
    ask(admin, backup, revokes="on")
    node.set_fault("any", Fault("401-unknown"))

    pass_deadline()
    request = look_at_deadlines_again()

    assert (request.state, request.failures) == (State.OPEN, 2)
    assert request.trouble
    assert request.trouble in words_of(admin.get(page_of(backup)))
    assert AuditEntry.objects.filter(action=Action.ROTATION_OVERDUE).count() == 1
    node.clear_faults()
    assert look_at_deadlines_again().state == State.ENDED
    assert labels_at(node) == ["console"]


def test_a_stored_token_that_cannot_be_opened_is_shown_to_the_admin(
    admin: Client, backup: str, node: Sandbox, settings: Any
) -> None:
    ask(admin, backup, revokes="on")
    settings.TOKEN_SEALING_KEYS = [base64.b64encode(b"o" * 32).decode()]

    pass_deadline()

    assert RotationRequest.objects.get().state == State.OPEN
    assert requested_rotations.UNREADABLE in words_of(admin.get(page_of(backup)))
    assert node.requests == []


def test_a_list_in_doubt_does_not_end_the_request(
    admin: Client, backup: str, node: Sandbox, token: str, alice: User
) -> None:
    ask(admin, backup, revokes="on")
    revoke_elsewhere(node, token)
    node.remove_key(backup)

    pass_deadline()

    request = RotationRequest.objects.get()
    assert (request.state, request.failures) == (State.OPEN, 1)
    assert Message.objects.filter(member=alice).count() == 1  # that of the request


def test_a_day_that_is_almost_over_is_refused(carol: User, backup: str) -> None:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    with time_machine.travel(midnight - timedelta(seconds=30), tick=False):
        response = ask(signed_in(carol), backup, by=in_days(0))

    assert "This day is almost over. Choose a later day." in words_of(response)
    assert not RotationRequest.objects.exists()
