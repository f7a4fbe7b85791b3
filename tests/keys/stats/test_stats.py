"""The stats page, also while Estuary has trouble."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from keys.models import StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.contents import Content
from keys.stats import services
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import asked, checked, words_of


def test_size_pins_and_average_in_both_units(alice: User, node: Sandbox) -> None:
    connect(alice, node.add_key(node.add_user("rich", contents=3)))

    page = words_of(signed_in(alice).get("/stats/"))

    assert "26.1 KiB 26.7 kB · 26,757 bytes" in page
    assert "Pins 3" in page
    assert "8.7 KiB 8.9 kB · 8,919 bytes" in page
    assert "read just now" in page


def test_numbers_beyond_what_a_float_holds_stay_exact(alice: User, node: Sandbox) -> None:
    rows = [Content(2**53), Content(1), Content(2**60)]
    connect(alice, node.add_key(node.add_user("rich", contents=rows)))

    page = words_of(signed_in(alice).get("/stats/"))

    assert f"{2**53 + 1 + 2**60:,} bytes" in page
    assert f"{(2**53 + 1 + 2**60) // 3:,} bytes" in page


def test_an_empty_account_has_no_average(browser: Client) -> None:
    page = words_of(browser.get("/stats/"))

    assert "0 bytes" in page
    assert "There is nothing to average yet" in page


def test_each_visit_asks_estuary_again(browser: Client, node: Sandbox) -> None:
    browser.get("/stats/")
    checked(browser, "/stats/")

    assert asked(node) == ["GET /user/stats", "GET /user/stats"]


def test_htmx_gets_the_figures_alone(browser: Client) -> None:
    response = browser.get("/stats/", headers=HTMX)

    assert response.content.decode().lstrip().startswith('<section id="stats"')
    assert "HX-Request" in response["Vary"]


def test_the_last_known_figures_show_while_estuary_is_down(browser: Client, node: Sandbox) -> None:
    browser.get("/stats/")
    node.stop()

    response = checked(browser, "/stats/")

    assert response.status_code == 200
    assert "Estuary could not be reached" in words_of(response)
    assert "You see what Estuary last told us" in words_of(response)
    assert "0 bytes" in words_of(response)


def test_without_known_figures_the_page_offers_to_try_again(browser: Client, node: Sandbox) -> None:
    node.stop()

    response = browser.get("/stats/")

    assert response.status_code == 502
    assert "Estuary unreachable" in words_of(response)
    assert 'href="/stats/">Try again' in response.content.decode()


def test_a_refused_token_is_reported_although_figures_are_known(
    browser: Client, node: Sandbox
) -> None:
    browser.get("/stats/")
    node.set_fault("stats", Fault("401-expired"))

    response = checked(browser, "/stats/")

    assert "Estuary refuses your key" in words_of(response)
    assert "/account/token/" in response.content.decode()


def test_htmx_gets_trouble_as_a_notice(browser: Client, node: Sandbox) -> None:
    node.set_fault("stats", Fault("500"))

    response = browser.get("/stats/", headers=HTMX)

    assert response.status_code == 200
    assert response["HX-Retarget"] == "#notices"
    assert response["HX-Reswap"] == "innerHTML"
    assert "Estuary failed while working on this" in words_of(response)


@pytest.mark.parametrize(("retry_after", "header"), [(7, "7"), (None, None)])
def test_a_busy_node_says_when_to_come_back(
    browser: Client, node: Sandbox, retry_after: int | None, header: str | None
) -> None:
    node.set_fault("stats", Fault("429", retry_after=retry_after))

    response = browser.get("/stats/")

    assert response.status_code == 429
    assert response.get("Retry-After") == header
    assert "Estuary is busy" in words_of(response)


@pytest.mark.parametrize("fault", ["truncated", "truncated-json", "null", "object", "html"])
def test_an_answer_that_cannot_be_trusted_is_not_shown(
    browser: Client, node: Sandbox, fault: str
) -> None:
    node.set_fault("stats", Fault(fault))

    response = browser.get("/stats/")

    assert response.status_code == 502
    assert "exactly" not in words_of(response)


def test_estuarys_own_text_is_not_shown(browser: Client, node: Sandbox) -> None:
    body = '{"error":{"code":500,"reason":"x","details":"ERROR: relation \\"auth_tokens\\""}}'
    node.set_fault("stats", Fault("500", body=body))

    assert "auth_tokens" not in browser.get("/stats/").content.decode()


def test_members_see_their_own_figures(
    browser: Client, carol: User, node: Sandbox, token: str
) -> None:
    theirs = node.add_key(node.add_user("carol", contents=5))
    connect(carol, theirs)
    node.forget_requests()

    browser.get("/stats/")

    assert node.requests[0].headers["authorization"] == f"Bearer {token}"


def test_a_member_who_is_not_connected_is_redirected_to_connect(alice: User, node: Sandbox) -> None:
    assert signed_in(alice).get("/stats/")["Location"] == "/account/token/"
    assert signed_in(alice).get("/stats/", headers=HTMX)["HX-Redirect"] == "/account/token/"
    assert node.requests == []


def test_a_token_that_cannot_be_unsealed_is_reported(
    browser: Client, settings: Any, node: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TOKEN_SEALING_KEYS = ["b" * 43 + "="]

    response = browser.get("/stats/")

    assert response.status_code == 500
    assert "Your connected key cannot be read" in words_of(response)
    assert "stored_token_unreadable" in caplog.text
    assert node.requests == []


def test_a_token_that_cannot_be_unsealed_is_reported_to_htmx(
    browser: Client, settings: Any
) -> None:
    settings.TOKEN_SEALING_KEYS = ["b" * 43 + "="]

    response = browser.get("/stats/", headers=HTMX)

    assert response.status_code == 200
    assert response["HX-Retarget"] == "#notices"
    assert "Connect a key" in words_of(response)


@pytest.mark.parametrize("kept", [b"\xc1", b"\x80", "text"])
def test_figures_that_another_version_kept_are_as_none(
    browser: Client, node: Sandbox, kept: Any
) -> None:
    browser.get("/stats/")
    stored = StoredToken.objects.get()
    cache.set(services._name(stored), kept)

    assert services.last_known(stored) is None
    assert "0 bytes" in words_of(browser.get("/stats/"))
