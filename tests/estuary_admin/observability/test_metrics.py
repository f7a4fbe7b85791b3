"""What `/metrics` reports, and to which clients."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from estuary_admin import VERSION
from estuary_admin.secrets import shared_secrets
from estuary_admin.storage.backups import record_backup
from keys.models import KeyCreation
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.conftest import connect, signed_in
from tests.security.spellings import assert_holds_none

TOKEN = "the-token-of-the-monitor"
NEXT = "the-next-token-of-the-monitor"


@pytest.fixture(autouse=True)
def _open(settings: Any, db: None) -> None:
    cache.clear()
    settings.METRICS_TOKENS = (TOKEN, NEXT)


def samples(client: Client | None = None) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels, sorted by the labels' names."""
    response = (client or Client()).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    found = text_string_to_metric_families(response.content.decode())
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in found
        for sample in family.samples
    }


def grown(before: dict[tuple[str, ...], float], *name: str) -> float:
    return samples().get(name, 0) - before.get(name, 0)


def test_metrics_are_closed_by_default(settings: Any) -> None:
    settings.METRICS_TOKENS = ()

    assert Client().get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 404
    assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {NEXT}", 200),  # while it is changed, both are good
        (f"Bearer {TOKEN}x", 404),
        (f"Basic {TOKEN}", 404),
        (TOKEN, 404),
        ("Bearer \u00e9", 404),
    ],
)
def test_a_monitor_with_the_token_is_let_in(given: str, status: int) -> None:
    assert Client().get("/metrics", HTTP_AUTHORIZATION=given).status_code == status


def test_a_signed_in_admin_gets_no_metrics(carol: User) -> None:
    assert signed_in(carol).get("/metrics").status_code == 404


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("192.0.2.9", {}, 200),
        ("::ffff:192.0.2.9", {}, 200),  # as a socket for both protocols spells it
        ("198.51.100.1", {}, 404),
        ("", {}, 404),  # a unix socket
        ("10.0.0.1", {"X-Forwarded-For": "192.0.2.9"}, 200),
        ("10.0.0.1", {"X-Forwarded-For": "198.51.100.1"}, 404),
        ("198.51.100.1", {"X-Forwarded-For": "192.0.2.9"}, 404),
        # Through a proxy that is not ours: the address is the proxy's, not the client's.
        ("192.0.2.9", {"X-Forwarded-For": "198.51.100.1"}, 404),
        ("192.0.2.9", {"Forwarded": "for=198.51.100.1"}, 404),
        ("192.0.2.9", {"Via": "1.1 elsewhere"}, 404),
    ],
)
def test_a_monitor_at_an_allowed_address_is_let_in(
    settings: Any, peer: str, headers: dict[str, str], status: int
) -> None:
    settings.METRICS_ALLOWED = [ip_network("192.0.2.0/24")]
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]

    assert Client().get("/metrics", REMOTE_ADDR=peer, headers=headers).status_code == status


@pytest.mark.parametrize("wrong", [["short"], [TOKEN, NEXT, NEXT], ["\u00e9" * 20]])
def test_a_weak_metrics_token_stops_the_start(wrong: list[str]) -> None:
    with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN takes one value"):
        shared_secrets.checked("METRICS_TOKEN", wrong)


def test_requests_are_counted_by_route_and_never_by_path(browser: Client, token: str) -> None:
    before = samples()

    browser.get("/stats/")
    browser.get(f"/keys/{token}/")
    browser.generic("MADE-UP", "/stats/")

    assert grown(before, "estuary_admin_requests_total", "GET", "stats/", "200") == 1
    assert grown(before, "estuary_admin_requests_total", "GET", "-", "404") == 1
    assert grown(before, "estuary_admin_requests_total", "other", "stats/", "405") == 1
    assert grown(before, "estuary_admin_request_seconds_count", "stats/") == 2
    told = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert_holds_none(told.content.decode(), [token])


def test_calls_to_estuary_are_counted_by_outcome(browser: Client, node: Sandbox) -> None:
    before = samples()

    browser.get("/stats/?fresh=1")
    node.set_fault("stats", Fault("502-html", times=1))
    browser.get("/stats/?fresh=1")
    node.set_fault("stats", Fault("html", times=1))
    browser.get("/stats/?fresh=1")

    calls = ("estuary_admin_upstream_calls_total", "stats")
    assert grown(before, *calls, "ok") == 2  # the second page's was repeated
    assert grown(before, *calls, "failed") == 1
    assert grown(before, *calls, "unexpected-reply") == 1
    assert grown(before, "estuary_admin_upstream_seconds_count", "stats") == 4
    assert grown(before, "estuary_admin_upstream_seconds_sum", "stats") > 0


def test_exports_are_counted_while_they_run_and_when_they_end(
    browser: Client, node: Sandbox
) -> None:
    before = samples()

    response: Any = browser.post("/exports/download/")
    chunks = iter(response.streaming_content)
    size = len(next(chunks))
    assert grown(before, "estuary_admin_exports_running") == 1
    size += sum(map(len, chunks))

    assert grown(before, "estuary_admin_exports_running") == 0
    assert grown(before, "estuary_admin_exports_total", "done") == 1
    assert grown(before, "estuary_admin_export_bytes_total") == size
    node.set_fault("export", Fault("502-html"))
    browser.post("/exports/download/")
    assert grown(before, "estuary_admin_exports_total", "failed") == 1
    assert grown(before, "estuary_admin_exports_running") == 0


def test_sign_ins_are_counted_by_outcome(alice: User) -> None:
    before = samples()

    for password in ("wrong", "correct horse battery"):
        Client().post("/accounts/login/", {"login": "alice", "password": password})

    assert grown(before, "estuary_admin_sign_ins_total", "refused") == 1
    assert grown(before, "estuary_admin_sign_ins_total", "signed-in") == 1


def test_keys_are_counted_as_last_seen_without_asking_estuary(
    browser: Client, node: Sandbox, account: Account, carol: User, token: str
) -> None:
    node.add_key(account, label="old", era="legacy")
    connect(carol, token)  # the same account: its keys are there once
    browser.get("/keys/")
    signed_in(carol).get("/keys/")
    bob = User.objects.create_user("bob")
    connect(bob, node.add_key(node.add_user("bob"), label="console"))
    node.forget_requests()

    told = samples()

    assert node.requests == []
    by_status = {name[1]: value for name, value in told.items() if name[0] == "estuary_admin_keys"}
    assert sum(by_status.values()) == 2
    assert set(by_status) == {"active", "expiring", "expired", "permanent", "session"}
    assert told["estuary_admin_legacy_keys",] == 1
    assert told["estuary_admin_accounts", "seen"] == 2
    assert told["estuary_admin_accounts", "unseen"] == 1  # never looked at: not “no keys”


def test_a_creation_without_an_outcome_is_counted_after_ten_minutes(alice: User) -> None:
    long_ago = timezone.now() - timedelta(minutes=11)
    for number, (outcome, at) in enumerate(
        [("requested", long_ago), ("created", long_ago), ("requested", timezone.now())]
    ):
        KeyCreation.objects.create(
            nonce=str(number), member=alice, label="ci", outcome=outcome, requested_at=at
        )

    assert samples()["estuary_admin_unfinished_creations",] == 1


def test_the_time_of_the_last_backup_is_reported(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    never = samples()["estuary_admin_last_backup_timestamp_seconds",]
    record_backup()

    assert never == 0
    assert samples()["estuary_admin_last_backup_timestamp_seconds",] == pytest.approx(
        timezone.now().timestamp(), abs=60
    )


def test_while_the_database_is_away_the_other_metrics_are_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("no database")

    monkeypatch.setattr("keys.api_keys.counts.current_counts", away)

    told = samples()

    assert ("estuary_admin_build_info", VERSION) in told
    assert "estuary_admin_accounts" not in {name for name, *_ in told}  # absent is not zero
    assert "metrics_incomplete" in caplog.messages
