"""Exports: streamed, counted, hashed, one at a time, and never reported as complete by mistake."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.signals import request_finished
from django.db import close_old_connections
from django.test import Client

from keys.audit.vocabulary import Action
from keys.exports import running
from keys.exports.download import ExportInterrupted
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import UpstreamError, hash_of
from tests.conftest import connect, signed_in
from tests.keys.evidence import asked, audited, last_row, words_of

URL = "/exports/download/"
GET = "GET /user/export"


@pytest.fixture
def rich(node: Sandbox, account: Account, alice: User) -> Client:
    """Alice, connected to an account with some data."""
    connect(alice, node.add_key(node.add_user("rich", contents=2000)))
    node.forget_requests()
    return signed_in(alice)


def leave(response: Any) -> None:
    """Close the connection, as a browser that has enough; the test's database stays open."""
    request_finished.disconnect(close_old_connections)
    response.close()
    request_finished.connect(close_old_connections)


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_the_page_offers_the_download(browser: Client, node: Sandbox) -> None:
    page = words_of(browser.get("/exports/"))

    assert "Download now" in page
    assert "tens of seconds pass" in page
    assert "No export has been made yet." in page
    assert "For a member" not in page
    assert node.requests == []


def test_an_unconnected_member_reads_why_there_is_nothing_to_download(alice: User) -> None:
    page = words_of(signed_in(alice).get("/exports/"))

    assert "Estuary gives your data only to one of your keys, and none is connected." in page
    assert page.index("none is connected") < page.index("Prepared exports")
    assert "Prepare export " not in page
    assert "Save schedule" not in page
    assert "Download now" not in page


def test_an_export_begins_with_estuarys_first_byte(
    rich: Client, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when the console looks for the next time: a small export would take twice as long."""
    monkeypatch.setattr(running, "FIRST_BYTE_POLL_SECONDS", 60)
    node.set_fault("export", Fault("delay", seconds=0.5))
    began = time.monotonic()

    response = rich.post(URL)
    response.getvalue()

    assert time.monotonic() - began < 60


def test_the_download_has_a_dated_name_and_is_not_cached(rich: Client, node: Sandbox) -> None:
    session = rich.session
    session.items()  # reads it
    with time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=True):
        session.save()  # so that its expiry is not years away, whatever the real date
        response = rich.post(URL)
        leave(response)

    assert response.status_code == 200
    assert response["Content-Disposition"] == (
        'attachment; filename="estuary-export-alice-20261124.json"'
    )
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert "Content-Length" not in response


def test_the_bytes_are_estuarys_own(rich: Client, node: Sandbox) -> None:
    body = body_of(rich.post(URL))

    assert len(json.loads(body)["Version1"]["Contents"]) == 2000
    assert asked(node) == [GET]


def test_it_is_recorded_when_it_starts_and_when_it_ends(rich: Client) -> None:
    response = rich.post(URL)
    assert audited()[-1] == ("export:started", "started")

    body = body_of(response)

    assert audited()[-1] == ("export:finished", "done")
    row = last_row(Action.EXPORT_FINISHED)
    assert row.detail == {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert row.actor is not None
    assert row.actor.get_username() == "alice"
    assert row.on_behalf_of is None
    page = words_of(rich.get("/exports/"))
    assert hashlib.sha256(body).hexdigest() in page
    assert f'title="{len(body):,} bytes"' in rich.get("/exports/").content.decode()


def test_it_is_streamed(rich: Client) -> None:
    response: Any = rich.post(URL)

    assert len(list(response.streaming_content)) > 5


def test_one_runs_at_a_time(rich: Client, node: Sandbox) -> None:
    first = rich.post(URL)

    second = rich.post(URL)

    assert second.status_code == 409
    assert "An export of this account is running." in words_of(second)
    assert "Download now" not in words_of(second)
    assert "An export of this account is running." in words_of(rich.get("/exports/"))
    assert asked(node) == [GET]

    body_of(first)
    assert body_of(rich.post(URL))


def test_two_members_of_one_account_cannot_export_at_once(
    rich: Client, carol: User, node: Sandbox
) -> None:
    own = next(token for token, key in node.state.keys.items() if key.user.name == "rich")
    connect(carol, own)
    first = rich.post(URL)

    assert signed_in(carol).post(URL).status_code == 409

    body_of(first)


def test_other_accounts_do_not_wait(rich: Client, carol: User, node: Sandbox) -> None:
    connect(carol, node.add_key(node.add_user("carol")))
    first = rich.post(URL)

    assert body_of(signed_in(carol).post(URL))

    body_of(first)


def test_a_browser_that_never_reads_frees_the_account(rich: Client) -> None:
    leave(rich.post(URL))

    assert audited()[-1] == ("export:failed", "failed")
    assert body_of(rich.post(URL))


def test_an_incomplete_export_is_recorded_as_failed(rich: Client, node: Sandbox) -> None:
    node.set_fault("export", Fault("cut", size=300_000))
    response = rich.post(URL)
    assert response.status_code == 200

    with pytest.raises(UpstreamError):
        body_of(response)

    row = last_row(Action.EXPORT_FAILED)
    assert audited()[-1] == ("export:failed", "failed")
    assert 0 < row.detail["bytes"] <= 300_000
    assert "sha256" not in row.detail
    assert ("export:finished", "done") not in audited()
    page = words_of(rich.get("/exports/"))
    assert "alice Failed" in page


@pytest.mark.parametrize(
    ("fault", "status", "sentence"),
    [
        ("500", 502, "Estuary failed while working on this"),
        ("401-expired", 502, "This key has expired"),
        ("429", 429, "Estuary is busy"),
        ("html", 502, "not as Estuary does"),
        ("reset-before", 502, "broke off"),
        ("never", 502, "did not answer in time"),
    ],
)
def test_a_failure_before_the_first_byte_is_a_page(
    rich: Client, node: Sandbox, settings: Any, fault: str, status: int, sentence: str
) -> None:
    settings.ESTUARY_EXPORT_TIMEOUT = 0.5 if fault == "never" else 60
    node.set_fault("export", Fault(fault))

    response = rich.post(URL)

    assert response.status_code == status
    assert sentence in words_of(response)
    assert "Content-Disposition" not in response
    assert audited()[-2:] == [("export:started", "started"), ("export:failed", "failed")]
    assert asked(node) == [GET]  # never asked twice
    node.clear_faults()
    settings.ESTUARY_EXPORT_TIMEOUT = 60
    assert body_of(rich.post(URL))


def test_an_account_too_large_for_estuary_has_its_own_sentence(alice: User, node: Sandbox) -> None:
    connect(alice, node.add_key(node.add_user("huge", contents=80_000)))
    node.truncate_exports = True

    response = signed_in(alice).post(URL)

    assert "more than 65,535 contents, which Estuary cannot export" in words_of(response)
    assert last_row(Action.EXPORT_FAILED).detail == {"reason": "too-many-contents"}


def test_a_token_that_cannot_be_unsealed_frees_the_account(rich: Client, settings: Any) -> None:
    keys = settings.TOKEN_SEALING_KEYS
    settings.TOKEN_SEALING_KEYS = ["b" * 43 + "="]

    response = rich.post(URL)

    assert response.status_code == 500
    assert "Your connected key cannot be read" in words_of(response)
    assert last_row(Action.EXPORT_FAILED).detail == {"reason": "internal"}
    settings.TOKEN_SEALING_KEYS = keys
    assert body_of(rich.post(URL))


def test_a_member_who_is_not_connected_is_redirected_to_connect(alice: User, node: Sandbox) -> None:
    assert signed_in(alice).post(URL)["Location"] == "/account/token/"
    assert node.requests == []
    assert audited() == []


def test_neither_audit_nor_file_holds_a_token(rich: Client, node: Sandbox) -> None:
    body = body_of(rich.post(URL))

    for token in node.state.keys:
        assert token.encode() not in body
        assert hash_of(token).encode() not in body


def test_an_export_that_is_stopped_ends_once_under_a_server_without_a_socket_to_cut(
    browser: Client,
) -> None:
    response: Any = browser.post("/exports/download/")
    pieces = iter(response.streaming_content)
    [export] = running.watch._running.values()

    export.interrupt("stopped")
    export.interrupt("stalled")

    with pytest.raises(ExportInterrupted, match="The export was stopped"):
        list(pieces)
    leave(response)
    assert audited()[-1] == ("export:cancelled", "done")
