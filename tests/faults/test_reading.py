"""Pages that only read: the list, stats and the account, under every fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.conftest import HTMX
from tests.faults.matrix import ALL, TYPICAL, get, visit
from tests.keys.evidence import checked, words_of

LIST_READS = [("list", "/keys/", fault) for fault in ALL]
STATS_READS = [("stats", "/stats/", fault) for fault in TYPICAL]


@pytest.fixture
def elsewhere() -> Iterator[Sandbox]:
    """Another host, to which a redirect leads."""
    with Sandbox(rate_limit=None) as other:
        yield other


@pytest.mark.parametrize(("endpoint", "path", "fault"), LIST_READS + STATS_READS)
def test_a_page_that_reads_tells_what_is_wrong(
    browser: Client,
    node: Sandbox,
    elsewhere: Sandbox,
    settings: Any,
    endpoint: str,
    path: str,
    fault: str,
) -> None:
    seen = visit(settings, node, endpoint, fault, get(browser, path), elsewhere.url)

    assert seen.response.status_code in {200, 429, 502}
    seen.assert_told()
    assert elsewhere.requests == []
    if fault == "429 with Retry-After":
        assert seen.response["Retry-After"] == "120"
        assert "120 seconds" in seen.words


@pytest.mark.parametrize(
    ("endpoint", "path", "fault"), [read for read in LIST_READS + STATS_READS if read[2] in TYPICAL]
)
def test_a_part_that_reads_tells_it_in_the_notices(
    browser: Client, node: Sandbox, settings: Any, endpoint: str, path: str, fault: str
) -> None:
    seen = visit(settings, node, endpoint, fault, lambda: browser.get(path, headers=HTMX))

    assert seen.response.status_code == 200  # htmx shows nothing else
    assert seen.response["HX-Retarget"] == "#notices"
    seen.assert_told()


@pytest.mark.parametrize("fault", ["refused", "never answering", "500", "100 MB"])
def test_the_last_known_list_is_shown_with_its_time(
    browser: Client, node: Sandbox, settings: Any, fault: str
) -> None:
    browser.get("/keys/")

    seen = visit(settings, node, "list", fault, lambda: checked(browser, "/keys/"))

    assert seen.response.status_code == 200
    assert "You see what Estuary last told us" in seen.words
    assert "console" in seen.words
    seen.assert_told()


@pytest.mark.parametrize("fault", TYPICAL)
def test_the_account_page_says_how_the_token_is(
    browser: Client, node: Sandbox, settings: Any, fault: str
) -> None:
    seen = visit(settings, node, "list", fault, get(browser, "/account/"))

    assert seen.response.status_code == 200
    seen.assert_told()


@pytest.mark.parametrize(
    ("fault", "title"),
    [
        ("refused", "Estuary unreachable"),
        ("never answering", "Estuary unreachable"),
        ("reset before the work", "Estuary unreachable"),
        ("expired token", "Estuary refuses your key"),
        ("429", "Estuary is busy"),
        ("404", "Trouble with Estuary"),
        ("500", "Trouble with Estuary"),
        ("200 with HTML", "Trouble with Estuary"),
        ("null", "Trouble with Estuary"),
    ],
)
def test_the_title_does_not_call_unreachable_what_answered(
    browser: Client, node: Sandbox, settings: Any, fault: str, title: str
) -> None:
    seen = visit(settings, node, "any", fault, get(browser, "/stats/"))

    page = seen.response.content.decode()
    assert f"<title>{title} · Estuary Admin</title>" in page
    assert f"<h1>{title}</h1>" in page


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "part"])
def test_one_unreadable_row_is_counted_and_the_others_shown(
    browser: Client, node: Sandbox, account: Account, headers: dict[str, str]
) -> None:
    node.add_key(account, label="backup")
    node.set_fault("list", Fault("invalid-utf8"))

    response = browser.get("/keys/", headers=headers)

    assert response.status_code == 200
    assert "1 key could not be read from Estuary" in words_of(response)
    assert "backup" in words_of(response)
