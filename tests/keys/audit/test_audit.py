"""The audit page: members see their own rows, admins all; filters, pages and downloads."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from keys.actors import Actor
from keys.audit import views
from keys.audit.record import record_action
from keys.audit.stream import json_line
from keys.audit.vocabulary import Action, Outcome
from keys.models import AuditEntry
from keys.upstream import fingerprint_of, hash_of
from tests.conftest import HTMX, signed_in
from tests.keys.evidence import words_of

pytestmark = pytest.mark.django_db

HASH = "abcdefgh" + "h" * 35


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob")


def did(member: User | None, action: str, outcome: Outcome | None = None, **more: object) -> None:
    record_action(Actor(member, "192.0.2.1", "request-1"), action, outcome, **more)  # type: ignore[arg-type]


def test_a_member_sees_own_rows_and_those_about_them(alice: User, bob: User, carol: User) -> None:
    did(alice, Action.KEY_CREATED, token_hash=HASH)
    did(carol, Action.EXPORT_FINISHED, on_behalf_of=alice)
    did(bob, Action.KEY_REVOKED)

    words = words_of(signed_in(alice).get("/audit/"))

    assert "Key created: alice abcdefgh from 192.0.2.1" in words
    assert "Export finished: carol for alice" in words
    assert "Key revoked: bob" not in words
    assert "verify_audit" not in words


def test_an_admin_sees_all_rows_and_the_newest_link(bob: User, carol: User) -> None:
    did(bob, Action.KEY_REVOKED)
    did(None, Action.SIGN_IN_FAILED)

    words = words_of(signed_in(carol).get("/audit/"))

    assert "Key revoked: bob" in words
    assert "Sign-in refused: somebody not signed in" in words
    assert "The newest link is" in words


def test_a_member_cannot_ask_for_somebody_else(alice: User, bob: User) -> None:
    did(bob, Action.KEY_REVOKED)

    words = words_of(signed_in(alice).get("/audit/?actor=bob"))

    assert "No entry matches these filters." in words
    assert "Key revoked: bob" not in words


def test_what_failed_is_not_told_as_done(alice: User) -> None:
    did(alice, Action.KEY_REVOKE_REQUESTED, Outcome.STARTED)
    did(alice, Action.KEY_REVOKED, Outcome.UNKNOWN)

    words = words_of(signed_in(alice).get("/audit/"))

    assert "Outcome unknown: “Key revoked”, alice" in words
    assert "Revocation requested: alice" in words  # these words say that it only started


def test_a_job_is_named(alice: User) -> None:
    record_action(Actor.for_job("rotation", alice), Action.KEY_REVOKED)

    assert "Key revoked: Worker (rotation) for alice" in words_of(signed_in(alice).get("/audit/"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("actor=BOB", 1),
        ("actor=rotation", 1),
        ("member=alice", 3),
        ("action=key:revoked", 2),
        ("outcome=failed", 1),
        ("key=abcdefgh", 1),
        ("key=ABCDEFGH", 0),
        ("key=abcd_fgh", 0),
        (f"key={HASH}", 1),
        ("from=2026-03-02", 2),
        ("to=2026-03-01", 2),
        ("from=2026-03-01T12:00&to=2026-03-01", 1),
        ("action=key:revoked&outcome=failed", 1),
        ("actor=nobody", 0),
        ("action=no:such", 0),
    ],
)
def test_each_filter_finds_its_rows(
    query: str, found: int, alice: User, bob: User, carol: User
) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 11, tzinfo=UTC), tick=False):
        did(alice, Action.KEY_CREATED, token_hash=HASH)
    with time_machine.travel(datetime(2026, 3, 1, 13, tzinfo=UTC), tick=False):
        did(alice, Action.KEY_REVOKED, Outcome.FAILED)
    with time_machine.travel(datetime(2026, 3, 2, 13, tzinfo=UTC), tick=False):
        did(bob, Action.KEY_REVOKED)
        record_action(Actor.for_job("rotation", alice), Action.SIGNED_OUT)
    client = signed_in(carol)

    page = client.get(f"/audit/?{query}").content.decode()

    carols = 1 if query == "from=2026-03-02" else 0  # her own sign-in is the newest row
    assert page.count("<li>") - page.split('id="audit"')[0].count("<li>") == found + carols


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=yesterday", "Give a date such as 2026-11-28"),
        ("from=9999-12-31T23:59:59-14:00", "Give a date such as 2026-11-28"),
        ("to=0001-01-01T00:00:00%2B14:00", "Give a date such as 2026-11-28"),
        ("to=2026-02-31", "Give a date such as 2026-11-28"),
        ("key=%3Cscript%3E", "Give a fingerprint or a whole token hash"),
        ("outcome=great", "Choose one of the outcomes"),
    ],
)
def test_a_wrong_filter_is_told_beside_its_field(query: str, sentence: str, alice: User) -> None:
    did(alice, Action.KEY_CREATED)

    response = signed_in(alice).get(f"/audit/?{query}")

    if not query.startswith("outcome"):
        assert sentence in words_of(response)
    assert "Correct the filter above." in words_of(response)


def test_pages_follow_each_other_without_a_gap(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "ROWS_PER_PAGE", 2)
    client = signed_in(alice)
    for number in range(5):
        did(alice, Action.KEY_CREATED, detail={"n": number})
    seen: list[str] = []
    url = "/audit/?action=key:created"

    while url:
        page = client.get(url)
        seen += [dict(row.facts)["n"] for row in page.context["rows"]]
        did(alice, Action.KEY_CREATED, detail={"n": 99})  # a new row moves no page
        url = page.context["next_url"]

    assert seen == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("query", ["after=x", "after=9999999999999999999999", "actor=%00", "x=y"])
def test_nonsense_in_the_address_is_no_error(query: str, alice: User) -> None:
    assert signed_in(alice).get(f"/audit/?{query}").status_code == 200


def test_htmx_gets_the_part(alice: User) -> None:
    response = signed_in(alice).get("/audit/", headers=HTMX)

    assert response.content.decode().strip().startswith('<section id="audit"')


def test_strangers_are_led_to_sign_in() -> None:
    assert Client().get("/audit/").status_code == 302
    assert Client().get("/audit/download/?form=csv").status_code == 302


def test_a_download_has_what_is_filtered_and_is_recorded(alice: User, bob: User) -> None:
    client = signed_in(alice)
    did(alice, Action.KEY_CREATED, token_hash=HASH, detail={"reason": "=cmd()"})
    did(alice, Action.KEY_REVOKED)
    did(bob, Action.KEY_CREATED)

    response = client.get("/audit/download/?form=csv&action=key:created")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]

    [row] = csv.DictReader(io.StringIO(text))
    assert (row["action"], row["actor"], row["key"]) == ("key:created", "alice", HASH)
    assert row["owasp"] == "authn_token_created"
    assert json.loads(row["detail"]) == {"reason": "=cmd()"}
    assert text.endswith("\r\n")
    assert 'filename="estuary-admin-audit-' in response["Content-Disposition"]
    last = AuditEntry.objects.latest("pk")
    assert (last.action, last.detail) == (Action.AUDIT_DOWNLOADED, {"form": "csv"})


def test_asking_for_the_head_of_a_download_records_none(alice: User) -> None:
    did(alice, Action.KEY_CREATED)

    response = signed_in(alice).head("/audit/download/?form=csv")

    assert response.status_code == 200
    assert "attachment" in response["Content-Disposition"]
    assert response.getvalue().count(b"\n") <= 1
    assert not AuditEntry.objects.filter(action=Action.AUDIT_DOWNLOADED).exists()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_runs_no_formula(start: str, carol: User) -> None:
    evil = User.objects.create_user("x")
    User.objects.filter(pk=evil.pk).update(username=f"{start}cmd|calc")
    did(User.objects.get(pk=evil.pk), Action.KEY_CREATED)

    response = signed_in(carol).get("/audit/download/?form=csv&action=key:created")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]

    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert row["actor"] == f"'{start}cmd|calc"


@pytest.mark.parametrize("form", ["ndjson", "json"])
def test_the_other_forms_hold_the_same_rows(form: str, alice: User) -> None:
    client = signed_in(alice)
    did(alice, Action.KEY_CREATED)
    did(alice, Action.KEY_REVOKED, Outcome.FAILED)

    response = client.get(f"/audit/download/?form={form}&actor=alice")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]

    rows = json.loads(text) if form == "json" else list(map(json.loads, text.splitlines()))
    assert [row["action"] for row in rows][:2] == ["key:revoked", "key:created"]
    assert rows[0]["outcome"] == "failed"


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\n", "\r\n", "\x0b", "\x1e", "\x00"])
def test_a_row_of_ndjson_is_one_line_for_every_reader(odd: str) -> None:
    facts = {"detail": {"given_reason": f"a{odd}b é"}}

    [line] = json_line(facts).splitlines()

    assert json.loads(line) == facts
    assert "é" in line


def test_text_that_cannot_be_encoded_does_not_break_a_download_off() -> None:
    assert json_line({"label": "a\ud800"}).encode() == b'{"label": "a\\ud800"}'


def test_an_empty_download_is_whole(alice: User) -> None:
    response = signed_in(alice).get("/audit/download/?form=json&action=no:such")

    assert b"".join(response.streaming_content) == b"[]\n"  # type: ignore[attr-defined]


def test_an_unknown_form_is_not_found(alice: User) -> None:
    assert signed_in(alice).get("/audit/download/?form=exe").status_code == 404


TOKEN = "EST1e2feb89-414c-443c-9027-c4d1c386bbc4ARY"


@pytest.mark.parametrize("path", ["/audit/?", "/audit/download/?form=csv&"])
@pytest.mark.parametrize("field", ["key", "actor", "action"])
@pytest.mark.parametrize("pasted", [TOKEN, f"x{TOKEN}", f"{TOKEN[:9]}\u200b{TOKEN[9:]}"])
def test_a_token_in_a_filter_leads_to_its_fingerprint(
    path: str, field: str, pasted: str, alice: User
) -> None:
    client = signed_in(alice)

    response = client.get(f"{path}{urlencode({field: pasted})}")

    assert response["Location"] == f"/audit/?key={fingerprint_of(hash_of(TOKEN))}"
    page = client.get(response["Location"]).content.decode()
    assert "You searched for a whole token." in page
    assert TOKEN not in page


@pytest.mark.parametrize("query", ["from=2026-13-45", "key=%3Cx", "outcome=great", "to=never"])
def test_a_wrong_filter_makes_no_empty_file(query: str, alice: User) -> None:
    response = signed_in(alice).get(f"/audit/download/?form=csv&{query}")

    assert response.status_code == 400
    assert query.split("=")[0] in response.content.decode()
    assert not AuditEntry.objects.filter(action=Action.AUDIT_DOWNLOADED).exists()


@pytest.mark.parametrize("query", ["", "&outcome=done", "&actor=alice", "&key=abcdefgh"])
def test_page_and_downloads_show_the_same_rows(
    query: str, alice: User, bob: User, carol: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "ROWS_PER_PAGE", 3)
    for member in (alice, bob, carol):
        did(member, Action.KEY_CREATED, token_hash=HASH, detail={"text": 'a\n=b,"c" \u202e'})
        did(member, Action.KEY_REVOKED, Outcome.FAILED)
    client = signed_in(carol)
    shown: list[str] = []
    url = f"/audit/?{query}"
    while url:
        page = client.get(url)
        shown += [dict(row.facts)["Hash"] for row in page.context["rows"]]
        url = page.context["next_url"]

    for form in ("csv", "ndjson", "json"):
        text = client.get(f"/audit/download/?form={form}{query}").getvalue().decode()
        found = [row["hash"] for row in rows_in(form, text) if row["action"] != "audit:downloaded"]
        assert found == shown


def rows_in(form: str, text: str) -> list[dict[str, str]]:
    if form == "csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    found: list[dict[str, str]] = (
        json.loads(text) if form == "json" else [json.loads(line) for line in text.split("\n")[:-1]]
    )
    return found


@pytest.mark.parametrize("field", ["actor", "member"])
@pytest.mark.parametrize("name", ["ren\u00e9", "rene\u0301"])
def test_a_name_is_found_in_either_normal_form(carol: User, field: str, name: str) -> None:
    member = User.objects.create_user("ren\u00e9")
    did(member, Action.KEY_CREATED, token_hash=HASH)

    page = signed_in(carol).get("/audit/", {field: name})

    assert [row.action_text for row in page.context["rows"]] == [Action.KEY_CREATED.words]
