"""Sentry is told of our crashes, without the values at hand."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
import sentry_sdk
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from estuary_admin.observability import crash_reports
from estuary_admin.observability.crash_reports import EVENT_FIELDS
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of, observers
from tests.keys.api_keys.test_key_create import form_of
from tests.security.sentry import Sentry
from tests.security.spellings import assert_holds_none
from tests.security.test_error_reports import CRASHES, Hand, crash
from tests.support.console import Console

# What crashes in the middle of a call leaves its socket to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

#: Without os.urandom a report has no id; what it is needed for breaks one step later.
PLACES = [(place.replace("os.urandom", "AESGCM"), ask) for place, ask in CRASHES]
TRAIL = "estuary_admin.observability.crash_reports.RequestBreadcrumbsMiddleware"


@pytest.fixture
def sentry(settings: Any) -> Iterator[Sentry]:
    """The app as it is with a SENTRY_DSN."""
    settings.MIDDLEWARE = [TRAIL, *settings.MIDDLEWARE]
    with Sentry() as running, sentry_sdk.isolation_scope():
        crash_reports.start(running.dsn, "testing")
        observers.connect(crash_reports.upstream_called)
        yield running
        observers._observers.remove(crash_reports.upstream_called)
        sentry_sdk.get_client().close(timeout=5)
        sentry_sdk.get_global_scope().set_client(None)
        sentry_sdk.get_global_scope()._event_processors.clear()


def told(sentry: Sentry) -> list[dict[str, Any]]:
    sentry_sdk.flush(timeout=5)
    return sentry.events


def victim_of(member: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(member)
    return client


@pytest.mark.parametrize("is_debug", [False, True], ids=["production", "debug"])
@pytest.mark.parametrize(
    ("place", "ask"), PLACES, ids=[f"{ask.__name__}-{place}" for place, ask in PLACES]
)
def test_a_report_tells_the_crash_and_no_token(
    sentry: Sentry,
    browser: Client,
    alice: User,
    node: Sandbox,
    account: Account,
    token: str,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    ask: Callable[[Hand], None],
    is_debug: bool,
) -> None:
    settings.DEBUG = is_debug
    victim = victim_of(alice)
    hand = Hand(victim, node.add_key(account, era="legacy"), token, form_of(victim))
    session = victim.cookies["sessionid"].value
    with monkeypatch.context() as broken:
        broken.setattr(place, crash)
        ask(hand)

    [event] = told(sentry)
    [error] = [one for one in event["exception"]["values"] if one["type"] == "RuntimeError"]
    assert error["value"] == "a fault of ours"
    assert error["stacktrace"]["frames"][-1]["function"] == "crash"
    assert set(event) <= {*EVENT_FIELDS, "exception", "logentry", "tags", "breadcrumbs"}
    for text in sentry.received:
        assert_holds_none(text, list(node.state.keys), place)
        for secret in (session, hand.filled["nonce"], hand.filled["label"], "vars", "testserver"):
            assert secret not in text


def test_a_report_says_which_request_it_was_and_what_came_before(
    sentry: Sentry, browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    victim = victim_of(alice)
    victim.get("/stats/")  # another request: not in the report
    monkeypatch.setattr("keys.api_keys.views.key_list.table_of", crash)

    answer = victim.get(f"/keys/?sort=expiry&page={token}")

    [event] = told(sentry)
    assert event["tags"] == {
        "request_id": answer["X-Request-Id"],
        "method": "GET",
        "route": "keys/",
        "member": str(alice.pk),
    }
    assert event["environment"] == "testing"
    assert event["logentry"] == {"message": "django.request"}
    [crumb] = event["breadcrumbs"]["values"]
    assert (crumb["category"], crumb["message"]) == ("estuary_admin.upstream", "list")
    assert crumb["data"]["outcome"] == "ok"


def test_an_address_with_a_token_in_it_is_no_breadcrumb(
    sentry: Sentry,
    browser: Client,
    alice: User,
    node: Sandbox,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = node.add_key(account, label="old", era="legacy")
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    monkeypatch.setattr("keys.api_keys.revoke.judged", crash)

    victim_of(alice).post(f"/keys/{hash_of(old)}/revoke/")

    assert [one.target for one in node.requests if old in one.target]  # it was sent there
    [event] = told(sentry)
    steps = [crumb["message"] for crumb in event["breadcrumbs"]["values"]]
    assert steps == ["list", "revoke", "list"]
    assert_holds_none("".join(sentry.received), [old])


def test_errors_of_others_are_not_reported(
    sentry: Sentry, browser: Client, node: Sandbox, token: str
) -> None:
    node.set_fault("any", Fault("502-html"))
    browser.get("/keys/")  # Django logs the 502 with its path
    browser.get(f"/nothing/{token}/")
    Client(headers={"Host": "elsewhere.example"}).get("/keys/")

    assert told(sentry) == []


def test_our_own_error_lines_are_reported(sentry: Sentry, token: str) -> None:
    extra = {"fingerprint": "abcdefgh", "reason": f"saw {token}", "other": token}
    logging.getLogger("estuary_admin.keys").error("key_creation_not_recorded", extra=extra)

    [event] = told(sentry)
    assert event["logentry"] == {"message": "key_creation_not_recorded"}
    assert event["tags"] == {"fingerprint": "abcdefgh", "reason": "saw EST…"}


def test_a_long_value_cut_within_a_token_shows_nothing_of_it(sentry: Sentry) -> None:
    token = f"EST{uuid4()}ARY"
    for length in (*range(460, 500, 7), *range(1000, 1024, 7), *range(99_960, 100_000, 13)):
        try:
            crash_with("x" * length + token)
        except RuntimeError:
            logging.getLogger("django.request").exception("%s", length)

    assert len(told(sentry)) == 14
    for text in sentry.received:
        assert token[:10] not in text
        assert token[-10:] not in text


def crash_with(text: str) -> None:
    raise RuntimeError(text)


def test_pages_work_while_sentry_is_away(
    settings: Any, browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sentry() as gone:
        pass
    crash_reports.start(gone.dsn, "testing")
    monkeypatch.setattr("keys.api_keys.views.key_list.table_of", crash)

    answer = victim_of(alice).get("/keys/")

    assert answer.status_code == 500
    assert "Something broke" in answer.content.decode()
    sentry_sdk.get_client().close(timeout=1)
    sentry_sdk.get_global_scope().set_client(None)
    sentry_sdk.get_global_scope()._event_processors.clear()


@pytest.mark.parametrize(
    "dsn", ["nonsense", "https://sentry.example.com/1", "http://key@sentry.example.com/1"]
)
def test_a_wrong_address_stops_the_start_without_being_shown(dsn: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SENTRY_DSN must look like") as refused:
        crash_reports.start(dsn, "production")

    assert dsn not in str(refused.value)


def test_the_production_server_reports_its_crashes(
    sentry_of_server: Sentry, tmp_path: Path
) -> None:
    cookie = "a" * 32
    settings = {"SENTRY_DSN": sentry_of_server.dsn, "SENTRY_ENVIRONMENT": "staging"}
    with (
        Sandbox(rate_limit=None) as node,
        Console(tmp_path, node, [], environment=settings) as console,
    ):
        with closing(sqlite3.connect(tmp_path / "estuary-admin.sqlite3")) as database:
            database.execute("ALTER TABLE django_session RENAME TO elsewhere")
        request = Request(f"{console.url}/keys/", headers={"Cookie": f"sessionid={cookie}"})
        with pytest.raises(HTTPError, match="500"):
            urlopen(request, timeout=10)
    # At its end the server has sent what it had to tell.
    [event] = sentry_of_server.events
    assert event["environment"] == "staging"
    assert event["exception"]["values"][-1]["type"] == "OperationalError"
    assert event["tags"]["method"] == "GET"
    assert cookie not in "".join(sentry_of_server.received)


@pytest.fixture
def sentry_of_server() -> Iterator[Sentry]:
    with Sentry() as running:
        yield running


def test_an_exception_without_a_log_line_is_reported_without_its_request() -> None:
    values = [{"type": "ValueError", "value": "nobody may read this"}]

    safe = crash_reports.safe_event({"exception": {"values": values}, "request": {"url": "x"}}, {})

    assert safe
    assert safe["exception"]["values"][0]["type"] == "ValueError"
    assert set(safe) == {"exception"}
