"""Values of the database that this version does not know, as a rolling upgrade leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db.models import Field, IntegerField, Model
from django.test import Client
from django.utils import timezone

from estuary_admin.members import ADMINS
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.models import (
    AuditEntry,
    BulkChange,
    BulkItem,
    ExportComparison,
    ExportSchedule,
    KeyCreation,
    Message,
    OffBoardedKey,
    OffBoarding,
    Preferences,
    PreparedExport,
    Rotation,
    RotationRequest,
    TeamExport,
    TeamExportPart,
)
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.conftest import PASSWORD
from tests.keys.api_keys.test_key_create import form_of

UNKNOWN = "later"
OTHER_HASH = "x" * 43
NEXT_YEAR = timezone.now() + timedelta(days=365)
PAGES = [
    "/keys/",
    "/keys/new/",
    "/stats/",
    "/exports/",
    "/audit/",
    "/account/",
    "/account/reminders/",
    "/team/",
    "/team/keys/",
    "/overview/",
]
#: Columns whose values are codes, though the column names no choices.
CODES: list[tuple[type[Model], str]] = [
    (AuditEntry, "action"),
    (Preferences, "time_zone"),
    (KeyCreation, "permission"),
]


def columns_with_choices() -> Iterator[tuple[type[Model], str]]:
    for model in apps.get_app_config("keys").get_models():
        for field in model._meta.get_fields():
            if isinstance(field, Field) and field.choices:
                yield model, field.name


COLUMNS = list(dict.fromkeys([*columns_with_choices(), *CODES]))
IDS = [f"{model.__name__}.{name}" for model, name in COLUMNS]


@pytest.fixture
def everything(alice: User, browser: Client, node: Sandbox, account: Account) -> list[str]:
    """A row in every table that a page shows; returns the paths of their own pages."""
    alice.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
    browser.post("/keys/new/", form_of(browser))
    browser.post("/account/", {"theme": "dark", "time_zone": "Europe/Berlin", "shortcuts": "on"})
    [made] = KeyCreation.objects.all()
    Message.objects.create(member=alice, channel=Message.Channel.EMAIL, kind="reminder", text="x")
    for action in (Action.EXPORT_FINISHED, Action.KEY_REVOKED):
        record_action(Actor(alice, "", ""), action, token_hash=made.token_hash)
    key = f"/keys/{made.token_hash}/"
    return [key, *rotation_of(alice, made), *exports_of(alice), *bulk_change_of(alice), *leaver()]


def rotation_of(member: User, made: KeyCreation) -> list[str]:
    Rotation.objects.create(
        member=member,
        creation=made,
        old_hash=OTHER_HASH,
        stored_hash=OTHER_HASH,
        old_expiry=NEXT_YEAR,
        ends_at=NEXT_YEAR,
        latest_end=NEXT_YEAR,
        state=Rotation.State.OVERLAP,
    )
    RotationRequest.objects.create(member=member, token_hash=made.token_hash, deadline=NEXT_YEAR)
    return []


def exports_of(member: User) -> list[str]:
    ready = {"member": member, "state": PreparedExport.State.READY, "expires_at": NEXT_YEAR}
    old, new = (PreparedExport.objects.create(token_hash=OTHER_HASH, **ready) for _ in range(2))
    ExportComparison.objects.create(old=old, new=new)
    ExportSchedule.objects.create(member=member, every=ExportSchedule.Every.WEEK)
    team = TeamExport.objects.create(
        requested_by_name="carol", state=TeamExport.State.READY, expires_at=NEXT_YEAR
    )
    TeamExportPart.objects.create(team_export=team, member_name="alice", export=old)
    compare = f"/exports/compare/?old={old.number}&new={new.number}"
    return [f"/exports/{old.number}/", compare, f"/exports/team/{team.number}/"]


def bulk_change_of(member: User) -> list[str]:
    change = BulkChange.objects.create(
        member=member, action=BulkChange.Action.REVOKE, started_at=timezone.now()
    )
    BulkItem.objects.create(change=change, position=1, token_hash=OTHER_HASH)
    return [f"/keys/bulk/{change.pk}/"]


def leaver() -> list[str]:
    member = User.objects.create_user("leaver")
    leaving = OffBoarding.objects.create(
        member=member, member_name="leaver", started_by_name="carol", due_at=None
    )
    OffBoardedKey.objects.create(off_boarding=leaving, token_hash=OTHER_HASH)
    return ["/team/leaver/", "/team/leaver/offboard/"]


def put_unknown_value(model: type[Model], name: str, token_hash: str) -> None:
    if model is AuditEntry:  # its rows are written once
        values: dict[str, Any] = {"action": Action.KEY_REVOKED, "outcome": Outcome.DONE}
        record_action(Actor(None, "", ""), **(values | {name: UNKNOWN}), token_hash=token_hash)
    else:
        is_number = isinstance(model._meta.get_field(name), IntegerField)
        model._default_manager.update(**{name: 99 if is_number else UNKNOWN})


@pytest.mark.parametrize(("model", "name"), COLUMNS, ids=IDS)
def test_an_unknown_value_breaks_no_page(
    browser: Client, everything: list[str], model: type[Model], name: str
) -> None:
    assert model._default_manager.exists()
    put_unknown_value(model, name, KeyCreation.objects.get().token_hash)
    # Signing in takes the preferences into the session.
    browser.post("/accounts/logout/")
    browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})

    for path in (*PAGES, *everything):
        assert browser.get(path).status_code < 500, path


def test_a_repeated_form_shows_an_unknown_outcome(browser: Client, node: Sandbox) -> None:
    form = form_of(browser)
    browser.post("/keys/new/", form)
    KeyCreation.objects.update(outcome=UNKNOWN)

    page = browser.post("/keys/new/", form).content.decode()

    assert "We do not know whether the key was created" in page
