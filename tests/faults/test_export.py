"""Exporting under every fault: a page before the first byte, a broken connection after it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from keys.models import AuditEntry
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import UpstreamError
from tests.faults.matrix import ALL, post, visit
from tests.security.spellings import assert_holds_none

URL = "/exports/download/"
#: Estuary had begun to answer, so the browser has, too.
BEGUN = {"dripping body", "truncated", "truncated JSON", "100 MB", "an object"}


@pytest.mark.parametrize("fault", [f for f in ALL if f not in BEGUN])
def test_a_failure_before_the_first_byte_is_a_page(
    browser: Client, node: Sandbox, settings: Any, fault: str
) -> None:
    seen = visit(settings, node, "export", fault, post(browser, URL, {}))

    assert seen.response.status_code in {429, 502}
    seen.assert_told()
    assert AuditEntry.objects.filter(action="export:failed").count() == 1
    assert "Download now" in browser.get("/exports/").content.decode()  # the lease is free again


@pytest.mark.parametrize(
    "fault",
    [
        Fault("drip-body", seconds=5),
        Fault("truncated"),
        Fault("truncated-json"),
        Fault("cut"),
        Fault("object"),
    ],
    ids=lambda fault: fault.kind,
)
def test_an_export_that_breaks_off_breaks_the_download(
    browser: Client,
    node: Sandbox,
    account: Account,
    settings: Any,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = "keys.token.stored_tokens.ConsoleClient.open_export.__defaults__"
    monkeypatch.setattr(place, (900.0, 1.0))
    node.set_fault("export", fault)

    response = browser.post(URL)
    with pytest.raises(UpstreamError) as broken:
        b"".join(response.streaming_content)  # type: ignore[attr-defined]

    assert response.status_code == 200
    assert_holds_none(str(broken.value), list(node.state.keys))
    [row] = AuditEntry.objects.filter(action__startswith="export:f")
    assert (row.action, row.outcome) == ("export:failed", "failed")


def test_an_account_too_large_for_estuary_has_its_own_sentence(
    browser: Client, node: Sandbox, token: str
) -> None:
    big = node.add_user("big", contents=70_000)
    node.truncate_exports = True
    browser.post("/account/token/", {"token": node.add_key(big)})

    response = browser.post(URL)

    assert response.status_code == 502
    assert "65,535" in response.content.decode()
