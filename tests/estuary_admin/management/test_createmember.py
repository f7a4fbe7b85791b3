"""Members are made on the command line."""

from __future__ import annotations

import getpass
import io
import sys
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from estuary_admin.members import is_admin
from keys.audit.vocabulary import Action
from tests.conftest import PASSWORD
from tests.keys.evidence import last_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is typed at the prompts for a password."""
    answers: list[str] = []
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: answers.pop(0))
    yield answers
    assert answers == []


def make(monkeypatch: pytest.MonkeyPatch, *arguments: str, password: str = PASSWORD) -> str:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
    out = io.StringIO()
    call_command("createmember", *arguments, "--password-stdin", stdout=out)
    return out.getvalue()


def test_a_member_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    said = make(monkeypatch, "alice", "--email", "alice@example.com")

    assert said == "Made member alice.\n"
    alice = User.objects.get(username="alice")
    assert alice.check_password(PASSWORD)
    assert alice.email == "alice@example.com"
    assert not is_admin(alice)
    assert not alice.is_staff
    assert not alice.is_superuser


def test_an_admin_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    said = make(monkeypatch, "carol", "--admin")

    assert said == "Made admin carol.\n"
    row = last_row(Action.MEMBER_CREATED)
    assert (row.on_behalf_of_name, row.detail) == ("carol", {"role": "admin"})
    assert is_admin(User.objects.get(username="carol"))


def test_the_password_is_asked_for_twice(typed: list[str]) -> None:
    typed += [PASSWORD, PASSWORD]

    call_command("createmember", "alice", stdout=io.StringIO())

    assert User.objects.get(username="alice").check_password(PASSWORD)


def test_a_slip_in_the_second_makes_nobody(typed: list[str]) -> None:
    typed += [PASSWORD, "something else"]

    with pytest.raises(CommandError, match="The two passwords differ"):
        call_command("createmember", "alice")
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["short", "password1234", "alice-smith-1", "748291650382", ""])
def test_a_weak_password_makes_nobody(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    with pytest.raises(CommandError, match="password"):
        make(monkeypatch, "alice-smith", password=password)
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["", "a b", "x" * 151, "<script>", "\u3164", "ali\u115fce"])
def test_a_wrong_name_makes_nobody(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(CommandError):
        make(monkeypatch, name)
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["alice", "Alice", "\uff21lice"])
def test_an_existing_member_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, alice: User, name: str
) -> None:
    with pytest.raises(CommandError, match="There is a member called alice already"):
        make(monkeypatch, name, password="quite another password")

    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("first", "second"), [("Änne", "änne"), ("anne\u0308", "ann\u00eb"), ("straße", "STRASSE")]
)
def test_a_name_that_reads_the_same_is_taken(
    monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    make(monkeypatch, first)

    with pytest.raises(
        CommandError, match=f"There is a member called {User.normalize_username(first)} already"
    ):
        make(monkeypatch, second)


def test_a_name_is_kept_in_the_form_that_keyboards_type(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make(monkeypatch, "\uff22ob") == "Made member Bob.\n"


def test_without_anybody_who_types_a_sentence_says_what_to_use(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", nobody)

    with pytest.raises(CommandError, match="use --password-stdin"):
        call_command("createmember", "bob")


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_a_password_in_another_encoding_is_refused(
    db: None, monkeypatch: pytest.MonkeyPatch, errors: str
) -> None:
    given = io.BytesIO("Paßwort mit Länge 123\n".encode("latin-1"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given, "utf-8", errors))

    with pytest.raises(CommandError, match="is not UTF-8"):
        call_command("createmember", "bob", "--password-stdin")
