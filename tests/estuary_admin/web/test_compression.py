"""Pages are compressed unless another site asked for them or they hold a token."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import brotli
import pytest
from django.test import Client

from tests.keys.evidence import words_of

OWN_SITE_HEADERS = {"Accept-Encoding": "gzip, br", "Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize("site", ["same-origin", "none"])
@pytest.mark.parametrize(
    ("accepted", "encoding", "unpack"),
    [("gzip, deflate, br", "br", brotli.decompress), ("gzip", "gzip", gzip.decompress)],
)
def test_the_list_is_compressed_for_the_member(
    browser: Client, site: str, accepted: str, encoding: str, unpack: Callable[[bytes], bytes]
) -> None:
    response = browser.get("/keys/", headers={"Accept-Encoding": accepted, "Sec-Fetch-Site": site})

    assert response["Content-Encoding"] == encoding
    assert int(response["Content-Length"]) == len(response.content)
    assert b"<title>Keys" in unpack(response.content)
    assert {"Accept-Encoding", "Sec-Fetch-Site"} <= set(response["Vary"].split(", "))


def test_a_browser_without_compression_gets_plain_text(browser: Client) -> None:
    response = browser.get("/keys/", headers={"Sec-Fetch-Site": "none"})

    assert "Content-Encoding" not in response


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "nonsense"])
def test_a_page_that_another_site_asks_for_is_not_compressed(browser: Client, site: str) -> None:
    response = browser.get("/keys/?q=guess", headers=OWN_SITE_HEADERS | {"Sec-Fetch-Site": site})

    assert "Content-Encoding" not in response
    assert "Sec-Fetch-Site" in response["Vary"]


def test_the_csrf_token_differs_on_each_page(browser: Client) -> None:
    tokens = {str(browser.get("/keys/").context["csrf_token"]) for _ in range(3)}

    assert len(tokens) == 3


def test_the_page_with_a_new_token_is_not_compressed(browser: Client) -> None:
    nonce = browser.get("/keys/new/").context["form"]["nonce"].value()
    form = {"label": "x", "lifetime": "30d", "permission": "upload", "nonce": nonce}

    response = browser.post("/keys/new/", form, headers=OWN_SITE_HEADERS)

    assert "It will not be shown again" in words_of(response)
    assert "Content-Encoding" not in response


def test_an_export_is_not_compressed(browser: Client) -> None:
    response = browser.post("/exports/download/", headers=OWN_SITE_HEADERS)

    assert response["Content-Type"] == "application/json"
    assert "Content-Encoding" not in response
    response.close()
