"""Values of the database that this version does not know, as a rolling upgrade leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import Field, Model
from django.test import Client

from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.models import AuditEntry, KeyCreation, Message, Preferences
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.conftest import PASSWORD
from tests.keys.api_keys.test_key_create import form_of

UNKNOWN = "later"
PAGES = [
    "/keys/",
    "/keys/new/",
    "/stats/",
    "/exports/",
    "/audit/",
    "/account/",
    "/account/reminders/",
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
def everything(alice: User, browser: Client, node: Sandbox, account: Account) -> str:
    """A row in every table that a page shows; returns the path of the key's page."""
    browser.post("/keys/new/", form_of(browser))
    browser.post("/account/", {"theme": "dark", "time_zone": "Europe/Berlin", "shortcuts": "on"})
    [made] = KeyCreation.objects.all()
    Message.objects.create(member=alice, channel=Message.Channel.EMAIL, kind="reminder", text="x")
    for action in (Action.EXPORT_FINISHED, Action.KEY_REVOKED):
        record_action(Actor(alice, "", ""), action, token_hash=made.token_hash)
    return f"/keys/{made.token_hash}/"


def put_unknown_value(model: type[Model], name: str, token_hash: str) -> None:
    if model is AuditEntry:  # its rows are written once
        values: dict[str, Any] = {"action": Action.KEY_REVOKED, "outcome": Outcome.DONE}
        record_action(Actor(None, "", ""), **(values | {name: UNKNOWN}), token_hash=token_hash)
    else:
        model._default_manager.update(**{name: UNKNOWN})


@pytest.mark.parametrize(("model", "name"), COLUMNS, ids=IDS)
def test_an_unknown_value_breaks_no_page(
    browser: Client, everything: str, model: type[Model], name: str
) -> None:
    assert model._default_manager.exists()
    put_unknown_value(model, name, KeyCreation.objects.get().token_hash)
    # Signing in takes the preferences into the session.
    browser.post("/accounts/logout/")
    browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})

    for path in (*PAGES, everything):
        assert browser.get(path).status_code == 200, path


def test_a_repeated_form_shows_an_unknown_outcome(browser: Client, node: Sandbox) -> None:
    form = form_of(browser)
    browser.post("/keys/new/", form)
    KeyCreation.objects.update(outcome=UNKNOWN)

    page = browser.post("/keys/new/", form).content.decode()

    assert "We do not know whether the key was created" in page
