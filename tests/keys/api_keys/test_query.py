"""The query of the list and its address."""

from __future__ import annotations

import pytest

from keys.api_keys.query import KeyQuery, Sort, Status


def test_an_address_holds_the_query() -> None:
    query = KeyQuery.from_params(
        {"q": " a&b ", "status": "expired", "sort": "-expiry", "page": "3"}
    )

    assert query == KeyQuery("a&b", Status.EXPIRED, Sort.EXPIRY_DOWN, 3)
    assert query.url(page=3) == "/keys/?q=a%26b&status=expired&sort=-expiry&page=3"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"status": "blue", "sort": "size", "page": "x"},
        {"page": "-1"},
        {"page": "²"},
        {"page": "9999999"},
        {"page": ""},
    ],
)
def test_unknown_values_fall_back_to_the_defaults(parameters: dict[str, str]) -> None:
    assert KeyQuery.from_params(parameters) == KeyQuery()


def test_defaults_are_left_out_of_the_address() -> None:
    assert KeyQuery().url() == "/keys/"
    assert KeyQuery().fresh_url() == "/keys/"


def test_a_change_leads_back_to_the_first_page() -> None:
    assert KeyQuery(q="x", page=3).url(sort=Sort.EXPIRY) == "/keys/?q=x&sort=expiry"


def test_the_refresh_address_keeps_the_query() -> None:
    assert KeyQuery(q="x", page=3).fresh_url() == "/keys/?q=x&page=3&fresh=1"


def test_a_long_search_is_cut() -> None:
    assert len(KeyQuery.from_params({"q": "x" * 1000}).q) == 200
